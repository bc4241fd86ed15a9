use divisi_model::spec::{Affinity, Question};

use super::*;

/// Container `id`, made at `created`, with labels.
fn labelled(id: &str, number: u32, created: i64, labels: &[(&str, &str)]) -> Container {
    let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Container { labels: Said::labels(labels.collect()), created, ..container(id, number) }
}

impl World {
    fn drain(&self) -> u64 {
        self.service().spec().drain.as_secs()
    }
}

#[test]
fn labels_become_spec_weight_and_token() {
    let labels = [("divisi.drain", "7s"), ("divisi.weight", "3"), ("divisi.sticky", "true"), ("divisi.health", "/up")];
    let world = World::with(&[labelled("a", 1, 1, &labels), container("b", 2)]);
    // b was made at 0: it is older, and its labels say nothing.
    assert_eq!(world.drain(), 7);
    assert_eq!(world.service().spec().check.question, Question::Http("/up".into()));
    assert!(matches!(world.service().spec().affinity, Affinity::Cookie(_)));
    let ready = world.ready();
    let token = |number| world.table.sticky.token("shop", "web", number);
    assert_eq!((ready[0].token(), ready[1].token()), (token(1).as_str(), token(2).as_str()));
    assert!(ready.iter().all(|replica| replica.health() == divisi_model::Health::Down), "to be checked first");
}

#[test]
fn without_cookies_there_are_no_tokens() {
    let world = World::with(&[container("a", 1)]);
    assert_eq!(world.ready()[0].token(), "");
}

#[test]
fn the_labels_of_the_newest_container_count() {
    let old = labelled("a", 1, 100, &[("divisi.drain", "1s")]);
    let new = labelled("b", 2, 200, &[("divisi.drain", "2s")]);
    let mut world = World::with(&[new.clone(), old.clone()]);
    assert_eq!(world.drain(), 2);
    let state = Arc::clone(world.service().state());
    let kept = world.ready();
    // One that is started again is not newer for it.
    world.event("a", What::Started);
    world.table.inspected(&"a".into(), u64::MAX, Some(old), world.now);
    world.commit();
    world.accept_all();
    assert_eq!(world.drain(), 2);
    world.event("b", What::Ended);
    world.commit();
    assert_eq!(world.drain(), 1, "the newest of those that are left");
    world.event("c", What::Started);
    assert!(world.commit());
    assert_eq!(world.drain(), 1, "its labels are not known yet");
    let newest = labelled("c", 3, 300, &[("divisi.drain", "3s")]);
    world.table.inspected(&"c".into(), u64::MAX, Some(newest), world.now);
    assert!(world.commit());
    assert_eq!(world.drain(), 3);
    assert!(Arc::ptr_eq(world.service().state(), &state), "it is the same service all along");
    assert_eq!(kept[1].readiness(), Readiness::Gone);
}

#[test]
fn a_service_without_containers_keeps_its_labels() {
    let mut world = World::with(&[labelled("a", 1, 1, &[("divisi.drain", "1s")])]);
    world.event("a", What::Ended);
    world.commit();
    assert_eq!(world.drain(), 1);
}

#[test]
fn a_label_that_cannot_be_read_loses_only_itself() {
    let labels = [("divisi.drain", "soon"), ("divisi.nonsense", "1"), ("divisi.hold", "9s")];
    let world = World::with(&[labelled("a", 1, 1, &labels), container("b", 2)]);
    assert_eq!(world.names(), ["a", "b"]);
    assert_eq!(world.drain(), Spec::default().drain.as_secs());
    assert_eq!(world.service().spec().hold.time.as_secs(), 9);
}

#[test]
fn labels_of_other_services_say_nothing() {
    let mut other = labelled("db", 1, 900, &[("divisi.drain", "1s")]);
    other.identity.as_mut().expect("labelled").key.service = "db".into();
    let world = World::with(&[container("a", 1), other]);
    assert_eq!(world.drain(), Spec::default().drain.as_secs());
}
