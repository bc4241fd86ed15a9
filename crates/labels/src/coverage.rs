//! Every row of every table has a good and a bad case in the golden files: a new one cannot come without.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::dialect::Dialect;
use crate::row::PREFIX;
use crate::table::TABLE;
use crate::{nginx_proxy, traefik};

/// Those of which whatever they say is passed over, so that nothing about them can be wrong.
const NEVER_WRONG: &[&str] = &[
    "swarm.**",
    "udp.**",
    "tls.stores.**",
    "tcp.routers.*.tls.certresolver",
    "tcp.services.*.loadbalancer.serverstransport",
    "tcp.services.*.loadbalancer.healthcheck.<>",
];

/// How often each row is met well and badly.
#[derive(Default)]
struct Cases(BTreeMap<(Dialect, String), (usize, usize)>);

impl Cases {
    /// A line such as `wrong LABEL: what is accepted; meant LABEL`.
    fn add(&mut self, line: &str) {
        let Some((word, rest)) = line.split_once(' ') else { return };
        let (label, why) = rest.split_once(": ").unwrap_or((rest, ""));
        match word {
            "used" | "approximated" | "ignored" => self.count(label).0 += 1,
            "wrong" => {
                // A name that is misspelled is a bad case of the one that was meant.
                let meant = why.rsplit_once("; meant ").map_or(label, |(_, meant)| meant);
                self.count(meant).1 += 1;
            }
            _ => {}
        }
    }

    fn count(&mut self, label: &str) -> &mut (usize, usize) {
        let row = if let Some(key) = label.strip_prefix(PREFIX) {
            (Dialect::Native, with_port(key))
        } else if let Some(row) = traefik::row_of(label) {
            (Dialect::Traefik, row)
        } else {
            (Dialect::NginxProxy, label.to_owned())
        };
        self.0.entry(row).or_default()
    }
}

/// A port for TCP stands in the key as a number, and in the table as a word.
fn with_port(key: &str) -> String {
    let parts = key.split('.').enumerate();
    let is_port =
        |at: usize, part: &str| at == 1 && key.starts_with("tcp.") && part.bytes().all(|byte| byte.is_ascii_digit());
    parts.map(|(at, part)| if is_port(at, part) { "PORT" } else { part }).collect::<Vec<_>>().join(".")
}

fn add_files(folder: &Path, cases: &mut Cases) {
    for path in fs::read_dir(folder).expect("the folder").flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            add_files(&path, cases);
            continue;
        }
        fs::read_to_string(&path).expect("a file").lines().for_each(|line| cases.add(line));
    }
}

#[test]
fn every_row_has_a_good_and_a_bad_case() {
    let mut cases = Cases::default();
    add_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden"), &mut cases);
    let native = TABLE.iter().map(|row| (Dialect::Native, row.key.to_owned()));
    let traefik = traefik::rows().into_iter().map(|row| (Dialect::Traefik, row));
    let nginx_proxy = nginx_proxy::rows().into_iter().map(|row| (Dialect::NginxProxy, row));
    let rows: BTreeSet<_> = native.chain(traefik).chain(nginx_proxy).collect();
    assert!(rows.len() > 120, "three tables");
    let mut missing = Vec::new();
    for (dialect, row) in rows {
        let (good, bad) = cases.0.get(&(dialect, row.clone())).copied().unwrap_or_default();
        if good == 0 {
            missing.push(format!("{dialect} {row}: no good case"));
        }
        if (bad == 0) != NEVER_WRONG.contains(&row.as_str()) {
            missing.push(format!("{dialect} {row}: {bad} bad cases"));
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}
