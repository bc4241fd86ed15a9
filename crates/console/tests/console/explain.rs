//! Where requests would go, and what became of containers.

use divisi_console::api::request::{Fate, Outcome, Request};
use divisi_console::api::{Explanation, Problem};
use divisi_console::form::encoded;
use divisi_model::{Moment, Tried, Wanted};

use crate::stage::{self, Stage};

fn ask(stage: &Stage, url: &str) -> Request {
    match serde_json::from_value(stage.json(&format!("/api/explain?url={}", encoded(url)))).expect("an explanation") {
        Explanation::Request(told) => *told,
        other => panic!("{url}: {other:?}"),
    }
}

fn problem(stage: &Stage, target: &str) -> (u16, String) {
    let answer = stage.get(target);
    let Problem { problem } = serde_json::from_slice(&answer.body).expect("a problem");
    (answer.status(), problem)
}

#[test]
fn a_request_that_is_served() {
    let told = ask(&stage::shop(), "http://SHOP.test:8080/%63art?id=1");
    assert_eq!((told.question.host.as_str(), told.question.path.as_str()), ("shop.test", "/cart"));
    assert_eq!((told.outcome, told.service.as_deref()), (Outcome::Served, Some("shop/web")));
    assert_eq!(told.answer, "goes to shop/web: 1 of 3 replicas can take it");
    assert_eq!(told.route.map(|route| route.name).as_deref(), Some("web"));
    assert_eq!(told.sent.map(|sent| sent.target).as_deref(), Some("/cart?id=1"));
    let pickable: Vec<_> = told.candidates.iter().map(|one| (one.replica.as_str(), one.pickable)).collect();
    assert_eq!(pickable, [("shop-web-1", true), ("shop-web-2", false), ("shop-web-3", false)]);
    let fates: Vec<_> = told.steps.iter().map(|step| (step.route.name.as_str(), step.fate)).collect();
    assert!(fates.contains(&("api", Fate::Unmet)) && fates.contains(&("web", Fate::Taken)), "{fates:?}");
    assert!(told.steps.iter().all(|step| step.unmet.is_some() == (step.fate == Fate::Unmet)));
}

#[test]
fn requests_that_are_not() {
    let stage = stage::shop();
    let held = ask(&stage, "shop.test/api/x?y");
    assert_eq!(
        (held.outcome, held.answer.as_str()),
        (Outcome::Held, "waits for a replica of shop/api: none can take it now")
    );
    assert_eq!(held.sent.map(|sent| sent.target).as_deref(), Some("/x?y"), "the prefix is stripped");
    for (url, part) in [
        ("now.test", "nobody may wait"),
        ("admin.test/", "its guard basic-auth is not there"),
        ("old.test/", "no replica of shop/now"),
    ] {
        let told = ask(&stage, url);
        assert_eq!(told.outcome, Outcome::Refused, "{url}");
        assert!(told.answer.starts_with("is answered with 503: ") && told.answer.contains(part), "{}", told.answer);
    }
    let nowhere = ask(&stage, "http://shpo.test/");
    assert_eq!((nowhere.outcome, nowhere.hints), (Outcome::Nowhere, vec!["did you mean shop.test?".to_owned()]));
    assert!(nowhere.answer.starts_with("is answered with 404: "), "{}", nowhere.answer);
}

#[test]
fn requests_that_come_by_the_other_door() {
    let stage = stage::shop();
    let sent = ask(&stage, "http://inside.test/a?b=c");
    assert_eq!(sent.outcome, Outcome::Redirected);
    assert_eq!(sent.answer, "is answered with 308: it is sent to https://inside.test/a?b=c");
    let step = sent.steps.iter().find(|step| step.route.name == "inside").expect("a route");
    assert_eq!((step.fate, step.found.as_str()), (Fate::Sent, "comes only inside TLS"));
    let served = ask(&stage, "https://inside.test/a");
    assert!(served.question.tls && served.outcome == Outcome::Served, "{}", served.answer);
    let route = served.route.expect("a route");
    assert_eq!((route.door.as_str(), route.client_authority.as_deref()), ("secure", Some("staff.pem")));
    let nowhere = ask(&stage, "http://strict.test/");
    assert_eq!(nowhere.outcome, Outcome::Nowhere);
    assert_eq!(nowhere.hints, ["Host(`strict.test`) fits, but comes only inside TLS"]);
    let auto = ask(&stage, "http://auto.test/");
    let told =
        "where a certificate of a file or by ACME is at hand for auto.test, it is sent to https with 308 instead";
    assert_eq!(auto.hints, [told]);
    assert!(ask(&stage, "https://auto.test/").hints.iter().all(|hint| hint.starts_with("TLS: ")));
}

#[test]
fn whoever_asks_about_tls_is_told_of_the_certificate() {
    let stage = stage::shop();
    for (url, told) in [
        ("https://shop.test/", "TLS: shop.test has a certificate, of the local authority"),
        ("https://127.0.0.1/", "TLS: 127.0.0.1 has a certificate, of the local authority"),
        ("https://soon.test/", "TLS: the certificate for soon.test is on its way, and who comes waits for it"),
        ("https://old.test/", "(unrecognized_name); /certs/old.test.crt: it expired 3 days ago"),
        ("https://auto.test/", "put auto.test.crt and auto.test.key into --certificates, or have ACME asked"),
    ] {
        let hints = ask(&stage, url).hints;
        assert!(hints.iter().any(|hint| hint.ends_with(told)), "{url}: {hints:?}");
    }
    assert!(ask(&stage, "http://shop.test/").hints.iter().all(|hint| !hint.starts_with("TLS: ")));
}

#[test]
fn a_replica_with_as_many_requests_as_it_may_have_takes_no_more() {
    let stage = stage::shop();
    let world = stage.published.keep();
    let web = world.services().find(|service| service.name() == "web").expect("it is there");
    let pick = || web.pick(&Tried::default(), Wanted::Any, Moment::now());
    let _leases: Vec<_> = std::iter::from_fn(|| pick().ok()).collect();
    let told = ask(&stage, "shop.test/");
    assert_eq!(told.outcome, Outcome::Held, "{}", told.answer);
    let advice = told.candidates[0].obstacle.as_ref().expect("it is full");
    assert_eq!(
        (advice.why.as_str(), advice.write.as_str()),
        ("it has 10 requests, as many as it may", "divisi.limit=20")
    );
}

#[test]
fn headers_count_and_their_values_are_not_told() {
    let stage = stage::shop();
    let target = format!(
        "/api/explain?url=10.0.0.1&header={}&header=Authorization:%20secret&method=POST",
        encoded("Host: shop.test")
    );
    let text = stage.get(&target).text();
    assert!(text.contains("goes to shop/web") && text.contains("\"POST\"") && !text.contains("secret"), "{text}");
}

#[test]
fn questions_that_make_no_sense() {
    let stage = stage::shop();
    for target in [
        "/api/explain",
        "/api/explain?url=a&container=b",
        "/api/explain?url=http://",
        "/api/explain?url=http://a/%2e%2e/",
        "/api/explain?url=a&client=x",
        "/api/explain?url=a&colour=x",
        "/api/explain?container=a&method=GET",
    ] {
        let (status, said) = problem(&stage, target);
        assert!(status == 400 && !said.is_empty() && !said.contains('\n'), "{target}: {status} {said}");
    }
}

#[test]
fn a_container_by_its_name_its_id_its_number_or_its_service() {
    let stage = stage::shop();
    for asked in ["shop-web-3", "/shop-web-3", "3abc", "3ABC00", "web-3"] {
        let told = stage.json(&format!("/api/explain?container={}", encoded(asked)));
        let Explanation::Container(told) = serde_json::from_value(told).expect("an explanation") else {
            panic!("{asked}")
        };
        assert_eq!(told.name, "shop-web-3", "{asked}");
        let place = &told.places[0];
        let port = place.port.as_ref().map(|port| (port.choice.as_str(), port.why.as_str()));
        assert_eq!(port, Some(("80", "the lowest port that the image exposes")));
        assert!(place.obstacle.as_ref().is_some_and(|advice| advice.why.contains("starting")));
        let outcomes: Vec<_> = told.labels.iter().map(|label| label.outcome.as_str()).collect();
        assert_eq!(outcomes, ["used", "wrong", "ignored", "approximated"]);
        assert_eq!(told.labels[1].meant.as_deref(), Some("divisi.sticky"));
    }
    let told = stage.json("/api/explain?container=db");
    assert_eq!(told["unrouted"]["write"], "divisi.port=5432");
}

#[test]
fn a_container_that_is_not_one() {
    let stage = stage::shop();
    let (status, said) = problem(&stage, "/api/explain?container=web");
    assert_eq!(status, 409);
    assert!(said.contains("shop-web-1, shop-web-2, shop-web-3"), "{said}");
    let (status, said) = problem(&stage, "/api/explain?container=shop-wbe-1");
    assert!(status == 404 && said.contains("did you mean shop-web-1?"), "{said}");
    let (status, said) = problem(&stage, "/api/explain?container=");
    assert!(status == 404 && !said.contains("did you mean"), "{said}");
}
