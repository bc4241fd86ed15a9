//! The languages in which containers say what they want.

use std::fmt;

use crate::nearest::nearest;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dialect {
    /// `divisi.*` labels.
    Native,
    /// `traefik.*` labels.
    Traefik,
    /// The environment variables of nginx-proxy.
    NginxProxy,
}

impl Dialect {
    /// All of them. What stands earlier wins where two speak of the same thing.
    pub const ALL: [Self; 3] = [Self::Native, Self::Traefik, Self::NginxProxy];

    /// As users write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Traefik => "traefik",
            Self::NginxProxy => "nginx-proxy",
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which of them are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialects([bool; 3]);

impl Dialects {
    /// Every one.
    pub const ALL: Self = Self([true; 3]);

    /// Only that one.
    pub fn only(dialect: Dialect) -> Self {
        let mut dialects = Self([false; 3]);
        dialects.0[dialect as usize] = true;
        dialects
    }

    /// A list of names with commas between them.
    ///
    /// # Errors
    /// What would have been accepted.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut dialects = Self([false; 3]);
        for word in text.split(',').map(str::trim) {
            let named = Dialect::ALL.into_iter().find(|dialect| dialect.name().eq_ignore_ascii_case(word));
            let Some(dialect) = named else {
                let meant = nearest(word, Dialect::ALL.map(Dialect::name));
                let meant = meant.map(|name| format!(" (did you mean {name}?)")).unwrap_or_default();
                return Err(format!(
                    "neither native, traefik, nginx-proxy nor several with commas between them{meant}"
                ));
            };
            dialects.0[dialect as usize] = true;
        }
        Ok(dialects)
    }

    /// Whether it is read.
    pub fn has(self, dialect: Dialect) -> bool {
        self.0[dialect as usize]
    }
}

impl Default for Dialects {
    fn default() -> Self {
        Self::ALL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_dialects() {
        assert_eq!(Dialects::parse("native,traefik, nginx-proxy"), Ok(Dialects::ALL));
        assert_eq!(Dialects::parse("Traefik"), Ok(Dialects::only(Dialect::Traefik)));
        for (text, meant) in
            [("", None), ("traefik,", None), ("trafik", Some("traefik")), ("nginx_proxy", Some("nginx-proxy"))]
        {
            let error = Dialects::parse(text).expect_err(text);
            assert_eq!(meant.is_some_and(|meant| error.contains(&format!("did you mean {meant}?"))), meant.is_some());
        }
    }
}
