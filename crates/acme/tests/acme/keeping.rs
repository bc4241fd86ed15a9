//! What becomes of certificates: kept, renewed, replaced, forgotten.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs};

use crate::authority::{Authority, Temper};
use crate::dns::hook;
use crate::stage::{House, Running, settings, until};
use divisi_acme::{Dns, Kind};
use divisi_testkit::pebble::{end, has};
use serde_json::json;

fn files(folder: &Path) -> Vec<String> {
    let mut all: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    all.sort();
    all
}

#[tokio::test]
async fn a_restart_orders_nothing_and_nobody_else_can_read_the_folder() {
    if !has("pebble") {
        return;
    }
    let authority = Authority::start(Temper::default()).await;
    let running = Running::start(authority.settings(), &authority.house, &[&["a.example"]]);
    let first = running.certificate("a.example", None).await;
    running.kill().await;
    authority.house.certificates.lock().unwrap().clear();
    let running = Running::start(authority.settings(), &authority.house, &[&["a.example"]]);
    assert_eq!(running.certificate("a.example", None).await, first);
    assert_eq!(authority.orders(), 1);
    for file in ["account.json", "certificates/a.example.pem"] {
        let mode = fs::metadata(authority.data().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[tokio::test]
async fn another_address_of_mail_is_told_to_the_account_that_is_there() {
    if !has("pebble") {
        return;
    }
    let authority = Authority::start(Temper::default()).await;
    let read = || -> serde_json::Value {
        serde_json::from_slice(&fs::read(authority.data().join("account.json")).unwrap()).unwrap()
    };
    let running = Running::start(authority.settings(), &authority.house, &[&["a.example"]]);
    running.certificate("a.example", None).await;
    running.kill().await;
    let before = read();
    let mut settings = authority.settings();
    settings.email = "me@divisi.example".to_owned();
    let running = Running::start(settings, &authority.house, &[&["b.example"]]);
    running.certificate("b.example", None).await;
    let after = read();
    assert_eq!((&after["contact"], &after["url"]), (&"me@divisi.example".into(), &before["url"]));
    assert_eq!(after["credentials"], before["credentials"]);
}

#[tokio::test]
async fn a_short_lived_certificate_is_renewed_at_two_thirds() {
    if !has("pebble") {
        return;
    }
    let authority = Authority::start(Temper { validity: Some(15), ..Temper::default() }).await;
    let running = Running::start(authority.settings(), &authority.house, &[&["a.example"]]);
    let first = running.certificate("a.example", None).await;
    let status = running.status("a.example", |status| status.certificate.is_some()).await;
    let (validity, renewal) = (status.certificate.unwrap(), status.renewal.unwrap());
    let length = validity.until.duration_since(validity.from).unwrap();
    let share = renewal.duration_since(validity.from).unwrap().as_secs_f64() / length.as_secs_f64();
    assert!((0.633..0.667).contains(&share), "{share} of {length:?}");
    let second = running.certificate("a.example", Some(&first)).await;
    running.certificate("a.example", Some(&second)).await;
    assert!(authority.orders() >= 3);
}

#[tokio::test]
async fn other_names_are_another_certificate_and_the_old_one_serves_until_then() {
    if !has("pebble") {
        return;
    }
    let authority = Authority::start(Temper::default()).await;
    let running = Running::start(authority.settings(), &authority.house, &[&["a.example", "b.example"]]);
    let first = running.certificate("a.example", None).await;
    running.want(&[&["a.example"]]);
    let alone = running.certificate("a.example", Some(&first)).await;
    assert_eq!(running.certificate("b.example", None).await, first);
    running.want(&[&["a.example", "b.example"]]);
    assert_eq!(running.certificate("a.example", Some(&alone)).await, first, "it is still there, and meant again");
    assert_eq!(authority.orders(), 2);
}

#[tokio::test]
async fn who_left_the_routes_is_not_renewed_and_forgotten_when_it_is_over() {
    if !has("pebble") {
        return;
    }
    let authority = Authority::start(Temper { validity: Some(8), ..Temper::default() }).await;
    let running = Running::start(authority.settings(), &authority.house, &[&["a.example"]]);
    running.certificate("a.example", None).await;
    running.want(&[]);
    let status = running.status("a.example", |status| !status.is_wanted).await;
    assert!(status.renewal.is_none() && status.certificate.is_some());
    let orders = authority.orders();
    let folder = authority.data().join("certificates");
    assert_eq!(files(&folder), ["a.example.pem"]);
    until(|| files(&folder).is_empty().then_some(()), || format!("{:?}", running.board.read())).await;
    assert!(authority.house.serves("a.example").is_none());
    until(|| running.board.read().is_empty().then_some(()), || format!("{:?}", running.board.read())).await;
    assert_eq!(authority.orders(), orders);
}

#[tokio::test]
async fn killed_at_any_moment_it_starts_clean() {
    if !has("pebble") || !has("python3") {
        return;
    }
    let authority = Authority::start(Temper::default()).await;
    let hook = hook(authority.folder.path(), authority.pebble.dns_management);
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let mut names = Vec::new();
    for round in 0..12 {
        names.push(format!("n{round}.example"));
        let setup = json!({
            "directory": authority.pebble.directory(),
            "root": authority.pebble.folder().join("root.pem"),
            "folder": authority.folder.path(),
            "hook": hook,
            "names": names,
        });
        let mut child = Command::new(env::current_exe().unwrap());
        child.args(["--ignored", "--exact", "keeping::one_to_be_killed"]).env(SETUP, setup.to_string());
        let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        tokio::time::sleep(Duration::from_millis(random.u64(0..600))).await;
        // SIGKILL
        end(&mut child);
    }
    let before = files(&authority.data().join("certificates"));
    let mut settings = authority.settings();
    settings.pace.lease = LEASE;
    settings.dns = Some(Dns::Hook(hook));
    settings.challenge = Some(Kind::Dns01);
    let wanted: Vec<[&str; 1]> = names.iter().map(|name| [name.as_str()]).collect();
    let wanted: Vec<&[&str]> = wanted.iter().map(|names| &names[..]).collect();
    let running = Running::start(settings, &authority.house, &wanted);
    for name in &names {
        running.certificate(name, None).await;
        running.status(name, |status| status.trouble.is_none() && !status.is_ordering).await;
    }
    let (left, whole): (Vec<_>, Vec<_>) =
        files(&authority.data().join("certificates")).into_iter().partition(|name| name.starts_with('.'));
    let mut expected: Vec<_> = names.iter().map(|name| format!("{name}.pem")).collect();
    expected.sort();
    assert_eq!(whole, expected, "seed {seed}, before: {before:?}");
    assert!(left.len() <= names.len(), "seed {seed}: {left:?}");
}

const SETUP: &str = "DIVISI_TEST_SETUP";
const LEASE: Duration = Duration::from_millis(1500);

#[tokio::test]
#[ignore = "is started by another test, and killed by it"]
async fn one_to_be_killed() {
    let Ok(setup) = env::var(SETUP) else { return };
    let setup: serde_json::Value = serde_json::from_str(&setup).unwrap();
    let path = |name: &str| PathBuf::from(setup[name].as_str().unwrap());
    let mut settings = settings(setup["directory"].as_str().unwrap(), &path("root"), &path("folder"));
    settings.pace.lease = LEASE;
    settings.dns = Some(Dns::Hook(path("hook")));
    settings.challenge = Some(Kind::Dns01);
    let wanted: Vec<[&str; 1]> =
        setup["names"].as_array().unwrap().iter().map(|name| [name.as_str().unwrap()]).collect();
    let wanted: Vec<&[&str]> = wanted.iter().map(|names| &names[..]).collect();
    let _running = Running::start(settings, &Arc::new(House::default()), &wanted);
    tokio::time::sleep(Duration::from_secs(60)).await;
}
