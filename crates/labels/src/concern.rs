//! Which labels and variables of a container are meant for us, or were meant to be. All others are none of our business.

use crate::nginx_proxy;
use crate::row::PREFIX;
use crate::{reading, traefik};

/// Whether a label is to be understood. One with a slip of the pen in its first word is, too: somebody wants to know.
pub fn is_label(name: &str) -> bool {
    let is_said = name.starts_with(PREFIX) || nginx_proxy::is_label(name);
    is_said || traefik::is_ours(name) || reading::is_nearly_ours(name)
}

/// Whether a variable of the environment is to be understood. Many of the others are secrets.
pub fn is_variable(name: &str) -> bool {
    nginx_proxy::is_variable(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant_for_us() {
        for label in ["divisi.host", "Traefik.enable", "treafik.enable", "divsi.host", "VIRTUAL_HOST"] {
            assert!(is_label(label), "{label}");
        }
        for label in ["com.docker.compose.service", "division.of.labour", "divisible", "maintainer", "x.y"] {
            assert!(!is_label(label), "{label}");
        }
        assert!(is_variable("VIRTUAL_HOST") && is_variable("VIRTUAL_HOTS") && !is_variable("PASSWORD"));
    }
}
