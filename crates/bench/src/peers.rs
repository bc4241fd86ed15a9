//! Which proxies there are, where each is found and how it is started.
//!
//! The peers' configurations are files of their own, `bench/peers/`, so that whoever knows a peer can read and mend what we
//! measure it with.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::ValueEnum;

use crate::Result;
use crate::machine;
use crate::process::Launch;

/// A proxy that can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Peer {
    /// The floor that every ratio is taken to.
    Relay,
    /// What this is all about.
    Divisi,
    /// nginx, one worker.
    Nginx,
    /// HAProxy, one thread.
    Haproxy,
    /// Envoy, one worker.
    Envoy,
    /// Caddy, on one core.
    Caddy,
    /// Go's `httputil.ReverseProxy`, on one core.
    Go,
}

/// A proxy that was found on this machine.
#[derive(Debug)]
pub(crate) struct Found {
    /// Which one.
    pub(crate) peer: Peer,
    /// What it says of itself.
    pub(crate) version: String,
    program: PathBuf,
}

impl Peer {
    /// Its name in options and results.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::Divisi => "divisi",
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Envoy => "envoy",
            Self::Caddy => "caddy",
            Self::Go => "go",
        }
    }

    /// Looks for it on this machine; `dir` takes what has to be built for it.
    ///
    /// # Errors
    /// Why it cannot be measured, in one line.
    pub(crate) fn find(self, divisi: &Path, dir: &Path) -> Result<Found> {
        let (program, version_flag) = match self {
            Self::Relay => (std::env::current_exe()?, "--version"),
            Self::Divisi if divisi.is_file() => (divisi.to_owned(), "--version"),
            Self::Divisi => return Err(format!("no program at {}", divisi.display()).into()),
            Self::Nginx | Self::Haproxy => (on_path(self.name())?, "-v"),
            Self::Envoy => (on_path("envoy")?, "--version"),
            Self::Caddy => (on_path("caddy")?, "version"),
            Self::Go => (on_path("go")?, "version"),
        };
        let said = machine::output(&program.to_string_lossy(), &[version_flag]);
        // Some begin with the path they were started by, which is nobody's business.
        let version = said.rsplit("version: ").next().unwrap_or_default().to_owned();
        let program = if self == Self::Go { build_go(&program, dir)? } else { program };
        Ok(Found { peer: self, version, program })
    }
}

impl Found {
    /// How to start it between `listen` and `origin`; its configuration is written into `dir`.
    ///
    /// # Errors
    /// When the configuration cannot be written.
    pub(crate) fn launch(&self, listen: SocketAddr, origin: SocketAddr, dir: &Path) -> Result<Launch> {
        let write = |name: &str, template: &str| -> Result<String> {
            let text = template
                .replace("@LISTEN@", &listen.to_string())
                .replace("@LISTEN_PORT@", &listen.port().to_string())
                .replace("@ORIGIN@", &origin.to_string())
                .replace("@ORIGIN_PORT@", &origin.port().to_string())
                .replace("@DIR@", &dir.display().to_string());
            let file = dir.join(name);
            fs::write(&file, text)?;
            Ok(file.display().to_string())
        };
        let args = match self.peer {
            Peer::Relay => format!("relay --listen {listen} --to {origin}"),
            Peer::Divisi => format!("serve --listen {listen} --replica {origin} --workers 1 --access-log off"),
            Peer::Go => format!("{listen} {origin}"),
            Peer::Nginx => {
                format!(
                    "-e stderr -p {} -c {}",
                    dir.display(),
                    write("nginx.conf", include_str!("../../../bench/peers/nginx.conf"))?
                )
            }
            Peer::Haproxy => {
                format!("-db -q -f {}", write("haproxy.cfg", include_str!("../../../bench/peers/haproxy.cfg"))?)
            }
            Peer::Envoy => {
                let config = write("envoy.yaml", include_str!("../../../bench/peers/envoy.yaml"))?;
                format!("--concurrency 1 --disable-hot-restart --log-level error -c {config}")
            }
            Peer::Caddy => {
                let config = write("Caddyfile", include_str!("../../../bench/peers/Caddyfile"))?;
                format!("run --adapter caddyfile --config {config}")
            }
        };
        let mut launch = Launch::new(&self.program, &args);
        if self.peer == Peer::Caddy {
            launch.env =
                ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"].map(|name| (name, dir.display().to_string())).into();
        }
        Ok(launch)
    }
}

fn on_path(name: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Where Debian keeps servers, which is not on everybody's path.
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    let found = folders.map(|folder| folder.join(name)).find(|file| file.is_file());
    found.ok_or_else(|| format!("no {name} on the PATH").into())
}

fn build_go(go: &Path, dir: &Path) -> Result<PathBuf> {
    let (source, program) = (dir.join("reverseproxy.go"), dir.join("reverseproxy"));
    fs::write(&source, include_str!("../../../bench/peers/reverseproxy.go"))?;
    let output = Command::new(go).arg("build").arg("-o").arg(&program).arg(&source).current_dir(dir).output()?;
    if output.status.success() {
        Ok(program)
    } else {
        Err(format!("go build: {}", String::from_utf8_lossy(&output.stderr).trim()).into())
    }
}
