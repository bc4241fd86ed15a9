//! Servers of gRPC, a divisi before them, and a client.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use tempfile::TempDir;

use crate::support::{self, Program};

const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/grpc/server.py");
const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/grpc/client.py");
const ANY: &str = "127.0.0.1:0";

/// How a client reaches divisi.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// HTTP/2 with prior knowledge.
    Plain,
    /// TLS, HTTP/2 by ALPN, a certificate of the local authority.
    Tls,
}

/// A server. Killed when it is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) addr: String,
}

impl Server {
    pub(crate) fn start(python: &Path, name: &str) -> Self {
        Self::start_at(python, name, ANY)
    }

    pub(crate) fn start_at(python: &Path, name: &str, addr: &str) -> Self {
        let mut child = command(python, SERVER).args([name, addr]).spawn().expect("Python runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("text");
        let Some(addr) = line.trim().strip_prefix("listening on ") else {
            panic!("the server does not listen: {line}")
        };
        Self { child, addr: addr.to_owned() }
    }

    /// As `docker stop`.
    pub(crate) fn terminate(&self) {
        let sent = Command::new("/bin/sh").args(["-c", &format!("kill -TERM {}", self.child.id())]).status();
        assert!(sent.expect("a shell").success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A divisi, and what a client has to know of it.
pub(crate) struct Stage {
    /// Ends with this.
    _divisi: Program,
    python: &'static Path,
    target: String,
    root: String,
    _folder: TempDir,
}

impl Stage {
    /// One that is told `args`, to be reached that way.
    pub(crate) fn new(python: &'static Path, way: Way, args: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().to_str().expect("text");
        let common = ["serve", "--listen", ANY, "--listen-tls", ANY, "--console", ANY, "--data", data];
        let divisi = Program::start(&[&common[..], args].concat());
        let (target, root) = match way {
            Way::Plain => (divisi.addr.clone(), "-".to_owned()),
            Way::Tls => {
                let log = divisi.log();
                let (_, rest) = log.split_once("by TLS on ").expect("it speaks TLS");
                let root = folder.path().join("root.pem");
                std::fs::write(&root, authority(&divisi)).expect("a file");
                (rest.split(',').next().expect("an address").to_owned(), root.to_str().expect("text").to_owned())
            }
        };
        Self { _divisi: divisi, python, target, root, _folder: folder }
    }

    /// A client that goes through those cases.
    pub(crate) fn client(&self, cases: &[&str]) -> Client {
        let mut command = command(self.python, CLIENT);
        let mut child = command.args([&self.target, &self.root]).args(cases).spawn().expect("Python runs");
        let said = BufReader::new(child.stdout.take().expect("piped"));
        Client { child, said, cases: cases.iter().map(|case| (*case).to_owned()).collect() }
    }

    /// Goes through those cases, each of which must end well.
    pub(crate) fn assert_all(&self, cases: &[&str]) {
        self.client(cases).assert_all();
    }
}

/// A client. Killed when it is dropped.
pub(crate) struct Client {
    child: Child,
    said: BufReader<ChildStdout>,
    cases: Vec<String>,
}

impl Client {
    /// Waits until its only case says that it has begun.
    pub(crate) fn wait_until_calling(&mut self) {
        let mut line = String::new();
        self.said.read_line(&mut line).expect("text");
        assert_eq!(line, "calling\n");
    }

    /// Waits for its end: it must have gone through all of its cases, and each must have ended well.
    pub(crate) fn assert_all(mut self) {
        let mut said = String::new();
        self.said.read_to_string(&mut said).expect("text");
        let expected: Vec<_> = self.cases.iter().map(|case| format!("{case}: ok")).collect();
        assert_eq!(said.lines().collect::<Vec<_>>(), expected, "{said}");
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What `divisi ca` prints, once there is an authority.
fn authority(divisi: &Program) -> String {
    let console = divisi.console();
    let mut root = String::new();
    divisi_testkit::wait::until("there is a local authority", || {
        let ended = support::run(&["ca", "--console", &console], &[]);
        root = ended.stdout;
        ended.code == Some(0)
    });
    root
}

fn command(python: &Path, program: &str) -> Command {
    let mut command = Command::new(python);
    // A proxy of the machine is none of ours.
    command.arg(program).env("no_grpc_proxy", "*").env("GRPC_VERBOSITY", "NONE").stdout(Stdio::piped());
    command
}
