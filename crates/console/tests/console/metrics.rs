//! The numbers, read by a parser that forgives nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use divisi_model::{Card, Name, Readiness, Service, Snapshot, Spec};
use divisi_testkit::client::Response;

use crate::stage::{self, Stage, replica, service};

#[test]
fn every_number_is_there_under_its_name() {
    let stage = stage::shop();
    let engine = stage.published.engine();
    engine.set_wanted();
    let page = Page::of(&stage.get("/metrics"));
    let web = |more: &[(&str, &str)]| labels(&[&[("project", "shop"), ("service", "web")], more].concat());
    let first = |code| web(&[("replica", "shop-web-1"), ("code", code)]);
    assert_eq!(page.value("divisi_requests_total", &first("2xx")), Some(1.0));
    assert_eq!(page.value("divisi_requests_total", &first("1xx")), None, "what hardly ever is");
    assert_eq!(page.value("divisi_requests_total", &web(&[("replica", ""), ("code", "5xx")])), Some(1.0));
    assert_eq!(page.value("divisi_request_duration_seconds_bucket", &web(&[("le", "0.0025")])), Some(0.0));
    assert_eq!(page.value("divisi_request_duration_seconds_bucket", &web(&[("le", "0.005")])), Some(1.0));
    assert_eq!(page.value("divisi_request_duration_seconds_bucket", &web(&[("le", "+Inf")])), Some(1.0));
    assert_eq!(page.value("divisi_request_duration_seconds_sum", &web(&[])), Some(0.003));
    assert_eq!(page.value("divisi_ejections_total", &web(&[])), Some(1.0));
    for (name, expected) in [
        ("divisi_replica_up", [1.0, 0.0, 1.0]),
        ("divisi_replica_ready", [1.0, 1.0, 0.0]),
        ("divisi_requests_in_flight", [0.0; 3]),
    ] {
        let found = ["shop-web-1", "shop-web-2", "shop-web-3"].map(|name| web(&[("replica", name)]));
        assert_eq!(found.map(|replica| page.value(name, &replica)), expected.map(Some), "{name}");
    }
    for (name, expected) in [
        ("divisi_responses_broken_total", Some(2.0)),
        ("divisi_client_connections", Some(7.0)),
        ("divisi_client_resting_connections", Some(6.0)),
        ("divisi_upstream_idle_connections", Some(3.0)),
        ("divisi_upstream_connections_total", Some(8.0)),
        ("divisi_access_log_dropped_lines_total", None),
        ("divisi_sent_bytes_total", Some((1_u64 << 40) as f64)),
        ("divisi_engine_connected", Some(0.0)),
        ("divisi_engine_losses_total", Some(0.0)),
        ("divisi_containers_unrouted", Some(1.0)),
    ] {
        assert_eq!(page.value(name, &labels(&[])), expected, "{name}");
    }
    let its = labels(&[("name", "shop.test"), ("source", "local")]);
    assert_eq!(page.value("divisi_certificate_expiry_timestamp_seconds", &its), Some(4_102_444_800.0));
    assert_eq!(page.value("divisi_build_info", &labels(&[("version", "1.2.3")])), Some(1.0));
    assert_eq!(page.value("divisi_responses_total", &labels(&[("code", "2xx")])), Some(200.0));
    for name in ["divisi_requests_held", "divisi_held_total", "divisi_held_seconds_total", "divisi_retries_total"] {
        assert_eq!(page.value(name, &web(&[])), Some(0.0), "{name}");
    }
}

#[test]
fn the_names_are_those_that_are_written_down() {
    let stage = stage::shop();
    stage.published.engine().set_wanted();
    let text = stage.get("/metrics").text();
    let told = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let mut told: BTreeSet<&str> = told.collect();
    told.insert("divisi_access_log_dropped_lines_total");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/console.md");
    let page = std::fs::read_to_string(path).expect("docs/console.md");
    let names = page.lines().filter_map(|line| line.strip_prefix("| `divisi_")?.split('|').next());
    let written = names.flat_map(|cell| cell.split('`').filter(|name| name.len() > 2));
    let written: BTreeSet<String> =
        written.map(|name| format!("divisi_{}", name.trim_start_matches("divisi_"))).collect();
    assert_eq!(told, written.iter().map(String::as_str).collect());
}

#[test]
fn the_series_of_a_replica_that_is_gone_are_gone() {
    let web = service("web", Spec::default());
    let ready = |numbers: &[u32]| numbers.iter().map(|number| replica(&web, *number, Readiness::Ready)).collect();
    let stage = Stage::open(Snapshot::of(Arc::new(web.with_replicas(ready(&[1, 2]), 2))), Vec::new());
    assert!(stage.get("/metrics").text().contains("shop-web-2"));
    stage.published.publish(Snapshot::of(Arc::new(web.with_replicas(ready(&[1]), 1))));
    let text = stage.get("/metrics").text();
    assert!(text.contains("shop-web-1") && !text.contains("shop-web-2"), "{text}");
}

#[test]
fn odd_names_stay_what_they_are() {
    let odd = "a\"b\\c\nd{e}=,é";
    let web = Service::of(Name { project: odd.into(), service: odd.into() }, Spec::default());
    let addr = std::net::SocketAddr::from(([10, 0, 0, 1], 80));
    let twins = (1..=2).map(|number| web.replica(Card::new(odd, number), addr, Readiness::Ready)).collect();
    let stage = Stage::open(Snapshot::of(Arc::new(web.with_replicas(twins, 2))), Vec::new());
    let page = Page::of(&stage.get("/metrics"));
    let its = labels(&[("project", odd), ("service", odd), ("replica", odd)]);
    assert_eq!(page.value("divisi_replica_up", &its), Some(1.0), "one of two with the same name");
}

#[test]
fn a_thousand_services_cost_little() {
    let services = (0..1000).map(|number| {
        let service = service(&format!("service-{number}"), Spec::default());
        let ready = vec![replica(&service, 1, Readiness::Ready), replica(&service, 2, Readiness::Ready)];
        Some(Arc::new(service.with_replicas(ready, 2)))
    });
    let nowhere = Err(divisi_model::Unrouted::nowhere("no route"));
    let snapshot = Snapshot::new(services.collect(), divisi_model::route::RoutingTable::default(), nowhere);
    let stage = Stage::open(snapshot, Vec::new());
    let asked = Instant::now();
    let answer = stage.get("/metrics");
    let took = asked.elapsed();
    assert!(answer.body.len() < 10 << 20, "{} bytes", answer.body.len());
    // Generous: in a debug build, on a busy machine.
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(Page::of(&answer).samples.len() > 30_000);
}

type Labels = BTreeMap<String, String>;

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A page of numbers, as the text format 0.0.4 has it.
struct Page {
    samples: HashMap<(String, Labels), f64>,
}

impl Page {
    fn of(answer: &Response) -> Self {
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.head.value("content-type").as_deref(), Some("text/plain; version=0.0.4; charset=utf-8"));
        let text = String::from_utf8(answer.body.clone()).expect("UTF-8");
        assert!(text.ends_with('\n'), "the last line has an end");
        let mut page = Self { samples: HashMap::new() };
        let (mut helped, mut family, mut seen) = (None, (String::new(), String::new()), HashSet::new());
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, words) = help.split_once(' ').unwrap_or_else(|| panic!("{line}"));
                assert!(!words.is_empty() && seen.insert(name.to_owned()), "twice or empty: {line}");
                helped = Some(name.to_owned());
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').unwrap_or_else(|| panic!("{line}"));
                assert_eq!(helped.take().as_deref(), Some(name), "a TYPE follows its HELP: {line}");
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
                family = (name.to_owned(), kind.to_owned());
            } else {
                page.add(line, &family);
            }
        }
        page.check_histograms();
        page
    }

    fn add(&mut self, line: &str, (family, kind): &(String, String)) {
        let (name, rest) = line.split_at(line.find(['{', ' ']).unwrap_or_else(|| panic!("{line}")));
        assert!(
            name.starts_with("divisi_") && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
            "{line}"
        );
        let suffix = name.strip_prefix(family.as_str()).unwrap_or_else(|| panic!("{line} stands under {family}"));
        let suffixes: &[&str] = if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
        assert!(suffixes.contains(&suffix), "{line} stands under {family}");
        let (labels, rest) = read_labels(rest);
        let value = rest.strip_prefix(' ').unwrap_or_else(|| panic!("{line}"));
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
        assert!(value >= 0.0, "{line}");
        assert!(self.samples.insert((name.to_owned(), labels), value).is_none(), "twice: {line}");
    }

    fn check_histograms(&self) {
        let mut series: HashMap<Labels, Vec<(f64, f64)>> = HashMap::new();
        for ((_, labels), value) in self.samples.iter().filter(|((name, _), _)| name.ends_with("_bucket")) {
            let mut labels = labels.clone();
            let bound = labels.remove("le").expect("a bucket has a bound");
            series.entry(labels).or_default().push((bound.parse().expect("a number"), *value));
        }
        for (labels, mut buckets) in series {
            buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
            assert!(buckets.is_sorted_by(|a, b| a.1 <= b.1), "{labels:?}: {buckets:?}");
            let count = self.value("divisi_request_duration_seconds_count", &labels);
            assert_eq!(buckets.last().map(|last| (last.0, Some(last.1))), Some((f64::INFINITY, count)), "{labels:?}");
        }
    }

    fn value(&self, name: &str, labels: &Labels) -> Option<f64> {
        self.samples.get(&(name.to_owned(), labels.clone())).copied()
    }
}

fn read_labels(text: &str) -> (Labels, &str) {
    let mut labels = Labels::new();
    let Some(mut rest) = text.strip_prefix('{') else { return (labels, text) };
    while let Some((name, after)) = rest.split_once("=\"") {
        let name = name.trim_start_matches(',');
        assert!(!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{text}");
        let (value, after) = read_value(after);
        assert!(labels.insert(name.to_owned(), value).is_none(), "twice {name}: {text}");
        rest = after;
        if !rest.starts_with(',') {
            break;
        }
    }
    (labels, rest.strip_prefix('}').unwrap_or_else(|| panic!("{text}")))
}

fn read_value(text: &str) -> (String, &str) {
    let (mut value, mut letters) = (String::new(), text.char_indices());
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (value, &text[at + 1..]),
            '\\' => value.push(match letters.next() {
                Some((_, 'n')) => '\n',
                Some((_, escaped @ ('\\' | '"'))) => escaped,
                other => panic!("{other:?} behind a backslash: {text}"),
            }),
            other => value.push(other),
        }
    }
    panic!("a value without an end: {text}")
}
