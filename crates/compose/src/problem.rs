//! What cannot be read, and where it stands.

use std::fmt;
use std::sync::Arc;

/// Where something was written.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The file, as the user would name it.
    pub file: Arc<str>,
    /// The line, beginning with 1; 0 for the file as a whole.
    pub line: usize,
}

impl Place {
    /// A file as a whole.
    pub(crate) fn whole(file: &str) -> Self {
        Self { file: file.into(), line: 0 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = OneLine(&self.file);
        if self.line == 0 { write!(f, "{file}") } else { write!(f, "{file}:{}", self.line) }
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It does not do what was meant.
    Error,
    /// It may not do what was meant.
    Warning,
}

impl Level {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// Something in a file that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it was written, as far as that is known.
    pub place: Option<Place>,
    /// In which service.
    pub service: Option<String>,
    /// What it is.
    pub fault: Fault,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        if let Some(service) = &self.service {
            write!(f, "service {}: ", OneLine(service))?;
        }
        write!(f, "{}", OneLine(&self.fault.to_string()))
    }
}

/// What is not as it should be, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No file was named, and none was found.
    #[error("no Compose file here or in a folder above; name one, or write a compose.yaml")]
    NoFile,
    /// A file cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// A file is too long.
    #[error("longer than {0} bytes, which is more than is read")]
    TooLong(usize),
    /// More files than anybody has.
    #[error("draws in more than {0} files; is there one that includes or extends too much?")]
    TooManyFiles(usize),
    /// A tree that is larger than anybody's.
    #[error("aliases, extends or variables make too much of it; write less of them")]
    TooLarge,
    /// Things stand too deep in each other.
    #[error("stands more than {0} levels deep; write it flatter")]
    TooDeep(usize),
    /// Not YAML at all.
    #[error("not YAML: {0}")]
    Syntax(String),
    /// A key that stands twice in the same mapping.
    #[error("{0:?} stands twice in the same mapping; remove one of them")]
    Twice(String),
    /// Nothing in it.
    #[error("no services; a Compose file has them under `services:`")]
    NoServices,
    /// Something is of another form than it must be.
    #[error("{what} is not {wanted}")]
    Shape {
        /// What it is about.
        what: String,
        /// What it must be, with an example.
        wanted: &'static str,
    },
    /// Not what `$` may be followed by.
    #[error(
        "{0:?} has a $ that is no variable; write ${{NAME}}, ${{NAME:-default}} or ${{NAME:?message}}, and $$ for the sign itself"
    )]
    Template(String),
    /// A variable that must be there is not.
    #[error("variable {name} must be set: {message}; set it in the environment or in .env")]
    Required {
        /// Its name.
        name: String,
        /// What the author of the file says about it.
        message: String,
    },
    /// A variable is not set.
    #[error("variable {0} is not set, nothing is put in its place; set it in the environment or in .env")]
    Unset(String),
    /// Keys are not looked through for variables.
    #[error(
        "Compose puts nothing in the place of variables in a key, so {0:?} stays as it is; write the list form instead: \
         - \"{0}=…\""
    )]
    KeyTemplate(String),
    /// A line in a file of variables.
    #[error("not a variable: {0}; write NAME=value")]
    Variable(String),
    /// What `extends` names is not there.
    #[error("extends service {0:?}, which is not there")]
    NoBase(String),
    /// Services extend each other.
    #[error("extends itself: {0}")]
    ExtendsCycle(String),
    /// Files include each other.
    #[error("includes itself: {0}")]
    IncludeCycle(String),
    /// Something that would have to be fetched.
    #[error("{0:?} is fetched from elsewhere, which is not done here; its services are not checked")]
    Remote(String),
    /// A service that two files define, one including the other.
    #[error("service {0:?} is also in a file that is included; rename it, or change it in an override file (-f)")]
    Conflict(String),
    /// A profile that no service has.
    #[error("no service has the profile {0:?}")]
    NoSuchProfile(String),
    /// A project without a name.
    #[error("the project has no name: {0:?} has no letter or digit in it; say one with --project-name")]
    NoName(String),
}

impl Fault {
    /// How bad it is.
    pub fn level(&self) -> Level {
        match self {
            Self::Unset(_) | Self::KeyTemplate(_) | Self::Remote(_) | Self::NoSuchProfile(_) => Level::Warning,
            _ => Level::Error,
        }
    }

    /// Where it stands.
    pub(crate) fn at(self, place: &Place) -> Problem {
        Problem { place: Some(place.clone()), service: None, fault: self }
    }

    /// It stands nowhere.
    pub(crate) fn nowhere(self) -> Problem {
        Problem { place: None, service: None, fault: self }
    }
}

impl Problem {
    /// The same, in a service.
    pub(crate) fn of(self, service: &str) -> Self {
        Self { service: Some(service.to_owned()), ..self }
    }
}

/// Text that has words of others in it: on one line, and not for ever.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 600;
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
