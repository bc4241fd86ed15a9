//! Which hosts a rule names: those for which there has to be a certificate.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Rule;

/// The hosts for one of which a rule holds, as its author wrote them: a name, `*.name` for one label more, `**.name` for one or
/// more. None where it may hold for every host, or names them by an expression.
pub(crate) fn hosts(rule: &Rule) -> BTreeSet<Arc<str>> {
    match rule {
        Rule::Host(name) => [Arc::from(&**name)].into(),
        Rule::HostWildcard { suffix, deep } => {
            let stars = if *deep { "**" } else { "*" };
            [format!("{stars}.{suffix}").into()].into()
        }
        // Each part says something of the host: the one that says most is meant.
        Rule::All(rules) => {
            let said = rules.iter().map(hosts).filter(|hosts| !hosts.is_empty());
            said.min_by_key(vagueness).unwrap_or_default()
        }
        Rule::Any(rules) => rules.iter().flat_map(hosts).collect(),
        _ => BTreeSet::new(),
    }
}

fn vagueness(hosts: &BTreeSet<Arc<str>>) -> (usize, usize) {
    (hosts.iter().filter(|host| host.starts_with('*')).count(), hosts.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(rule: &Rule) -> Vec<String> {
        hosts(rule).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn hosts_are_found_however_the_rule_is_built() {
        let host = |text: &str| Rule::host(text).unwrap();
        let all = |rules| Rule::all(rules).unwrap();
        let any = |rules| Rule::any(rules).unwrap();
        let path = || Rule::path("/a").unwrap();
        assert_eq!(told(&host("Web.test.")), ["web.test"]);
        assert_eq!(told(&host("*")), [""; 0]);
        assert_eq!(told(&path()), [""; 0]);
        assert_eq!(told(&all(vec![path(), any(vec![host("b.test"), host("*.a.test")])])), ["*.a.test", "b.test"]);
        assert_eq!(told(&all(vec![host("**.a.test"), host("x.a.test")])), ["x.a.test"], "the one that says most");
        assert_eq!(told(&any(vec![host("a.test"), path()])), ["a.test"]);
        assert_eq!(told(&Rule::negated(host("a.test")).unwrap()), [""; 0]);
        assert_eq!(told(&Rule::host_regexp("^a").unwrap()), [""; 0]);
    }
}
