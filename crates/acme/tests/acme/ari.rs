//! What only a server in front of Pebble can do: renewal information, limits, bad days.

use std::time::{Duration, SystemTime};

use divisi_acme::Settings;
use hyper::StatusCode;

use crate::authority::{Authority, Temper};
use crate::server::Front;
use crate::stage::{Running, until};
use divisi_testkit::pebble::has;

/// Some time around now in RFC 3339.
fn at(days: i64) -> String {
    let date = x509_parser::time::ASN1Time::from_timestamp(
        i64::try_from(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()).unwrap()
            + days * 86_400,
    );
    let date = date.unwrap().to_datetime();
    let (hour, minute, second) = (date.hour(), date.minute(), date.second());
    format!("{}T{hour:02}:{minute:02}:{second:02}Z", date.date())
}

async fn front(temper: Temper) -> (Authority, Front, Settings) {
    let authority = Authority::start(temper).await;
    let front = Front::start(&authority).await;
    let mut settings = authority.settings();
    settings.directory.clone_from(&front.directory);
    (authority, front, settings)
}

#[tokio::test]
async fn a_certificate_is_renewed_when_the_authority_wishes_and_says_what_it_replaces() {
    if !has("pebble") {
        return;
    }
    let (authority, front, settings) = front(Temper::default()).await;
    *front.whims.window.lock().unwrap() = Some((at(20), at(21)));
    let running = Running::start(settings.clone(), &authority.house, &[&["a.example"]]);
    let first = running.certificate("a.example", None).await;
    let in_days = |days: u64| SystemTime::now() + Duration::from_hours(24 * days);
    let is_wished = |renewal: SystemTime| renewal > in_days(19) && renewal < in_days(22);
    running.status("a.example", |status| status.renewal.is_some_and(is_wished)).await;
    let id = front.whims.asked.lock().unwrap()[0].clone();
    running.kill().await;

    // It has to withdraw it, and says so. Asked again at the start.
    *front.whims.window.lock().unwrap() = Some((at(-2), at(-1)));
    let running = Running::start(settings, &authority.house, &[&["a.example"]]);
    let second = running.certificate("a.example", Some(&first)).await;
    assert_eq!(*front.whims.replaced.lock().unwrap(), std::slice::from_ref(&id));
    *front.whims.window.lock().unwrap() = Some((at(20), at(21)));
    let is_asked = || front.whims.asked.lock().unwrap().iter().any(|asked| *asked != id).then_some(());
    until(is_asked, || "it does not ask about the new one".to_owned()).await;
    assert!(running.certificate("a.example", Some(&first)).await == second || authority.orders() > 2);
}

#[tokio::test]
async fn an_authority_that_forgets_what_is_replaced_gives_a_certificate_all_the_same() {
    if !has("pebble") {
        return;
    }
    let (authority, front, settings) = front(Temper { validity: Some(12), ..Temper::default() }).await;
    *front.whims.window.lock().unwrap() = Some((at(20), at(21)));
    *front.whims.forgets_replaced.lock().unwrap() = true;
    let running = Running::start(settings, &authority.house, &[&["a.example"]]);
    let first = running.certificate("a.example", None).await;
    // Its wish lies behind the end of the certificate, and is not followed so far.
    running.certificate("a.example", Some(&first)).await;
    assert!(!front.whims.replaced.lock().unwrap().is_empty());
    assert!(running.board.read()[0].trouble.is_none(), "{:?}", running.board.read());
}

#[tokio::test]
async fn a_limit_is_obeyed_by_all_orders() {
    if !has("pebble") {
        return;
    }
    let (authority, front, mut settings) = front(Temper::default()).await;
    settings.pace.at_once = 1;
    let limit = r#"{"type":"urn:ietf:params:acme:error:rateLimited","detail":"too many","status":429}"#;
    *front.whims.refusal.lock().unwrap() =
        Some((StatusCode::TOO_MANY_REQUESTS, "3600", "application/problem+json", limit.to_owned()));
    let running = Running::start(settings, &authority.house, &[&["a.example"], &["b.example"]]);
    let trouble = running.status("a.example", |status| status.trouble.is_some()).await.trouble.unwrap();
    assert!(trouble.said.contains("too many (rateLimited)"), "{trouble:?}");
    assert!(trouble.next > SystemTime::now() + Duration::from_secs(3500), "{trouble:?}");
    // Long enough for many, if it were not obeyed: the pause after a failure is half a second here.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(*front.whims.refused.lock().unwrap(), 1, "b.example waits, too");
}

#[tokio::test]
async fn a_bad_day_in_html_is_told_of_by_its_status() {
    if !has("pebble") {
        return;
    }
    let (authority, front, settings) = front(Temper::default()).await;
    let page = "<html><body>Service Unavailable</body></html>".to_owned();
    *front.whims.refusal.lock().unwrap() = Some((StatusCode::SERVICE_UNAVAILABLE, "1", "text/html", page));
    let running = Running::start(settings, &authority.house, &[&["a.example"]]);
    let trouble = running.status("a.example", |status| status.trouble.is_some()).await.trouble.unwrap();
    assert!(trouble.said.contains("status 503") && !trouble.said.contains("html"), "{trouble:?}");
    *front.whims.refusal.lock().unwrap() = None;
    running.certificate("a.example", None).await;
}

#[tokio::test]
async fn an_order_is_asked_about_as_rarely_as_the_authority_wants_and_names_its_profile() {
    if !has("pebble") {
        return;
    }
    let (authority, front, mut settings) = front(Temper { is_slow: true, ..Temper::default() }).await;
    *front.whims.window.lock().unwrap() = Some((at(20), at(21)));
    settings.profile = Some("shortlived".to_owned());
    // Of eight names one is certainly not looked at in the first moment.
    let names: Vec<_> = (0..8).map(|number| format!("n{number}.example")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let running = Running::start(settings, &authority.house, &[&names]);
    running.status("n0.example", |status| status.is_ordering).await;
    running.certificate("n0.example", None).await;
    assert_eq!(*front.whims.profiles.lock().unwrap(), ["shortlived"]);
    let pauses = front.whims.polls.lock().unwrap().1.clone();
    assert!(!pauses.is_empty() && pauses.iter().all(|pause| *pause >= Duration::from_millis(990)), "{pauses:?}");
}
