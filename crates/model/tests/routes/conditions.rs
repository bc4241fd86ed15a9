//! Each condition with what it takes and what not, and each text that is none.

use divisi_model::route::{RoutingTable, Rule, RuleError};

use crate::request::{Request, all, any, host, not, route, within};

fn holds(rule: &Rule, request: &Request) -> bool {
    RoutingTable::build(vec![route("web", rule.clone())]).0.find(request).is_some()
}

#[test]
fn each_condition_takes_what_it_says() {
    let made = |rule: Result<Rule, RuleError>| rule.expect("well-formed");
    for (rule, good, bad) in [
        (host("App.Test."), &["app.test", "APP.test.:8080/x"][..], &["a.app.test", "app.test.evil", ""][..]),
        (host("*.app.test"), &["a.app.test"], &["app.test", "a.b.app.test", ".app.test", "aapp.test"]),
        (host("**.app.test"), &["a.app.test", "a.b.app.test"], &["app.test", "..app.test"]),
        (host("*"), &["app.test", "", "1.2.3.4"], &[]),
        (host("[::1]"), &["[::1]:80"], &["[::2]"]),
        (made(Rule::host_regexp("^(APP|api)\\d?\\.")), &["app.test", "API1.test"], &["app12.test", ""]),
        (made(Rule::path("/a b")), &["x/a%20b", "x/%61%20b"], &["x/a", "x/a%20b/"]),
        (within("/api"), &["x/api", "x/api/", "x/api/v1"], &["x/apiary", "x/ap", "x/"]),
        (within("/api/"), &["x/api", "x/api/v1"], &["x/apiary"]),
        (within("/"), &["x", "x/", "x/a"], &[]),
        (made(Rule::path_prefix("/api")), &["x/api", "x/apiary", "x/%61pi"], &["x/ap", "x/API"]),
        (made(Rule::path("/a/b")), &["x/a/b"], &["x/a%2fb", "x/a%2Fb"]),
        (made(Rule::path_regexp("^/v[0-9]+/")), &["x/v12/y"], &["x/v/y"]),
        (Rule::query("q", None), &["x/?q", "x/?a&q=7"], &["x/", "x/?Q", "x/?qq"]),
        (Rule::query("q", Some("a b")), &["x/?q=a+b", "x/?q=1&q=%61%20b"], &["x/?q", "x/?q=a", "x/?q=a+bc"]),
        (made(Rule::query_regexp("q", "^a b$")), &["x/?q=a+b", "x/?%71=a%20b"], &["x/?q=a", "x/?"]),
        (made(Rule::client_ip("127.0.0.1")), &["x"], &[]),
        (made(Rule::client_ip("10.0.0.0/8")), &[], &["x"]),
        (not(within("/api")), &["x/"], &["x/api"]),
        (any([all([host("a"), within("/x")]), host("b")]), &["a/x", "b/y"], &["a/y", "c"]),
        (all([any([host("a"), host("b")]), any([within("/x"), within("/y")])]), &["a/x", "b/y/z"], &["a/z", "c/x"]),
        (made(Rule::any(Vec::new())), &[], &["x", "a/b"]),
    ] {
        for url in good {
            assert!(holds(&rule, &Request::get(url)), "{rule} should hold for {url}");
        }
        for url in bad {
            assert!(!holds(&rule, &Request::get(url)), "{rule} should not hold for {url}");
        }
    }
}

#[test]
fn heads_are_looked_at() {
    let request = Request::get("x/").with_header("x-color", "red").with_header("x-color", "green");
    let header = |value| Rule::header("X-Color", value).expect("a header");
    assert!(holds(&header("green"), &request) && holds(&header("red"), &request));
    assert!(!holds(&header("gree"), &request) && !holds(&header("GREEN"), &request));
    assert!(holds(&Rule::header_regexp("x-COLOR", "^gr").expect("an expression"), &request));
    assert!(holds(&Rule::method("get").expect("a method"), &request));
    assert!(!holds(&Rule::method("POST").expect("a method"), &request));
    let mapped = Request { client: "::ffff:10.1.1.1".parse().expect("an address"), ..request };
    assert!(holds(&Rule::client_ip("10.9.9.9/8").expect("a network"), &mapped));
}

#[test]
fn a_host_longer_than_any_name_has_no_name() {
    let long = Request::get(&format!("{}a.test", "a.".repeat(200)));
    for rule in [host("**.test"), Rule::host_regexp("a").expect("an expression")] {
        assert!(!holds(&rule, &long) && holds(&not(rule.clone()), &long), "{rule}");
    }
    assert!(holds(&within("/"), &long));
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for (rule, expected) in [
        (Rule::host("a*b"), "`a*b` is no host name: a `*` may only stand for the first label, as in `*.example.com`"),
        (Rule::host("a:80"), "`a:80` is no host name: it has a port; requests are told apart by the name alone"),
        (Rule::host(" "), "` ` is no host name: it is empty"),
        (Rule::host("*."), "`*.` is no host name: a `*` may only stand for the first label, as in `*.example.com`"),
        (Rule::host("*..a"), "`*..a` is no host name: it has an empty label"),
        (
            Rule::host("b\u{fc}cher.test"),
            "`b\u{fc}cher.test` is no host name: it has characters beyond ASCII; write it in Punycode (xn--…)",
        ),
        (Rule::host("a b"), "`a b` is no host name: it has characters that no name has"),
        (Rule::path("api"), "the path `api` does not begin with `/`"),
        (Rule::path_within("/a/%2e%2e"), "the path `/a/%2e%2e` has a segment `.` or `..`, which no request may have"),
        (Rule::method("GET,POST"), "`GET,POST` is no method such as GET or POST"),
        (Rule::header("a b", ""), "`a b` is no name of a header"),
        (Rule::client_ip("10.0.0"), "`10.0.0` is neither an address such as 10.0.0.1 nor a network such as 10.0.0.0/8"),
        (Rule::host_regexp("a("), "`a(` is no regular expression that can be used: unclosed group"),
        (
            Rule::query_regexp("q", "(?=a)"),
            "`(?=a)` is no regular expression that can be used: look-around, including look-ahead and look-behind, is not supported",
        ),
        (
            Rule::path_regexp("((a{100}){100}){100}"),
            "`((a{100}){100}){100}` is no regular expression that can be used: Compiled regex exceeds size limit of 262144 bytes.",
        ),
    ] {
        assert_eq!(rule.expect_err(expected).to_string(), expected);
    }
}

#[test]
fn rules_have_bounds() {
    let deep = |levels| {
        (0..levels).try_fold(host("a"), |rule, level| {
            let rules = vec![rule, within("/")];
            if level % 2 == 0 { Rule::any(rules) } else { Rule::all(rules) }
        })
    };
    assert!(deep(31).is_ok());
    assert_eq!(deep(32), Err(RuleError::Deep));
    let long = |parts| (0..parts).try_fold(host("a"), |rule, _| Rule::any(vec![rule, host("b")]));
    assert!(long(1023).is_ok(), "a chain is not deep");
    assert_eq!(long(1024), Err(RuleError::Long));
}

/// Two thousand keys would come of it; only the hosts are used, and what is found is right all the same.
#[test]
fn rules_that_multiply_are_still_found_by_host() {
    let hosts = (0..100).map(|n| host(&format!("h{n}"))).collect();
    let paths = (0..20).map(|n| within(&format!("/p{n}"))).collect();
    for rules in [
        [Rule::any(hosts), Rule::any(paths)],
        [
            Rule::any((0..20).map(|n| within(&format!("/p{n}"))).collect()),
            Rule::any((0..100).map(|n| host(&format!("h{n}"))).collect()),
        ],
    ] {
        let rule = Rule::all(rules.map(|rule| rule.expect("long enough")).into()).expect("long enough");
        assert!(holds(&rule, &Request::get("h99/p19/x")) && holds(&rule, &Request::get("h0/p0")));
        assert!(!holds(&rule, &Request::get("h100/p0")) && !holds(&rule, &Request::get("h0/p20")));
    }
}

#[test]
fn rules_are_shown_in_traefiks_words() {
    let path = |text| Rule::path(text).expect("a path");
    for (rule, expected) in [
        (all([within("/api/"), host("A.test")]), "Host(`a.test`) && PathWithin(`/api`)"),
        (all([any([host("b"), host("a")]), not(within("/"))]), "!PathWithin(`/`) && (Host(`a`) || Host(`b`))"),
        (not(any([host("b"), host("a")])), "!(Host(`a`) || Host(`b`))"),
        (host("**.a"), "Host(`**.a`)"),
        (path("/%ff%fe\u{e9}"), "Path(`/%FF%FE%C3%A9`)"),
        (path("/\u{e9}"), "Path(`/\u{e9}`)"),
        (path("/a%0ab"), "Path(\"/a\\nb\")"),
        (Rule::query("a`, `b", None), "Query(\"a`, `b\")"),
        (Rule::client_ip("10.1.2.3/8").expect("a network"), "ClientIP(`10.0.0.0/8`)"),
    ] {
        assert_eq!(rule.to_string(), expected);
    }
}
