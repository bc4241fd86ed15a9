//! `divisi ps`, `divisi explain`, `divisi health`, `divisi ca`: ask the console of a divisi that runs, and say it in words.
//!
//! | module | job |
//! |---|---|
//! | [`client`] | one question, one answer |
//! | [`mod@ps`] | what there is, as a table |
//! | [`request`], [`connection`], [`container`] | explanations |
//! | [`text`] | tables, times, numbers |

mod client;
mod connection;
mod container;
mod ps;
mod request;
#[cfg(test)]
mod tests;
mod text;

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use divisi_console::api::request::Outcome;
use divisi_console::api::snapshot::Snapshot;
use divisi_console::api::{Explanation, Problem, State};
use divisi_console::form::encoded;
use hyper::StatusCode;
use serde::de::DeserializeOwned;

use self::client::{Answer, AskError};
use crate::MISUSE;
use crate::serve::runtime;
use crate::settings::{About, Ask, Explain, Ps};
use crate::signals::Signals;

/// How often `ps --watch` looks.
const WATCH: Duration = Duration::from_secs(1);

/// Goes home; every line is then written over, and what is below them erased, so that nothing flickers.
const HOME: &str = "\x1b[H";
const TO_LINE_END: &str = "\x1b[K\n";
const BELOW: &str = "\x1b[J";

/// How a command ends: what it has to say, and its exit code.
type Said = (String, ExitCode);

/// Shows what there is.
pub(crate) fn ps(settings: &Ps) -> ExitCode {
    let done = in_runtime(async { if settings.watch { watch(settings).await } else { Ok(look(settings).await?) } });
    finish(done)
}

/// Explains where a request or a connection would go, or what became of a container.
pub(crate) fn explain(settings: &Explain) -> ExitCode {
    let done = in_runtime(async {
        let answer = client::ask(&settings.ask.console, &question(&settings.about)).await?;
        if answer.status != StatusCode::OK {
            return refused(&answer);
        }
        let told: Explanation = answer.read()?;
        let (text, is_routed) = match &told {
            Explanation::Request(told) => {
                (request::text(told), matches!(told.outcome, Outcome::Served | Outcome::Held))
            }
            Explanation::Connection(told) => {
                (connection::text(told), matches!(told.outcome, Outcome::Served | Outcome::Held))
            }
            Explanation::Container(told) => (container::text(told), told.unrouted.is_none()),
        };
        let code = if is_routed { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        Ok((if settings.json { answer.text() } else { text }, code))
    });
    finish(done)
}

/// Ends with 0 if it is ready to serve.
pub(crate) fn health(settings: &Ask) -> ExitCode {
    let done = in_runtime(async {
        let answer = client::ask(&settings.console, "/health/ready").await?;
        let state: State = answer.read()?;
        let reason = state.reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        let code = if answer.status == StatusCode::OK { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        Ok((format!("{}{reason}\n", state.status), code))
    });
    finish(done)
}

/// How systems are told whom to trust. `$FILE` is what was printed.
const TRUST: &str = "\
To have it trusted, keep it (divisi ca > divisi.crt) and
  Debian, Ubuntu   sudo cp divisi.crt /usr/local/share/ca-certificates/ && sudo update-ca-certificates
  Fedora, Arch     sudo trust anchor divisi.crt
  macOS            sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain divisi.crt
  Windows          certutil -addstore -f ROOT divisi.crt
  curl, once       curl --cacert divisi.crt https://echo.localhost:8443
Firefox has a list of its own: Settings, Certificates, Authorities, Import.
";

/// Prints the certificate of the local authority, and says beside it what it is for.
pub(crate) fn ca(settings: &Ask) -> ExitCode {
    let done = in_runtime(async {
        let answer = client::ask(&settings.console, "/api/ca").await?;
        if answer.status != StatusCode::OK {
            return refused(&answer);
        }
        let text = answer.text();
        if !text.starts_with("-----BEGIN CERTIFICATE-----") {
            // Somebody else listens there; the error says how it is no JSON of ours.
            return answer.read::<Problem>().map(|_| (String::new(), ExitCode::FAILURE));
        }
        let _ = io::stderr().write_all(TRUST.as_bytes());
        Ok((text, ExitCode::SUCCESS))
    });
    finish(done)
}

fn in_runtime(asking: impl Future<Output = Result<Said, AskError>>) -> Result<Said, AskError> {
    runtime().map_err(AskError::Machine)?.block_on(asking)
}

fn finish(done: Result<Said, AskError>) -> ExitCode {
    match done {
        Ok((text, code)) => {
            // A reader that went away (`divisi ps | head`) is no failure worth a message.
            let _ = io::stdout().write_all(text.as_bytes());
            code
        }
        Err(problem) => {
            let _ = writeln!(io::stderr(), "error: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn question(about: &About) -> String {
    match about {
        About::Container(name) => format!("/api/explain?container={}", encoded(name)),
        About::Request { url, method, headers, client } => {
            let mut question = format!("/api/explain?url={}", encoded(url));
            let method = method.iter().map(|method| ("method", method));
            let headers = headers.iter().map(|header| ("header", header));
            for (name, value) in method.chain(headers).chain(client.iter().map(|client| ("client", client))) {
                question.push_str(&format!("&{name}={}", encoded(value)));
            }
            question
        }
    }
}

/// The question made no sense (then so did the command), or there is nothing like that.
fn refused(answer: &Answer) -> Result<Said, AskError> {
    let Problem { problem } = answer.read()?;
    let _ = writeln!(io::stderr(), "error: {problem}");
    let is_nowhere = answer.status == StatusCode::NOT_FOUND;
    Ok((String::new(), if is_nowhere { ExitCode::FAILURE } else { ExitCode::from(MISUSE) }))
}

async fn look(settings: &Ps) -> Result<Said, AskError> {
    let answer = client::ask(&settings.ask.console, "/api/snapshot").await?;
    let told: Snapshot = answer.read()?;
    Ok((if settings.json { answer.text() } else { ps::text(&told) }, ExitCode::SUCCESS))
}

/// Until a signal comes, or nobody reads any more. A divisi that cannot be asked any more may come back.
async fn watch(settings: &Ps) -> Result<Said, AskError> {
    let mut signals = Signals::listen().map_err(AskError::Machine)?;
    let (mut text, code) = look(settings).await?;
    let mut clock = tokio::time::interval(WATCH);
    let is_terminal = io::stdout().is_terminal() && !settings.json;
    // The first tick comes at once.
    clock.tick().await;
    loop {
        if show(&text, is_terminal).is_err() {
            return Ok((String::new(), code));
        }
        tokio::select! {
            _ = clock.tick() => {}
            _ = signals.next() => return Ok((String::new(), code)),
        }
        text = match look(settings).await {
            Ok((text, _)) => text,
            Err(problem) if settings.json => return Err(problem),
            Err(problem) => format!("{problem}\n"),
        };
    }
}

fn show(text: &str, is_terminal: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if is_terminal {
        write!(out, "{HOME}{}{BELOW}", text.replace('\n', TO_LINE_END))?;
    } else {
        writeln!(out, "{text}")?;
    }
    out.flush()
}

impl Answer {
    fn read<T: DeserializeOwned>(&self) -> Result<T, AskError> {
        serde_json::from_slice(&self.body).map_err(|source| AskError::Stranger { addr: self.addr, source })
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}
