//! Who are we: a container of this engine, and if so which.

use std::path::PathBuf;

use crate::compose::Identity;
use crate::container::ContainerId;
use crate::network::Standpoint;

/// Where to look for the id of our own container. [`Clues::default`] is right outside of tests.
#[derive(Clone, Debug)]
pub struct Clues {
    /// The kernel's table of our mounts: the engine binds files of its own into every container.
    pub mountinfo: PathBuf,
    /// Our host name, which by default is the start of the container's id.
    pub hostname: Option<String>,
}

impl Default for Clues {
    fn default() -> Self {
        Self { mountinfo: PathBuf::from("/proc/self/mountinfo"), hostname: std::env::var("HOSTNAME").ok() }
    }
}

impl Clues {
    /// The names under which the engine may know us, best first.
    pub(crate) fn candidates(&self) -> Vec<String> {
        let mounts = std::fs::read_to_string(&self.mountinfo).unwrap_or_default();
        let hostname = self.hostname.iter().filter(|name| name.len() == 12 && is_hex(name)).cloned();
        container_id(&mounts).map(str::to_owned).into_iter().chain(hostname).collect()
    }
}

/// Who we are, as far as the engine knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Own {
    /// Our container; None outside of any.
    pub(crate) id: Option<ContainerId>,
    /// Which Compose service we are, if one.
    pub(crate) identity: Option<Identity>,
    /// From where we see the replicas.
    pub(crate) standpoint: Standpoint,
}

impl Own {
    /// Nobody's container: on the host itself.
    pub(crate) fn outside() -> Self {
        Self { id: None, identity: None, standpoint: Standpoint::Host }
    }
}

/// The id in the root of a mount that the engine makes in each container, and in no other place.
fn container_id(mountinfo: &str) -> Option<&str> {
    mountinfo.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(3);
        let (root, mount_point) = (fields.next()?, fields.next()?);
        if !matches!(mount_point, "/etc/hostname" | "/etc/hosts" | "/etc/resolv.conf") {
            return None;
        }
        let mut above = "";
        root.split('/').find(|part| {
            let found = above.ends_with("containers") && part.len() == 64 && is_hex(part);
            above = part;
            found
        })
    })
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn the_id_is_in_the_mounts_that_the_engine_makes() {
        let mountinfo = format!(
            "700 699 0:60 / / rw - overlay overlay rw\n\
             710 700 254:1 /var/lib/docker/containers/{ID}/resolv.conf /etc/resolv.conf rw - ext4 /dev/vda1 rw\n"
        );
        assert_eq!(container_id(&mountinfo), Some(ID));
    }

    #[test]
    fn podman_keeps_them_elsewhere() {
        let line =
            format!("7 6 0:1 /containers/storage/overlay-containers/{ID}/userdata/hosts /etc/hosts rw - tmpfs t rw");
        assert_eq!(container_id(&line), Some(ID));
    }

    #[test]
    fn other_peoples_mounts_say_nothing() {
        let other = format!("7 6 0:1 /var/lib/docker/containers/{ID}/hosts /srv/hosts rw - ext4 d rw");
        let short = "7 6 0:1 /var/lib/docker/containers/abc/hosts /etc/hosts rw - ext4 d rw";
        for mountinfo in [other.as_str(), short, "", "7", "7 6 0:1 / / rw - ext4 d rw"] {
            assert_eq!(container_id(mountinfo), None, "{mountinfo}");
        }
    }

    #[test]
    fn a_host_name_counts_only_when_it_looks_like_an_id() {
        let clues = |name: &str| Clues { mountinfo: PathBuf::from("/nowhere"), hostname: Some(name.to_owned()) };
        assert_eq!(clues("0123456789ab").candidates(), ["0123456789ab"]);
        assert!(clues("laptop").candidates().is_empty());
    }
}
