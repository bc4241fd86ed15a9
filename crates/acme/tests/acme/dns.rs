//! dns-01: by a program, and by updates to a real DNS server.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use divisi_acme::{Dns, Kind};

use divisi_testkit::pebble::{end, free_port, has, local};
use divisi_testkit::wait::until;

use crate::authority::{Authority, Temper};
use crate::stage::Running;

/// A program that tells the DNS server of Pebble what to answer.
pub(crate) fn hook(folder: &Path, management: SocketAddr) -> PathBuf {
    let path = folder.join("hook");
    let text = format!(
        r#"#!/usr/bin/env python3
import json, sys, urllib.request
verb, name, value = sys.argv[1:]
what = {{"present": "set-txt", "cleanup": "clear-txt"}}[verb]
body = json.dumps({{"host": name + ".", "value": value}}).encode()
urllib.request.urlopen("http://{management}/" + what, body)
with open("{log}", "a") as log:
    print(verb, name, file=log)
"#,
        log = folder.join("hook.log").display()
    );
    fs::write(folder.join("hook.new"), text).unwrap();
    fs::set_permissions(folder.join("hook.new"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(folder.join("hook.new"), &path).unwrap();
    path
}

#[tokio::test]
async fn a_wildcard_by_a_program() {
    if !has("pebble") || !has("python3") {
        return;
    }
    let authority = Authority::start(Temper::default()).await;
    let mut settings = authority.settings();
    settings.dns = Some(Dns::Hook(hook(authority.folder.path(), authority.pebble.dns_management)));
    // The wildcard by dns-01, the other one as usual.
    let running = Running::start(settings, &authority.house, &[&["*.a.example", "b.example"]]);
    let one = running.certificate("*.a.example", None).await;
    assert_eq!(running.certificate("b.example", None).await, one);
    assert_eq!(*authority.house.shown.lock().unwrap(), ["http-01"]);
    let log = fs::read_to_string(authority.folder.path().join("hook.log")).unwrap();
    assert_eq!(log, "present _acme-challenge.a.example\ncleanup _acme-challenge.a.example\n");
}

#[tokio::test]
async fn a_wildcard_without_a_way_says_what_is_missing() {
    if !has("pebble") {
        return;
    }
    let authority = Authority::start(Temper::default()).await;
    let running = Running::start(authority.settings(), &authority.house, &[&["*.a.example"]]);
    let trouble = running.status("*.a.example", |status| status.trouble.is_some()).await.trouble.unwrap();
    assert!(trouble.said.contains("--acme-dns-hook"), "{trouble:?}");
}

/// Knot DNS with one zone that may be updated by whoever has the key.
struct Knot {
    server: Child,
    addr: SocketAddr,
}

impl Drop for Knot {
    fn drop(&mut self) {
        end(&mut self.server);
    }
}

const SECRET: &str = "Zm9yIHRlc3RzIG9ubHksIGFuZCBsb25nIGVub3VnaCBmb3IgdGhlbQ==";

impl Knot {
    fn start(folder: &Path, algorithm: &str) -> Self {
        let addr = local(free_port());
        let path = folder.join("knot");
        fs::create_dir(&path).unwrap();
        let zone = "$ORIGIN a.example.\n$TTL 60\n@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\n* A 127.0.0.1\n@ A 127.0.0.1\n_acme-challenge.led CNAME led.dyn\n";
        fs::write(path.join("a.example.zone"), zone).unwrap();
        let config = format!(
            "server:\n  rundir: \"{path}\"\n  listen: {ip}@{port}\n  automatic-acl: off\nlog:\n  - target: stderr\n    any: warning\n\
             database:\n  storage: \"{path}\"\nkey:\n  - id: divisi\n    algorithm: {algorithm}\n    secret: {SECRET}\n\
             acl:\n  - id: update\n    key: divisi\n    action: update\n\
             zone:\n  - domain: a.example\n    storage: \"{path}\"\n    file: a.example.zone\n    acl: update\n",
            path = path.display(),
            ip = addr.ip(),
            port = addr.port(),
        );
        fs::write(path.join("knot.conf"), config).unwrap();
        let log = fs::File::create(path.join("log")).unwrap();
        let mut command = Command::new(if Path::new("/usr/sbin/knotd").exists() { "/usr/sbin/knotd" } else { "knotd" });
        command.arg("-c").arg(path.join("knot.conf"));
        let server = command.stderr(log.try_clone().unwrap()).stdout(log).spawn().unwrap();
        until("Knot DNS listens", || TcpStream::connect(addr).is_ok());
        Self { server, addr }
    }
}

async fn by_update(algorithm: &str) {
    if !has("pebble") || !has("knotd") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let knot = Knot::start(folder.path(), algorithm);
    let authority = Authority::start(Temper { dns: Some(knot.addr), ..Temper::default() }).await;
    let mut settings = authority.settings();
    settings.challenge = Some(Kind::Dns01);
    let key = format!("divisi:{algorithm}:{SECRET}").parse().unwrap();
    settings.dns = Some(Dns::Update { server: knot.addr.to_string(), key: Some(key) });
    assert!(!format!("{settings:?}").contains(&SECRET[..8]));
    // Two records of one name at the same time.
    let running = Running::start(settings, &authority.house, &[&["*.a.example", "a.example"]]);
    running.certificate("*.a.example", None).await;
    assert!(authority.house.shown.lock().unwrap().is_empty());
    running.status("a.example", |status| !status.is_ordering && status.trouble.is_none()).await;
}

#[tokio::test]
async fn a_wildcard_by_updates_signed_with_sha_256() {
    by_update("hmac-sha256").await;
}

#[tokio::test]
async fn a_wildcard_by_updates_signed_with_sha_512() {
    by_update("hmac-sha512").await;
}

#[tokio::test]
async fn a_record_is_put_where_its_name_leads() {
    if !has("pebble") || !has("knotd") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let knot = Knot::start(folder.path(), "hmac-sha256");
    let authority = Authority::start(Temper { dns: Some(knot.addr), ..Temper::default() }).await;
    let mut settings = authority.settings();
    let key = format!("divisi:hmac-sha256:{SECRET}").parse().unwrap();
    settings.dns = Some(Dns::Update { server: knot.addr.to_string(), key: Some(key) });
    let running = Running::start(settings, &authority.house, &[&["*.led.a.example"]]);
    running.certificate("*.led.a.example", None).await;
}

#[tokio::test]
async fn a_wrong_key_is_told_of() {
    if !has("pebble") || !has("knotd") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let knot = Knot::start(folder.path(), "hmac-sha256");
    let authority = Authority::start(Temper { dns: Some(knot.addr), ..Temper::default() }).await;
    let mut settings = authority.settings();
    settings.dns =
        Some(Dns::Update { server: knot.addr.to_string(), key: Some("divisi:hmac-sha256:d3Jvbmc=".parse().unwrap()) });
    let running = Running::start(settings.clone(), &authority.house, &[&["*.a.example"]]);
    let trouble = running.status("*.a.example", |status| status.trouble.is_some()).await.trouble.unwrap();
    assert!(trouble.said.contains("NOTAUTH"), "{trouble:?}");
    running.kill().await;
    settings.dns = Some(Dns::Update { server: knot.addr.to_string(), key: None });
    let running = Running::start(settings, &authority.house, &[&["*.b.example"]]);
    let trouble = running.status("*.b.example", |status| status.trouble.is_some()).await.trouble.unwrap();
    assert!(trouble.said.contains("zone"), "{trouble:?}");
}
