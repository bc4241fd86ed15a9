//! What each matcher of a router of TCP means.

use divisi_model::route::{Rule, RuleError};

use super::syntax::{Call, Expr};
use super::{Parsed, RuleFault, template};
use crate::nearest::nearest;

/// Most regular expressions in one rule.
const MOST_EXPRESSIONS: usize = 64;

const SEVERAL: &str = "several values in one matcher are read as in Traefik 2: one of them";
const NAMES: [&str; 4] = ["HostSNI", "HostSNIRegexp", "ClientIP", "ALPN"];

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
        let Some(name) = NAMES.iter().find(|name| name.eq_ignore_ascii_case(&call.name)) else {
            return Err(fault(unknown(&call.name)));
        };
        let texts = &call.arguments;
        if texts.is_empty() {
            return Err(fault(format!("{name} takes at least one text, and was given 0")));
        }
        if texts.len() > 1 && !self.notes.contains(&SEVERAL) {
            self.notes.push(SEVERAL);
        }
        let read: fn(&str) -> Result<Rule, RuleError> = match *name {
            "HostSNI" => Rule::host,
            "HostSNIRegexp" => {
                self.expressions += texts.len();
                expression
            }
            "ClientIP" => Rule::client_ip,
            _ => Rule::alpn,
        };
        if self.expressions > MOST_EXPRESSIONS {
            return Err(fault(format!("the rule has more than {MOST_EXPRESSIONS} regular expressions")));
        }
        let rules: Result<_, _> = texts.iter().map(|text| read(text)).collect();
        rules.and_then(Rule::any).map_err(|error| fault(error.to_string()))
    }
}

fn expression(text: &str) -> Result<Rule, RuleError> {
    match template::expression(text, "[^.]+") {
        Some(expression) => Rule::host_regexp(&format!("^{expression}$")),
        None => Rule::host_regexp(text),
    }
}

fn unknown(name: &str) -> String {
    if ["Host", "HostRegexp"].iter().any(|http| http.eq_ignore_ascii_case(name)) {
        return format!("{name} is for HTTP routers only; write HostSNI");
    }
    let meant = nearest(name, NAMES).map(|meant| format!(" (did you mean {meant}?)")).unwrap_or_default();
    let shown: String = name.chars().take(40).collect();
    format!("there is no matcher {shown}{meant} for TCP; there are {}", NAMES.join(", "))
}
