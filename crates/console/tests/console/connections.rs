//! Where connections of TCP would go.

use divisi_console::api::Explanation;
use divisi_console::api::connection::Connection;
use divisi_console::api::request::{Fate, Outcome};
use divisi_console::form::encoded;
use divisi_model::tcp::Standing;

use crate::stage::{self, Stage};

fn ask(stage: &Stage, url: &str) -> Connection {
    match serde_json::from_value(stage.json(&format!("/api/explain?url={}", encoded(url)))).expect("an explanation") {
        Explanation::Connection(told) => *told,
        other => panic!("{url}: {other:?}"),
    }
}

#[test]
fn a_connection_goes_where_its_name_leads() {
    let stage = stage::harbour();
    let told = ask(&stage, "tcp://DB.test:8443");
    assert_eq!((told.question.server_name.as_str(), told.question.tls), ("db.test", true));
    assert_eq!((told.outcome, told.service.as_deref()), (Outcome::Served, Some("shop/db")));
    assert_eq!(told.answer, "goes to shop/db: its replica can take it");
    let route = told.route.expect("a route");
    assert_eq!((route.rule.as_str(), route.tls.as_str()), ("HostSNI(`db.test`)", "passthrough"));
    assert_eq!(told.candidates.iter().map(|one| one.replica.as_str()).collect::<Vec<_>>(), ["shop-db-1"]);
    let fates: Vec<_> = told.steps.iter().map(|step| (step.route.name.as_str(), step.fate)).collect();
    let expected = [("ended", Fate::Unmet), ("passed", Fate::Taken), ("soon", Fate::Unmet), ("all", Fate::Outranked)];
    assert_eq!(fates, expected);
    assert_eq!(told.steps[0].unmet.as_deref(), Some("HostSNI(`shop.test`)"));
    assert_eq!(told.steps[0].found, "the name is db.test");
    assert_eq!(told.hints, [""; 0]);
}

#[test]
fn whoever_ends_tls_here_is_told_of_the_certificate() {
    let stage = stage::harbour();
    let ended = ask(&stage, "tcp://shop.test:8443");
    assert_eq!(
        (ended.outcome, ended.answer.as_str()),
        (Outcome::Held, "waits for a replica of shop/queue: none can take it now")
    );
    assert_eq!(ended.hints, ["TLS: shop.test has a certificate, of the local authority"]);
    let soon = ask(&stage, "tcp://soon.test:8443");
    assert_eq!(soon.outcome, Outcome::Refused);
    assert_eq!(soon.answer, "is closed: the route serves nobody: its guard is not there");
    assert_eq!(soon.hints, ["TLS: the certificate for soon.test is on its way, and who comes waits for it"]);
}

#[test]
fn a_port_without_names_takes_what_comes() {
    let stage = stage::harbour();
    let plain = ask(&stage, "tcp://127.0.0.1:5432");
    assert_eq!((plain.outcome, plain.service.as_deref(), plain.hints.len()), (Outcome::Served, Some("shop/db"), 0));
    let named = ask(&stage, "tcp://db.test:5432");
    assert_eq!(named.service.as_deref(), Some("shop/db"));
    assert_eq!(named.hints, ["no route of the port asks for TLS: if there is any, it is the container's"]);
    stage.published.listening().set(5432, Standing::Failed("cannot listen at port 5432: taken".into()));
    let failed = ask(&stage, "tcp://127.0.0.1:5432");
    assert_eq!(failed.outcome, Outcome::Refused);
    assert_eq!(failed.answer, "nobody can connect: cannot listen at port 5432: taken");
}

#[test]
fn what_no_route_is_for_is_closed_or_http() {
    let stage = stage::harbour();
    let outside = ask(&stage, "tcp://10.0.0.1:8443");
    assert_eq!(
        (outside.outcome, outside.answer.as_str()),
        (Outcome::Nowhere, "is closed: no route of port 8443 is for it")
    );
    assert!(outside.hints[0].contains("ask for tcp://NAME:PORT"), "{:?}", outside.hints);
    assert!(outside.steps.iter().take(3).all(|step| step.found == "it is not inside TLS"), "{:?}", outside.steps);
    let strange = ask(&stage, "tcp://d.test:9443");
    assert_eq!((strange.outcome, &*strange.hints), (Outcome::Nowhere, &["did you mean db.test?".to_owned()][..]));
    assert_eq!(ask(&stage, "tls://10.0.0.1:9443").steps[0].found, "it asks for no name");
    let elsewhere = ask(&stage, "tcp://db.test:1");
    assert_eq!((elsewhere.outcome, elsewhere.answer.as_str()), (Outcome::Nowhere, "no label asks for port 1"));
    assert_eq!(elsewhere.hints[0], "labels ask for 5432, 8443, 9443, 10443");
    // Where HTTP is served as well, it has what is left, and the names that have a certificate before a route for all.
    stage.published.listening().set(9443, Standing::Shared);
    let http = ask(&stage, "tcp://d.test:9443");
    assert_eq!(
        (http.outcome, http.hints.last().map(String::as_str)),
        (Outcome::Nowhere, Some("ask for https://d.test/ to see where its requests go"))
    );
    let rest = ask(&stage, "tcp://shop.test:10443");
    assert_eq!(rest.outcome, Outcome::Served, "{}", rest.answer);
    stage.published.listening().set(10443, Standing::Shared);
    assert_eq!(ask(&stage, "tcp://any.test:10443").outcome, Outcome::Served);
    let certified = ask(&stage, "tcp://shop.test:10443");
    assert_eq!(certified.answer, "is one of HTTP: divisi serves that at port 10443, too");
    assert_eq!((certified.outcome, certified.steps[0].fate), (Outcome::Nowhere, Fate::Outranked));
}

#[test]
fn questions_that_make_no_sense() {
    let stage = stage::harbour();
    for query in ["url=tcp://db.test", "url=tcp://db.test:1/x", "url=tcp://a:1&method=GET", "url=tcp://a:1&client=me"] {
        let answer = stage.get(&format!("/api/explain?{query}"));
        assert_eq!(answer.status(), 400, "{query}: {}", answer.text());
    }
}
