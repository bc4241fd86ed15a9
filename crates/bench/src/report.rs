//! From the figures of all rounds to tables: Markdown for the reader, CSV for whoever wants to reckon again.
//!
//! Every figure is a median over rounds. A ratio is taken within a round, to the relay measured moments before or after,
//! and only then the median is taken: what slows the machine down for a while slows both.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::case::Case;
use crate::machine;
use crate::measurement::Measurement;
use crate::peers::Peer;

/// One proxy in one round of one case.
#[derive(Debug)]
pub(crate) struct Row {
    /// What was asked.
    pub(crate) case: &'static Case,
    /// Who was asked.
    pub(crate) peer: Peer,
    /// In which round, from 1.
    pub(crate) round: usize,
    /// What was measured, or why nothing was.
    pub(crate) outcome: Result<Sample, String>,
}

/// What was measured of a proxy in one round.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// The window.
    pub(crate) measurement: Measurement,
    /// Most resident memory since its start, warm-up included.
    pub(crate) peak_kib: u64,
}

const HEADER: &str = "\
| proxy | requests/s | to relay | CPU µs/request | **to relay** | lowest–highest | p50 µs | p99 µs | p99.9 µs | peak MiB | core used | errors |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|
";

/// The tables of these cases, one for each.
pub(crate) fn tables(rows: &[Row], cases: &[&Case], peers: &[Peer]) -> String {
    let mut text = String::new();
    for case in cases {
        let of_case: Vec<_> = rows.iter().filter(|row| row.case.name == case.name).collect();
        text += &format!("\n## {}\n\n{}\n\n{HEADER}", case.name, case.title);
        for &peer in peers {
            text += &line(&of_case, peer);
        }
        text += &troubles(&of_case);
    }
    text
}

fn line(rows: &[&Row], peer: Peer) -> String {
    let samples: Vec<_> = samples(rows, peer).collect();
    if samples.is_empty() {
        return format!("| {} | not measured | | | | | | | | | | |\n", peer.name());
    }
    let figure = |of: &dyn Fn(&Sample) -> f64| median(samples.iter().map(|(_, sample)| of(sample)).collect());
    let window = |of: &dyn Fn(&Measurement) -> f64| figure(&|sample| of(&sample.measurement));
    let throughput = to_relay(rows, peer, &Measurement::requests_per_second);
    let cpu = to_relay(rows, peer, &Measurement::cpu_us_per_request);
    let spread = cpu.first().zip(cpu.last()).map(|(low, high)| format!("{low:.2}–{high:.2}")).unwrap_or_default();
    let ratio = |ratios: Vec<f64>| if ratios.is_empty() { String::new() } else { format!("{:.2}", median(ratios)) };
    let errors: u64 = samples.iter().map(|(_, sample)| sample.measurement.errors).sum();
    format!(
        "| {} | {:.0} | {} | {:.1} | **{}** | {spread} | {:.0} | {:.0} | {:.0} | {:.1} | {:.0} % | {errors} |\n",
        peer.name(),
        window(&Measurement::requests_per_second),
        ratio(throughput),
        window(&Measurement::cpu_us_per_request),
        ratio(cpu),
        window(&|window| window.p50_ns as f64 / 1e3),
        window(&|window| window.p99_ns as f64 / 1e3),
        window(&|window| window.p999_ns as f64 / 1e3),
        figure(&|sample| sample.peak_kib as f64 / 1024.0),
        window(&Measurement::busy_percent),
    )
}

fn samples<'a>(rows: &'a [&Row], peer: Peer) -> impl Iterator<Item = (usize, &'a Sample)> {
    rows.iter().filter(move |row| row.peer == peer).filter_map(|row| Some((row.round, row.outcome.as_ref().ok()?)))
}

/// A figure's ratio to the relay's in the same round, of every round that has both, in rising order.
fn to_relay(rows: &[&Row], peer: Peer, of: &dyn Fn(&Measurement) -> f64) -> Vec<f64> {
    let relay = |round| samples(rows, Peer::Relay).find(|&(other, _)| other == round);
    let ratio = |(round, sample): (usize, &Sample)| Some(of(&sample.measurement) / of(&relay(round)?.1.measurement));
    let mut ratios: Vec<_> = samples(rows, peer).filter_map(ratio).collect();
    ratios.sort_by(f64::total_cmp);
    ratios
}

/// One line for everything that went wrong, so that no table looks better than the run was.
fn troubles(rows: &[&Row]) -> String {
    let trouble = |row: &&Row| match &row.outcome {
        Ok(sample) if sample.measurement.errors == 0 => None,
        Ok(Sample { measurement, .. }) => {
            Some(format!("{} errors, first: {}", measurement.errors, measurement.first_error))
        }
        Err(error) => Some(format!("not measured: {error}")),
    };
    let mut text = String::new();
    for row in rows {
        if let Some(trouble) = trouble(row) {
            text += &format!("\n- {}, round {}: {trouble}", row.peer.name(), row.round);
        }
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

/// Every round as it was.
pub(crate) fn csv(rows: &[Row]) -> String {
    let mut text =
        "case,proxy,round,requests,seconds,cpu_ns,p50_ns,p99_ns,p999_ns,peak_kib,errors,trouble\n".to_owned();
    for Row { case, peer, round, outcome } in rows {
        let figures = match outcome {
            Ok(Sample { measurement: m, peak_kib }) => format!(
                "{},{:.6},{},{},{},{},{peak_kib},{},{}",
                m.requests,
                m.seconds,
                m.cpu_ns,
                m.p50_ns,
                m.p99_ns,
                m.p999_ns,
                m.errors,
                quoted(&m.first_error)
            ),
            Err(error) => format!(",,,,,,,,{}", quoted(error)),
        };
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{},{},{round},{figures}", case.name, peer.name());
    }
    text
}

fn quoted(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("\"{}\"", text.replace('"', "\"\"").replace('\n', " ")) }
}

/// Writes a result into the folder `out`, named by date and `kind`.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn write_out(out: &Path, kind: &str, markdown: &str, csv: &str) -> crate::Result<()> {
    fs::create_dir_all(out)?;
    let file = out.join(format!("{}-{kind}", machine::stamp()));
    fs::write(file.with_extension("md"), markdown)?;
    fs::write(file.with_extension("csv"), csv)?;
    eprintln!("written to {}.md and .csv", file.display());
    Ok(())
}

/// The middle one, or between the two in the middle; of none, not a number.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.as_slice() {
        [] => f64::NAN,
        odd if odd.len() % 2 == 1 => odd[half],
        even => f64::midpoint(even[half - 1], even[half]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::CASES;

    fn row(peer: Peer, round: usize, cpu_us: u64, errors: u64) -> Row {
        let measurement =
            Measurement { requests: 1000, seconds: 2.0, cpu_ns: cpu_us * 1_000_000, errors, ..Measurement::default() };
        Row { case: &CASES[0], peer, round, outcome: Ok(Sample { measurement, peak_kib: 2048 }) }
    }

    #[test]
    fn medians() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(Vec::new()).is_nan());
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        let rows = [(1, 10, 20), (2, 100, 110), (3, 20, 30)]
            .map(|(n, a, b)| [row(Peer::Relay, n, a, 0), row(Peer::Nginx, n, b, 0)]);
        let rows: Vec<_> = rows.iter().flatten().collect();
        assert_eq!(to_relay(&rows, Peer::Nginx, &Measurement::cpu_us_per_request), [1.1, 1.5, 2.0]);
        assert!(line(&rows, Peer::Nginx).contains("| **1.50** | 1.10–2.00 |"));
    }

    #[test]
    fn a_round_that_failed_is_named_and_leaves_the_others_standing() {
        let failed = Row { outcome: Err("not \"ready\"".to_owned()), ..row(Peer::Nginx, 2, 0, 0) };
        let rows = [row(Peer::Relay, 1, 10, 0), row(Peer::Nginx, 1, 15, 3), row(Peer::Relay, 2, 10, 0), failed];
        let text = tables(&rows, &[&CASES[0]], &[Peer::Relay, Peer::Nginx, Peer::Go]);
        assert!(text.contains("- nginx, round 1: 3 errors"), "{text}");
        assert!(text.contains("- nginx, round 2: not measured: not \"ready\""), "{text}");
        assert!(text.contains("| nginx | 500 | 1.00 | 15.0 | **1.50** |"), "{text}");
        assert!(text.contains("| go | not measured |"), "{text}");
        assert!(csv(&rows).ends_with("128B-c64,nginx,2,,,,,,,,,\"not \"\"ready\"\"\"\n"), "{}", csv(&rows));
    }
}
