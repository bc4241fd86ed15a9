//! From the figures of all rounds to tables: Markdown for the reader, CSV for whoever wants to reckon again.
//!
//! Every figure is a median over rounds. A ratio is taken within a round, to the reference measured moments before or after,
//! and only then the median is taken: what slows the machine down for a while slows both. The reference is the relay, and
//! divisi itself where the relay has nothing to say.

use std::collections::BTreeMap;
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

/// The tables of these cases, one for each.
pub(crate) fn tables(rows: &[Row], cases: &[&Case], peers: &[Peer]) -> String {
    let mut text = String::new();
    for case in cases {
        let of_case: Vec<_> = rows.iter().filter(|row| row.case.name == case.name).collect();
        text += &format!("\n## {}\n\n{}\n\n{}", case.name, case.title, header(case.reference()));
        for &peer in peers.iter().filter(|peer| peer.understands(case.wire)) {
            text += &line(&of_case, peer, case.reference());
        }
        text += &troubles(&of_case, peers);
    }
    text
}

fn header(reference: Peer) -> String {
    let to = format!("to {}", reference.name());
    format!(
        "| proxy | requests/s | {to} | CPU µs/request | **{to}** | lowest–highest | per core and s | p50 µs | p99 µs \
         | p99.9 µs | peak MiB | core used | errors |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n"
    )
}

fn line(rows: &[&Row], peer: Peer, reference: Peer) -> String {
    let samples: Vec<_> = samples(rows, peer).collect();
    if samples.is_empty() {
        return format!("| {} | not measured | | | | | | | | | | | |\n", peer.name());
    }
    let figure = |of: &dyn Fn(&Sample) -> f64| median(samples.iter().map(|(_, sample)| of(sample)).collect());
    let window = |of: &dyn Fn(&Measurement) -> f64| figure(&|sample| of(&sample.measurement));
    // Whoever else's clients asked, it does not say.
    let latency = |ns: f64| if ns > 0.0 { format!("{:.0}", ns / 1e3) } else { "–".to_owned() };
    let ratio =
        |ratios: &[f64]| if ratios.is_empty() { "–".to_owned() } else { format!("{:.2}", median(ratios.to_vec())) };
    let throughput = ratios(rows, peer, reference, &Measurement::requests_per_second);
    let cpu = ratios(rows, peer, reference, &Measurement::cpu_us_per_request);
    let errors: u64 = samples.iter().map(|(_, sample)| sample.measurement.errors).sum();
    format!(
        "| {} | {:.0} | {} | {:.1} | **{}** | {} | {:.0} | {} | {} | {} | {:.1} | {:.0} % | {errors} |\n",
        peer.name(),
        window(&Measurement::requests_per_second),
        ratio(&throughput),
        window(&Measurement::cpu_us_per_request),
        ratio(&cpu),
        spread(&cpu),
        window(&|window| 1e6 / window.cpu_us_per_request()),
        latency(window(&|window| window.p50_ns as f64)),
        latency(window(&|window| window.p99_ns as f64)),
        latency(window(&|window| window.p999_ns as f64)),
        figure(&|sample| sample.peak_kib as f64 / 1024.0),
        window(&Measurement::busy_percent),
    )
}

/// The first and the last of values in rising order.
pub(crate) fn spread(rising: &[f64]) -> String {
    rising.first().zip(rising.last()).map(|(low, high)| format!("{low:.2}–{high:.2}")).unwrap_or_default()
}

fn samples<'a>(rows: &'a [&Row], peer: Peer) -> impl Iterator<Item = (usize, &'a Sample)> {
    rows.iter().filter(move |row| row.peer == peer).filter_map(|row| Some((row.round, row.outcome.as_ref().ok()?)))
}

/// A figure's ratio to the reference's in the same round, of every round that has both, in rising order.
fn ratios(rows: &[&Row], peer: Peer, reference: Peer, of: &dyn Fn(&Measurement) -> f64) -> Vec<f64> {
    let reference = |round| samples(rows, reference).find(|&(other, _)| other == round);
    let ratio =
        |(round, sample): (usize, &Sample)| Some(of(&sample.measurement) / of(&reference(round)?.1.measurement));
    let mut ratios: Vec<_> = samples(rows, peer).filter_map(ratio).collect();
    ratios.sort_by(f64::total_cmp);
    ratios
}

/// One line for everything that went wrong, so that no table looks better than the run was.
fn troubles(rows: &[&Row], peers: &[Peer]) -> String {
    let trouble = |row: &Row| match &row.outcome {
        Ok(sample) if sample.measurement.errors == 0 => None,
        Ok(Sample { measurement, .. }) => {
            Some(format!("{} errors, first: {}", measurement.errors, measurement.first_error))
        }
        Err(error) => Some(format!("not measured: {}", error.replace('\n', " "))),
    };
    let mut text = String::new();
    for &peer in peers {
        let mut rounds: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for row in rows.iter().filter(|row| row.peer == peer) {
            if let Some(trouble) = trouble(row) {
                rounds.entry(trouble).or_default().push(row.round.to_string());
            }
        }
        for (trouble, rounds) in rounds {
            text += &format!("\n- {}, round {}: {trouble}", peer.name(), rounds.join(", "));
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

/// A field of a CSV file.
pub(crate) fn quoted(text: &str) -> String {
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
        assert_eq!(ratios(&rows, Peer::Nginx, Peer::Relay, &Measurement::cpu_us_per_request), [1.1, 1.5, 2.0]);
        assert!(line(&rows, Peer::Nginx, Peer::Relay).contains("| **1.50** | 1.10–2.00 |"));
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
