//! What `divisi serve` can be told.

use std::slice;
use std::time::Duration;

use divisi_discovery::EngineAddress;
use divisi_labels::{Of, StickyKey};
use divisi_model::Spec;
use divisi_proxy::{Format, Limits};
use ipnet::IpNet;

use super::acme;
use super::routing::{self, Routed, Routing};
use super::row::{Origin, Problem, Row, Setting, Takes};
use super::secure::{self, Secure, Secured};
use super::values::{self, FixedReplica, HostPort, put, put_some};

/// What the program needs to serve.
#[derive(Debug)]
pub(crate) struct Serve {
    /// Where clients connect.
    pub(crate) listen: HostPort,
    /// Where clients connect by TLS, and with which certificates.
    pub(crate) secure: Secure,
    /// Where the console listens; None for nowhere.
    pub(crate) console: Option<HostPort>,
    /// Where replicas come from.
    pub(crate) upstream: Upstream,
    /// What is wanted of services where their labels do not say.
    pub(crate) spec: Spec,
    /// How labels are understood.
    pub(crate) routing: Routing,
    /// What signs sticky cookies, where the user has a secret for it.
    pub(crate) sticky_key: Option<StickyKey>,
    /// Worker threads, where the user wants another number than the machine suggests.
    pub(crate) workers: Option<usize>,
    /// Networks whose word about the client is believed.
    pub(crate) trust: Vec<IpNet>,
    /// Networks whose connections begin with a header of the PROXY protocol.
    pub(crate) proxy_protocol: Vec<IpNet>,
    /// Whether responses name their replica.
    pub(crate) replica_header: bool,
    /// Bounds on what one client or replica can cost.
    pub(crate) limits: Limits,
    /// How long open exchanges may take to finish after SIGTERM.
    pub(crate) stop_timeout: Duration,
    /// What goes to the log.
    pub(crate) log: String,
    /// How exchanges are logged, if they are.
    pub(crate) access_log: Option<Format>,
}

/// Where replicas come from.
#[derive(Debug)]
pub(crate) enum Upstream {
    /// Named by hand.
    Static {
        /// What the service is called in messages.
        service: String,
        /// Where its replicas are.
        replicas: Vec<FixedReplica>,
    },
    /// Found by asking a Docker Engine.
    Engine {
        /// How to reach it.
        engine: EngineAddress,
        /// The service, where the user names one.
        service: Option<String>,
        /// The Compose project, where the user names one.
        project: Option<String>,
    },
}

/// What the user wrote, value by value.
#[derive(Debug, Default)]
pub(super) struct Written {
    listen: HostPort,
    secure: Secure,
    console: Option<HostPort>,
    service: Option<String>,
    project: Option<String>,
    replicas: Vec<FixedReplica>,
    spec: Spec,
    routing: Routing,
    sticky_key: Option<StickyKey>,
    workers: Option<usize>,
    trust: Vec<IpNet>,
    proxy_protocol: Vec<IpNet>,
    /// Absent where the user leaves it to the way in which the program was started.
    replica_header: Option<bool>,
    /// Whether it was started in the way of the 2016 program.
    as_in_2016: bool,
    limits: Limits,
    stop_timeout: Duration,
    docker_host: Option<String>,
    docker_tls_verify: Option<String>,
    docker_cert_path: Option<String>,
    log: String,
    access_log: Option<Format>,
}

impl Written {
    /// Makes of it what the program needs. What is wrong between values joins what was wrong with single ones.
    pub(super) fn settle(mut self, mut problems: Vec<Problem>) -> Result<Serve, Vec<Problem>> {
        // Where it is off somebody before divisi ends TLS. Where its port is taken nobody does, and what is to be safe stays so.
        self.routing.reader.has_tls = self.secure.listen.is_some();
        problems.extend(self.secure.acme.problems());
        let upstream = if self.replicas.is_empty() {
            self.engine().map(|engine| Upstream::Engine { engine, service: self.service, project: self.project })
        } else {
            let service = self.service.unwrap_or_else(|| "static".to_owned());
            Ok(Upstream::Static { service, replicas: self.replicas })
        };
        let upstream = match upstream {
            Ok(upstream) if problems.is_empty() => upstream,
            Ok(_) => return Err(problems),
            Err(problem) => {
                problems.push(problem);
                return Err(problems);
            }
        };
        Ok(Serve {
            listen: self.listen,
            secure: self.secure,
            console: self.console,
            upstream,
            spec: self.spec,
            routing: self.routing,
            sticky_key: self.sticky_key,
            workers: self.workers,
            trust: self.trust,
            proxy_protocol: self.proxy_protocol,
            replica_header: self.replica_header.unwrap_or(self.as_in_2016),
            limits: self.limits,
            stop_timeout: self.stop_timeout,
            log: self.log,
            access_log: self.access_log,
        })
    }

    fn engine(&self) -> Result<EngineAddress, Problem> {
        let (host, tls, path) = (&self.docker_host, &self.docker_tls_verify, &self.docker_cert_path);
        EngineAddress::from_parts(host.as_deref(), tls.as_deref(), path.as_deref())
            .map_err(|error| Problem::Together { flag: "docker-host", reason: error.to_string() })
    }
}

const SERVICE: &str = "Which service";
const REQUESTS: &str = "Requests";
const LIMITS: &str = "Limits";
const SPEC: &str = "Service (also as label divisi.*)";
const DOCKER: &str = "Docker Engine";

/// The row of the log, which every command has.
pub(super) const LOG: Row = Row {
    default: Some("info"),
    help: "What goes to the log: error, warn, info, debug, or parts with levels",
    example: "info,divisi_discovery=debug",
    ..Row::new("log", &["DIVISI_LOG"], "LEVEL")
};

/// Every setting of `divisi serve`: those of the program, and those of a service.
pub(super) fn table() -> Vec<Setting<Written>> {
    let of_services = divisi_labels::TABLE.iter().filter_map(of_service);
    PROGRAM
        .iter()
        .copied()
        .chain(secure::rows())
        .chain(acme::rows())
        .chain(routing::rows())
        .chain(of_services)
        .collect()
}

impl Routed for Written {
    fn routing(&mut self) -> &mut Routing {
        &mut self.routing
    }
}

impl Secured for Written {
    fn secure(&mut self) -> &mut Secure {
        &mut self.secure
    }
}

/// A row of the labels as a flag, which says the same for all services.
fn of_service(row: &'static divisi_labels::Row) -> Option<Setting<Written>> {
    let Of::Service { flag, variable, .. } = &row.of else { return None };
    let (default, help, example) = (Some(row.default), row.help, row.example);
    Some(Setting {
        row: Row { default, group: SPEC, help, example, ..Row::new(flag, slice::from_ref(variable), row.value) },
        set: |written, given| divisi_labels::set(&mut written.spec, given.flag, given.text),
    })
}

/// The settings of the program.
const PROGRAM: &[Setting<Written>] = &[
    Setting {
        row: Row {
            default: Some(":8080"),
            help: "Where clients connect; without a host, on all addresses of IPv6 and IPv4; port 0 takes a free one",
            example: "127.0.0.1:8080",
            ..Row::new("listen", &["DIVISI_LISTEN"], "ADDR")
        },
        set: |written, given| put(&mut written.listen, values::listen(given.text)),
    },
    Setting {
        row: Row {
            help: "The same as --listen, as the 2016 program had it (-addr); turns --replica-header on",
            example: ":8080",
            ..Row::new("addr", &["DIVISI_ADDR"], "ADDR")
        },
        set: |written, given| {
            written.as_in_2016 = true;
            put(&mut written.listen, values::listen(given.text))
        },
    },
    Setting {
        row: Row {
            default: Some("127.0.0.1:9180"),
            help: "Where the console listens, which tells `divisi ps`, `divisi explain` and Prometheus what divisi knows; off \
                   for nowhere",
            example: ":9180",
            ..Row::new("console", &["DIVISI_CONSOLE"], "ADDR")
        },
        set: |written, given| put(&mut written.console, values::listen_or_off(given.text)),
    },
    Setting {
        row: Row {
            group: SERVICE,
            help: "The service that gets every request without a route, by its name in the Compose file; named by the second \
                   variable, as for the 2016 program, it turns --replica-header on",
            example: "web",
            ..Row::new("service", &["DIVISI_SERVICE", "DOCKER_COMPOSE_SERVICE_NAME"], "NAME")
        },
        set: |written, given| {
            written.as_in_2016 |= given.origin == Origin::Variable("DOCKER_COMPOSE_SERVICE_NAME");
            put_some(&mut written.service, values::name(given.text))
        },
    },
    Setting {
        row: Row {
            group: SERVICE,
            help: "The Compose project whose services are served; without it, the project of this container",
            example: "shop",
            ..Row::new("project", &["DIVISI_PROJECT", "COMPOSE_PROJECT_NAME"], "NAME")
        },
        set: |written, given| put_some(&mut written.project, values::name(given.text)),
    },
    Setting {
        row: Row {
            group: SERVICE,
            takes: Takes::List,
            help: "A replica at a fixed address; no Docker then; names are looked up once, at start. Before the address what it \
                   speaks, if not plain HTTP: https, h2c (HTTP/2 with prior knowledge) or h2 (HTTP/2 in TLS), whose \
                   certificates public authorities must have signed; gRPC goes to plain replicas as h2c by itself",
            example: "10.0.0.7:80,h2c://10.0.0.8:9000",
            ..Row::new("replica", &["DIVISI_REPLICAS"], "ADDR")
        },
        set: |written, given| values::replica(given.text).map(|replica| written.replicas.push(replica)),
    },
    Setting {
        row: Row {
            group: REQUESTS,
            takes: Takes::List,
            help: "A network whose X-Forwarded-* fields are believed; those of all others are overwritten",
            example: "10.0.0.0/8,fd00::/8",
            ..Row::new("trust", &["DIVISI_TRUST"], "CIDR")
        },
        set: |written, given| values::network(given.text).map(|network| written.trust.push(network)),
    },
    Setting {
        row: Row {
            group: REQUESTS,
            takes: Takes::List,
            help: "A network whose connections begin with a header of the PROXY protocol, which says who the client is; one that \
                   does not begin so is closed",
            example: "10.0.0.0/8",
            ..Row::new("proxy-protocol", &["DIVISI_PROXY_PROTOCOL"], "CIDR")
        },
        set: |written, given| values::network(given.text).map(|network| written.proxy_protocol.push(network)),
    },
    Setting {
        row: Row {
            takes: Takes::Switch,
            group: REQUESTS,
            help: "Name the replica of each response in X-Internal-Service",
            example: "true",
            ..Row::new("replica-header", &["DIVISI_REPLICA_HEADER"], "BOOL")
        },
        set: |written, given| put_some(&mut written.replica_header, values::yes_or_no(given.text)),
    },
    Setting {
        row: Row {
            group: REQUESTS,
            secret: true,
            help: "What signs sticky cookies, 16 characters or more; without it they do not outlive divisi, and no second \
                   one knows them",
            example: "6a7d1f0c9be24d3f",
            ..Row::new("sticky-key", &["DIVISI_STICKY_KEY"], "SECRET")
        },
        set: |written, given| put_some(&mut written.sticky_key, values::sticky_key(given.text)),
    },
    Setting {
        row: limit("head-size", &["DIVISI_HEAD_SIZE"], "SIZE", "32KiB", "Largest head of a request or response"),
        set: |written, given| put(&mut written.limits.head_size, values::size(given.text, &(1 << 10..=1 << 20))),
    },
    Setting {
        row: limit("max-fields", &["DIVISI_MAX_FIELDS"], "N", "128", "Most field lines in a head"),
        set: |written, given| put(&mut written.limits.fields, values::number(given.text, &(1..=10_000))),
    },
    Setting {
        row: limit(
            "head-timeout",
            &["DIVISI_HEAD_TIMEOUT"],
            "TIME",
            "15s",
            "From a request head's first byte to its last",
        ),
        set: |written, given| put(&mut written.limits.head_timeout, values::timeout(given.text)),
    },
    Setting {
        row: limit(
            "idle-timeout",
            &["DIVISI_IDLE_TIMEOUT"],
            "TIME",
            "75s",
            "How long a client's connection may rest between requests",
        ),
        set: |written, given| put(&mut written.limits.idle_timeout, values::timeout(given.text)),
    },
    Setting {
        row: limit(
            "client-timeout",
            &["DIVISI_CLIENT_TIMEOUT"],
            "TIME",
            "60s",
            "How long a client may neither send the body it announced nor take the response",
        ),
        set: |written, given| put(&mut written.limits.client_timeout, values::timeout(given.text)),
    },
    Setting {
        row: limit(
            "min-body-rate",
            &["DIVISI_MIN_BODY_RATE"],
            "N",
            "32",
            "Slowest average rate in bytes per second of a request body until the response begins, \
             and of a response that its client keeps waiting over HTTP/2; 0 for any",
        ),
        set: |written, given| put(&mut written.limits.min_body_rate, values::number(given.text, &(0..=1 << 30))),
    },
    Setting {
        row: limit(
            "connect-timeout",
            &["DIVISI_CONNECT_TIMEOUT"],
            "TIME",
            "2s",
            "From trying to connect to a replica to being connected",
        ),
        set: |written, given| put(&mut written.limits.connect_timeout, values::timeout(given.text)),
    },
    Setting {
        row: limit(
            "response-timeout",
            &["DIVISI_RESPONSE_TIMEOUT"],
            "TIME",
            "60s",
            "From the end of a request to the end of the response's head",
        ),
        set: |written, given| put(&mut written.limits.response_timeout, values::timeout(given.text)),
    },
    Setting {
        row: limit(
            "stream-timeout",
            &["DIVISI_STREAM_TIMEOUT"],
            "TIME",
            "1h",
            "How long a response body or a tunnel may stay silent",
        ),
        set: |written, given| put(&mut written.limits.stream_timeout, values::timeout(given.text)),
    },
    Setting {
        row: limit("max-connections", &["DIVISI_MAX_CONNECTIONS"], "N", "10000", "Most client connections at a time"),
        set: |written, given| put(&mut written.limits.connections, values::number(given.text, &(1..=10_000_000))),
    },
    Setting {
        row: Row {
            default: Some("10s"),
            example: "30s",
            help: "How long open exchanges may take to finish after SIGTERM or SIGINT",
            ..Row::new("stop-timeout", &["DIVISI_STOP_TIMEOUT"], "TIME")
        },
        set: |written, given| put(&mut written.stop_timeout, values::duration(given.text)),
    },
    Setting {
        row: Row {
            group: DOCKER,
            help: "Where the engine listens: unix:// or tcp://; without it, Docker's own default",
            example: "tcp://10.0.0.5:2376",
            ..Row::new("docker-host", &["DOCKER_HOST"], "URL")
        },
        set: |written, given| put_some(&mut written.docker_host, values::text(given.text)),
    },
    Setting {
        row: Row {
            group: DOCKER,
            help: "Whether to speak TLS to the engine and verify it; as in Docker, any value means yes",
            example: "1",
            ..Row::new("docker-tls-verify", &["DOCKER_TLS_VERIFY"], "VALUE")
        },
        set: |written, given| put_some(&mut written.docker_tls_verify, values::text(given.text)),
    },
    Setting {
        row: Row {
            group: DOCKER,
            help: "The folder with ca.pem, cert.pem and key.pem for it",
            example: "/certs",
            ..Row::new("docker-cert-path", &["DOCKER_CERT_PATH"], "PATH")
        },
        set: |written, given| put_some(&mut written.docker_cert_path, values::text(given.text)),
    },
    Setting {
        row: Row {
            help: "Worker threads; without it, as many as the cores this process may use, a container's quota counted",
            example: "4",
            ..Row::new("workers", &["DIVISI_WORKERS"], "N")
        },
        set: |written, given| put_some(&mut written.workers, values::number(given.text, &(1..=1024))),
    },
    Setting {
        row: Row {
            default: Some("combined"),
            help: "How requests are logged to standard output, a line for each: combined (as Apache, and key=value behind), \
                   json, off",
            example: "json",
            ..Row::new("access-log", &["DIVISI_ACCESS_LOG"], "FORMAT")
        },
        set: |written, given| put(&mut written.access_log, values::access_log(given.text)),
    },
    Setting { row: LOG, set: |written, given| put(&mut written.log, values::log_filter(given.text)) },
];

/// A row of the limits; its default is an example, too.
const fn limit(
    flag: &'static str,
    variables: &'static [&'static str],
    value: &'static str,
    default: &'static str,
    help: &'static str,
) -> Row {
    Row { default: Some(default), group: LIMITS, help, ..Row::new(flag, variables, value) }
}
