//! Runs the program as a user does.

#![allow(dead_code, reason = "each test program uses its part")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(20);

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_divisi"));
    // What the machine says of Docker or divisi must not decide how a test ends.
    for (name, _) in std::env::vars() {
        if ["DIVISI_", "DOCKER_", "COMPOSE_"].iter().any(|prefix| name.starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    // Many run at a time, and the usual ports of console and TLS are but one each.
    command.env("DIVISI_CONSOLE", "off").env("DIVISI_LISTEN_TLS", "off").args(args);
    command
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs it to its end.
pub(crate) fn run(args: &[&str], variables: &[(&str, &str)]) -> Ended {
    let output = command(args).envs(variables.iter().copied()).output().expect("the program runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// What comes out of a pipe, line by line.
fn collect(pipe: impl std::io::Read + Send + 'static) -> Arc<Mutex<String>> {
    let text = Arc::new(Mutex::new(String::new()));
    let written = Arc::clone(&text);
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            let mut text = written.lock().expect("text");
            text.push_str(&line);
            text.push('\n');
        }
    });
    text
}

/// A program that listens. Killed when the test ends.
pub(crate) struct Program {
    child: Child,
    /// Where it listens.
    pub(crate) addr: String,
    log: Arc<Mutex<String>>,
    output: Arc<Mutex<String>>,
}

impl Program {
    /// Starts it and waits until its log says where it listens.
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::start_with(args, &[])
    }

    /// The same with variables of the environment.
    pub(crate) fn start_with(args: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut program = Self::spawn(args, variables);
        program.addr = program.wait_for_address();
        program
    }

    /// Starts it, and waits for nothing.
    pub(crate) fn spawn(args: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = command(args);
        command.envs(variables.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program runs");
        let log = collect(child.stderr.take().expect("piped"));
        let output = collect(child.stdout.take().expect("piped"));
        Self { child, addr: String::new(), log, output }
    }

    fn wait_for_address(&self) -> String {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some((_, rest)) = self.log().split_once(" listening on ") {
                let addr = rest.split([',', '\n']).next().expect("an address");
                return addr.replace("[::]", "127.0.0.1");
            }
            thread::sleep(Duration::from_millis(5));
        }
        panic!("it does not listen: {}", self.log());
    }

    /// Where its console listens, which it must have been told.
    pub(crate) fn console(&self) -> String {
        divisi_testkit::wait::until("it says where its console is", || self.log().contains("console at http://"));
        let log = self.log();
        let (_, rest) = log.split_once("console at http://").expect("it was said");
        rest.lines().next().expect("an address").to_owned()
    }

    /// The number of its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote to its log so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().expect("log").clone()
    }

    /// What it wrote to standard output, once that is so many lines.
    pub(crate) fn output_of(&self, lines: usize) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let output = self.output.lock().expect("output").clone();
            if output.lines().count() >= lines || Instant::now() > deadline {
                return output;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends bytes on a connection of their own.
    pub(crate) fn send(&self, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.addr).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.write_all(request.as_bytes()).expect("it reads");
        stream
    }

    /// Sends bytes and reads until it closes.
    pub(crate) fn ask(&self, request: &str) -> String {
        let mut answer = Vec::new();
        self.send(request).read_to_end(&mut answer).expect("it answers");
        String::from_utf8(answer).expect("text")
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("/bin/sh").args(["-c", &format!("kill -{name} {}", self.child.id())]).status();
        assert!(sent.expect("a shell").success());
    }

    /// Its exit code, if it ends in time.
    pub(crate) fn ended_within(&mut self, time: Duration) -> Option<i32> {
        let deadline = Instant::now() + time;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status.code();
            }
            if Instant::now() > deadline {
                return None;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
