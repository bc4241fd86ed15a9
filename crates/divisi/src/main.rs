//! The program: reads its settings, wires the rooms together, answers to signals, and says how it ended.
//!
//! | module | job |
//! |---|---|
//! | [`settings`] | one table of flags and variables; help, completions and man page come from it |
//! | [`secure`] | what is decided of TLS before the first connection |
//! | [`serve`] | the proxy in front of a Compose service, or of replicas named by hand |
//! | [`console`] | asks a divisi that runs: what there is, and why |
//! | [`echo`] | the demo replica |
//! | [`check`] | the labels in Compose files, before anything runs |
//! | [`demo`] | proxy and replicas in one process, to watch |

mod check;
mod console;
mod demo;
mod echo;
mod log;
mod secure;
mod serve;
mod settings;
mod signals;
mod version;

use std::env;
use std::io::{self, Write as _};
use std::process::ExitCode;

use settings::{Refusal, Task};

/// The exit code for a command line or an environment that makes no sense.
pub(crate) const MISUSE: u8 = 2;

/// Small and short-lived is what a proxy asks memory for, and this one is quick with that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let variable = |name: &str| env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    match settings::read(env::args_os(), &variable) {
        Ok(Task::Serve(settings)) => serve::run(*settings),
        Ok(Task::Echo(settings)) => echo::run(settings),
        Ok(Task::Demo(settings)) => demo::run(&settings),
        Ok(Task::Check(settings)) => check::run(&settings),
        Ok(Task::Ps(settings)) => console::ps(&settings),
        Ok(Task::Explain(settings)) => console::explain(&settings),
        Ok(Task::Health(settings)) => console::health(&settings),
        Ok(Task::Ca(settings)) => console::ca(&settings),
        Ok(Task::Print(text)) => print(&text),
        Err(refusal) => refuse(&refusal),
    }
}

fn print(text: &[u8]) -> ExitCode {
    // A reader that went away (`divisi man | head`) is no failure worth a message.
    let _ = io::stdout().write_all(text);
    ExitCode::SUCCESS
}

fn refuse(refusal: &Refusal) -> ExitCode {
    match refusal {
        Refusal::Arguments(error) => {
            let _ = error.print();
            // Help and version come this way too, with code 0.
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(MISUSE))
        }
        Refusal::Values(problems) => {
            for problem in problems {
                let _ = writeln!(io::stderr(), "error: {problem}");
            }
            ExitCode::from(MISUSE)
        }
    }
}
