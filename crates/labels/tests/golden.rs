//! What labels come to. Each file of `tests/golden` has cases: labels above, `---`, routes and verdicts below.
//! `UPDATE_GOLDEN=1 cargo test -p divisi-labels --test golden` writes what stands below anew; read every change.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use divisi_labels::middleware::apply;
use divisi_labels::{Exposed, Outcome, Reader, Wish, Words, understand};
use divisi_model::Spec;

/// What stands between cases; what follows in its line is the case's name.
const CASE: &str = "=== ";

#[test]
fn labels_come_to_what_the_files_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut files: Vec<_> = fs::read_dir(&folder).expect("the folder").flatten().map(|entry| entry.path()).collect();
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

/// The case with what its labels come to.
fn case(text: &str) -> String {
    let (name, rest) = text.split_once('\n').expect("the name of a case");
    let above = rest.split_once("---\n").map_or(rest, |(above, _)| above).trim_end();
    let mut labels = Vec::new();
    let mut environment = Vec::new();
    for line in above.lines().filter(|line| !line.starts_with('#')) {
        // Variables are told from labels as in a Compose file: by where they stand, here by a word before them.
        let (place, line) = line.strip_prefix("env ").map_or((&mut labels, line), |line| (&mut environment, line));
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        place.push((key, value));
    }
    let words =
        Words { labels: &labels, environment: &environment, service: "web", project: "shop", container: "shop-web-1" };
    let wish = understand(&words, &Spec::default(), &Reader::default());
    format!("{CASE}{name}\n{above}\n---\n{}\n", shown(&wish))
}

fn shown(wish: &Wish) -> String {
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
    for route in &wish.routes {
        let mut route = route.clone();
        apply(&mut route, |name| wish.middlewares.iter().find(|known| known.name == name).cloned(), &[]);
        let priority = route.priority.map(|priority| priority.to_string()).unwrap_or_default();
        let mut shown = format!("route {:?} [{priority}] {} -> {:?}", route.name, route.rule, route.service);
        route.rewrites.iter().for_each(|rewrite| write!(shown, " {rewrite:?}").expect("memory"));
        if !route.entrypoints.is_empty() {
            write!(shown, " at {}", route.entrypoints.join(",")).expect("memory");
        }
        route.tls.iter().for_each(|tls| write!(shown, " tls {:?} {:?}", tls.resolver, tls.domains).expect("memory"));
        route.closed.iter().for_each(|why| write!(shown, "\n  closed: {why}").expect("memory"));
        line(shown);
    }
    for service in &wish.services {
        let port = service.port.map_or_else(|| "auto".to_owned(), |port| port.to_string());
        let mut shown = format!("service {} {:?} port {port} {}", service.dialect, service.name, service.scheme.name());
        let (plain, spec) = (Spec::default(), &service.spec);
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
        line(shown);
    }
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
