//! The language of rules against a printer, and against text that is nearly a rule.

use std::fmt::Write as _;

use divisi_model::route::Rule;
use proptest::prelude::*;

use super::parse;
use super::syntax::{self, Call, Expr};

/// Writes a rule with as few parentheses as it needs.
fn print(expr: &Expr, out: &mut String) {
    let within = |part: &Expr, out: &mut String| match part {
        Expr::And(_) | Expr::Or(_) => {
            out.push('(');
            print(part, out);
            out.push(')');
        }
        part => print(part, out),
    };
    let several = |parts: &[Expr], between: &str, out: &mut String| {
        for (at, part) in parts.iter().enumerate() {
            out.push_str(if at == 0 { "" } else { between });
            within(part, out);
        }
    };
    match expr {
        Expr::And(parts) => several(parts, " && ", out),
        Expr::Or(parts) => several(parts, "||", out),
        Expr::Not(inner) => {
            out.push('!');
            within(inner, out);
        }
        Expr::Call(call) => {
            out.push_str(&call.name);
            out.push('(');
            for (at, text) in call.arguments.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                quote(text, out);
            }
            out.push(')');
        }
    }
}

fn quote(text: &str, out: &mut String) {
    if !text.contains('`') {
        let _ = write!(out, "`{text}`");
        return;
    }
    out.push('"');
    for char in text.chars() {
        match char {
            '"' | '\\' => out.extend(['\\', char]),
            '\n' => out.push_str("\\n"),
            char => out.push(char),
        }
    }
    out.push('"');
}

/// Where calls begin says nothing about what they mean.
fn forget_places(expr: &mut Expr) {
    match expr {
        Expr::Call(call) => call.at = 0,
        Expr::Not(inner) => forget_places(inner),
        Expr::And(parts) | Expr::Or(parts) => parts.iter_mut().for_each(forget_places),
    }
}

fn exprs() -> impl Strategy<Value = Expr> {
    let call = ("[A-Za-z][A-Za-z0-9]{0,8}", prop::collection::vec("(?s:.{0,9})", 0..3));
    let call = call.prop_map(|(name, arguments)| Expr::Call(Call { name, arguments, at: 0 }));
    call.prop_recursive(5, 24, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| Expr::Not(Box::new(inner))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expr::And),
            prop::collection::vec(inner, 2..4).prop_map(Expr::Or),
        ]
    })
}

/// A rule in pieces, with parentheses wherever: what is between two of them is told apart by the plainest means.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Matcher(u8),
    Sign(&'static str),
}

fn tokens() -> impl Strategy<Value = Vec<Token>> {
    let matcher = (0..4_u8).prop_map(|number| vec![Token::Matcher(number)]);
    matcher.prop_recursive(6, 40, 4, |inner| {
        let within = |begin: &'static [&str], end: &'static [&str]| {
            move |inner: Vec<Token>| {
                let signs = |signs: &'static [&'static str]| signs.iter().map(|sign| Token::Sign(sign));
                signs(begin).chain(inner).chain(signs(end)).collect::<Vec<_>>()
            }
        };
        let sign = prop_oneof![Just("&&"), Just("||")];
        prop_oneof![
            inner.clone().prop_map(within(&["("], &[")"])),
            inner.clone().prop_map(within(&["!", "("], &[")"])),
            // This one binds what stands next to it only.
            inner.clone().prop_map(within(&["!"], &[])),
            prop::collection::vec((inner, sign), 2..4).prop_map(|parts| {
                let joined: Vec<_> =
                    parts.into_iter().flat_map(|(part, sign)| part.into_iter().chain([Token::Sign(sign)])).collect();
                joined[..joined.len() - 1].to_vec()
            }),
        ]
    })
}

/// What stands between the signs that are in no parentheses.
fn split<'a>(tokens: &'a [Token], sign: &str) -> Vec<&'a [Token]> {
    let mut depth = 0;
    tokens
        .split(|token| {
            depth += i32::from(*token == Token::Sign("(")) - i32::from(*token == Token::Sign(")"));
            depth == 0 && *token == Token::Sign(if sign == "&&" { "&&" } else { "||" })
        })
        .collect()
}

fn plainly(tokens: &[Token], true_ones: u8) -> bool {
    let or = split(tokens, "||");
    let and = split(tokens, "&&");
    match tokens {
        _ if or.len() > 1 => or.into_iter().any(|part| plainly(part, true_ones)),
        _ if and.len() > 1 => and.into_iter().all(|part| plainly(part, true_ones)),
        [Token::Sign("!"), rest @ ..] => !plainly(rest, true_ones),
        [Token::Sign(_), inner @ .., Token::Sign(_)] => plainly(inner, true_ones),
        [Token::Matcher(number)] => true_ones & (1 << number) != 0,
        _ => panic!("{tokens:?}"),
    }
}

fn holds(rule: &Rule, true_ones: u8) -> bool {
    match rule {
        Rule::All { 0: rules, .. } => rules.iter().all(|rule| holds(rule, true_ones)),
        Rule::Any { 0: rules, .. } => rules.iter().any(|rule| holds(rule, true_ones)),
        Rule::Not { 0: rule, .. } => !holds(rule, true_ones),
        Rule::Method { 0: name, .. } => true_ones & (1 << (name.as_bytes()[0] - b'A')) != 0,
        _ => panic!("{rule:?}"),
    }
}

proptest! {
    #[test]
    fn not_binds_more_than_and_and_that_more_than_or(tokens in tokens(), spaces in "[ \n]{0,2}") {
        let text: Vec<_> = tokens.iter().map(|token| match token {
            Token::Matcher(number) => format!("Method(`{}`)", char::from(b'A' + number)),
            Token::Sign(sign) => (*sign).to_owned(),
        }).collect();
        let text = text.join(&spaces);
        let rule = parse(&text).map_err(|fault| TestCaseError::fail(format!("{text}: {fault}")))?.rule;
        for true_ones in 0..16 {
            prop_assert_eq!(holds(&rule, true_ones), plainly(&tokens, true_ones), "{} where {:04b} hold", text, true_ones);
        }
    }

    #[test]
    fn what_is_printed_is_read_again(expr in exprs()) {
        let mut text = String::new();
        print(&expr, &mut text);
        let mut read = syntax::parse(&text).map_err(|fault| TestCaseError::fail(format!("{text}: {fault}")))?;
        forget_places(&mut read);
        prop_assert_eq!(read, expr, "{}", text);
    }

    #[test]
    fn no_text_does_harm(text in "(Host|PathPrefix|Query|HostRegexp|[!()&|`\",{}:*a-z./ \\\\^$+]|&&|\\|\\|){0,24}|(?s:.*)") {
        if let Err(fault) = parse(&text) {
            prop_assert!(fault.at <= text.len() && text.is_char_boundary(fault.at));
            prop_assert!(fault.to_string().len() < 1000 + text.len());
        }
    }
}

#[test]
fn nothing_is_too_deep_or_too_long() {
    for text in [
        "(".repeat(60_000),
        "!".repeat(60_000),
        format!("{}Host(`a`){}", "(".repeat(40), ")".repeat(40)),
        "Host(`a`)||".repeat(100_000),
        format!("Host({})", "`a`,".repeat(16_000)),
        "HostRegexp(`a`)||".repeat(65) + "Host(`a`)",
        "HostRegexp(`(((a{1000}){1000}){1000})`)".to_owned(),
    ] {
        assert!(parse(&text).is_err(), "{text:.30}");
    }
    assert!(parse(&format!("{}Host(`a`){}", "!(".repeat(10), ")".repeat(10))).is_ok());
}

#[test]
fn faults_say_where_and_what() {
    for (text, right) in [
        ("", "not a rule: a matcher is missing at the end, as in Host(`example.com`) (character 1)"),
        ("Host(`a`", "not a rule: a , or a ) is missing here (character 9)"),
        ("Host(`a`) & Path(`/`)", "not a rule: && or || is expected here (character 11)"),
        ("Host('a')", "not a rule: single quotes are not for texts; write `…` or \"…\" (character 6)"),
        ("Host(`a`))", "not a rule: a parenthesis is closed that was not opened (character 10)"),
        ("Path(`a`)", "not a rule: the path `a` does not begin with `/` (character 1)"),
    ] {
        assert_eq!(parse(text).expect_err(text).to_string(), right);
    }
    for (text, part) in [("Hots(`a`)", "did you mean Host?"), ("HostSNI(`a`)", "TCP"), ("Header(`a`)", "two texts")] {
        assert!(parse(text).expect_err(text).what.contains(part), "{text}");
    }
}

#[test]
fn matchers_of_both_versions() {
    for (text, same) in [
        ("host(`A.com.`)", "Host(`a.com`)"),
        ("HOST(\"a.com\")", "Host(`a.com`)"),
        ("Host(`a.com`, `b.com`)", "Host(`a.com`) || Host(`b.com`)"),
        ("Headers(`X-A`, `b`)", "Header(`X-A`, `b`)"),
        ("HeadersRegexp(`X-A`, `b+`)", "HeaderRegexp(`X-A`, `b+`)"),
        ("HostRegexp(`{sub:[a-z]+}.a.com`)", r"HostRegexp(`^(?:[a-z]+)\.a\.com$`)"),
        ("PathPrefix(`/{id:[0-9]+}/x`)", "PathRegexp(`^/(?:[0-9]+)/x`)"),
        ("Path(`/{id}`)", "PathRegexp(`^/(?:[^/]+)$`)"),
        ("Query(`a=b`)", "Query(`a`, `b`)"),
        ("Host(`a`) || Path(`/x`) && Method(`get`)", "Host(`a`) || (Path(`/x`) && Method(`GET`))"),
        ("!!Host(`a`)", "Host(`a`)"),
        ("!Host(`a`) && Path(`/`)", "(!Host(`a`)) && Path(`/`)"),
        ("ClientIP(`10.0.0.0/8`, `::1`)", "ClientIP(`10.0.0.0/8`) || ClientIP(`::1`)"),
        ("Host(\"\\x61\\u0062.com\")", "Host(`ab.com`)"),
        (" Host ( `a` , ) \n", "Host(`a`)"),
    ] {
        let read = |text: &str| parse(text).unwrap_or_else(|fault| panic!("{text}: {fault}")).rule;
        assert_eq!(read(text), read(same), "{text}");
    }
}
