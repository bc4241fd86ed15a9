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
use crate::case::Wire;
use crate::machine;
use crate::process::{Launch, Ports, open_files};

/// A proxy that can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
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

/// Where a proxy stands, and what it has to make room for.
#[derive(Debug)]
pub(crate) struct Site<'a> {
    /// What the next client to come will speak.
    pub(crate) wire: Wire,
    /// Clients with HTTP/1.1 in the clear.
    pub(crate) clear: SocketAddr,
    /// Clients with HTTP/2 in the clear.
    pub(crate) h2c: SocketAddr,
    /// Clients with TLS.
    pub(crate) tls: SocketAddr,
    /// The replica.
    pub(crate) origin: SocketAddr,
    /// How many client connections there may be.
    pub(crate) connections: usize,
    /// Takes its configuration, and has the certificate.
    pub(crate) dir: &'a Path,
}

impl<'a> Site<'a> {
    /// A site on ports of its own.
    ///
    /// # Errors
    /// When there are none left.
    pub(crate) fn new(
        wire: Wire,
        origin: SocketAddr,
        connections: usize,
        ports: &mut Ports,
        dir: &'a Path,
    ) -> Result<Self> {
        let (clear, h2c, tls) = (ports.next()?, ports.next()?, ports.next()?);
        Ok(Self { wire, clear, h2c, tls, origin, connections, dir })
    }
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

    /// Whether it is made for such clients at all.
    pub(crate) fn understands(self, wire: Wire) -> bool {
        self != Self::Relay || wire == Wire::Http1
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
    /// Where its clients of this site knock.
    pub(crate) fn door(&self, site: &Site<'_>) -> SocketAddr {
        match site.wire {
            Wire::Https | Wire::H2 => site.tls,
            // It tells them apart by their first bytes.
            Wire::H2c if self.peer == Peer::Divisi => site.clear,
            Wire::H2c => site.h2c,
            Wire::Http1 => site.clear,
        }
    }

    /// How to start it; its configuration is written into the site's folder.
    ///
    /// # Errors
    /// When the configuration cannot be written.
    pub(crate) fn launch(&self, site: &Site<'_>) -> Result<Launch> {
        let Site { clear, h2c, tls, origin, dir, .. } = site;
        let args = match self.peer {
            Peer::Relay => format!("relay --listen {clear} --to {origin}"),
            Peer::Divisi => divisi(site),
            Peer::Go => {
                let certificates = dir.join("certificates");
                let file = |name| certificates.join(name).display().to_string();
                format!("{clear} {h2c} {tls} {} {} {origin}", file("app.test.crt"), file("app.test.key"))
            }
            Peer::Nginx => {
                let config = site.write("nginx.conf", include_str!("../../../bench/peers/nginx.conf"))?;
                format!("-e stderr -p {} -c {config}", dir.display())
            }
            Peer::Haproxy => {
                let config = site.write("haproxy.cfg", include_str!("../../../bench/peers/haproxy.cfg"))?;
                format!("-db -q -f {config}")
            }
            Peer::Envoy => {
                let config = site.write("envoy.yaml", include_str!("../../../bench/peers/envoy.yaml"))?;
                format!("--concurrency 1 --disable-hot-restart --log-level error -c {config}")
            }
            Peer::Caddy => {
                let config = site.write("Caddyfile", include_str!("../../../bench/peers/Caddyfile"))?;
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

impl Site<'_> {
    fn write(&self, name: &str, template: &str) -> Result<String> {
        let text = template
            .replace("@LISTEN@", &self.clear.to_string())
            .replace("@LISTEN_PORT@", &self.clear.port().to_string())
            .replace("@LISTEN_H2C@", &self.h2c.to_string())
            .replace("@LISTEN_H2C_PORT@", &self.h2c.port().to_string())
            .replace("@LISTEN_TLS@", &self.tls.to_string())
            .replace("@LISTEN_TLS_PORT@", &self.tls.port().to_string())
            .replace("@ORIGIN@", &self.origin.to_string())
            .replace("@ORIGIN_PORT@", &self.origin.port().to_string())
            .replace("@CONNECTIONS@", &self.connections.to_string())
            .replace("@OPEN_FILES@", &open_files().to_string())
            .replace("@DIR@", &self.dir.display().to_string());
        let file = self.dir.join(name);
        fs::write(&file, text)?;
        Ok(file.display().to_string())
    }
}

fn divisi(site: &Site<'_>) -> String {
    let Site { wire, clear, tls, origin, connections, dir, .. } = site;
    let mut args = format!("serve --listen {clear} --replica {origin} --workers 1 --access-log off");
    // The time outlasts the measurement of idle connections.
    args += &format!(" --max-connections {connections} --idle-timeout 600s");
    if wire.is_tls() {
        let (certificates, data) = (dir.join("certificates"), dir.join("data"));
        args += &format!(" --listen-tls {tls} --certificates {} --data {}", certificates.display(), data.display());
    } else {
        args += " --listen-tls off";
    }
    args
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
