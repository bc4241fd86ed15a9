//! Labels and variables of a container, one in each line: none does harm, and what is said of them is bounded.
#![no_main]

use std::sync::Arc;

use divisi_labels::middleware::apply;
use divisi_labels::{Reader, Words, understand};
use divisi_model::Spec;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (mut labels, mut environment) = (Vec::new(), Vec::new());
    for line in text.lines() {
        let (place, line) = line.strip_prefix("env ").map_or((&mut labels, line), |line| (&mut environment, line));
        place.push(line.split_once('=').unwrap_or((line, "")));
    }
    let words = Words { labels: &labels, environment: &environment, service: "web", project: "shop", container: "c" };
    let mut wish = understand(&words, &Arc::new(Spec::default()), &Reader::default());
    let known = wish.middlewares.clone();
    for route in &mut wish.routes {
        apply(route, |name: &str| known.iter().find(|middleware| middleware.name == name).cloned(), &[], true);
    }
    assert!(wish.verdicts.len() <= labels.len() + environment.len(), "one verdict on each");
    for verdict in &wish.verdicts {
        let line = verdict.to_string();
        assert!(line.len() < 5000 && !line.chars().any(char::is_control), "one line of bounded length");
    }
});
