//! What one window of load tells about one proxy, as a value and as the lines in which the load generator prints it.

use std::collections::HashMap;
use std::fmt::{Display, Formatter};
use std::str::FromStr;

use crate::Error;

/// One measured window.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Measurement {
    /// Requests answered as they must be.
    pub(crate) requests: u64,
    /// How long the window was.
    pub(crate) seconds: f64,
    /// CPU time of the proxy and its descendants.
    pub(crate) cpu_ns: u64,
    /// Half of all requests took no longer.
    pub(crate) p50_ns: u64,
    /// 99 % of all requests took no longer.
    pub(crate) p99_ns: u64,
    /// 99.9 % of all requests took no longer.
    pub(crate) p999_ns: u64,
    /// Requests without their answer, from the first of the warm-up to the end.
    pub(crate) errors: u64,
    /// What was wrong with the first of them.
    pub(crate) first_error: String,
}

impl Measurement {
    /// Throughput.
    pub(crate) fn requests_per_second(&self) -> f64 {
        self.requests as f64 / self.seconds
    }

    /// What one request costs the proxy, in microseconds.
    pub(crate) fn cpu_us_per_request(&self) -> f64 {
        self.cpu_ns as f64 / 1e3 / self.requests as f64
    }

    /// How much of its core the proxy used, in percent.
    pub(crate) fn busy_percent(&self) -> f64 {
        self.cpu_ns as f64 / 1e7 / self.seconds
    }
}

impl Display for Measurement {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        writeln!(out, "requests {}\nseconds {}\ncpu_ns {}", self.requests, self.seconds, self.cpu_ns)?;
        writeln!(out, "p50_ns {}\np99_ns {}\np999_ns {}", self.p50_ns, self.p99_ns, self.p999_ns)?;
        writeln!(out, "errors {}\nfirst_error {}", self.errors, self.first_error)
    }
}

impl FromStr for Measurement {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let lines: HashMap<_, _> = text.lines().filter_map(|line| line.split_once(' ')).collect();
        let line = |name: &str| lines.get(name).copied().ok_or_else(|| format!("no {name} in {text:?}"));
        Ok(Self {
            requests: line("requests")?.parse()?,
            seconds: line("seconds")?.parse()?,
            cpu_ns: line("cpu_ns")?.parse()?,
            p50_ns: line("p50_ns")?.parse()?,
            p99_ns: line("p99_ns")?.parse()?,
            p999_ns: line("p999_ns")?.parse()?,
            errors: line("errors")?.parse()?,
            first_error: line("first_error")?.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read_back() {
        let measurement = Measurement {
            requests: 60_000,
            seconds: 3.5,
            cpu_ns: 1_200_000_000,
            p50_ns: 1,
            p99_ns: 2,
            p999_ns: 3,
            errors: 1,
            first_error: "status 503, not 200".to_owned(),
        };
        assert_eq!(measurement.to_string().parse::<Measurement>().expect("own format"), measurement);
        assert!((measurement.cpu_us_per_request() - 20.0).abs() < 1e-9);
    }
}
