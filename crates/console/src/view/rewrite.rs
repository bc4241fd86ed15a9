//! The path that the replica is asked for.

use divisi_model::route::{Rewrite, Rewritten};

/// The path after that was done to it, as the request's way does it; as it came where that cannot be.
pub(super) fn rewritten(path: &str, rewrites: &[Rewrite]) -> String {
    let mut rewritten = Rewritten::default();
    match rewritten.apply(rewrites, path.as_bytes()) {
        Ok(()) => String::from_utf8_lossy(rewritten.path()).into_owned(),
        Err(_) => path.to_owned(),
    }
}
