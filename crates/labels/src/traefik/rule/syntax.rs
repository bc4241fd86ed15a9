//! The language of rules, without knowing what any matcher means: calls, `!`, `&&`, `||` and parentheses.
//!
//! Traefik reads rules with the parser of Go, so a text stands in backticks as it is, or in double quotes with escapes.

use super::RuleFault;

/// The longest rule. Long lists of hosts are written as rules; nobody writes this much.
const LONGEST: usize = 64 * 1024;

/// How deep parentheses and negations may stand in each other: a rule that is read is walked and dropped by recursion.
const DEEPEST: usize = 32;

/// A rule as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expr {
    /// A matcher with what it is given.
    Call(Call),
    /// None of what follows holds.
    Not(Box<Self>),
    /// All of them hold; two or more.
    And(Vec<Self>),
    /// One of them holds; two or more.
    Or(Vec<Self>),
}

/// A matcher with what it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// Its name, as it is written.
    pub(crate) name: String,
    /// What stands in its parentheses.
    pub(crate) arguments: Vec<String>,
    /// Where it begins.
    pub(crate) at: usize,
}

/// Reads a rule.
pub(crate) fn parse(text: &str) -> Result<Expr, RuleFault> {
    if text.len() > LONGEST {
        return Err(RuleFault::new(0, format!("the rule is longer than {LONGEST} bytes")));
    }
    let mut parser = Parser { text, at: 0, depth: 0 };
    let rule = parser.any_of()?;
    match parser.peek() {
        None => Ok(rule),
        Some(')') => Err(parser.error("a parenthesis is closed that was not opened")),
        Some(_) => Err(parser.error("&& or || is expected here")),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    /// `||` binds least.
    fn any_of(&mut self) -> Result<Expr, RuleFault> {
        let first = self.all_of()?;
        let mut parts = vec![first];
        while self.take("||") {
            parts.push(self.all_of()?);
        }
        Ok(one_or(parts, Expr::Or))
    }

    fn all_of(&mut self) -> Result<Expr, RuleFault> {
        let first = self.term()?;
        let mut parts = vec![first];
        while self.take("&&") {
            parts.push(self.term()?);
        }
        Ok(one_or(parts, Expr::And))
    }

    fn term(&mut self) -> Result<Expr, RuleFault> {
        if self.depth == DEEPEST {
            return Err(self.error("parentheses and negations stand too deep in each other here"));
        }
        self.depth += 1;
        let found = if self.take("!") {
            self.term().map(|inner| Expr::Not(Box::new(inner)))
        } else if self.take("(") {
            let inner = self.any_of();
            inner.and_then(|inner| if self.take(")") { Ok(inner) } else { Err(self.error("a ) is missing here")) })
        } else {
            self.call().map(Expr::Call)
        };
        self.depth -= 1;
        found
    }

    fn call(&mut self) -> Result<Call, RuleFault> {
        let first = self.peek();
        let at = self.at;
        let name: String =
            self.rest().chars().take_while(|char| char.is_ascii_alphanumeric() || *char == '_').collect();
        if name.is_empty() {
            return Err(self.error(match first {
                None => "a matcher is missing at the end, as in Host(`example.com`)",
                Some('`' | '"') => "a text stands without a matcher here; write Host(`example.com`)",
                Some(_) => "a matcher is expected here, as in Host(`example.com`)",
            }));
        }
        self.at += name.len();
        if !self.take("(") {
            return Err(self.error(&format!("a ( is missing after {name}")));
        }
        let mut arguments = Vec::new();
        while !self.take(")") {
            arguments.push(self.argument()?);
            // Go lets a comma stand after the last one.
            if !self.take(",") && self.peek() != Some(')') {
                return Err(self.error("a , or a ) is missing here"));
            }
        }
        Ok(Call { name, arguments, at })
    }

    fn argument(&mut self) -> Result<String, RuleFault> {
        match self.peek() {
            Some('`') => self.raw(),
            Some('"') => self.quoted(),
            Some('\'') => Err(self.error("single quotes are not for texts; write `…` or \"…\"")),
            _ => Err(self.error("a text in backticks or double quotes is expected here, as in `example.com`")),
        }
    }

    fn raw(&mut self) -> Result<String, RuleFault> {
        let begin = self.at + 1;
        let Some(length) = self.text[begin..].find('`') else {
            return Err(self.error("this backtick is never closed"));
        };
        self.at = begin + length + 1;
        Ok(self.text[begin..begin + length].to_owned())
    }

    fn quoted(&mut self) -> Result<String, RuleFault> {
        let opened = self.at;
        let mut text = String::new();
        self.at += 1;
        while let Some(char) = self.rest().chars().next() {
            let escape = self.at;
            self.at += char.len_utf8();
            match char {
                '"' => return Ok(text),
                '\\' => text.push(self.escaped().ok_or_else(|| {
                    RuleFault::new(
                        escape,
                        "no such escape in double quotes; write \\\\ for a backslash, or use backticks",
                    )
                })?),
                '\n' => break,
                _ => text.push(char),
            }
        }
        Err(RuleFault::new(opened, "this double quote is never closed"))
    }

    /// What Go makes of what follows a backslash, but for octal numbers and for bytes that are no text.
    fn escaped(&mut self) -> Option<char> {
        let char = self.rest().chars().next()?;
        self.at += char.len_utf8();
        let digits = match char {
            'a' => return Some('\u{7}'),
            'b' => return Some('\u{8}'),
            'f' => return Some('\u{c}'),
            'n' => return Some('\n'),
            'r' => return Some('\r'),
            't' => return Some('\t'),
            'v' => return Some('\u{b}'),
            '\\' | '"' => return Some(char),
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => return None,
        };
        let hex = self.rest().get(..digits).filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        let number = u32::from_str_radix(hex, 16).ok().filter(|number| digits > 2 || *number < 128)?;
        self.at += digits;
        char::from_u32(number)
    }

    /// The next character that is no space.
    fn peek(&mut self) -> Option<char> {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
        self.rest().chars().next()
    }

    fn take(&mut self, token: &str) -> bool {
        self.peek();
        let taken = self.rest().starts_with(token);
        if taken {
            self.at += token.len();
        }
        taken
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn error(&mut self, what: &str) -> RuleFault {
        self.peek();
        RuleFault::new(self.at, what)
    }
}

fn one_or(mut parts: Vec<Expr>, many: fn(Vec<Expr>) -> Expr) -> Expr {
    if parts.len() == 1 { parts.remove(0) } else { many(parts) }
}
