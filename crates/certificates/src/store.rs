//! Writes files so that nobody sees half of one, and so that they are there after the power failed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Puts `bytes` under that name, for the eyes of this user only, unless something is there already.
///
/// # Errors
/// [`AlreadyExists`](io::ErrorKind::AlreadyExists) where something is; else what the machine says.
pub fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = Draft::write(path, bytes)?;
    match fs::hard_link(&draft.path, path) {
        Ok(()) => sync_folder(path),
        Err(problem) if problem.kind() == io::ErrorKind::AlreadyExists => Err(problem),
        // Some file systems have no links. Then two could do this in the same moment, and the second be the one who is read.
        Err(_) if path.exists() => Err(io::ErrorKind::AlreadyExists.into()),
        Err(_) => draft.rename(path),
    }
}

/// Puts `bytes` under that name, for the eyes of this user only, in place of what is there.
///
/// # Errors
/// What the machine says.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    Draft::write(path, bytes)?.rename(path)
}

/// A file that is whole, under a name that nobody looks for. Vanishes when it is dropped.
struct Draft {
    path: PathBuf,
}

impl Draft {
    fn write(path: &Path, bytes: &[u8]) -> io::Result<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let draft = Self { path: path.with_file_name(format!(".{name}.{:016x}", fastrand::u64(..))) };
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft.path)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        Ok(draft)
    }

    fn rename(&self, path: &Path) -> io::Result<()> {
        fs::rename(&self.path, path)?;
        sync_folder(path)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Renamed, it is not there any more.
        let _ = fs::remove_file(&self.path);
    }
}

/// The name is in the folder, and that has to be written, too.
fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}
