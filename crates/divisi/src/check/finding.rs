//! Something to tell, with its place.

use std::cmp::Ordering;
use std::fmt;

use divisi_compose::{Level, Place, Problem};

/// Something to tell: one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) level: Level,
    /// Where it was written, as far as that is known.
    pub(crate) place: Option<Place>,
    /// In which service.
    pub(crate) service: Option<String>,
    /// The label or variable that it is about.
    pub(crate) label: Option<String>,
    /// What it is, and what to do.
    pub(crate) text: String,
}

impl Finding {
    pub(crate) fn new(level: Level, place: &Place, service: &str, text: impl Into<String>) -> Self {
        let (place, service) = (Some(place.clone()), Some(service.to_owned()));
        Self { level, place, service, label: None, text: text.into() }
    }

    pub(crate) fn about(self, label: &str) -> Self {
        Self { label: Some(label.to_owned()), ..self }
    }

    /// Files in their order, and the worst first.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        let by_place = (&self.place, self.level).cmp(&(&other.place, other.level));
        by_place.then_with(|| self.to_string().cmp(&other.to_string()))
    }
}

impl From<&Problem> for Finding {
    fn from(problem: &Problem) -> Self {
        Self {
            level: problem.fault.level(),
            place: problem.place.clone(),
            service: problem.service.clone(),
            label: None,
            text: problem.fault.to_string(),
        }
    }
}

/// As compilers write it, so that editors find the place.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        write!(f, "{}: ", self.level.name())?;
        if let Some(service) = &self.service {
            write!(f, "service {}: ", OneLine(service))?;
        }
        write!(f, "{}", OneLine(&self.text))
    }
}

/// Text that has words of others in it: on one line, and not for ever.
pub(crate) struct OneLine<'a>(pub(crate) &'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 1000;
        for (count, char) in self.0.chars().enumerate() {
            match char {
                _ if count == MOST => return f.write_str("…"),
                char if char.is_control() => write!(f, "{}", char.escape_default())?,
                char => write!(f, "{char}")?,
            }
        }
        Ok(())
    }
}
