//! Labels that nobody would write, many of them: understanding them ends, and what comes of it is bounded.
//!
//! It runs for a few seconds. `DIVISI_RANDOM_SECONDS=600` makes it ten minutes, `DIVISI_RANDOM_SEED=7` the same labels again.

use std::env;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use divisi_labels::middleware::apply;
use divisi_labels::traefik::Options;
use divisi_labels::{Outcome, Reader, Wish, Words, understand};

/// Enough for one run; the time is over sooner in a slow build.
const MOST: u64 = 200_000;

/// The longest text of ours in a verdict, in bytes: 400 characters, of which each may be four, or be written as an escape.
const LONGEST: usize = 4100;

const CORPUS: &[&str] = &[
    include_str!("golden/native.txt"),
    include_str!("golden/traefik.txt"),
    include_str!("golden/traefik-rows.txt"),
    include_str!("golden/traefik-middlewares.txt"),
    include_str!("golden/nginx-proxy.txt"),
    include_str!("golden/nginx-proxy-rows.txt"),
    include_str!("golden/empty.txt"),
    include_str!("golden/native-tls.txt"),
    include_str!("golden/traefik-tls.txt"),
    include_str!("golden/nginx-proxy-tls.txt"),
];

const PIECES: &[&str] = &[
    "",
    ".",
    "..",
    "[",
    "[0]",
    "]",
    "@",
    "@file",
    "*",
    "**.",
    "`",
    "\"",
    "\\",
    "(",
    ")",
    "!",
    "&&",
    "||",
    ",",
    "{",
    "}",
    "{a:",
    "/",
    "~",
    "~^(",
    "=",
    "%2e",
    "\0",
    "\n",
    "\u{1b}[31m",
    "ü",
    "\u{202e}",
    "host",
    "rule",
    "Host(`a`)",
    "HostRegexp(`(a+)+$`)",
    "middlewares",
    "enable",
    "false",
    "true",
    "0",
    "-1",
    "99999999999999999999",
    "65536",
    "1h",
    "NaN",
    "${X}",
    "{{ .Name }}",
    "&x *x",
    "- ",
    ": ",
];

/// xorshift64*: good enough to try things, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).expect("below a usize")
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    /// The text with a piece more, less, or in the place of another; rarely many times.
    fn mutate(&mut self, text: &str) -> String {
        let chars: Vec<char> = text.chars().collect();
        let (at, end) = (self.below(chars.len() + 1), self.below(chars.len() + 1));
        let (at, end) = (at.min(end), at.max(end));
        let (begin, cut, rest) = (&chars[..at], &chars[at..end], &chars[end..]);
        let piece = match self.below(6) {
            0 => String::new(),
            1 => cut.iter().collect::<String>().repeat(2),
            2 => self.one(PIECES).repeat(1 + self.below(40)),
            3 if self.below(50) == 0 => self.one(PIECES).repeat(20_000),
            _ => (*self.one(PIECES)).to_owned(),
        };
        begin.iter().collect::<String>() + &piece + &rest.iter().collect::<String>()
    }
}

/// Every label and variable of the golden files.
fn corpus() -> Vec<(bool, &'static str, &'static str)> {
    let above = CORPUS.iter().flat_map(|text| text.split("=== ").filter_map(|case| case.split_once("---\n")));
    let lines = above.flat_map(|(above, _)| above.lines().skip(1));
    let said = lines.filter(|line| !line.starts_with('#') && !line.starts_with("with ")).map(|line| {
        let (is_variable, line) = line.strip_prefix("env ").map_or((false, line), |line| (true, line));
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        (is_variable, key, value)
    });
    said.collect()
}

fn container(random: &mut Random, corpus: &[(bool, &str, &str)]) -> Vec<(bool, String, String)> {
    // Labels that stand near each other in the files have to do with each other.
    let (from, count) = (random.below(corpus.len()), random.below(12));
    let mut said = Vec::new();
    for offset in 0..count {
        let (is_variable, key, value) = corpus[(from + offset) % corpus.len()];
        let (mut key, mut value) = (key.to_owned(), value.to_owned());
        match random.below(4) {
            0 => key = random.mutate(&key),
            1 => value = random.mutate(&value),
            2 => random.one(corpus).2.clone_into(&mut value),
            _ => {}
        }
        said.push((is_variable, key, value));
    }
    said
}

fn check(wish: &mut Wish, said: usize, has_tls: bool) -> Result<(), String> {
    if wish.verdicts.len() > said {
        return Err(format!("{} verdicts on {said} labels", wish.verdicts.len()));
    }
    let known = wish.middlewares.clone();
    for route in &mut wish.routes {
        apply(route, |name| known.iter().find(|middleware| middleware.name == name).cloned(), &[], has_tls);
    }
    let texts = wish.verdicts.iter().flat_map(|verdict| match &verdict.outcome {
        Outcome::Used => vec![],
        Outcome::Approximated(why) | Outcome::Ignored(why) => vec![why],
        Outcome::Wrong { accepted, meant } => std::iter::once(accepted).chain(meant).collect(),
    });
    let closed = wish.routes.iter().filter_map(|route| route.closed.as_ref());
    for text in texts.chain(closed) {
        if text.len() > LONGEST || text.chars().any(char::is_control) || text.trim().is_empty() {
            return Err(format!("a text that nobody can read: {text:?}"));
        }
    }
    if wish.routes.len() > 70_000 || wish.services.len() > 2000 {
        return Err(format!("{} routes, {} services", wish.routes.len(), wish.services.len()));
    }
    Ok(())
}

#[test]
fn no_labels_do_harm() {
    let number = |name: &str| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.as_secs());
    let seed = number("DIVISI_RANDOM_SEED").unwrap_or(now).max(1);
    let (seconds, most) = number("DIVISI_RANDOM_SECONDS").map_or((5, MOST), |seconds| (seconds, u64::MAX));
    println!("DIVISI_RANDOM_SEED={seed}");
    let (corpus, end) = (corpus(), Instant::now() + Duration::from_secs(seconds));
    assert!(corpus.len() > 400, "the golden files");
    let readers = [
        Reader::default(),
        Reader { traefik: Options { exposed_by_default: true, ..Options::default() }, ..Reader::default() },
        Reader { has_tls: false, ..Reader::default() },
        Reader { traefik: Options { strict: true, ..Options::default() }, ..Reader::default() },
    ];
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mut count = 0;
    while count < most && Instant::now() < end {
        let said = container(&mut random, &corpus);
        let of = |is: bool| -> Vec<(&str, &str)> {
            let those = said.iter().filter(|(is_variable, ..)| *is_variable == is);
            those.map(|(_, key, value)| (key.as_str(), value.as_str())).collect()
        };
        let (labels, variables) = (of(false), of(true));
        let words = Words {
            labels: &labels,
            environment: &variables,
            service: "web",
            project: "shop",
            container: "shop-web-1",
        };
        let begin = Instant::now();
        let reader = random.one(&readers);
        let mut wish = understand(&words, &Arc::default(), reader);
        let taken = begin.elapsed();
        if let Err(why) = check(&mut wish, said.len(), reader.has_tls) {
            panic!("seed {seed}, container {count}: {why}\n{said:#?}");
        }
        assert!(taken < Duration::from_secs(2), "seed {seed}, container {count}: {taken:?}\n{said:#?}");
        count += 1;
    }
    println!("{count} containers");
}
