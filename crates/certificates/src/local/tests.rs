use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Barrier;
use std::thread;

use divisi_tls::rustls::RootCertStore;
use divisi_tls::rustls::client::WebPkiServerVerifier;
use divisi_tls::rustls::client::danger::ServerCertVerifier as _;
use divisi_tls::rustls::crypto::aws_lc_rs::default_provider;
use divisi_tls::rustls::pki_types::{ServerName, UnixTime};
use tempfile::tempdir;

use super::*;

/// Whether who trusts in `root` believes that `leaf` is `name`.
fn believes(root: &str, leaf: &Certificate, name: &'static str, at: SystemTime) -> bool {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(root.as_bytes()).expect("PEM")).expect("a root");
    let provider = Arc::new(default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider).build().expect("a verifier");
    let since = at.duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    let name = ServerName::try_from(name).expect("a name");
    let now = UnixTime::since_unix_epoch(since);
    verifier.verify_server_cert(&leaf.signing().cert[0], &[], &name, &[], now).is_ok()
}

#[test]
fn who_trusts_in_the_root_believes_what_it_signs() {
    let mut local = Local::open(None).expect("an authority");
    let now = SystemTime::now();
    let leaf = local.leaf(&"echo.localhost".into(), now).expect("a certificate");
    let wild = local.leaf(&"*.shop.test".into(), now).expect("a certificate");
    assert!(believes(local.pem(), &leaf, "echo.localhost", now));
    assert!(!believes(local.pem(), &leaf, "other.localhost", now));
    assert!(believes(local.pem(), &wild, "a.shop.test", now));
    let long: &'static str = "a-rather-long-name-of-a-service.in-a-project-with-a-long-name.localhost";
    let signed = local.leaf(&long.into(), now).expect("a certificate");
    assert!(long.len() > COMMON_NAME && believes(local.pem(), &signed, long, now));
    assert!(!believes(Local::open(None).expect("an authority").pem(), &leaf, "echo.localhost", now), "another root");
    let days = leaf.not_after().duration_since(now).expect("later").as_secs() / 86_400;
    assert!((30..=90).contains(&days), "{days} days");
}

#[test]
fn certificates_are_signed_anew_well_before_they_end() {
    let mut local = Local::open(None).expect("an authority");
    let name: Arc<str> = "echo.localhost".into();
    let now = SystemTime::now();
    let first = local.leaf(&name, now).expect("a certificate");
    assert!(Arc::ptr_eq(&first, &local.leaf(&name, now + DAY).expect("a certificate")));
    let later = first.not_after() - 10 * DAY;
    let second = local.leaf(&name, later).expect("a certificate");
    assert!(second.not_after() > first.not_after() && second.not_before() < later);
    local.retain(|_| false);
    assert!(local.known(&name, later).is_none());
}

#[test]
fn the_root_is_kept_over_restarts_and_for_nobody_elses_eyes() {
    let folder = tempdir().expect("a folder");
    let first = Local::open(Some(folder.path())).expect("an authority");
    let mut second = Local::open(Some(folder.path())).expect("an authority");
    assert_eq!(first.pem(), second.pem());
    let now = SystemTime::now();
    let leaf = second.leaf(&"nas".into(), now).expect("a certificate");
    assert!(believes(first.pem(), &leaf, "nas", now), "the old root's key is in use");
    let mode = fs::metadata(folder.path().join(FILE)).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 1, "no drafts are left");
    assert!(!first.pem().contains("PRIVATE"));
}

#[test]
fn two_at_once_have_one_root() {
    for _ in 0..20 {
        let folder = tempdir().expect("a folder");
        let start = Barrier::new(8);
        let open = || {
            start.wait();
            Local::open(Some(folder.path())).expect("an authority").pem().to_owned()
        };
        let roots: Vec<_> = thread::scope(|scope| {
            let all: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
            all.into_iter().map(|one| one.join().expect("it opens")).collect()
        });
        assert!(roots.iter().all(|root| *root == roots[0]));
        assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 1);
    }
}

#[test]
fn what_is_not_ours_is_left_alone() {
    let folder = tempdir().expect("a folder");
    let file = folder.path().join(FILE);
    for content in ["", "something else", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        fs::write(&file, content).expect("written");
        let problem = Local::kept(&file, SystemTime::now()).expect_err("no authority");
        assert!(problem.to_string().contains("no local authority of divisi"), "{problem}");
        Local::open(Some(folder.path())).expect("one in memory");
        assert_eq!(fs::read_to_string(&file).expect("there"), content);
    }
}

#[test]
fn without_a_place_to_keep_it_there_is_one_in_memory() {
    let folder = tempdir().expect("a folder");
    let nowhere = folder.path().join("not there");
    assert!(matches!(Local::kept(&nowhere.join(FILE), SystemTime::now()), Err(LocalError::File { .. })));
    let mut local = Local::open(Some(&nowhere)).expect("one in memory");
    assert!(local.leaf(&"localhost".into(), SystemTime::now()).is_ok());
    assert!(!nowhere.exists());
}

#[test]
fn a_root_is_replaced_before_it_ends() {
    let folder = tempdir().expect("a folder");
    let file = folder.path().join(FILE);
    let now = SystemTime::now();
    let first = Local::kept(&file, now).expect("an authority");
    let later = now + ROOT - ROOT_ENDS;
    let second = Local::kept(&file, later).expect("an authority");
    assert_ne!(first.pem(), second.pem());
    assert_eq!(Local::kept(&file, later).expect("an authority").pem(), second.pem());
}
