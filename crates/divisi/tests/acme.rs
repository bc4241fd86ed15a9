//! `divisi serve --acme-email`, as a user has it: a label names a host, and a real authority gives the certificate for it.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use divisi_testkit::engine::{FakeContainer, FakeEngine};
use divisi_testkit::pebble::{Pebble, Temper, has};
use divisi_testkit::wait::{PATIENCE, within};
use support::{Program, run};

/// Changes records by telling the DNS server of Pebble what to answer.
fn hook(pebble: &Pebble) -> PathBuf {
    let path = pebble.folder().join("hook");
    let text = format!(
        r#"#!/usr/bin/env python3
import json, sys, urllib.request
verb, name, value = sys.argv[1:]
what = {{"present": "set-txt", "cleanup": "clear-txt"}}[verb]
body = json.dumps({{"host": name + ".", "value": value}}).encode()
urllib.request.urlopen("http://{}/" + what, body)
"#,
        pebble.dns_management
    );
    fs::write(&path, text).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its own file");
    path
}

#[test]
fn the_host_of_a_label_gets_a_certificate_and_ps_shows_it() {
    if !has("pebble") || !has("python3") {
        return;
    }
    let mut pebble = Pebble::prepare(Temper::default(), (9, 9));
    pebble.resume();
    let (hook, data) = (hook(&pebble), tempfile::tempdir().expect("a folder"));
    let text = |path: &std::path::Path| path.to_str().expect("text").to_owned();
    let (engine, roots, directory) = (FakeEngine::new(), text(&pebble.folder().join("root.pem")), pebble.directory());
    let web = FakeContainer::replica("shop", "web", 1)
        .label("divisi.host", "shop.example")
        .network("bridge", "127.0.0.1")
        .port(80);
    let _replica = engine.run(web);
    let (host, data_dir, hook) = (engine.docker_host(), text(data.path()), text(&hook));
    let divisi = Program::start(&[
        "serve",
        "--listen=127.0.0.1:0",
        "--listen-tls=127.0.0.1:0",
        "--console=127.0.0.1:0",
        "--project=shop",
        &format!("--docker-host={host}"),
        &format!("--data={data_dir}"),
        "--acme-email=you@divisi.example",
        &format!("--acme-directory={directory}"),
        &format!("--acme-roots={roots}"),
        "--acme-challenge=dns-01",
        &format!("--acme-dns-hook={hook}"),
    ]);
    let console = divisi.console();
    let ps = || run(&["ps", "--console", &console], &[]).stdout;
    let is_shown = || ps().lines().any(|line| line.starts_with("shop.example ") && line.ends_with("ACME"));
    assert!(within(PATIENCE, is_shown), "{}\n{}", ps(), divisi.log());
    assert_eq!(pebble.orders(), 1);
    assert!(divisi.log().contains("acme: a certificate for shop.example"), "{}", divisi.log());
}

#[test]
fn roots_that_are_none_are_refused_at_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("roots.pem");
    fs::write(&path, "hello").expect("written");
    let roots = format!("--acme-roots={}", path.display());
    let words = ["serve", "--replica=127.0.0.1:9", "--listen=127.0.0.1:0", "--listen-tls=127.0.0.1:0", &roots];
    let ended = run(&[&words[..], &["--acme-email=you@divisi.example"]].concat(), &[]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let said = ended.stdout + &ended.stderr;
    assert!(said.contains("roots.pem") && said.contains("there is no certificate in it"), "{said}");
}
