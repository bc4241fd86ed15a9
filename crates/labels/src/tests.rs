//! The table itself, and what comes of reading labels.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use divisi_model::spec::{Affinity, HashKey, Question};
use divisi_model::{Policy, Spec};
use proptest::prelude::*;

use super::*;

/// What our own labels say of a service and of the container itself, and what cannot be read of them.
#[derive(Debug, PartialEq, Eq)]
struct Reading {
    spec: Spec,
    weight: u32,
    complaints: Vec<Complaint>,
}

fn read<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>, base: &Spec) -> Reading {
    let native = reading::native(labels, &Arc::new(base.clone()));
    let complaints = native.verdicts.into_iter().filter_map(|verdict| match verdict.outcome {
        Outcome::Wrong { accepted, meant } => {
            Some(Complaint { label: verdict.label, value: verdict.value, accepted, suggestion: meant })
        }
        Outcome::Used | Outcome::Approximated(_) | Outcome::Ignored(_) => None,
    });
    Reading { spec: Spec::clone(&native.spec), weight: native.container.weight, complaints: complaints.collect() }
}

fn one(label: &str, value: &str) -> Reading {
    read([(label, value)], &Spec::default())
}

#[test]
fn every_row_says_everything() {
    for Row { key, value, default, help, example, .. } in TABLE {
        assert!(!value.is_empty() && !default.is_empty() && !example.is_empty(), "{key}");
        assert!(help.chars().next().is_some_and(char::is_uppercase) && help.len() > 15, "{key}: {help}");
        assert!(!help.contains(". ") && !help.ends_with('.') && !help.contains('|'), "{key}: help is one phrase");
        // What stands in capitals is a number in a label.
        let key = key.replace("PORT", "");
        assert!(key.bytes().all(|byte| byte.is_ascii_lowercase() || b"-.".contains(&byte)), "{key}");
    }
}

#[test]
fn label_flag_and_variable_are_one_name() {
    let mut seen = HashSet::new();
    for row in TABLE {
        assert!(seen.insert(row.key.to_owned()), "{} twice", row.key);
        if let Of::Service { flag, variable, .. } = row.of {
            assert_eq!(flag, row.key.replace('.', "-"));
            assert_eq!(variable, format!("DIVISI_{}", flag.to_ascii_uppercase().replace('-', "_")));
            assert!(seen.insert(format!("--{flag}")), "--{flag} twice");
        }
    }
}

#[test]
fn every_default_says_nothing_and_every_example_says_something() {
    let read = |labels: &[(&str, &str)]| {
        let wish = understand(&Words { labels, ..Words::default() }, &Arc::default(), &Reader::default());
        assert!(!wish.verdicts.iter().any(Verdict::is_wrong), "{:?}", wish.verdicts);
        let routes = wish.routes.into_iter().map(|route| RouteSpec { label: Arc::default(), ..route }).collect();
        let mut wish = Wish { routes, verdicts: Vec::new(), ..wish };
        wish.streams.routes.iter_mut().for_each(|route| route.label.clear());
        wish
    };
    for row in TABLE {
        let label = row.label().replace("PORT", "5432");
        // Some say something only of a route that there is.
        let route = match row.key {
            "path" => ("divisi.host", "a.com"),
            "tcp.PORT.sni" => ("divisi.tcp.5432.tls", "passthrough"),
            key if key.starts_with("tcp.PORT.") => ("divisi.tcp.5432.sni", "*.a.com"),
            _ => ("divisi.path", "/a"),
        };
        assert_eq!(read(&[route, (&label, row.default)]), read(&[route]), "{}", row.key);
        assert_ne!(read(&[route, (&label, row.example)]), read(&[route]), "{}", row.key);
    }
}

#[test]
fn every_label_sets_its_own_place_and_no_other() {
    type Change = fn(&mut Spec);
    let good: &[(&str, &str, Change)] = &[
        ("policy", "random", |spec| spec.policy = Policy::Random),
        ("sticky", "shop", |spec| spec.affinity = Affinity::Cookie("shop".into())),
        ("hash", "path", |spec| spec.affinity = Affinity::Hash(HashKey::Path)),
        ("hold", "1m", |spec| spec.hold.time = Duration::from_secs(60)),
        ("hold", "off", |spec| spec.hold.time = Duration::ZERO),
        ("hold.requests", "0", |spec| spec.hold.requests = 0),
        ("hold.body", "1k", |spec| spec.hold.body = 1024),
        ("retry.budget", "100", |spec| spec.retry.percent = 100),
        ("retry.per-second", "0", |spec| spec.retry.per_second = 0),
        ("eject.failures", "off", |spec| spec.ejection.failures = 0),
        ("eject.time", "250ms", |spec| spec.ejection.time = Duration::from_millis(250)),
        ("eject.most", "1h", |spec| spec.ejection.most = Duration::from_secs(3600)),
        ("health", "tcp", |spec| spec.check.question = Question::Tcp),
        ("health", "/up", |spec| spec.check.question = Question::Http("/up".into())),
        ("health.status", "204", |spec| spec.check.statuses = 204..=204),
        ("health.interval", "100ms", |spec| spec.check.interval = Duration::from_millis(100)),
        ("health.timeout", "1s", |spec| spec.check.timeout = Duration::from_secs(1)),
        ("health.up", "9", |spec| spec.check.up = 9),
        ("health.down", "1", |spec| spec.check.down = 1),
        ("slow-start", "0", |spec| spec.slow_start = Duration::ZERO),
        ("limit", "7", |spec| spec.replica_limit = Some(7)),
        ("limit.service", "8", |spec| spec.service_limit = Some(8)),
        ("drain", "0", |spec| spec.drain = Duration::ZERO),
    ];
    for (key, value, change) in good {
        let mut expected = Spec::default();
        change(&mut expected);
        let reading = one(&format!("divisi.{key}"), value);
        assert_eq!((reading.spec, reading.weight, reading.complaints), (expected, 1, vec![]), "{key}={value}");
    }
    let tried: HashSet<_> = good.iter().map(|(key, ..)| *key).collect();
    assert!(TABLE.iter().filter(|row| row.flag().is_some()).all(|row| tried.contains(row.key)), "one is not tried");
    assert_eq!(one("divisi.weight", "1000").weight, 1000);
}

const BAD: [(&str, &str); 43] = [
    ("host", "http://a.com"),
    ("host", "a,,b"),
    ("path", "api"),
    ("method", "GE T"),
    ("header", "a b=c"),
    ("query", "=1"),
    ("strip", "api"),
    ("priority", "first"),
    ("port", "0"),
    ("tls", "onyl"),
    ("certificate", "/certs/a.pem"),
    ("hsts", "for ever"),
    ("client-ca", "../ca.pem"),
    ("scheme", "htps"),
    ("upstream-ca", "certs/"),
    ("upstream-verify", "perhaps"),
    ("upstream-name", "*.internal"),
    ("proxy-protocol", "v3"),
    ("network", "a b"),
    ("enable", "ture"),
    ("policy", "fastest"),
    ("weight", "0"),
    ("weight", "1001"),
    ("sticky", "a b"),
    ("hash", "ip"),
    ("hold", "10"),
    ("hold.requests", "1000001"),
    ("hold.body", "65KiB"),
    ("retry.budget", "101%"),
    ("retry.per-second", "-1"),
    ("eject.failures", "some"),
    ("eject.time", "0"),
    ("eject.most", "0s"),
    ("health", "up"),
    ("health.status", "100"),
    ("health.interval", "99ms"),
    ("health.timeout", "0"),
    ("health.up", "0"),
    ("health.down", "0"),
    ("slow-start", "10"),
    ("limit", "0"),
    ("limit.service", "0"),
    ("drain", "off"),
];

fn bad() -> impl Iterator<Item = (&'static str, &'static str)> {
    BAD.iter().chain(&BAD_OF_PORTS).copied()
}

const BAD_OF_PORTS: [(&str, &str); 5] = [
    ("tcp.PORT", "postgres"),
    ("tcp.PORT.sni", "a b"),
    ("tcp.PORT.tls", "maybe"),
    ("tcp.PORT.clients", "all"),
    ("tcp.PORT.priority", "high"),
];

#[test]
fn every_label_refuses_nonsense_and_leaves_the_default() {
    let base = Spec { affinity: Affinity::Hash(HashKey::Client), ..Spec::default() };
    for (key, value) in bad() {
        let label = format!("divisi.{}", key.replace("PORT", "5432"));
        let reading = read([(label.as_str(), value)], &base);
        assert_eq!((&reading.spec, reading.weight), (&base, 1), "{key}={value}");
        let [complaint] = reading.complaints.as_slice() else { panic!("{key}={value}: {reading:?}") };
        assert_eq!((complaint.label.as_str(), complaint.value.as_str()), (label.as_str(), value));
        assert!(complaint.accepted.len() > 20, "{complaint}");
    }
    let tried: HashSet<_> = bad().map(|(key, _)| key).collect();
    assert!(TABLE.iter().all(|row| tried.contains(row.key)), "one is not tried");
}

#[test]
fn what_cannot_be_read_changes_nothing() {
    for (key, value) in bad() {
        let row = TABLE.iter().find(|row| row.key == key).expect("a row");
        // Half of it may be read before the rest turns out to be bad.
        for value in [value.to_owned(), format!("{},{value}", row.example)] {
            match row.of {
                Of::Service { set, .. } => assert_atomic(set, row.example, &value),
                Of::Container { set } => assert_atomic(set, row.example, &value),
                Of::Route { set, .. } => assert_atomic(set, row.example, &value),
                Of::Port { set, .. } => assert_atomic(set, row.example, &value),
            }
        }
    }
}

fn assert_atomic<T>(set: fn(&mut T, &str) -> Result<(), String>, good: &str, bad: &str)
where
    T: Clone + Default + PartialEq + std::fmt::Debug,
{
    let mut said = T::default();
    set(&mut said, good).expect("an example");
    let before = said.clone();
    if set(&mut said, bad).is_err() {
        assert_eq!(said, before, "{bad}");
    }
}

#[test]
fn a_bad_label_loses_only_itself() {
    let labels = [
        ("divisi.hold", "5s"),
        ("divisi.policy", "fastest"),
        ("divisi.stiky", "true"),
        ("divisi.weight", " 3 "),
        ("divisi.limit", ""),
        ("com.docker.compose.service", "web"),
        ("divisi", "true"),
    ];
    let reading = read(labels, &Spec::default());
    assert_eq!(reading.spec.hold.time, Duration::from_secs(5));
    assert_eq!((reading.spec.policy, reading.weight, reading.spec.replica_limit), (Policy::default(), 3, None));
    let complaints: Vec<_> = reading.complaints.iter().map(|complaint| complaint.label.as_str()).collect();
    assert_eq!(complaints, ["divisi.policy", "divisi.stiky"]);
    assert_eq!(reading.complaints[1].suggestion.as_deref(), Some("divisi.sticky"));
}

#[test]
fn of_sticky_and_hash_one_holds_and_a_label_wins_over_a_flag() {
    for labels in
        [[("divisi.hash", "path"), ("divisi.sticky", "true")], [("divisi.sticky", "true"), ("divisi.hash", "path")]]
    {
        let reading = read(labels, &Spec::default());
        assert_eq!(reading.spec.affinity, Affinity::Cookie("divisi".into()));
        assert_eq!(
            reading.complaints.iter().map(|complaint| complaint.label.as_str()).collect::<Vec<_>>(),
            ["divisi.hash"]
        );
    }
    let by_cookie = Spec { affinity: Affinity::Cookie("a".into()), ..Spec::default() };
    let hashed = read([("divisi.hash", "path")], &by_cookie);
    assert_eq!((hashed.spec.affinity, hashed.complaints), (Affinity::Hash(HashKey::Path), vec![]));
    assert_eq!(read([("divisi.sticky", "off")], &by_cookie).spec.affinity, Affinity::None);
    assert_eq!(read([("divisi.sticky", "a b")], &by_cookie).spec.affinity, by_cookie.affinity);
}

proptest! {
    /// Anyone who can start a container writes labels.
    #[test]
    fn no_label_does_harm(row in 0..TABLE.len(), value in "\\PC*|[0-9a-z%:/ ]{0,12}|(?s:.*)", other in "(?s:.*)") {
        let (label, other) = (TABLE[row].label(), format!("divisi.{other}"));
        let reading = read([(label.as_str(), value.as_str()), (other.as_str(), value.as_str())], &Spec::default());
        prop_assert!((1..=1000).contains(&reading.weight));
        for complaint in &reading.complaints {
            let line = complaint.to_string();
            prop_assert!(line.len() < 2000 && !line.chars().any(char::is_control), "{line}");
        }
        if reading.complaints.iter().any(|complaint| complaint.label == label) && label != other {
            prop_assert_eq!(read([(label.as_str(), value.as_str())], &Spec::default()).spec, Spec::default());
        }
    }
}

#[test]
fn help_lists_every_row() {
    let (text, markdown) = (docs::text(), docs::markdown());
    for row in TABLE {
        for word in [row.label().as_str(), row.help, row.default, row.example, row.flag().unwrap_or_default()] {
            assert!(text.contains(word) && markdown.contains(word), "nothing of {word}");
        }
    }
}

/// The table in docs/labels.md is made from the rows. `UPDATE_DOCS=1 cargo test -p divisi-labels docs` writes it anew.
#[test]
fn the_docs_show_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/labels.md");
    let page = fs::read_to_string(&path).expect("docs/labels.md");
    let (begin, end) = ("<!-- labels -->\n", "<!-- end of labels -->");
    let (before, rest) = page.split_once(begin).expect("the mark before the table");
    let (_, after) = rest.split_once(end).expect("the mark after the table");
    let expected = format!("{before}{begin}{}{end}{after}", docs::markdown());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &expected).expect("docs/labels.md can be written");
        return;
    }
    assert!(page == expected, "docs/labels.md is behind the table: UPDATE_DOCS=1 cargo test -p divisi-labels docs");
}
