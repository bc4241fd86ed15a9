//! What goes wrong at the authority, and what must go on meanwhile.

use std::fs;
use std::time::{Duration, SystemTime};

use crate::authority::{Authority, Temper};
use crate::stage::Running;
use divisi_testkit::pebble::has;

#[tokio::test]
async fn half_of_the_nonces_refused_costs_no_certificate() {
    if !has("pebble") {
        return;
    }
    let authority = Authority::start(Temper { refused_nonces: 50, ..Temper::default() }).await;
    let running =
        Running::start(authority.settings(), &authority.house, &[&["a.example", "b.example"], &["c.example"]]);
    running.certificate("a.example", None).await;
    running.certificate("c.example", None).await;
    assert!(authority.house.is_empty());
    assert!(running.board.read().iter().all(|status| status.trouble.is_none()), "{:?}", running.board.read());
}

#[tokio::test]
async fn a_slow_authority_is_waited_for() {
    if !has("pebble") {
        return;
    }
    let authority = Authority::start(Temper { is_slow: true, ..Temper::default() }).await;
    let running = Running::start(authority.settings(), &authority.house, &[&["a.example", "b.example"]]);
    running.status("a.example", |status| status.is_ordering).await;
    assert_eq!(authority.house.coming.lock().unwrap().len(), 1, "connections may wait for it");
    running.certificate("a.example", None).await;
    assert_eq!(authority.orders(), 1);
}

#[tokio::test]
async fn names_that_are_verified_are_not_shown_again() {
    if !has("pebble") {
        return;
    }
    let authority = Authority::start(Temper { reused: 100, ..Temper::default() }).await;
    let running = Running::start(authority.settings(), &authority.house, &[&["a.example"]]);
    running.certificate("a.example", None).await;
    running.want(&[&["a.example", "b.example"]]);
    running.certificate("b.example", None).await;
    assert_eq!(authority.house.shown.lock().unwrap().len(), 2, "a.example once and b.example once");
}

#[tokio::test]
async fn a_refused_name_is_told_of_and_tried_more_and_more_rarely() {
    if !has("pebble") {
        return;
    }
    let authority = Authority::start_without_http(Temper::default()).await;
    let mut settings = authority.settings();
    settings.challenge = Some(divisi_acme::Kind::Http01);
    let running = Running::start(settings.clone(), &authority.house, &[&["a.example"], &["b.example"]]);
    let first = running.status("a.example", |status| status.trouble.is_some()).await.trouble.unwrap();
    assert!(first.said.contains("http-01") && first.said.contains("a.example: "), "{first:?}");
    let third = running
        .status("a.example", |status| status.trouble.as_ref().is_some_and(|t| t.times == 3))
        .await
        .trouble
        .unwrap();
    assert_eq!(third.since, first.since);
    // Half a second, doubled twice, a quarter less at most.
    assert!(third.next > SystemTime::now() + Duration::from_millis(1000), "{third:?}");
    assert!(authority.house.is_empty() && authority.house.coming.lock().unwrap().is_empty());
    let tried = authority.orders();
    running.kill().await;

    // A restart is no reason to ask again at once.
    settings.pace.first_pause = Duration::from_mins(1);
    let file = authority.data().join("troubles/a.example.json");
    let mut kept: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    kept["next"] = (SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() + 600).into();
    fs::write(&file, kept.to_string()).unwrap();
    let running = Running::start(settings, &authority.house, &[&["a.example"]]);
    let after = running.status("a.example", |status| status.trouble.is_some()).await.trouble.unwrap();
    assert!(after.times >= 3 && after.next > SystemTime::now() + Duration::from_secs(500), "{after:?}");
    assert!(authority.orders() - tried <= 2, "only what was on its way when it was killed");
}

#[tokio::test]
async fn an_authority_that_is_away_is_found_when_it_comes_and_what_is_there_is_served() {
    if !has("pebble") {
        return;
    }
    let mut authority = Authority::prepare(Temper::default()).await;
    let running = Running::start(authority.settings(), &authority.house, &[&["a.example"]]);
    let trouble = running.status("a.example", |status| status.trouble.is_some()).await.trouble.unwrap();
    assert!(trouble.said.contains("cannot connect to 127.0.0.1:"), "{trouble:?}");
    authority.pebble.resume();
    let first = running.certificate("a.example", None).await;
    running.status("a.example", |status| status.trouble.is_none()).await;
    running.kill().await;

    authority.pebble.stop();
    authority.house.certificates.lock().unwrap().clear();
    let running = Running::start(authority.settings(), &authority.house, &[&["a.example"], &["b.example"]]);
    assert_eq!(running.certificate("a.example", None).await, first, "from the folder");
    running.status("b.example", |status| status.trouble.is_some()).await;
    assert_eq!(running.certificate("a.example", None).await, first);
}

#[tokio::test]
async fn after_a_restart_of_both_the_account_is_made_anew() {
    if !has("pebble") {
        return;
    }
    let mut authority = Authority::start(Temper::default()).await;
    let running = Running::start(authority.settings(), &authority.house, &[&["a.example"]]);
    let first = running.certificate("a.example", None).await;
    let account = || fs::read_to_string(authority.data().join("account.json")).unwrap();
    let before = account();
    running.kill().await;
    authority.pebble.stop();
    authority.pebble.resume();
    let account = || fs::read_to_string(authority.data().join("account.json")).unwrap();
    let running =
        Running::start(authority.settings(), &authority.house, &[&["a.example"], &["b.example"], &["c.example"]]);
    running.certificate("b.example", None).await;
    running.certificate("c.example", None).await;
    assert_ne!(account(), before);
    assert_eq!(running.certificate("a.example", None).await, first, "what is there is not ordered again");
    assert!(running.board.read().iter().all(|status| status.trouble.is_none()), "{:?}", running.board.read());
}
