//! Reading a file, but not for ever.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use crate::problem::{Fault, Place, Problem};

/// Far longer than any Compose file.
const LONGEST: usize = 1 << 20;

/// What stands for standard input.
pub(crate) const STDIN: &str = "-";

/// Reads what the user named: a file, standard input, or a pipe.
pub(crate) fn named(path: &Path) -> Result<String, Problem> {
    if path == Path::new(STDIN) {
        return text(io::stdin().lock(), "standard input");
    }
    open(path)
}

/// Reads what a file names. A pipe or a device might never end, or never begin.
pub(crate) fn drawn_in(path: &Path) -> Result<String, Problem> {
    let shown = shown(path);
    match fs::metadata(path) {
        Ok(found) if !found.is_file() => Err(Fault::Unreadable("not a file".to_owned()).at(&Place::whole(&shown))),
        _ => open(path),
    }
}

fn open(path: &Path) -> Result<String, Problem> {
    let shown = shown(path);
    match File::open(path) {
        Ok(file) => text(file, &shown),
        Err(error) => Err(unreadable(&error, &shown)),
    }
}

fn text(reader: impl Read, shown: &str) -> Result<String, Problem> {
    let mut bytes = Vec::new();
    let most = u64::try_from(LONGEST).unwrap_or(u64::MAX);
    reader.take(most + 1).read_to_end(&mut bytes).map_err(|error| unreadable(&error, shown))?;
    if bytes.len() > LONGEST {
        return Err(Fault::TooLong(LONGEST).at(&Place::whole(shown)));
    }
    String::from_utf8(bytes)
        .map_err(|_| Fault::Unreadable("it is not text in UTF-8".to_owned()).at(&Place::whole(shown)))
}

fn unreadable(error: &io::Error, shown: &str) -> Problem {
    let why = match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    };
    Fault::Unreadable(why).at(&Place::whole(shown))
}

/// A path as the user would write it.
pub(crate) fn shown(path: &Path) -> String {
    if path == Path::new(STDIN) { "standard input".to_owned() } else { path.display().to_string() }
}

/// The folder in which a file stands.
pub(crate) fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or_else(|| Path::new(""))
}

/// Whether Compose would fetch it from elsewhere.
pub(crate) fn is_remote(path: &str) -> bool {
    path.contains("://") || path.starts_with("git@") || path.starts_with("oci:") || path.starts_with("github.com/")
}
