//! Waiting for a condition, never for luck.

use std::time::{Duration, Instant};

/// How long a test waits for something that must happen: long, because it ends at once when it has.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Whether `condition` came true within `limit`.
pub fn within(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    while !condition() {
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    true
}

/// Waits until `condition` is true.
///
/// # Panics
/// When it is not within [`PATIENCE`]; `what` says what was waited for.
pub fn until(what: &str, condition: impl FnMut() -> bool) {
    assert!(within(PATIENCE, condition), "waited in vain until {what}");
}
