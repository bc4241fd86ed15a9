//! What `divisi version` says.

use std::env::consts::{ARCH, OS};

/// The commit this was built from, where the build was told.
const COMMIT: Option<&str> = option_env!("DIVISI_COMMIT");

/// The bare version, for the start line.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Version, commit if known, and what it was built for.
pub(crate) fn long() -> String {
    let commit = COMMIT.filter(|commit| !commit.is_empty()).map_or_else(String::new, |commit| format!(" ({commit})"));
    let linked = if cfg!(target_feature = "crt-static") { "static" } else { "dynamic" };
    format!("{VERSION}{commit} {ARCH}-{OS} {linked}")
}
