//! Every setting of a service, of a route to it, and of a container.

use divisi_model::Spec;

use crate::native::OfRoute;
use crate::row::{Care, Of, Row};
use crate::stream::rows;
use crate::values::{duration, number, put, size, timeout};
use crate::{affinity, check, door, limits, native, speech};

/// The window through which a waiting request's body is read.
const BODY_MOST: usize = 64 * 1024;

const fn service(flag: &'static str, variable: &'static str, set: fn(&mut Spec, &str) -> Result<(), String>) -> Of {
    Of::Service { flag, variable, set }
}

/// Puts what a flag says into its place.
///
/// # Errors
/// What would have been accepted.
pub fn set(spec: &mut Spec, flag: &str, text: &str) -> Result<(), String> {
    let named = |row: &Row| match row.of {
        Of::Service { flag: name, set, .. } if name == flag => Some(set),
        Of::Service { .. } | Of::Container { .. } | Of::Route { .. } | Of::Port { .. } => None,
    };
    let set = TABLE.iter().find_map(named).ok_or_else(|| format!("no flag of a service is called --{flag}"))?;
    set(spec, text)
}

const fn route(set: fn(&mut OfRoute, &str) -> Result<(), String>) -> Of {
    Of::Route { care: Care::None, set }
}

const fn matcher(set: fn(&mut OfRoute, &str) -> Result<(), String>) -> Of {
    Of::Route { care: Care::Narrows, set }
}

const fn guard(set: fn(&mut OfRoute, &str) -> Result<(), String>) -> Of {
    Of::Route { care: Care::Guards, set }
}

/// Every setting, in the order in which people read about them.
pub const TABLE: &[Row] = &[
    Row {
        key: "host",
        value: "HOSTS",
        default: "any",
        help: "Which hosts lead here, with commas between them; *.example.com for all names one step below",
        example: "shop.example.com,*.shop.example.com",
        of: matcher(native::host),
    },
    Row {
        key: "path",
        value: "PATHS",
        default: "any",
        help: "Which paths lead here: /api for it and all below it, =/api for it alone, with commas between them",
        example: "/api,=/health",
        of: matcher(native::path),
    },
    Row {
        key: "method",
        value: "METHODS",
        default: "any",
        help: "Which methods lead here, with commas between them",
        example: "GET,HEAD",
        of: matcher(native::method),
    },
    Row {
        key: "header",
        value: "FIELDS",
        default: "any",
        help: "Which header fields must be there, with commas between them: NAME for any value, NAME=VALUE for that one",
        example: "X-Tenant=acme",
        of: matcher(native::header),
    },
    Row {
        key: "query",
        value: "FIELDS",
        default: "any",
        help: "Which fields the query must have, with commas between them: NAME for any value, NAME=VALUE for that one",
        example: "beta=1",
        of: matcher(native::query),
    },
    Row {
        key: "strip",
        value: "PREFIX",
        default: "off",
        help: "What is taken from the front of the path before the container sees it; true for what path says",
        example: "/api",
        of: route(native::strip),
    },
    Row {
        key: "priority",
        value: "N",
        default: "auto",
        help: "Which of two routes that both fit comes first: the one with the higher number; auto for the narrower one",
        example: "100",
        of: route(native::priority),
    },
    Row {
        key: "port",
        value: "PORT",
        default: "auto",
        help: "The port of the container; auto for the one that it exposes",
        example: "8080",
        of: route(native::port),
    },
    Row {
        key: "tls",
        value: "HOW",
        default: "auto",
        help: "Whether requests come inside TLS: auto (or not, until a certificate of a file or by ACME is there), both, \
               only, off",
        example: "only",
        of: guard(door::tls),
    },
    Row {
        key: "certificate",
        value: "NAMES",
        default: "auto",
        help: "The names of the certificate; auto for the hosts, files for none by ACME, file:NAME for that file",
        example: "example.com,*.example.com",
        of: route(door::certificate),
    },
    Row {
        key: "hsts",
        value: "TIME",
        default: "off",
        help: "How long browsers come inside TLS only; true for a year; more behind a semicolon: includeSubDomains, preload",
        example: "180d; includeSubDomains",
        of: route(door::hsts),
    },
    Row {
        key: "client-ca",
        value: "FILE",
        default: "off",
        help: "Whoever shows no certificate that an authority in this PEM file of divisi's container has signed is refused",
        example: "/certs/staff.pem",
        of: guard(door::client_authority),
    },
    Row {
        key: "scheme",
        value: "SCHEME",
        default: "http",
        help: "How the container is spoken to: http, https, h2c (HTTP/2 without TLS) or h2 (HTTP/2 inside TLS)",
        example: "https",
        of: Of::Container { set: speech::scheme },
    },
    Row {
        key: "upstream-ca",
        value: "FILE",
        default: "off",
        help: "The PEM file, in divisi's container, of the authority that signs the container's certificate; off for the \
               public ones",
        example: "/certs/internal.pem",
        of: Of::Container { set: speech::authority },
    },
    Row {
        key: "upstream-verify",
        value: "YES",
        default: "true",
        help: "Whether the container must prove by its certificate that it is the one that is meant",
        example: "false",
        of: Of::Container { set: speech::verify },
    },
    Row {
        key: "upstream-name",
        value: "NAME",
        default: "auto",
        help: "The name that the container's certificate is for; auto for the host that the client asks for",
        example: "app.internal",
        of: Of::Container { set: speech::server_name },
    },
    Row {
        key: "proxy-protocol",
        value: "VERSION",
        default: "off",
        help: "Tell the container at the begin of each connection who the client is, by the PROXY protocol: v1 or v2",
        example: "v2",
        of: Of::Container { set: speech::proxy_header },
    },
    Row {
        key: "network",
        value: "NETWORK",
        default: "auto",
        help: "The network on which the container is reached; auto for one that divisi is on, too",
        example: "shop_default",
        of: Of::Container { set: native::network },
    },
    Row {
        key: "enable",
        value: "YES",
        default: "auto",
        help: "Whether requests are led to the container: true, false, or auto for where a label says which",
        example: "false",
        of: Of::Container { set: native::enable },
    },
    rows::TARGET,
    rows::SNI,
    rows::TLS,
    rows::CLIENTS,
    rows::PRIORITY,
    Row {
        key: "policy",
        value: "POLICY",
        default: "p2c",
        help: "How to pick a replica: p2c (of two, the one that is likely to answer sooner), least-requests, \
               round-robin, random",
        example: "least-requests",
        of: service("policy", "DIVISI_POLICY", |spec, text| {
            put(&mut spec.policy, text.parse().map_err(|error| format!("{error}")))
        }),
    },
    Row {
        key: "weight",
        value: "N",
        default: "1",
        help: "How many times the share of a container of weight 1 this one gets, up to 1000",
        example: "3",
        of: Of::Container { set: |container, text| put(&mut container.weight, number(text, &(1..=1000))) },
    },
    Row {
        key: "sticky",
        value: "COOKIE",
        default: "off",
        help: "Bring each client back to its replica by a cookie; true for one named divisi, or a name of your own",
        example: "true",
        of: service("sticky", "DIVISI_STICKY", affinity::sticky),
    },
    Row {
        key: "hash",
        value: "KEY",
        default: "off",
        help: "Send requests of the same client, path, header:NAME or cookie:NAME to the same replica",
        example: "header:X-Tenant",
        of: service("hash", "DIVISI_HASH", affinity::hash),
    },
    Row {
        key: "hold",
        value: "TIME",
        default: "30s",
        help: "How long a request waits for a replica that can take it before the answer is 503; 0 for not at all",
        example: "10s",
        of: service("hold", "DIVISI_HOLD", |spec, text| put(&mut spec.hold.time, limits::time_or_off(text))),
    },
    Row {
        key: "hold.requests",
        value: "N",
        default: "1000",
        help: "How many requests wait at a time; more get a 503",
        example: "200",
        of: service("hold-requests", "DIVISI_HOLD_REQUESTS", |spec, text| {
            put(&mut spec.hold.requests, number(text, &(0..=1_000_000)))
        }),
    },
    Row {
        key: "hold.body",
        value: "SIZE",
        default: "64KiB",
        help: "How much of the body of a waiting request is read, up to 64KiB",
        example: "16KiB",
        of: service("hold-body", "DIVISI_HOLD_BODY", |spec, text| {
            put(&mut spec.hold.body, size(text, &(0..=BODY_MOST)))
        }),
    },
    Row {
        key: "retry.budget",
        value: "PERCENT",
        default: "20%",
        help: "How many attempts beyond the first there may be over ten seconds, in percent of the requests",
        example: "10%",
        of: service("retry-budget", "DIVISI_RETRY_BUDGET", |spec, text| {
            put(&mut spec.retry.percent, limits::percent(text))
        }),
    },
    Row {
        key: "retry.per-second",
        value: "N",
        default: "10",
        help: "How many attempts beyond the first there may be per second even where the percentage comes to fewer",
        example: "50",
        of: service("retry-per-second", "DIVISI_RETRY_PER_SECOND", |spec, text| {
            put(&mut spec.retry.per_second, number(text, &(0..=1_000_000)))
        }),
    },
    Row {
        key: "eject.failures",
        value: "N",
        default: "5",
        help: "After how many failed requests in a row a replica gets none for a time, where a refused connection is always \
               enough; 0 for never",
        example: "3",
        of: service("eject-failures", "DIVISI_EJECT_FAILURES", |spec, text| {
            put(&mut spec.ejection.failures, limits::number_or_off(text, 1_000_000))
        }),
    },
    Row {
        key: "eject.time",
        value: "TIME",
        default: "1s",
        help: "How long a replica that failed gets no requests the first time; twice as long with each further time in a row",
        example: "5s",
        of: service("eject-time", "DIVISI_EJECT_TIME", |spec, text| put(&mut spec.ejection.time, timeout(text))),
    },
    Row {
        key: "eject.most",
        value: "TIME",
        default: "60s",
        help: "How long a replica that failed gets no requests at most",
        example: "5m",
        of: service("eject-most", "DIVISI_EJECT_MOST", |spec, text| put(&mut spec.ejection.most, timeout(text))),
    },
    Row {
        key: "health",
        value: "CHECK",
        default: "off",
        help: "How replicas are asked whether they are well: tcp (they accept a connection) or a path (they answer a GET)",
        example: "/health",
        of: service("health", "DIVISI_HEALTH", |spec, text| put(&mut spec.check.question, check::question(text))),
    },
    Row {
        key: "health.status",
        value: "STATUS",
        default: "200-399",
        help: "The status, or the range of them, with which a replica that is well answers",
        example: "204",
        of: service("health-status", "DIVISI_HEALTH_STATUS", |spec, text| {
            put(&mut spec.check.statuses, check::statuses(text))
        }),
    },
    Row {
        key: "health.interval",
        value: "TIME",
        default: "5s",
        help: "How often a replica is asked, 100ms or more apart",
        example: "10s",
        of: service("health-interval", "DIVISI_HEALTH_INTERVAL", |spec, text| {
            put(&mut spec.check.interval, check::interval(text))
        }),
    },
    Row {
        key: "health.timeout",
        value: "TIME",
        default: "2s",
        help: "How long a replica may take to answer when it is asked",
        example: "500ms",
        of: service("health-timeout", "DIVISI_HEALTH_TIMEOUT", |spec, text| {
            put(&mut spec.check.timeout, timeout(text))
        }),
    },
    Row {
        key: "health.up",
        value: "N",
        default: "1",
        help: "After how many good answers in a row a replica that was down gets requests",
        example: "2",
        of: service("health-up", "DIVISI_HEALTH_UP", |spec, text| put(&mut spec.check.up, number(text, &(1..=1000)))),
    },
    Row {
        key: "health.down",
        value: "N",
        default: "3",
        help: "After how many bad answers in a row a replica that was up gets no more requests",
        example: "2",
        of: service("health-down", "DIVISI_HEALTH_DOWN", |spec, text| {
            put(&mut spec.check.down, number(text, &(1..=1000)))
        }),
    },
    Row {
        key: "slow-start",
        value: "TIME",
        default: "10s",
        help: "How long a replica that has just become ready takes to come to its full share; 0 for no time",
        example: "1m",
        of: service("slow-start", "DIVISI_SLOW_START", |spec, text| {
            put(&mut spec.slow_start, limits::time_or_off(text))
        }),
    },
    Row {
        key: "limit",
        value: "N",
        default: "off",
        help: "Most requests at a replica at a time; more wait",
        example: "100",
        of: service("limit", "DIVISI_LIMIT", |spec, text| put(&mut spec.replica_limit, limits::bound(text))),
    },
    Row {
        key: "limit.service",
        value: "N",
        default: "off",
        help: "Most requests of the service at a time, waiting ones included; more get a 503",
        example: "2000",
        of: service("limit-service", "DIVISI_LIMIT_SERVICE", |spec, text| {
            put(&mut spec.service_limit, limits::bound(text))
        }),
    },
    Row {
        key: "drain",
        value: "TIME",
        default: "10m",
        help: "How long exchanges and tunnels may go on at a replica after its stop began",
        example: "1h",
        of: service("drain", "DIVISI_DRAIN", |spec, text| put(&mut spec.drain, duration(text))),
    },
];
