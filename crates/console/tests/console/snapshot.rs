//! What there is, and whether requests can be served.

use divisi_console::api::snapshot::Snapshot;
use divisi_model::{Moment, Readiness, Spec};

use crate::stage::{self, Stage, replica, service};

#[test]
fn it_tells_of_every_replica_and_of_who_is_left_out() {
    let told: Snapshot = serde_json::from_value(stage::shop().json("/api/snapshot")).expect("a snapshot");
    let states: Vec<_> = told.services.iter().map(|service| (service.name.as_str(), service.state.as_str())).collect();
    assert_eq!(states, [("api", "holding"), ("now", "refusing"), ("old", "forgotten"), ("web", "serving")]);
    let web = &told.services[3];
    let replicas: Vec<_> = web.replicas.iter().map(|one| (one.name.as_str(), one.state.as_str())).collect();
    assert_eq!(replicas, [("shop-web-1", "ready"), ("shop-web-2", "ejected"), ("shop-web-3", "starting")]);
    assert_eq!((web.replicas[0].requests.successful, web.own_answers.failed, web.ejections), (1, 1, 1));
    assert!(web.replicas[0].obstacle.is_none());
    let why = |at: usize| web.replicas[at].obstacle.as_ref().map(|advice| advice.why.as_str()).unwrap_or_default();
    assert!(why(1).contains("asked again") && why(2).contains("starting"), "{} {}", why(1), why(2));
    assert_eq!((told.version.as_str(), told.routes.len(), told.conflicts.len()), ("1.2.3", 9, 1));
    let closed: Vec<_> = told.routes.iter().filter(|route| route.closed.is_some()).collect();
    assert_eq!((closed.len(), closed[0].name.as_str()), (1, "admin"));
    assert_eq!(told.unrouted.len(), 1);
    assert_eq!((told.unrouted[0].container.as_str(), told.unrouted[0].service.as_str()), ("shop-db-1", "shop/db"));
    assert_eq!(told.unrouted[0].advice.write, "divisi.port=5432");
    assert_eq!(told.fallback.reason.as_deref(), Some("no route holds for it"));
    let names: Vec<_> = told.certificates.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["old.test", "shop.test", "soon.test"]);
    let (old, shop, soon) = (&told.certificates[0], &told.certificates[1], &told.certificates[2]);
    assert!(old.problem.as_deref().is_some_and(|why| why.contains("expired")) && old.source.is_none());
    assert_eq!((shop.source.as_deref(), shop.not_after), (Some("local"), Some(4_102_444_800)));
    assert!(shop.valid_seconds.is_some_and(|seconds| seconds > 0.0) && shop.names == ["shop.test"]);
    assert!(soon.is_coming && !shop.is_coming);
    let mistake = &told.mistakes[0];
    assert_eq!((mistake.container.as_str(), mistake.label.as_str()), ("shop-web-1", "divisi.stiky"));
    assert_eq!(mistake.meant.as_deref(), Some("divisi.sticky"));
}

#[test]
fn the_root_of_the_local_authority_is_there_for_everybody() {
    let answer = stage::shop().get("/api/ca");
    assert_eq!(answer.head.value("content-type").as_deref(), Some("application/x-pem-file"));
    assert!(answer.text().starts_with("-----BEGIN CERTIFICATE-----"));
}

#[test]
fn it_is_ready_once_it_is_known_where_requests_belong() {
    let world = || divisi_model::Snapshot::of(service("web", Spec::default()).into());
    let stage = Stage::open(world(), Vec::new());
    assert_eq!((stage.get("/health/live").status(), stage.get("/health/ready").status()), (200, 200), "no engine");
    let engine = stage.published.engine();
    engine.set_wanted();
    let answer = stage.get("/health/ready");
    assert_eq!(answer.status(), 503);
    assert!(answer.text().contains("not been reached"), "{}", answer.text());
    engine.set_connected(true, Moment::now());
    assert!(stage.get("/health/ready").text().contains("not told"));
    engine.set_listed();
    assert_eq!(stage.get("/health/ready").status(), 200);
    engine.set_connected(false, Moment::now());
    assert_eq!(stage.get("/health/ready").status(), 200, "what is known stays known");

    let stage = Stage::open(world(), Vec::new());
    stage.published.engine().set_wanted();
    let web = service("web", Spec::default());
    let ready = vec![replica(&web, 1, Readiness::Ready)];
    stage.published.publish(divisi_model::Snapshot::of(web.with_replicas(ready, 1).into()));
    assert_eq!((stage.get("/health/ready").status(), stage.get("/health/live").status()), (200, 200));
}
