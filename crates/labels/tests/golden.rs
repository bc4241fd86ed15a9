//! What labels come to. Each file of `tests/golden` has cases: labels above, `---`, routes and verdicts below. Above, a line
//! that begins with `#` says what is expected in words, `env` begins a variable, and `with` something about the container or
//! what flags say (`with exposed-by-default`).
//!
//! `UPDATE_GOLDEN=1 cargo test -p divisi-labels --test golden` writes what stands below anew; read every change.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use divisi_labels::middleware::apply;
use divisi_labels::{Dialect, Exposed, Outcome, Reader, RouteSpec, Wish, Words, understand};
use divisi_model::route::{Door, Protection, Redirect, When};
use divisi_model::speech::Trust;
use divisi_model::{Spec, Speech};

/// What stands between cases; what follows in its line is the case's name.
const CASE: &str = "=== ";

#[test]
fn labels_come_to_what_the_files_say() {
    let mut files = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden"));
    files.sort_unstable();
    assert!(files.len() >= 3, "one for each dialect");
    let mut behind = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("a file");
        let expected: String = text.split(CASE).filter(|case| !case.trim().is_empty()).map(case).collect();
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&file, &expected).expect("it can be written");
        } else if text != expected {
            let line = text.lines().zip(expected.lines()).find(|(old, new)| old != new);
            behind.push(format!("{}: {line:?}", file.display()));
        }
    }
    assert!(behind.is_empty(), "{behind:#?}");
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder").flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The case with what its labels come to.
fn case(text: &str) -> String {
    let (name, rest) = text.split_once('\n').expect("the name of a case");
    let above = rest.split_once("---\n").map_or(rest, |(above, _)| above).trim_end();
    let mut labels = Vec::new();
    let mut environment = Vec::new();
    let mut words = Words { service: "web", project: "shop", container: "shop-web-1", ..Words::default() };
    let mut reader = Reader::default();
    for line in above.lines().filter(|line| !line.starts_with('#')) {
        if let Some(with) = line.strip_prefix("with ") {
            set(&mut words, &mut reader, with);
            continue;
        }
        // Variables are told from labels as in a Compose file: by where they stand, here by a word before them.
        let (place, line) = line.strip_prefix("env ").map_or((&mut labels, line), |line| (&mut environment, line));
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        place.push((key, value));
    }
    let words = Words { labels: &labels, environment: &environment, ..words };
    let wish = understand(&words, &Arc::default(), &reader);
    format!("{CASE}{name}\n{above}\n---\n{}\n", shown(&wish, &reader))
}

fn set<'a>(words: &mut Words<'a>, reader: &mut Reader, with: &'a str) {
    let (what, value) = with.split_once('=').unwrap_or((with, ""));
    match what {
        "service" => words.service = value,
        "project" => words.project = value,
        "container" => words.container = value,
        "exposed-by-default" => reader.traefik.exposed_by_default = true,
        "no-tls" => reader.has_tls = false,
        "strict" => reader.traefik.strict = true,
        "default-rule" => value.clone_into(&mut reader.traefik.default_rule),
        "entrypoints" => reader.traefik.entrypoints = value.split(',').map(str::to_owned).collect(),
        "port" => {
            let (name, port) = value.split_once('=').expect("NAME=PORT");
            reader.traefik.ports.push((name.to_owned(), port.parse().expect("a port")));
        }
        _ => panic!("nothing is called {what}"),
    }
}

/// What is said of TLS and is not as it is where nothing is said.
fn entrance(route: &RouteSpec) -> String {
    let mut shown = String::new();
    let mut add = |text: String| shown.push_str(&text);
    if (route.door, route.redirect) != usual(route.dialect) {
        add(format!(" {}", route.door.name()));
        let redirect = |redirect: &Redirect| {
            let port = redirect.port.map(|port| format!(":{port}")).unwrap_or_default();
            let (status, other, when) = (redirect.status, redirect.other_status, redirect.when);
            format!(" sent by {status}/{other}{port} {when:?}").to_lowercase()
        };
        route.redirect.iter().for_each(|sent| add(redirect(sent)));
    }
    let Protection { hsts, client_authority, names, file, from_files } = &*route.protection;
    hsts.iter().for_each(|hsts| add(format!(" hsts {hsts:?}")));
    client_authority.iter().for_each(|authority| add(format!(" clients of {authority}")));
    names.iter().for_each(|name| add(format!(" named {name}")));
    file.iter().for_each(|file| add(format!(" certificate {file}")));
    if *from_files {
        add(" from files".to_owned());
    }
    shown
}

/// The door of a route of which nothing is said.
fn usual(dialect: Dialect) -> (Door, Option<Redirect>) {
    let status = Redirect { status: 301, other_status: 301, ..Redirect::permanent(When::CertifiedOrDefault) };
    match dialect {
        Dialect::Native => (Door::Any, Some(Redirect::permanent(When::Certified))),
        Dialect::Traefik => (Door::Plain, None),
        Dialect::NginxProxy => (Door::Any, Some(status)),
    }
}

fn spoken(speech: &Speech) -> String {
    let mut shown = String::new();
    match &speech.trust {
        Trust::Public => {}
        Trust::Authority(authority) => write!(shown, " trusts {authority}").expect("memory"),
        Trust::Unproven if speech.scheme.is_secure() => shown.push_str(" unproven"),
        Trust::Unproven => {}
    }
    speech.server_name.iter().for_each(|name| write!(shown, " named {name}").expect("memory"));
    speech.proxy_header.iter().for_each(|header| write!(shown, " proxy {header:?}").expect("memory"));
    shown
}

/// What is wanted of TCP, a line each.
fn streams(wish: &Wish) -> Vec<String> {
    let mut lines = Vec::new();
    for route in &wish.streams.routes {
        let tls = match (route.door.name(), route.passes_tls) {
            ("secure", true) => " inside TLS, passed on",
            ("secure", false) => " inside TLS, ended here",
            _ => "",
        };
        let mut shown = format!(
            "tcp {:?} port {} [{}] {}{tls} -> {:?}",
            route.name, route.port, route.priority, route.rule, route.service
        );
        if !route.names.is_empty() {
            write!(shown, "\n  certificate: {}", route.names.join(", ")).expect("memory");
        }
        route.closed.iter().for_each(|why| write!(shown, "\n  closed: {why}").expect("memory"));
        lines.push(shown);
    }
    for service in &wish.streams.services {
        let port = service.port.map_or_else(|| "auto".to_owned(), |port| port.to_string());
        let mut shown = format!("tcp service {} {:?} port {port}", service.dialect, service.name);
        if service.speech.scheme.is_secure() {
            shown.push_str(" inside TLS");
        }
        service.speech.proxy_header.iter().for_each(|header| write!(shown, " header {header:?}").expect("memory"));
        if service.spec != Spec::default() {
            write!(shown, " {:?}", service.spec.check.question).expect("memory");
        }
        lines.push(shown);
    }
    lines
}

/// With what its middlewares do.
fn shown_route(mut route: RouteSpec, wish: &Wish, reader: &Reader) -> String {
    let known = |name: &str| wish.middlewares.iter().find(|known| known.name == name).cloned();
    apply(&mut route, known, &[], reader.has_tls);
    let priority = route.priority.map(|priority| priority.to_string()).unwrap_or_default();
    let mut shown = format!("route {:?} [{priority}] {} -> {:?}", route.name, route.rule, route.service);
    route.rewrites.iter().for_each(|rewrite| write!(shown, " {rewrite:?}").expect("memory"));
    if !route.entrypoints.is_empty() {
        write!(shown, " at {}", route.entrypoints.join(",")).expect("memory");
    }
    shown.push_str(&entrance(&route));
    route.closed.iter().for_each(|why| write!(shown, "\n  closed: {why}").expect("memory"));
    shown
}

fn shown(wish: &Wish, reader: &Reader) -> String {
    let mut text = String::new();
    let mut line = |line: String| text.push_str(&(line + "\n"));
    match &wish.exposed {
        Exposed::Unsaid => line("not exposed".to_owned()),
        Exposed::No(label) => line(format!("not exposed: {label}")),
        Exposed::Yes => {}
    }
    if let Some(network) = &wish.network {
        line(format!("network {network}"));
    }
    wish.routes.iter().for_each(|route| line(shown_route(route.clone(), wish, reader)));
    for service in &wish.services {
        let port = service.port.map_or_else(|| "auto".to_owned(), |port| port.to_string());
        let mut shown =
            format!("service {} {:?} port {port} {}", service.dialect, service.name, service.speech.scheme.name());
        let (plain, spec) = (Spec::default(), &service.spec);
        shown.push_str(&spoken(&service.speech));
        if !service.pass_host {
            shown.push_str(" own host");
        }
        if spec.policy != plain.policy {
            write!(shown, " policy {}", spec.policy).expect("memory");
        }
        if spec.affinity != plain.affinity {
            write!(shown, " {:?}", spec.affinity).expect("memory");
        }
        if spec.check != plain.check {
            write!(shown, " {:?}", spec.check).expect("memory");
        }
        if spec.ejection != plain.ejection {
            write!(shown, " {:?}", spec.ejection).expect("memory");
        }
        if !service.middlewares.is_empty() {
            write!(shown, " behind {}", service.middlewares.join(",")).expect("memory");
        }
        service.closed.iter().for_each(|why| write!(shown, "\n  closed: {why}").expect("memory"));
        line(shown);
    }
    streams(wish).into_iter().for_each(&mut line);
    for verdict in &wish.verdicts {
        let (word, label) = (verdict.outcome.word(), &verdict.label);
        line(match &verdict.outcome {
            Outcome::Used => format!("{word} {label}"),
            Outcome::Approximated(why) | Outcome::Ignored(why) => format!("{word} {label}: {why}"),
            Outcome::Wrong { accepted, meant: None } => format!("{word} {label}: {accepted}"),
            Outcome::Wrong { accepted, meant: Some(meant) } => format!("{word} {label}: {accepted}; meant {meant}"),
        });
    }
    text
}
