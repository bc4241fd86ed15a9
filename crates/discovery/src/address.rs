//! Where the Docker engine is, from the variables that every Docker tool reads.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

const DEFAULT_SOCKET: &str = "/var/run/docker.sock";

/// Where the Docker engine is. [`EngineAddress::default`] is Docker's own socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineAddress {
    pub(crate) way: Way,
}

/// How the engine is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// A socket in the file system.
    Unix(PathBuf),
    /// `host:port`, in the clear.
    Plain(String),
    /// `host:port`, with TLS both ways.
    Tls {
        /// `host:port`.
        authority: String,
        /// The folder with `ca.pem`, `cert.pem` and `key.pem`.
        certs: PathBuf,
    },
}

/// `DOCKER_HOST` and its companions name no engine that can be reached.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EngineAddressError {
    /// A way to reach an engine that is not supported.
    #[error("DOCKER_HOST={0}: {1}:// is not supported; write unix:///path or tcp://host:port")]
    Unsupported(String, String),
    /// Not an address at all.
    #[error("DOCKER_HOST={0}: not an address; write unix:///path or tcp://host:port")]
    Malformed(String),
    /// Certificates are wanted and nobody says where they are.
    #[error("DOCKER_TLS_VERIFY is set and there is no home directory to look for certificates: set DOCKER_CERT_PATH")]
    NoCertificates,
}

impl Default for EngineAddress {
    fn default() -> Self {
        Self { way: Way::Unix(PathBuf::from(DEFAULT_SOCKET)) }
    }
}

impl EngineAddress {
    /// Reads the values of `DOCKER_HOST`, `DOCKER_TLS_VERIFY` and `DOCKER_CERT_PATH`; an empty one counts as not set.
    ///
    /// # Errors
    /// [`EngineAddressError`] when they name no engine that can be reached.
    pub fn from_parts(
        docker_host: Option<&str>,
        tls_verify: Option<&str>,
        cert_path: Option<&str>,
    ) -> Result<Self, EngineAddressError> {
        let Some(host) = docker_host.map(str::trim).filter(|host| !host.is_empty()) else {
            return Ok(Self::default());
        };
        let malformed = || EngineAddressError::Malformed(host.to_owned());
        let (scheme, rest) = host.split_once("://").ok_or_else(malformed)?;
        let verify = tls_verify.is_some_and(|text| !text.is_empty());
        let way = match scheme {
            "unix" if rest.starts_with('/') => Way::Unix(PathBuf::from(rest)),
            "tcp" | "http" if !verify => Way::Plain(authority(rest, 2375).ok_or_else(malformed)?),
            "tcp" | "http" | "https" => {
                Way::Tls { authority: authority(rest, 2376).ok_or_else(malformed)?, certs: certs(cert_path)? }
            }
            "fd" | "npipe" | "ssh" => {
                return Err(EngineAddressError::Unsupported(host.to_owned(), scheme.to_owned()));
            }
            _ => return Err(malformed()),
        };
        Ok(Self { way })
    }

    /// What to write when nobody answers there.
    pub(crate) fn hint(&self, reason: &str) -> String {
        match &self.way {
            Way::Unix(_) if reason.contains("Permission denied") => {
                "run as root, or as a user whose group is the socket's (user: \"65534:GROUP\")".to_owned()
            }
            Way::Unix(path) => {
                format!("mount the socket with -v {DEFAULT_SOCKET}:{}, or set DOCKER_HOST", path.display())
            }
            Way::Tls { .. } if reason.contains(".pem") => "check DOCKER_CERT_PATH".to_owned(),
            Way::Plain(_) | Way::Tls { .. } => "check DOCKER_HOST".to_owned(),
        }
    }
}

fn authority(rest: &str, default_port: u16) -> Option<String> {
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.is_empty() || rest.contains(['/', '?', '#', '@', ' ']) {
        return None;
    }
    let after_host = rest.rfind(']').map_or(rest, |end| &rest[end..]);
    match after_host.rsplit_once(':') {
        Some((before, port)) => {
            let has_host = rest.len() > port.len() + 1 && (after_host != rest || !before.contains(':'));
            (has_host && port.parse::<u16>().is_ok_and(|port| port != 0)).then(|| rest.to_owned())
        }
        None => Some(format!("{rest}:{default_port}")),
    }
}

fn certs(cert_path: Option<&str>) -> Result<PathBuf, EngineAddressError> {
    let named = cert_path.filter(|path| !path.is_empty()).map(PathBuf::from);
    named.or_else(|| std::env::home_dir().map(|home| home.join(".docker"))).ok_or(EngineAddressError::NoCertificates)
}

impl fmt::Display for EngineAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.way {
            Way::Unix(path) => write!(f, "unix://{}", path.display()),
            Way::Plain(authority) => write!(f, "tcp://{authority}"),
            Way::Tls { authority, .. } => write!(f, "https://{authority}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(host: &str, verify: &str) -> Result<String, EngineAddressError> {
        EngineAddress::from_parts(Some(host), Some(verify), Some("/certs")).map(|address| address.to_string())
    }

    #[test]
    fn nothing_set_is_dockers_socket() {
        let address = EngineAddress::from_parts(None, None, None).unwrap();
        assert_eq!(address.to_string(), "unix:///var/run/docker.sock");
        assert_eq!(EngineAddress::from_parts(Some(""), None, None).unwrap(), address);
    }

    #[test]
    fn every_supported_way_is_read() {
        assert_eq!(parse("unix:///run/user/1000/docker.sock", "").unwrap(), "unix:///run/user/1000/docker.sock");
        assert_eq!(parse("tcp://proxy:2375", "").unwrap(), "tcp://proxy:2375");
        assert_eq!(parse("http://proxy/", "").unwrap(), "tcp://proxy:2375");
        assert_eq!(parse("tcp://[fd00::1]:99", "").unwrap(), "tcp://[fd00::1]:99");
        assert_eq!(parse("tcp://[fd00::1]", "").unwrap(), "tcp://[fd00::1]:2375");
        assert_eq!(parse("tcp://proxy", "1").unwrap(), "https://proxy:2376");
        assert_eq!(parse("https://proxy:9", "").unwrap(), "https://proxy:9");
    }

    #[test]
    fn certificates_are_looked_for_where_they_are_said_to_be() {
        let address = EngineAddress::from_parts(Some("tcp://engine"), Some("1"), Some("/certs")).unwrap();
        assert_eq!(address.way, Way::Tls { authority: "engine:2376".to_owned(), certs: PathBuf::from("/certs") });
    }

    #[test]
    fn what_is_not_supported_says_so() {
        for host in ["ssh://me@engine", "npipe:////./pipe/docker_engine", "fd://"] {
            assert!(matches!(parse(host, ""), Err(EngineAddressError::Unsupported(..))), "{host}");
        }
        for host in
            ["engine:2375", "unix://", "unix://relative", "tcp://", "tcp://:2375", "tcp://a:b", "tcp://a:0", "x://y"]
        {
            assert!(matches!(parse(host, ""), Err(EngineAddressError::Malformed(_))), "{host}");
        }
    }
}
