//! The labels in Compose files, read as the running proxy reads them, before anything runs.
//!
//! ```text
//! files ──► compose::load ──► labels::understand ──► ways ──► findings ──► text or JSON
//! ```
//!
//! | module | job |
//! |---|---|
//! | `cast` | the services of the project, and which of them is divisi |
//! | `told` | what the divisi of the project is told |
//! | `ways` | which requests lead to which service |
//! | `finding` | something to tell, with its place |
//! | `verdicts` | what became of the labels |
//! | `layout` | ports, networks, replicas: what labels need to come true |
//! | `alone` | a project in which no label says where requests go |
//! | `report` | all of it together |
//! | `text`, `json` | the same for people and for programs |

mod alone;
mod cast;
mod finding;
mod json;
mod layout;
mod report;
mod streams;
mod text;
mod told;
mod verdicts;
mod ways;

use std::env;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use divisi_compose::{Fault, Level, Project, Request, load};

use crate::settings::Check;
use report::Report;

/// The code when there was nothing to check.
const NOTHING: u8 = 2;

/// Checks, tells, and says by its code whether there was an error.
pub(crate) fn run(settings: &Check) -> ExitCode {
    let environment = |name: &str| env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    let report = checked(settings, PathBuf::from("."), &environment);
    let text = if settings.json { json::text(&report) } else { text::text(&report) };
    // A reader that went away (`divisi check | head`) is no failure worth a message.
    let _ = io::stdout().write_all(text.as_bytes());
    code(&report)
}

fn checked(settings: &Check, directory: PathBuf, environment: &dyn Fn(&str) -> Option<String>) -> Report {
    let project = load(&Request {
        directory,
        files: settings.files.clone(),
        env_files: settings.env_files.clone(),
        profiles: settings.profiles.clone(),
        project: settings.project.clone(),
        environment,
    });
    Report::of(project, settings, environment)
}

fn code(report: &Report) -> ExitCode {
    if is_nothing(&report.project) {
        return ExitCode::from(NOTHING);
    }
    let is_wrong = report.findings.iter().any(|finding| finding.level == Level::Error);
    if is_wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Whether there was no file, or the wrong one.
fn is_nothing(project: &Project) -> bool {
    let is_missing = |fault: &Fault| matches!(fault, Fault::NoFile | Fault::Unreadable(_) | Fault::TooLong(_));
    let has_services = !project.services.is_empty() || !project.skipped.is_empty();
    !has_services && project.problems.iter().any(|problem| is_missing(&problem.fault))
}
