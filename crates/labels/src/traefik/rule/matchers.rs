//! What each matcher means.
//!
//! Every one takes one thing in Traefik 3; several mean "one of them" as in Traefik 2, which a rule with several can only have
//! been written for.

use divisi_model::route::{Rule, RuleError};

use super::syntax::{Call, Expr};
use super::{Parsed, RuleFault, template};
use crate::nearest::nearest;

/// Most regular expressions in one rule: each takes memory, and time to compile.
const MOST_EXPRESSIONS: usize = 64;

const SEVERAL: &str = "several values in one matcher are read as in Traefik 2: one of them";
const TEMPLATE: &str = "{name:regex} is read as in Traefik 2";
const OLD_NAME: &str =
    "Headers, HeadersRegexp and HostHeader are the names of Traefik 2 for Header, HeaderRegexp and Host";
const OLD_QUERY: &str = "Query(`name=value`) is read as in Traefik 2; Traefik 3 has Query(`name`, `value`)";

/// Every matcher.
const MATCHERS: &[Matcher] = &[
    Matcher::one("Host", |call| each(call, Rule::host)),
    Matcher::one("HostRegexp", host_regexp),
    Matcher::one("Path", |call| each_path(call, Rule::path, "$")),
    Matcher::one("PathPrefix", |call| each_path(call, Rule::path_prefix, "")),
    Matcher::one("PathRegexp", |call| each(call, Rule::path_regexp)),
    Matcher::one("Method", |call| each(call, Rule::method)),
    Matcher::two("Header", |call| Rule::header(&call.arguments[0], &call.arguments[1])),
    Matcher::two("HeaderRegexp", |call| Rule::header_regexp(&call.arguments[0], &call.arguments[1])),
    Matcher { name: "Query", least: 1, most: usize::MAX, old: false, read: query },
    Matcher::two("QueryRegexp", |call| Rule::query_regexp(&call.arguments[0], &call.arguments[1])),
    Matcher::one("ClientIP", |call| each(call, Rule::client_ip)),
    Matcher { old: true, ..Matcher::one("HostHeader", |call| each(call, Rule::host)) },
    Matcher { old: true, ..Matcher::two("Headers", |call| Rule::header(&call.arguments[0], &call.arguments[1])) },
    Matcher {
        old: true,
        ..Matcher::two("HeadersRegexp", |call| Rule::header_regexp(&call.arguments[0], &call.arguments[1]))
    },
];

struct Matcher {
    name: &'static str,
    /// How many texts it takes.
    least: usize,
    most: usize,
    /// Whether only Traefik 2 calls it so.
    old: bool,
    read: fn(&Call) -> Result<Rule, RuleError>,
}

impl Matcher {
    const fn one(name: &'static str, read: fn(&Call) -> Result<Rule, RuleError>) -> Self {
        Self { name, least: 1, most: usize::MAX, old: false, read }
    }

    const fn two(name: &'static str, read: fn(&Call) -> Result<Rule, RuleError>) -> Self {
        Self { name, least: 2, most: 2, old: false, read }
    }
}

/// What a rule means.
pub(super) fn lower(expr: &Expr) -> Result<Parsed, RuleFault> {
    let mut lowering = Lowering { notes: Vec::new(), expressions: 0 };
    let rule = lowering.expr(expr)?;
    Ok(Parsed { rule, notes: lowering.notes })
}

struct Lowering {
    notes: Vec<&'static str>,
    expressions: usize,
}

impl Lowering {
    /// As deep as the syntax let it be.
    fn expr(&mut self, expr: &Expr) -> Result<Rule, RuleFault> {
        let whole = |error: RuleError| RuleFault::new(0, error.to_string());
        match expr {
            Expr::Call(call) => self.call(call),
            Expr::Not(inner) => Rule::negated(self.expr(inner)?).map_err(whole),
            Expr::And(parts) => Rule::all(self.parts(parts)?).map_err(whole),
            Expr::Or(parts) => Rule::any(self.parts(parts)?).map_err(whole),
        }
    }

    fn parts(&mut self, parts: &[Expr]) -> Result<Vec<Rule>, RuleFault> {
        parts.iter().map(|part| self.expr(part)).collect()
    }

    fn call(&mut self, call: &Call) -> Result<Rule, RuleFault> {
        let fault = |what: String| RuleFault::new(call.at, what);
        let named = MATCHERS.iter().find(|matcher| matcher.name.eq_ignore_ascii_case(&call.name));
        let matcher = named.ok_or_else(|| fault(unknown(&call.name)))?;
        let (name, count) = (matcher.name, call.arguments.len());
        if !(matcher.least..=matcher.most).contains(&count) {
            let right = if matcher.least == 1 { "at least one text" } else { "two texts, a name and a value" };
            return Err(fault(format!("{name} takes {right}, and was given {count}")));
        }
        self.note(call, matcher);
        if name.ends_with("Regexp") || self.notes.contains(&TEMPLATE) {
            self.expressions += count;
        }
        if self.expressions > MOST_EXPRESSIONS {
            return Err(fault(format!("the rule has more than {MOST_EXPRESSIONS} regular expressions")));
        }
        (matcher.read)(call).map_err(|error| fault(error.to_string()))
    }

    fn note(&mut self, call: &Call, matcher: &Matcher) {
        let texts = &call.arguments;
        let has_template = texts.iter().any(|text| template::expression(text, "").is_some());
        let old_query = matcher.name == "Query" && is_old_query(call);
        let notes = [
            (matcher.old, OLD_NAME),
            (texts.len() > 1 && matcher.least == 1 && matcher.name != "Query", SEVERAL),
            (has_template && matches!(matcher.name, "HostRegexp" | "Path" | "PathPrefix"), TEMPLATE),
            (old_query, OLD_QUERY),
        ];
        let new = notes.into_iter().filter(|(is, note)| *is && !self.notes.contains(note));
        let new: Vec<_> = new.map(|(_, note)| note).collect();
        self.notes.extend(new);
    }
}

fn unknown(name: &str) -> String {
    if name.eq_ignore_ascii_case("HostSNI") || name.eq_ignore_ascii_case("HostSNIRegexp") {
        return format!("{name} is for TCP routers only; write Host");
    }
    let meant = nearest(name, MATCHERS.iter().map(|matcher| matcher.name));
    let meant = meant.map(|meant| format!(" (did you mean {meant}?)")).unwrap_or_default();
    let names: Vec<_> = MATCHERS.iter().filter(|matcher| !matcher.old).map(|matcher| matcher.name).collect();
    let shown: String = name.chars().take(40).collect();
    format!("there is no matcher {shown}{meant}; there are {}", names.join(", "))
}

/// One of them holds.
fn each(call: &Call, read: impl Fn(&str) -> Result<Rule, RuleError>) -> Result<Rule, RuleError> {
    Rule::any(call.arguments.iter().map(|text| read(text)).collect::<Result<_, _>>()?)
}

fn host_regexp(call: &Call) -> Result<Rule, RuleError> {
    each(call, |text| match template::expression(text, "[^.]+") {
        Some(expression) => Rule::host_regexp(&format!("^{expression}$")),
        None => Rule::host_regexp(text),
    })
}

fn each_path(call: &Call, read: fn(&str) -> Result<Rule, RuleError>, end: &str) -> Result<Rule, RuleError> {
    each(call, |text| match template::expression(text, "[^/]+") {
        // A path that does not begin with a slash matches nothing; who wrote it is to hear of it.
        Some(expression) if text.starts_with('/') => Rule::path_regexp(&format!("^{expression}{end}")),
        _ => read(text),
    })
}

/// No name of a parameter that anybody writes has a `=` in it.
fn is_old_query(call: &Call) -> bool {
    call.arguments[0].contains('=') || call.arguments.len() > 2
}

fn query(call: &Call) -> Result<Rule, RuleError> {
    let one = |pair: &String| match pair.split_once('=') {
        Some((name, value)) => Rule::query(name, Some(value)),
        None => Rule::query(pair, Some("")),
    };
    if is_old_query(call) {
        return Rule::all(call.arguments.iter().map(one).collect());
    }
    // Without a value it is the empty one.
    Ok(Rule::query(&call.arguments[0], Some(call.arguments.get(1).map_or("", String::as_str))))
}
