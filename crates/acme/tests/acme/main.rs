//! ACME against a real authority: Pebble, the test authority of Let's Encrypt, and against stubs where it lacks something.

mod ari;
mod ask;
mod authority;
mod dns;
mod faults;
mod keeping;
mod server;
mod several;
mod stage;
mod ways;

use std::env;
use std::path::Path;

/// Whether that program is there. With `CI=true` it has to be.
fn has(program: &str) -> bool {
    let places = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&places).any(|folder| folder.join(program).is_file())
        || Path::new("/usr/sbin").join(program).is_file();
    if !found {
        assert!(env::var_os("CI").is_none_or(|ci| ci != "true"), "{program} is missing");
        eprintln!("skipped: no {program}");
    }
    found
}
