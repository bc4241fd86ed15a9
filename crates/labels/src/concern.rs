//! Which labels and variables of a container are meant for us, or were meant to be.

use crate::dialect::{Dialect, Dialects};
use crate::nearest::nearest;
use crate::nginx_proxy;
use crate::row::PREFIX;
use crate::verdict::{Outcome, Verdict};

/// What labels of ours and of Traefik begin with.
const ROOTS: [&str; 2] = ["divisi", "traefik"];

/// Whether a label is to be understood. One whose beginning is misspelled is, too: somebody wants to know.
pub fn is_label(name: &str) -> bool {
    let is_traefik = || name.get(..8).is_some_and(|begin| begin.eq_ignore_ascii_case("traefik."));
    name.starts_with(PREFIX) || is_traefik() || nginx_proxy::is_label(name) || root_meant(name).is_some()
}

/// Whether a variable of the environment is to be understood. All others are none of our business.
pub fn is_variable(name: &str) -> bool {
    nginx_proxy::is_variable(name)
}

/// What becomes of labels whose beginning is misspelled.
pub(crate) fn strays(labels: &[(&str, &str)], dialects: Dialects) -> Vec<Verdict> {
    let stray = |(label, value): &(&str, &str)| {
        let root = root_meant(label)?;
        let dialect = if root == ROOTS[0] { Dialect::Native } else { Dialect::Traefik };
        let (_, rest) = label.split_once('.')?;
        let outcome = Outcome::Wrong {
            accepted: format!("nothing reads labels that begin so; these begin with {root}."),
            meant: Some(format!("{root}.{rest}")),
        };
        let (label, value) = ((*label).to_owned(), (*value).to_owned());
        dialects.has(dialect).then_some(Verdict { dialect, label, value, outcome })
    };
    labels.iter().filter_map(stray).collect()
}

/// The root that a label ought to begin with, where it begins with something like it.
fn root_meant(label: &str) -> Option<&'static str> {
    let (root, rest) = label.split_once('.')?;
    let is_right = rest.is_empty() || root == ROOTS[0] || root.eq_ignore_ascii_case(ROOTS[1]);
    if is_right { None } else { nearest(root, ROOTS) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant_for_us() {
        for label in ["divisi.host", "Traefik.enable", "treafik.enable", "divsi.host", "VIRTUAL_HOST"] {
            assert!(is_label(label), "{label}");
        }
        for label in ["com.docker.compose.service", "divisible", "maintainer", "x.y"] {
            assert!(!is_label(label), "{label}");
        }
        assert!(is_variable("VIRTUAL_HOST") && is_variable("VIRTUAL_HOTS") && !is_variable("PASSWORD"));
    }

    #[test]
    fn a_misspelled_beginning_is_told() {
        let labels = [("divsi.host", "a.test"), ("treafik.enable", "true"), ("divisi.host", "b.test")];
        let strays = strays(&labels, Dialects::ALL);
        let meant: Vec<_> = strays.iter().map(ToString::to_string).collect();
        assert_eq!(meant.len(), 2);
        assert!(meant[0].contains("did you mean divisi.host?") && meant[1].contains("did you mean traefik.enable?"));
        assert!(super::strays(&labels, Dialects::only(Dialect::NginxProxy)).is_empty());
    }
}
