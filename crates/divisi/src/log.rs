//! Two logs: the program's own on standard error, UTC, colours only for people; and that of requests on standard output.

use std::fs::File;
use std::io::{self, IsTerminal as _};
use std::os::fd::AsFd as _;

use divisi_proxy::{AccessLog, Format};

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Sends the log of this process to standard error. A second call changes nothing.
pub(crate) fn start(filter: &str) {
    // The filter was checked with the other settings; `info` only covers a filter that changed its mind.
    let filter = filter.parse().unwrap_or_else(|_| Targets::new().with_default(LevelFilter::INFO));
    let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(colour).with_target(false);
    let _ = tracing_subscriber::registry().with(lines).with(filter).try_init();
}

/// The log of requests. It has a buffer of its own, and none of the standard library's before the system is wanted.
pub(crate) fn access(format: Format) -> AccessLog {
    match io::stdout().as_fd().try_clone_to_owned() {
        Ok(output) => AccessLog::new(format, File::from(output)),
        Err(problem) => {
            tracing::warn!("cannot write to standard output ({problem}): requests are not logged");
            AccessLog::new(format, io::sink())
        }
    }
}
