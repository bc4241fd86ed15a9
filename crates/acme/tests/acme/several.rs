//! Several divisi on one folder.

use std::sync::Arc;

use crate::authority::{Authority, Temper};
use crate::stage::{House, Running};
use divisi_testkit::pebble::has;

#[tokio::test]
async fn two_on_one_folder_order_once() {
    if !has("pebble") {
        return;
    }
    let authority = Authority::start(Temper { is_slow: true, ..Temper::default() }).await;
    // Challenges are shown by whoever orders; here both are reached at one address, as by a load balancer in front.
    let one = Running::start(authority.settings(), &authority.house, &[&["a.example"], &["b.example", "c.example"]]);
    let two = Running::start(authority.settings(), &authority.house, &[&["a.example"], &["b.example", "c.example"]]);
    for name in ["a.example", "c.example"] {
        let certificate = one.certificate(name, None).await;
        one.status(name, |status| status.certificate.is_some()).await;
        two.status(name, |status| status.certificate.is_some()).await;
        assert_eq!(two.certificate(name, None).await, certificate);
    }
    assert_eq!(authority.orders(), 2);
    assert_eq!(authority.pebble.logged("There are now 1 accounts"), 1, "one account");
    assert_eq!(authority.pebble.logged("There are now 2 accounts"), 0, "one account");
}

#[tokio::test]
async fn what_one_has_ordered_another_takes_up() {
    if !has("pebble") {
        return;
    }
    let authority = Authority::start(Temper { validity: Some(20), ..Temper::default() }).await;
    let elsewhere = Arc::new(House::default());
    let one = Running::start(authority.settings(), &authority.house, &[&["a.example"]]);
    let first = one.certificate("a.example", None).await;
    // Its challenges could not be seen: all it can do is take what the other one has.
    let two = Running::start(authority.settings(), &elsewhere, &[&["a.example"]]);
    assert_eq!(two.certificate("a.example", None).await, first);
    two.kill().await;
    let two = Running::start(authority.settings(), &elsewhere, &[]);
    let second = one.certificate("a.example", Some(&first)).await;
    assert_eq!(two.certificate("a.example", Some(&first)).await, second);
    assert_eq!(authority.orders(), 2);
}

#[tokio::test]
async fn who_takes_over_from_a_dead_one_waits_for_its_lease() {
    if !has("pebble") {
        return;
    }
    let authority = Authority::start(Temper { is_slow: true, ..Temper::default() }).await;
    let one = Running::start(authority.settings(), &authority.house, &[&["a.example"]]);
    let lease = authority.data().join("leases/a.example.json");
    crate::stage::until(|| lease.exists().then_some(()), || "no lease".to_owned()).await;
    one.kill().await;
    assert!(lease.exists(), "it was killed while it had it");
    let two = Running::start(authority.settings(), &authority.house, &[&["a.example"]]);
    two.certificate("a.example", None).await;
    two.status("a.example", |status| !status.is_ordering).await;
    crate::stage::until(|| (!lease.exists()).then_some(()), || "the lease stays".to_owned()).await;
}
