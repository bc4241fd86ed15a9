//! Requests that belong together go to the same replica.

use std::collections::BTreeSet;

use divisi_model::spec::{Affinity, HashKey};
use divisi_model::{Card, Moment, Readiness, Spec};
use divisi_testkit::client::Response;
use divisi_testkit::replica::Replica;

use crate::support::{GET, Proxy, settings, spec};

fn replicas() -> [Replica; 3] {
    [Replica::named("a"), Replica::named("b"), Replica::named("c")]
}

fn tied(affinity: Affinity, replicas: &[Replica; 3]) -> Proxy {
    let addrs: Vec<_> = replicas.iter().map(Replica::addr).collect();
    Proxy::of(settings(), Spec { affinity, ..spec() }, &addrs)
}

fn with(field: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: app.test\r\n{field}\r\n\r\n")
}

/// `name=value` of the cookie that a response sets.
fn cookie(response: &Response) -> Option<String> {
    let set = response.head.value("set-cookie")?;
    assert!(set.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{set}");
    set.split(';').next().map(str::to_owned)
}

#[test]
fn a_cookie_brings_the_client_back() {
    let replicas = replicas();
    let proxy = tied(Affinity::Cookie("lb".into()), &replicas);
    let first = proxy.fetch(GET);
    let cookie_sent = cookie(&first).expect("a cookie");
    for _ in 0..9 {
        let again = proxy.fetch(with(&format!("Cookie: theme=dark; {cookie_sent}")));
        assert_eq!((again.text(), cookie(&again)), (first.text(), None));
    }
}

#[test]
fn a_forged_cookie_leads_nowhere() {
    let replicas = replicas();
    let proxy = tied(Affinity::Cookie("lb".into()), &replicas);
    for forged in ["lb=web.2.other", "lb=web.2", "lb=2", "lb=", "lb=web.99999999999.signed", "lb=\u{e9}.2.signed"] {
        let seen: BTreeSet<_> = (0..3)
            .map(|_| {
                let response = proxy.fetch(with(&format!("Cookie: {forged}")));
                assert!(cookie(&response).is_some(), "{forged}");
                response.text()
            })
            .collect();
        assert_eq!(seen.len(), 3, "{forged}");
    }
}

#[test]
fn a_replica_that_is_replaced_keeps_its_clients() {
    let replicas = replicas();
    let proxy = tied(Affinity::Cookie("lb".into()), &replicas);
    let away = with("Cookie: lb=web.2.signed");
    proxy.members[1].set_readiness(Readiness::Draining, Moment::now());
    let others = [proxy.members[0].clone(), proxy.members[2].clone()];
    let service = proxy.service.with_expected(vec![1, 2, 3]).with_replicas(others.to_vec(), 3);
    proxy.published.publish(divisi_model::Snapshot::of(service.into()));
    let meanwhile = proxy.fetch(&away);
    assert_eq!(cookie(&meanwhile), None, "it may come back to its own");
    let new = Replica::named("new b");
    let card = Card { token: "web.2.signed".to_owned(), ..Card::new("web-2", 2) };
    let successor = proxy.service.replica(card, new.addr(), Readiness::Ready);
    proxy.ready(&[others[0].clone(), successor, others[1].clone()]);
    for _ in 0..5 {
        assert_eq!(proxy.fetch(&away).text(), "new b");
    }
}

#[test]
fn the_same_text_goes_to_the_same_replica() {
    let header = |text: usize| format!("X-User: user-{text}");
    let cookies = |text: usize| format!("Cookie: a=b; user=user-{text}");
    type Field = dyn Fn(usize) -> String;
    let keys: [(HashKey, &Field); 2] =
        [(HashKey::Header("x-user".into()), &header), (HashKey::Cookie("user".into()), &cookies)];
    for (key, field) in keys {
        let replicas = replicas();
        let proxy = tied(Affinity::Hash(key), &replicas);
        let mut seen = BTreeSet::new();
        for text in 0..20 {
            let first = proxy.fetch(with(&field(text))).text();
            assert!((0..3).all(|_| proxy.fetch(with(&field(text))).text() == first));
            seen.insert(first);
        }
        assert_eq!(seen.len(), 3, "different texts are spread");
    }
}

#[test]
fn the_same_path_goes_to_the_same_replica_whatever_the_query() {
    let replicas = replicas();
    let proxy = tied(Affinity::Hash(HashKey::Path), &replicas);
    let get = |target: &str| proxy.fetch(format!("GET {target} HTTP/1.1\r\nHost: app.test\r\n\r\n")).text();
    let seen: BTreeSet<_> = (0..20)
        .map(|path| {
            let first = get(&format!("/{path}"));
            assert!((0..3).all(|query| get(&format!("/{path}?q={query}")) == first));
            first
        })
        .collect();
    assert_eq!(seen.len(), 3);
}

#[test]
fn a_client_goes_to_the_same_replica() {
    let replicas = replicas();
    let proxy = tied(Affinity::Hash(HashKey::Client), &replicas);
    let first = proxy.fetch(GET).text();
    assert!((0..9).all(|_| proxy.fetch(GET).text() == first));
}
