//! What people see, held against pages that were looked at. `UPDATE_GOLDEN=1 cargo test -p divisi golden` writes them anew.

use std::fs;
use std::path::Path;

use divisi_console::api::Explanation;
use serde_json::{Value, json};

use super::{connection, container, ps, request};

fn replica(number: u32, state: &str, obstacle: &Value) -> Value {
    let readiness = if ["down", "ejected"].contains(&state) { "ready" } else { state };
    let health = if readiness == state { "up" } else { state };
    let seen = number != 3;
    json!({
        "name": format!("shop-web-{number}"), "number": number, "address": format!("172.20.0.{number}:80"), "scheme": "http",
        "readiness": readiness, "health": health, "state": state, "since_seconds": f64::from(number) * 1800.0,
        "requests": requests(if seen { 1200 / u64::from(number) } else { 0 }), "in_flight": number - 1,
        "latency_seconds": seen.then_some(0.0041), "obstacle": obstacle,
    })
}

fn requests(successful: u64) -> Value {
    json!({ "none": 0, "1xx": 0, "2xx": successful, "3xx": 0, "4xx": 2, "5xx": 0 })
}

fn service(name: &str, state: &str, waiting: u64, replicas: &Value) -> Value {
    json!({
        "project": "shop", "name": name, "policy": "p2c", "state": state, "waiting": waiting, "known": 3, "retries": 0,
        "held": 0, "held_seconds": 0.0, "ejections": 1, "own_answers": requests(0), "replicas": replicas,
    })
}

fn route(rule: &str, service: &str, closed: &Value) -> Value {
    json!({
        "name": "web", "rule": rule, "priority": rule.len(), "service": service, "container": "shop-web-3",
        "label": "divisi.host", "closed": closed, "door": "any", "redirect": null, "hsts": null, "client_authority": null,
    })
}

fn port_route(rule: &str, tls: &str, closed: &Value) -> Value {
    json!({
        "name": "tcp.5432", "rule": rule, "tls": tls, "priority": -1, "service": "shop/db:5432/tcp",
        "container": "shop-db-1", "label": "divisi.tcp.5432", "closed": closed,
    })
}

fn certificate(name: &str, more: &Value) -> Value {
    let mut certificate = json!({
        "name": name, "source": "file", "place": format!("/certs/{name}.crt"), "issuer": "CN=somebody", "names": [name],
        "not_after": 1_900_000_000, "valid_seconds": 2_600_000.0, "is_coming": false, "client_authority": null, "problem": null,
    });
    certificate.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    certificate
}

fn advice(why: &str, write: &str) -> Value {
    json!({ "why": why, "write": write })
}

fn snapshot(connected: bool) -> Value {
    let failed = advice("requests failed at it, one after the other; it is asked again in 0.4 s", "");
    let starting = advice("it is starting: nothing says yet that it can answer", "");
    let replicas =
        json!([replica(1, "ready", &Value::Null), replica(2, "ejected", &failed), replica(3, "starting", &starting)]);
    let claim = |name: &str| json!({ "service": format!("shop/{name}"), "container": format!("shop-{name}-1"), "label": "divisi.host" });
    json!({
        "version": "1.2.3", "age_seconds": 12.5,
        "engine": { "wanted": true, "connected": connected, "listed": true, "since_seconds": 75.0, "losses": 1 },
        "fallback": { "service": null, "reason": "no route holds for it" },
        "services": [service("api", "holding", 5, &json!([])), service("web", "serving", 0, &replicas)],
        "routes": [
            route("Host(`shop.test`)", "shop/web", &Value::Null),
            route("Host(`admin.test`)", "shop/web", &json!("its guard basic-auth is not there")),
        ],
        "ports": [
            { "port": 5432, "state": "open", "why": null, "routes": [port_route("HostSNI(`*`)", "none", &Value::Null)] },
            { "port": 8443, "state": "failed", "why": "cannot listen at port 8443, for which labels ask: taken", "routes": [
                port_route("HostSNI(`db.test`)", "passthrough", &Value::Null),
                port_route("HostSNI(`old.test`)", "terminate", &json!("its guard is not there")),
            ] },
        ],
        "conflicts": [{ "rule": "Host(`old.test`)", "winner": claim("now"), "loser": claim("old") }],
        "unrouted": [
            { "container": "shop-db-1", "service": "shop/db", "advice": advice("it exposes no port", "divisi.port=5432") },
            { "container": "shop-job-run-5f2", "service": "shop/job", "advice": advice("it is a one-off container of docker-compose run", "") },
        ],
        "mistakes": [
            { "container": "shop-web-1", "label": "divisi.stiky", "why": "no such label", "meant": "divisi.sticky" },
            { "container": "shop-api-1", "label": "divisi.drain", "why": "not a duration (10s, 5m)", "meant": null },
        ],
        "certificates": [
            certificate("admin.test", &json!({ "client_authority": "/certs/staff.pem" })),
            certificate("old.test", &json!({ "valid_seconds": -3600.0, "problem": "/certs/old.test.crt: it expired less than a day ago; put a new one in its place" })),
            certificate("shop.example", &json!({ "valid_seconds": null, "place": null, "is_coming": true })),
            certificate("shop.localhost", &json!({ "valid_seconds": 5_184_000.0, "place": "the local authority" })),
        ],
    })
}

fn explanation(value: Value) -> String {
    match serde_json::from_value(value).expect("an explanation") {
        Explanation::Request(told) => request::text(&told),
        Explanation::Connection(told) => connection::text(&told),
        Explanation::Container(told) => container::text(&told),
    }
}

fn asked(path: &str, outcome: &str, answer: &str) -> Value {
    json!({
        "kind": "request",
        "question": { "method": "GET", "host": "shop.test", "path": path, "query": "", "headers": ["x-tenant"], "client": "127.0.0.1", "tls": false },
        "steps": [
            {
                "route": route("Host(`shop.test`) && PathWithin(`/api`)", "shop/api", &Value::Null), "fate": "unmet",
                "unmet": "PathWithin(`/api`)", "found": format!("the path is {path}"),
            },
            { "route": route("Host(`old.test`)", "shop/now", &Value::Null), "fate": "unmet", "unmet": "Host(`old.test`)", "found": "the host is shop.test" },
        ],
        "outcome": outcome, "answer": answer, "route": null, "service": null, "sent": null, "candidates": [], "hints": [],
    })
}

fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/console/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, text).expect("the page can be written");
    }
    let page = fs::read_to_string(&path).expect("a page");
    assert!(page == text, "{name} looks otherwise (UPDATE_GOLDEN=1 cargo test -p divisi golden):\n{text}");
}

fn shown(value: Value) -> String {
    ps::text(&serde_json::from_value(value).expect("a snapshot"))
}

#[test]
fn golden_ps() {
    golden("ps.txt", &shown(snapshot(true)));
    golden("ps-lost.txt", &shown(snapshot(false)));
    let mut calm = snapshot(true);
    calm["services"] = json!([service("web", "serving", 0, &json!([replica(1, "ready", &Value::Null)]))]);
    ["routes", "conflicts", "unrouted", "mistakes", "certificates"].into_iter().for_each(|part| calm[part] = json!([]));
    golden("ps-calm.txt", &shown(calm.clone()));
    calm["services"] = json!([]);
    golden("ps-empty.txt", &shown(calm));
}

#[test]
fn golden_request() {
    let mut served = asked("/cart", "served", "goes to shop/web: 1 of 2 replicas can take it");
    let taken = route("Host(`shop.test`)", "shop/web", &Value::Null);
    let step = json!({ "route": taken.clone(), "fate": "taken", "unmet": null, "found": "" });
    served["steps"].as_array_mut().expect("steps").insert(1, step);
    served["route"] = taken;
    served["service"] = json!("shop/web");
    served["sent"] = json!({ "target": "/cart", "hides_host": false });
    served["hints"] = json!(["requests with the same client go to the same replica, while it can take them"]);
    served["candidates"] = json!([
        { "replica": "shop-web-1", "address": "172.20.0.2:80", "state": "ready", "pickable": true, "obstacle": null },
        { "replica": "shop-web-2", "address": "172.20.0.3:80", "state": "paused", "pickable": false,
          "obstacle": advice("it is frozen by docker pause", "docker unpause shop-web-2") },
    ]);
    golden("request-served.txt", &explanation(served));
    let mut sent = asked("/cart", "redirected", "is answered with 308: it is sent to https://shop.test/cart");
    let mut only = route("Host(`shop.test`)", "shop/web", &Value::Null);
    only["door"] = json!("secure");
    only["redirect"] = json!({ "status": 308, "needs_certificate": false });
    only["hsts"] = json!("max-age=31536000");
    only["client_authority"] = json!("/certs/staff.pem");
    let step = json!({ "route": only.clone(), "fate": "sent", "unmet": null, "found": "comes only inside TLS" });
    let mut other = step.clone();
    other["fate"] = json!("door");
    sent["steps"].as_array_mut().expect("steps").extend([step, other]);
    sent["route"] = only;
    golden("request-redirected.txt", &explanation(sent));
    let mut nowhere = asked("/x", "nowhere", "is answered with 404: no route holds for it");
    nowhere["hints"] = json!(["did you mean shop.test?"]);
    let one = nowhere["steps"][1].clone();
    let mut by_name = one.clone();
    by_name["route"]["name"] = json!("web.localhost");
    by_name["route"]["label"] = json!("(its name)");
    by_name["route"]["rule"] = json!(format!("({}) && Host(`web.localhost`)", "ClientIP(`10.0.0.0/8`) || ".repeat(9)));
    by_name["unmet"] = json!("Host(`web.localhost`)");
    let mut long = one.clone();
    long["route"]["rule"] = json!("Host(`a.example.com`) || ".repeat(20));
    long["unmet"] = long["route"]["rule"].clone();
    nowhere["steps"].as_array_mut().expect("steps").extend([by_name, long]);
    nowhere["steps"].as_array_mut().expect("steps").extend(std::iter::repeat_n(one, 30));
    golden("request-nowhere.txt", &explanation(nowhere));
}

#[test]
fn golden_container() {
    let label = |dialect: &str, label: &str, value: &str, outcome: &str, why: &str, meant: &Value| json!({ "dialect": dialect, "label": label, "value": value, "outcome": outcome, "why": why, "meant": meant });
    let mut told = json!({
        "kind": "container", "id": "3abc".repeat(16), "name": "shop-web-1", "project": "shop", "service": "web", "number": 1,
        "state": "running", "unrouted": null,
        "places": [{
            "service": "shop/web", "port": { "choice": "80", "why": "the lowest port that the image exposes" },
            "network": { "choice": "shop_default", "why": "divisi is in it, too" }, "address": "172.20.0.1:80",
            "replica": replica(1, "ready", &Value::Null), "obstacle": null,
        }],
        "routes": [
            { "name": "web", "rule": "shop.test", "label": "divisi.host", "service": "shop/web", "closed": null, "used": true, "conflict": null },
            { "name": "old", "rule": "Host(`old.test`)", "label": "traefik.http.routers.old.rule", "service": "shop/web", "closed": null,
              "used": true, "conflict": "shop/now" },
        ],
        "labels": [
            label("native", "divisi.host", "shop.test", "used", "", &Value::Null),
            label("native", "divisi.stiky", "true", "wrong", "no such label; `divisi labels` prints all there are", &json!("divisi.sticky")),
            label("traefik", "traefik.http.routers.old.tls", "true\u{1b}[2J", "ignored", "the router's tls is turned off", &Value::Null),
        ],
    });
    golden("container.txt", &explanation(told.clone()));
    told["unrouted"] = advice("it exposes no port", "divisi.port=5432");
    ["places", "routes", "labels"].into_iter().for_each(|part| told[part] = json!([]));
    golden("container-unrouted.txt", &explanation(told));
}

#[test]
fn golden_connection() {
    let (mail, old) = ("HostSNI(`mail.test`)", "HostSNI(`old.test`) && ClientIP(`10.0.0.0/8`)");
    let taken = port_route("HostSNI(`db.test`)", "terminate", &Value::Null);
    let step = |route: &Value, fate: &str, unmet: Option<&str>, found: &str| json!({ "route": route, "fate": fate, "unmet": unmet, "found": found });
    let mut told = json!({
        "kind": "connection",
        "question": { "port": 5432, "server_name": "db.test", "client": "127.0.0.1", "tls": true },
        "steps": [
            step(&port_route(mail, "passthrough", &Value::Null), "unmet", Some(mail), "the name is db.test"),
            step(&port_route(old, "passthrough", &Value::Null), "unmet", Some("ClientIP(`10.0.0.0/8`)"), "the client is 127.0.0.1"),
            step(&taken, "taken", None, ""),
            step(&port_route("HostSNI(`*`)", "none", &Value::Null), "door", None, "comes only without TLS"),
        ],
        "outcome": "served", "answer": "goes to shop/db:5432/tcp: its replica can take it", "route": taken, "service": "shop/db:5432/tcp",
        "candidates": [{ "replica": "shop-db-1", "address": "172.20.0.2:5432", "state": "ready", "pickable": true, "obstacle": null }],
        "hints": ["TLS: db.test has a certificate, of the local authority"],
    });
    golden("connection.txt", &explanation(told.clone()));
    told["question"] = json!({ "port": 1, "server_name": "", "client": "::1", "tls": false });
    (told["outcome"], told["answer"]) = (json!("nowhere"), json!("no label asks for port 1"));
    (told["route"], told["service"]) = (Value::Null, Value::Null);
    (told["steps"], told["candidates"], told["hints"]) = (json!([]), json!([]), json!(["labels ask for 5432"]));
    golden("connection-nowhere.txt", &explanation(told));
}
