//! Requests without TLS for routes that are only inside it.

use std::net::SocketAddr;
use std::sync::Arc;

use divisi_model::route::{Origin, Redirect, Route, RoutingTable, Rule, When};
use divisi_model::{Card, Readiness, Service, Snapshot};
use divisi_proxy::Settings;
use divisi_testkit::replica::Replica;

use crate::support::{Proxy, settings, spec};

/// One service: a route that is only inside TLS, a wider one that is not, and a place for what has no route.
fn proxy(replica: &Replica, has_tls: bool, when: When) -> Proxy {
    let service = Service::new("web", spec());
    let member = service.replica(Card::new("web-1", 1), replica.addr(), Readiness::Ready);
    let service = Arc::new(service.with_replicas(vec![member], 1));
    let route = |name: &str, rule| {
        let origin = Origin { id: name.into(), container: "web-1".into(), label: "divisi.tls".into() };
        Route::new(name, rule, "web", origin)
    };
    let within = |path| Rule::path_within(path).expect("a path");
    let safe = route("safe", Rule::any(vec![within("/safe"), within("/.well-known")]).expect("small"));
    let mut way = safe.way().clone();
    way.redirect = Some(Redirect::permanent(when));
    let wide = route("wide", within("/"));
    let routes = RoutingTable::build(vec![safe.with_way(way), wide]).0;
    let tls = has_tls.then(|| SocketAddr::from(([127, 0, 0, 1], 0)));
    let settings = Settings { listen_tls: tls, ..settings() };
    Proxy::serving(settings, Snapshot::new(vec![Some(service)], routes, Ok(divisi_model::Slot(0))), Vec::new())
}

#[test]
fn a_request_that_cannot_be_sent_into_tls_is_refused_and_not_served_in_the_clear() {
    let replica = Replica::named("web");
    let with = proxy(&replica, true, When::Always);
    let sent = with.fetch("GET /safe/a?b HTTP/1.1\r\nHost: shop.test:8080\r\n\r\n");
    assert_eq!((sent.status(), sent.head.value("location").as_deref()), (308, Some("https://shop.test/safe/a?b")));
    let without = proxy(&replica, false, When::Always);
    for (proxy, request, why) in [
        (&with, "GET /safe HTTP/1.0\r\n\r\n", "Host"),
        (&without, "GET /safe HTTP/1.1\r\nHost: shop.test\r\n\r\n", "--listen-tls"),
    ] {
        let refused = proxy.fetch(request);
        assert_eq!(refused.status(), 403, "{request}");
        let text = refused.text();
        assert!(text.contains("inside TLS only") && text.contains(why), "{text}");
    }
    assert_eq!(replica.requests().len(), 0, "nobody was served");
    assert_eq!(with.fetch("GET /else HTTP/1.0\r\n\r\n").text(), "web", "who need not be safe is served");
}

#[test]
fn what_an_acme_authority_asks_for_is_never_refused_for_want_of_tls() {
    let replica = Replica::named("web");
    let proxy = proxy(&replica, false, When::Always);
    for (path, status) in [("acme-challenge/of-somebody-else", 200), ("else", 403)] {
        let answer = proxy.fetch(format!("GET /.well-known/{path} HTTP/1.1\r\nHost: shop.test\r\n\r\n"));
        assert_eq!(answer.status(), status, "{path}");
    }
}

#[test]
fn a_redirect_that_depends_on_a_certificate_leaves_others_as_they_came() {
    let replica = Replica::named("web");
    for has_tls in [true, false] {
        let proxy = proxy(&replica, has_tls, When::Certified);
        for request in ["GET /safe HTTP/1.0\r\n\r\n", "GET /safe HTTP/1.1\r\nHost: shop.test\r\n\r\n"] {
            assert_eq!(proxy.fetch(request).text(), "web", "{has_tls} {request}");
        }
    }
}
