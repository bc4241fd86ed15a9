//! HTTP/2 by `h2load`, which is made for it (Debian's `nghttp2-client`).
//!
//! It does not say when its window begins, so none is cut out: after a warm-up, which tells how fast it goes, it is started
//! again for a fixed number of requests, and every one of them is counted with all that it cost the proxy.

use std::process::Command;
use std::time::Instant;

use super::Options;
use crate::Result;
use crate::cpu::CpuTimes;
use crate::measurement::Measurement;
use crate::tls::HOST;

/// What one call of `h2load` says about itself.
#[derive(Debug, PartialEq, Eq)]
struct Report {
    /// Requests answered with 2xx.
    good: u64,
    /// All the others, and those never sent.
    bad: u64,
    /// Bytes of all bodies.
    data: u64,
    /// Its own words about the requests and their status codes.
    words: String,
}

/// Loads the proxy and measures.
///
/// # Errors
/// When `h2load` cannot be run, or anything but a right answer came.
pub(super) fn run(options: &Options) -> Result<Measurement> {
    let began = Instant::now();
    let warm = ask(options, &format!("-D {:.0}ms", options.warmup.max(0.1) * 1e3))?;
    let rate = warm.good as f64 / began.elapsed().as_secs_f64();
    let at_once = (options.case.connections * options.case.streams) as f64;
    let requests = (rate * options.seconds).max(at_once).round();

    let before = CpuTimes::of(&options.cpu_of)?;
    let began = Instant::now();
    let report = ask(options, &format!("-n {requests}"))?;
    let seconds = began.elapsed().as_secs_f64();
    let cpu_ns = CpuTimes::of(&options.cpu_of)?.since(&before);
    Ok(Measurement { requests: report.good, seconds, cpu_ns, ..Measurement::default() })
}

fn ask(options: &Options, how_long: &str) -> Result<Report> {
    let case = options.case;
    let scheme = if case.wire.is_tls() { "https" } else { "http" };
    let mut command = Command::new("setpriv");
    // It stays on our core; a proxy that falls silent is waited for, but not for ever.
    command.args(["--pdeathsig", "TERM", "h2load", "--connection-inactivity-timeout", "10s"]);
    command.args(how_long.split(' '));
    command.arg("-c").arg(case.connections.to_string()).arg("-m").arg(case.streams.to_string());
    command.arg(format!("--connect-to={}", options.to)).arg(format!("{scheme}://{HOST}{}", case.path));
    let output = command.output().map_err(|error| format!("setpriv (util-linux): {error}"))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(format!("h2load (nghttp2-client): {}", words.trim()).into());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let report = parse(&text).ok_or_else(|| format!("h2load (nghttp2-client) says {text:?}"))?;
    let expected = report.good * case.download as u64;
    if report.good == 0 || report.bad > 0 {
        Err(format!("h2load: {}", report.words).into())
    // A window's end cuts answers off, in which some of the bytes are there already.
    } else if how_long.starts_with("-n") && report.data != expected {
        Err(format!("h2load: {} bytes in answers, not {expected}", report.data).into())
    } else {
        Ok(report)
    }
}

fn parse(text: &str) -> Option<Report> {
    let line = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    let (requests, statuses) = (line("requests: ")?, line("status codes: ")?);
    // "traffic: 3.76MB (3940784) total, 976.56KB (1000000) headers (space savings 50.00%), 2.46MB (2580000) data"
    let data = line("traffic: ")?.strip_suffix(") data")?.rsplit_once('(')?.1.parse().ok()?;
    let (total, good) = (count(requests, "total")?, count(statuses, "2xx")?);
    Some(Report { good, bad: total.saturating_sub(good), data, words: format!("{requests}; {statuses}") })
}

/// The number before `name` in a list like `20 total, 0 failed`.
fn count(list: &str, name: &str) -> Option<u64> {
    list.split(", ").find_map(|item| item.strip_suffix(name)?.trim_end().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\
finished in 986.07ms, 20282.56 req/s, 3.81MB/s
requests: 20000 total, 20000 started, 20000 done, 20000 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 20000 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 3.76MB (3940784) total, 976.56KB (1000000) headers (space savings 50.00%), 2.46MB (2580000) data
                     min         max         mean         sd        +/- sd
time for request:      281us     53.70ms     11.62ms      6.00ms    86.35%
";

    #[test]
    fn what_it_prints_is_understood() {
        let report = parse(GOOD).expect("as printed by 1.52");
        assert_eq!((report.good, report.bad, report.data), (20_000, 0, 2_580_000));
    }

    #[test]
    fn everything_without_a_2xx_is_bad() {
        let some = GOOD.replace("20000 2xx, 0 3xx, 0 4xx, 0 5xx", "19990 2xx, 0 3xx, 0 4xx, 4 5xx");
        assert_eq!(parse(&some).expect("printed").bad, 10);
        let refused = "\
requests: 200 total, 0 started, 0 done, 0 succeeded, 200 failed, 200 errored, 0 timeout
status codes: 0 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 0B (0) total, 0B (0) headers (space savings 0.00%), 0B (0) data
";
        assert_eq!(parse(refused).expect("printed").bad, 200);
        assert_eq!(parse("Aborted\n"), None);
    }
}
