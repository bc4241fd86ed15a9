//! Which files, where none is named: as Compose looks for them, in this folder and in those above it.

use std::path::{Path, PathBuf};

/// The first that is there.
const NAMES: &[&str] = &["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];

/// The first that is there beside it is merged over it.
const OVERRIDES: &[&str] =
    &["compose.override.yaml", "compose.override.yml", "docker-compose.override.yaml", "docker-compose.override.yml"];

/// The files of the project to which that folder belongs; empty where there are none. Paths are kept short: those in the
/// folder itself are names.
pub(crate) fn find(directory: &Path) -> Vec<PathBuf> {
    let Ok(absolute) = std::path::absolute(directory) else { return Vec::new() };
    for (above, folder) in absolute.ancestors().enumerate() {
        let first =
            |names: &[&str]| names.iter().find(|name| folder.join(name).is_file()).map(|name| (*name).to_owned());
        let Some(name) = first(NAMES) else { continue };
        let begin = if above == 0 { directory.to_owned() } else { directory.join("../".repeat(above)) };
        return [Some(name), first(OVERRIDES)].into_iter().flatten().map(|name| plain(&begin.join(name))).collect();
    }
    Vec::new()
}

/// Without the `./` at its front.
pub(crate) fn plain(path: &Path) -> PathBuf {
    path.strip_prefix(".").map_or_else(|_| path.to_owned(), Path::to_owned)
}
