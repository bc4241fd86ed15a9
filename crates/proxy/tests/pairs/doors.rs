//! By which door a request comes in, and what becomes of it there, for each kind of client.

use std::sync::Arc;
use std::time::Duration;

use divisi_model::route::{Door, Origin, Protection, Redirect, Route, RoutingTable, Rule, Way, When};
use divisi_model::speech::Scheme;
use divisi_model::{Card, Readiness, Service, Slot, Snapshot, Unrouted};
use divisi_tls::{Demand, Keyring, Vault};
use http::Request;

use crate::client::{Body, Client, Reply, get, request, whole};
use crate::replica::{Replica, Server};
use crate::run;
use crate::seal::{self, Authority, HOST};
use crate::stage::{Downstream, Pair, Stage, settings, spec};

const ALL: [Downstream; 4] = [Downstream::Http1, Downstream::Http1InTls, Downstream::Http2, Downstream::Http2InTls];

fn pair(client: Downstream) -> Pair {
    Pair { client, replica: Scheme::Http }
}

/// One route for [`HOST`], another for `vip.test`, of which `change` says more.
fn world(replica: &Server, change: impl Fn(&str, &mut Way)) -> Snapshot {
    let service = Service::new("web", spec());
    let member = service.replica(Card::new("web-1", 1), replica.replica.addr(), Readiness::Ready);
    let service = service.with_replicas(vec![member], 1);
    let routes = [HOST, "vip.test"].map(|host| {
        let origin = Origin { id: host.into(), container: "web-1".into(), label: "divisi.host".into() };
        let route = Route::new(host, Rule::host(host).expect("a host"), "web", origin);
        let mut way = Way { slot: Slot(0), ..route.way().clone() };
        change(host, &mut way);
        route.with_way(way)
    });
    let nowhere = Err(Unrouted::nowhere("1 service has routes"));
    Snapshot::new(vec![Some(Arc::new(service))], RoutingTable::build(routes.to_vec()).0, nowhere)
}

fn stage(client: Downstream, snapshot: Snapshot, vault: Arc<Vault>) -> Stage {
    Stage::serving(pair(client), settings(), snapshot, vault)
}

async fn fetch(stage: &Stage, request: Request<Body>) -> Reply {
    stage.client().await.fetch(request).await.expect("a response")
}

fn asking(path: &str) -> Request<Body> {
    request("GET", path, whole(""))
}

#[test]
fn plain_requests_are_sent_into_tls() {
    run(async {
        let replica = Replica::saying(pair(Downstream::Http1), "inside").await;
        for client in ALL {
            let secure = |_: &str, way: &mut Way| {
                way.door = Door::Secure;
                way.redirect = Some(Redirect::permanent(When::Always));
            };
            let stage = stage(client, world(&replica, secure), seal::vault());
            for method in ["GET", "POST"] {
                let reply = fetch(&stage, request(method, "/some/path", whole(""))).await;
                if client.is_secure() {
                    assert_eq!((reply.status, &*reply.text()), (200, "inside"), "{client:?}");
                } else {
                    assert_eq!(reply.status, 308, "{client:?}");
                    assert_eq!(reply.field("location"), Some("https://app.test/some/path"), "{client:?}");
                }
            }
        }
    });
}

#[test]
fn browsers_are_told_of_tls_only_inside_it() {
    run(async {
        let replica = Replica::saying(pair(Downstream::Http1), "hello").await;
        let protection = Arc::new(Protection { hsts: Some("max-age=600".into()), ..Protection::default() });
        for client in ALL {
            let protect = |_: &str, way: &mut Way| way.protection = Arc::clone(&protection);
            let stage = stage(client, world(&replica, protect), seal::vault());
            let reply = fetch(&stage, get()).await;
            let expected = client.is_secure().then_some("max-age=600");
            assert_eq!(reply.field("strict-transport-security"), expected, "{client:?}");
        }
    });
}

/// A vault in which clients of `vip.test` must show a certificate of `authority`.
fn demanding(authority: &Authority) -> Arc<Vault> {
    let vault = seal::vault();
    let signed = vault.client_authority("/vip.pem".into(), authority.pem.as_bytes()).expect("an authority");
    let demands = [("vip.test".into(), Demand::Signed(signed))].into();
    vault.publish(Keyring { demands, ..seal::keyring(&[HOST, "vip.test"]) });
    vault
}

/// RFC 9110 15.5.20: the connection was made for another name, at which nothing was asked of the client.
#[test]
fn a_connection_for_one_name_does_not_lead_to_another_that_asks_for_more() {
    run(async {
        let replica = Replica::saying(pair(Downstream::Http1), "hello").await;
        let protection = Arc::new(Protection { client_authority: Some("/vip.pem".into()), ..Protection::default() });
        for client in [Downstream::Http1InTls, Downstream::Http2InTls] {
            let guard = |host: &str, way: &mut Way| {
                if host == "vip.test" {
                    (way.protection, way.door) = (Arc::clone(&protection), Door::Secure);
                }
            };
            let stage = stage(client, world(&replica, guard), demanding(&Authority::new("vips")));
            let mut connection = stage.client().await;
            let mut asked = get();
            asked.headers_mut().insert("host", "vip.test".parse().expect("a host"));
            assert_eq!(connection.fetch(asked).await.expect("a response").status, 421, "{client:?}");
            assert_eq!(connection.fetch(get()).await.expect("a response").status, 200, "{client:?}");
        }
        assert_eq!(replica.count(), 2);
    });
}

#[test]
fn tls_is_understood_at_the_plain_door() {
    run(async {
        let replica = Replica::saying(pair(Downstream::Http1), "hello").await;
        for client in [Downstream::Http1InTls, Downstream::Http2InTls] {
            let stage = stage(client, world(&replica, |_, _| ()), seal::vault());
            let connected = Client::connect(stage.addr(), client, None).await;
            let reply = connected.expect("it is let in").fetch(get()).await.expect("a response");
            assert_eq!((reply.status, &*reply.text()), (200, "hello"), "{client:?}");
        }
    });
}

#[test]
fn who_speaks_without_tls_at_the_secure_door_is_sent_into_it() {
    run(async {
        let replica = Replica::saying(pair(Downstream::Http1), "hello").await;
        for client in [Downstream::Http1, Downstream::Http2] {
            let stage = stage(client, world(&replica, |_, _| ()), seal::vault());
            let connected = Client::connect(stage.tls_addr(), client, None).await;
            let reply = connected.expect("it is let in").fetch(asking("/x")).await.expect("a response");
            assert_eq!(reply.status, 308, "{client:?}");
            let location = reply.field("location").expect("where");
            assert!(location.starts_with("https://app.test") && location.ends_with("/x"), "{location}");
        }
        assert_eq!(replica.count(), 0);
    });
}

#[test]
fn tokens_of_acme_are_answered_before_any_redirect() {
    run(async {
        let replica = Replica::saying(pair(Downstream::Http1), "the replica").await;
        for client in ALL {
            let vault = seal::vault();
            vault.set_token("some-token", "some-token.thumb");
            let secure = |_: &str, way: &mut Way| {
                way.door = Door::Any;
                way.redirect = Some(Redirect::permanent(When::Always));
            };
            let stage = stage(client, world(&replica, secure), vault);
            let reply = fetch(&stage, asking("/.well-known/acme-challenge/some-token")).await;
            assert_eq!((reply.status, &*reply.text()), (200, "some-token.thumb"), "{client:?}");
            // What is not ours may be the replica's own.
            let reply = fetch(&stage, asking("/.well-known/acme-challenge/other")).await;
            assert_eq!((reply.status, &*reply.text()), (200, "the replica"), "{client:?}");
        }
    });
}

#[test]
fn a_handshake_waits_for_a_certificate_that_is_coming() {
    run(async {
        let replica = Replica::saying(pair(Downstream::Http1), "hello").await;
        for client in [Downstream::Http1InTls, Downstream::Http2InTls] {
            let vault = Vault::new().expect("random numbers");
            vault.publish(Keyring { coming: [HOST.into()].into(), ..Keyring::default() });
            let stage = stage(client, world(&replica, |_, _| ()), Arc::clone(&vault));
            let door = stage.door();
            let mut connecting = tokio::spawn(Client::connect(door, client, None));
            let early = tokio::time::timeout(Duration::from_millis(200), &mut connecting).await;
            assert!(early.is_err(), "it does not wait");
            vault.publish(seal::keyring(&[HOST]));
            let mut client = connecting.await.expect("no panic").expect("it is let in");
            assert_eq!(client.fetch(get()).await.expect("a response").text(), "hello");
        }
    });
}
