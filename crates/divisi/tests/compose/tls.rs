//! HTTPS as a user has it: with the local authority, with files that are exchanged, for clients that show certificates, and
//! towards replicas.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use divisi_testkit::client::{Response, fetch};

use crate::caller::until;
use crate::engine::{Engine, engine};
use crate::project::Project;
use crate::tls_client::{Authority, Trusting};

/// The README's own; only its ports are free ones.
const README: &str = r#"
services:
  echo:
    image: <echo>
  divisi:
    image: <divisi>
    ports: ["127.0.0.1::8080", "127.0.0.1::8443"]
    volumes: ["/var/run/docker.sock:/var/run/docker.sock:ro", "divisi:/data"]
volumes:
  divisi:
"#;

/// Services that want something of TLS, and two that are divisi themselves, as these speak it.
const TOWN: &str = r#"
services:
  divisi:
    image: <divisi>
    ports: ["127.0.0.1::8080", "127.0.0.1::8443"]
    volumes: ["/var/run/docker.sock:/var/run/docker.sock:ro", "./certs:/certs:ro"]
  shop:
    image: <echo>
    labels: {divisi.host: shop.localhost, divisi.hsts: 1h}
  admin:
    image: <echo>
    labels: {divisi.host: admin.localhost, divisi.tls: only}
  staff:
    image: <echo>
    labels: {divisi.host: staff.localhost, divisi.client-ca: staff.pem}
  filed:
    image: <echo>
    labels: {divisi.host: filed.example.com}
  clear:
    image: <divisi>
    command: serve --replica shop:9090
    depends_on: [shop]
    labels: {divisi.host: clear.localhost, divisi.port: "8080", divisi.scheme: h2c}
  safe:
    image: <divisi>
    command: serve --replica shop:9090
    depends_on: [shop]
    labels:
      divisi.host: safe.localhost
      divisi.port: "8443"
      divisi.scheme: https
      divisi.upstream-ca: safe.pem
      divisi.upstream-name: safe
"#;

fn root(project: &Project<'_>, service: &str) -> String {
    project.compose(&["exec", "-T", service, "/divisi", "ca"]) + "\n"
}

/// Both ports of a divisi, and whom its clients trust in.
struct Town<'a> {
    project: Project<'a>,
    /// Each container's id, and its service.
    containers: String,
    plain: SocketAddr,
    secure: SocketAddr,
    root: String,
}

impl<'a> Town<'a> {
    fn of(engine: &Engine, project: Project<'a>) -> Self {
        let own = format!("label=com.docker.compose.project={}", project.name());
        let format = r#"{{.ID}} {{.Label "com.docker.compose.service"}}"#;
        let containers = engine.docker(&["ps", "--filter", &own, "--format", format]);
        let (plain, secure) = (project.addr(), project.published("8443"));
        until("there is a local authority", || {
            let asked = ["exec", "-T", "divisi", "/divisi", "ps"];
            project.compose(&asked).contains("the local authority")
        });
        let root = root(&project, "divisi");
        Self { project, containers, plain, secure, root }
    }

    fn plainly(&self, host: &str) -> Response {
        fetch(self.plain, format!("GET /x?y HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"))
    }

    /// Waits until that host is served inside TLS, by a container of that service.
    fn expect(&self, client: &Trusting, host: &str, service: &str) -> String {
        let mut said = String::new();
        until(&format!("{host} is served by {service}"), || {
            said = client.get(self.secure, host, "/").unwrap_or_else(|problem| problem.to_string());
            let name = said.split("\r\n\r\n").nth(1).and_then(|body| body.lines().next()).unwrap_or_default();
            said.starts_with("HTTP/1.1 200 ") && self.containers.lines().any(|line| line == format!("{name} {service}"))
        });
        said
    }
}

#[test]
fn what_the_readme_shows_has_https_after_one_command_and_keeps_its_authority() {
    let Some(engine) = engine() else { return };
    let project = Project::new(engine, README);
    project.compose(&["up", "-d", "--scale", "echo=2"]);
    let town = Town::of(engine, project);
    let client = Trusting::only(&town.root, None);
    for host in ["echo.localhost", "localhost", "anything.else.localhost", "nas"] {
        town.expect(&client, host, "echo");
    }
    let stranger = client.get(town.secure, "example.com", "/").expect_err("that name is somebody else's");
    assert!(stranger.to_string().contains("UnrecognisedName"), "{stranger}");
    with_curl(&town);
    let log = town.project.compose(&["logs", "--no-color", "divisi"]);
    let odd: Vec<_> = log.lines().filter(|line| line.contains(" WARN ") || line.contains(" ERROR ")).collect();
    assert!(odd.is_empty(), "a usual start warns of nothing: {odd:#?}");

    town.project.compose(&["up", "-d", "--force-recreate", "divisi"]);
    let Town { project, root, .. } = town;
    let again = Town::of(engine, project);
    assert_eq!(again.root, root, "the volume keeps the authority");
    again.expect(&client, "echo.localhost", "echo");
}

/// The README's line. By ALPN it is HTTP/2.
fn with_curl(town: &Town<'_>) {
    if Command::new("curl").arg("--version").output().is_err() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "no curl, and CI must have it");
        // Not by a macro: what those print of a test that passes is not shown.
        let _ = std::io::stderr().write_all(b"skipped: no curl\n");
        return;
    }
    let file = town.project.path().join("divisi.crt");
    fs::write(&file, &town.root).expect("written");
    let port = town.secure.port();
    let output = Command::new("curl")
        .args(["-sS", "--max-time", "20", "-o", "/dev/null", "-w", "%{http_version} %{http_code}", "--cacert"])
        .arg(&file)
        // An old one does not know that names below localhost are this machine.
        .args(["--resolve", &format!("echo.localhost:{port}:127.0.0.1"), &format!("https://echo.localhost:{port}/")])
        .output()
        .expect("curl runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said, "2 200", "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn labels_say_what_is_wanted_of_tls_on_both_sides() {
    let Some(engine) = engine() else { return };
    let project = Project::new(engine, TOWN);
    let certs = project.path().join("certs");
    fs::create_dir(&certs).expect("a folder");
    let (firm, staff) = (Authority::new(), Authority::new());
    firm.sign("filed.example.com").write(&certs, "filed.example.com");
    fs::write(certs.join("staff.pem"), &staff.pem).expect("written");
    project.compose(&["up", "-d"]);
    let town = Town::of(engine, project);
    let client = Trusting::only(&town.root, None);

    // Two services by their names, and what browsers are told inside TLS only.
    let inside = town.expect(&client, "shop.localhost", "shop").to_ascii_lowercase();
    assert!(inside.contains("strict-transport-security: max-age=3600\r\n"), "{inside}");
    let outside = town.plainly("shop.localhost");
    assert_eq!((outside.status(), outside.head.value("strict-transport-security")), (200, None));
    town.expect(&client, "admin.localhost", "admin");

    // Who comes without TLS where it is wanted, or where a file has brought a certificate.
    for host in ["admin.localhost", "staff.localhost", "filed.example.com"] {
        let sent = town.plainly(host);
        let location = sent.head.value("location").unwrap_or_default();
        assert_eq!((sent.status(), location), (308, format!("https://{host}/x?y")), "{host}");
    }

    only_staff_gets_in(&town, &staff);
    a_file_is_exchanged_while_connections_go_on(&town, &firm, &certs);

    // And towards replicas: by HTTP/2 without TLS, and inside TLS, once the authority is known by which they are believed.
    town.expect(&client, "clear.localhost", "shop");
    let refused = client.get(town.secure, "safe.localhost", "/").expect("an answer");
    assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("safe.pem"), "{refused}");
    fs::write(certs.join("safe.pem"), root(&town.project, "safe")).expect("written");
    town.expect(&client, "safe.localhost", "shop");
    let clear = town.project.compose(&["logs", "--no-color", "clear"]);
    assert!(clear.contains("\"GET / HTTP/2.0\" 200"), "{clear}");
    let safe = town.project.compose(&["logs", "--no-color", "safe"]);
    assert!(safe.contains("\"GET / HTTP/1.1\" 200"), "{safe}");
}

fn only_staff_gets_in(town: &Town<'_>, staff: &Authority) {
    let member = Trusting::only(&town.root, Some(&staff.sign("anna")));
    town.expect(&member, "staff.localhost", "staff");
    let impostor = Trusting::only(&town.root, Some(&Authority::new().sign("anna")));
    for client in [Trusting::only(&town.root, None), impostor] {
        client.get(town.secure, "staff.localhost", "/").expect_err("nobody else gets in");
    }
}

fn a_file_is_exchanged_while_connections_go_on(town: &Town<'_>, firm: &Authority, certs: &std::path::Path) {
    const HOST: &str = "filed.example.com";
    let client = Trusting::only(&firm.pem, None);
    let mut old = client.connect(town.secure, HOST).expect("the first one is served");
    assert!(old.get("/").expect("an answer").starts_with("HTTP/1.1 200 "));
    let first = old.shown();
    let written = Instant::now();
    firm.sign(HOST).write(certs, HOST);
    until("the next one is served", || {
        client.connect(town.secure, HOST).is_ok_and(|connection| connection.shown() != first)
    });
    // It takes two seconds, and this machine may be busy.
    assert!(written.elapsed() < Duration::from_secs(4), "{:?}", written.elapsed());
    assert!(old.get("/").expect("it goes on").starts_with("HTTP/1.1 200 "));
}
