mod absence;
mod disorder;
mod labels;
mod log;
mod routes;
mod speed;
mod streams;
mod survival;

use std::time::Duration;

use divisi_model::{Moment, Service, Snapshot};

use super::*;
use crate::compose::Identity;
use crate::container::StopRule;
use crate::engine::List;
use crate::network::{Attachment, Standpoint};

/// A table that follows service `web` of project `shop`, and a clock that is turned by hand.
struct World {
    table: Table,
    now: Instant,
    routed: Option<Snapshot>,
}

impl World {
    fn new() -> Self {
        let named = Some("web".to_owned());
        Self::of(&Settings { service: named, project: Some("shop".to_owned()), ..Settings::default() })
    }

    fn of(settings: &Settings) -> Self {
        Self { table: Table::new(settings), now: Instant::now(), routed: None }
    }

    /// A world in which `containers` run, are listed and inspected.
    fn with(containers: &[Container]) -> Self {
        let mut world = Self::new();
        world.list(containers);
        world.commit();
        world.accept_all();
        world
    }

    fn list(&mut self, containers: &[Container]) {
        self.table.begin_list();
        self.table.apply_list(listed(containers), self.now);
    }

    fn event(&mut self, id: &str, what: What) {
        self.event_of(id, 1, what);
    }

    fn event_of(&mut self, id: &str, number: u32, what: What) {
        self.tell(id, Identity { number, ..identity(1) }, what);
    }

    fn event_of_service(&mut self, id: &str, service: &str, what: What) {
        self.tell(id, Identity { key: key(service), number: 1 }, what);
    }

    fn tell(&mut self, id: &str, identity: Identity, what: What) {
        let event = Event { id: id.into(), identity: Some(identity), name: id.to_owned(), what, at: 0 };
        self.table.apply(event, self.now);
    }

    /// Whether a snapshot came of it.
    fn commit(&mut self) -> bool {
        let snapshot = self.table.commit(self.now);
        let came = snapshot.is_some();
        self.routed = snapshot.or_else(|| self.routed.take());
        came
    }

    /// Every probe that is wanted succeeds.
    fn accept_all(&mut self) {
        for job in self.table.take_jobs() {
            if let Job::Probe(id, replica) = job {
                self.table.probed(&id, replica.id(), true);
            }
        }
        self.commit();
    }

    fn service(&self) -> &Arc<Service> {
        self.routed.as_ref().expect("something was published").route().expect("routed")
    }

    fn ready(&self) -> Vec<Arc<Replica>> {
        self.service().ready().to_vec()
    }

    fn names(&self) -> Vec<String> {
        self.ready().iter().map(|replica| replica.name().to_owned()).collect()
    }

    /// The tickets of the inspections that are wanted by now.
    fn tickets(&mut self) -> Vec<u64> {
        let ticket = |job| if let Job::Inspect { ticket, .. } = job { Some(ticket) } else { None };
        self.table.take_jobs().into_iter().filter_map(ticket).collect()
    }
}

fn listed(containers: &[Container]) -> List {
    List { containers: containers.to_vec(), unreadable: Vec::new() }
}

fn key(service: &str) -> ServiceKey {
    ServiceKey { project: "shop".into(), service: service.into() }
}

fn identity(number: u32) -> Identity {
    Identity { key: key("web"), number }
}

fn container(id: &str, number: u32) -> Container {
    let attachment = Attachment {
        network: "default".to_owned(),
        id: String::new(),
        ip: format!("10.0.0.{number}").parse().ok(),
        gateway: None,
    };
    Container {
        id: id.into(),
        name: id.to_owned(),
        identity: Some(identity(number)),
        life: Life::Running,
        health: Health::Unchecked,
        port: Port::At(80),
        networking: Networking::Attached(vec![attachment]),
        stop: Some(StopRule::default()),
        labels: Said::default(),
        environment: Some(Said::default()),
        created: 0,
        started: None,
    }
}

#[test]
fn nothing_is_published_before_the_first_list() {
    let mut world = World::new();
    world.event("a", What::Started);
    assert!(!world.commit());
}

#[test]
fn what_changes_nothing_publishes_nothing() {
    let mut world = World::with(&[container("a", 1)]);
    world.event("a", What::Signalled(1));
    world.event("a", What::Renamed);
    world.event("a", What::Unpaused);
    world.event("stranger", What::Ended);
    world.list(&[container("a", 1)]);
    assert!(!world.commit());
}

#[test]
fn a_batch_of_events_is_one_snapshot() {
    let mut world = World::with(&[container("a", 1), container("b", 2), container("c", 3)]);
    assert_eq!(world.names(), ["a", "b", "c"]);
    world.event("a", What::Ended);
    world.event("b", What::Signalled(15));
    world.event("c", What::Paused);
    assert!(world.commit());
    assert!(world.names().is_empty());
    assert!(!world.commit());
}

#[test]
fn a_drain_is_set_before_its_snapshot_is_made() {
    let mut world = World::with(&[container("a", 1)]);
    let replica = world.ready().remove(0);
    world.event("a", What::Signalled(9));
    let snapshot = world.table.commit(world.now).expect("a change");
    assert_eq!(replica.readiness(), Readiness::Draining);
    assert!(snapshot.route().expect("routed").ready().is_empty());
}

#[test]
fn a_drain_ends_at_its_deadline_and_not_before() {
    let mut world = World::with(&[container("a", 1)]);
    world.event("a", What::Signalled(15));
    world.commit();
    let due = world.now + Duration::from_secs(15);
    assert_eq!(world.table.deadlines.first().map(|(due, _)| *due), Some(due));
    world.table.expire(due - Duration::from_millis(1));
    world.commit();
    world.accept_all();
    assert!(world.names().is_empty());
    world.now = due;
    world.table.expire(due);
    world.commit();
    assert!(world.names().is_empty(), "its port is asked first");
    world.accept_all();
    assert_eq!(world.names(), ["a"]);
}

#[test]
fn a_stop_is_judged_again_once_it_is_known_how_the_container_stops() {
    let unknown = Container { stop: None, ..container("a", 1) };
    let rule = |signal, timeout| Some(StopRule { signal, timeout: Duration::from_secs(timeout) });
    let begun = |stop| {
        let mut world = World::with(std::slice::from_ref(&unknown));
        world.event("a", What::Signalled(15));
        world.commit();
        assert!(world.names().is_empty(), "most containers end with that");
        let began = world.now;
        world.now += Duration::from_secs(1);
        world.table.inspected(&"a".into(), u64::MAX, Some(Container { stop, ..container("a", 1) }), world.now);
        world.commit();
        (world.names().len(), world.table.deadlines.first().map(|(due, _)| *due - began))
    };
    assert_eq!(begun(rule(15, 60)), (0, Some(Duration::from_secs(65))));
    assert_eq!(begun(rule(3, 60)), (1, None));
}

#[test]
fn a_signal_that_stops_nothing_does_not_hide_the_one_before_it() {
    let mut world = World::with(&[Container { stop: None, ..container("a", 1) }]);
    for number in [15, 1, 15, 1] {
        world.event("a", What::Signalled(number));
    }
    world.table.inspected(&"a".into(), u64::MAX, Some(container("a", 1)), world.now);
    world.commit();
    assert!(world.names().is_empty(), "its stop has begun");
    assert_eq!(world.table.deadlines.len(), 1);
}

#[test]
fn a_second_signal_moves_the_deadline_and_an_end_removes_it() {
    let mut world = World::with(&[container("a", 1)]);
    world.event("a", What::Signalled(15));
    world.now += Duration::from_secs(10);
    world.event("a", What::Signalled(9));
    assert_eq!(world.table.deadlines.len(), 1);
    world.event("a", What::Ended);
    assert!(world.table.deadlines.is_empty());
}

#[test]
fn an_answer_older_than_the_event_says_nothing_about_state() {
    let mut world = World::with(&[container("a", 1)]);
    world.event("a", What::Started);
    let ticket = world.tickets()[0];
    world.event("a", What::Health(Health::Healthy));
    let starting = Container { health: Health::Starting, ..container("a", 1) };
    world.table.inspected(&"a".into(), ticket, Some(starting), world.now);
    world.commit();
    assert_eq!(world.names(), ["a"], "healthy came after the answer was asked for");
}

#[test]
fn an_answer_about_an_earlier_run_is_ignored() {
    let mut world = World::with(&[]);
    world.event("a", What::Started);
    let ticket = world.tickets()[0];
    world.event("a", What::Ended);
    world.event("a", What::Started);
    world.table.inspected(&"a".into(), ticket, None, world.now);
    world.commit();
    assert_eq!(world.table.entries.len(), 1, "the second run is still there");
    world.event("a", What::Ended);
    world.table.inspected(&"a".into(), ticket, Some(container("a", 1)), world.now);
    assert!(world.table.entries.is_empty(), "an answer does not raise the dead");
}

#[test]
fn a_list_older_than_the_events_is_taken_for_the_rest_only() {
    let mut world = World::with(&[container("a", 1), container("b", 2), container("c", 3)]);
    world.table.begin_list();
    world.event("a", What::Ended);
    world.event("b", What::Signalled(15));
    world.event("d", What::Started);
    world.table.apply_list(listed(&[container("a", 1), container("b", 2)]), world.now);
    world.commit();
    assert!(world.names().is_empty());
    let mut left: Vec<_> = world.table.entries.keys().map(ToString::to_string).collect();
    left.sort_unstable();
    assert_eq!(left, ["b", "d"], "a ended, c is not in the list, d came after it");
}

#[test]
fn what_was_heard_of_an_unknown_during_the_list_is_asked_after() {
    let mut world = World::new();
    world.table.begin_list();
    world.event("a", What::Health(Health::Healthy));
    world.table.apply_list(listed(&[container("a", 1)]), world.now);
    assert_eq!(world.tickets().len(), 1);
}

#[test]
fn a_probe_of_an_earlier_replica_does_not_count() {
    let mut world = World::with(&[container("a", 1)]);
    let before = world.ready().remove(0);
    world.event("a", What::Started);
    world.table.inspected(&"a".into(), u64::MAX, Some(container("a", 1)), world.now);
    world.commit();
    world.table.probed(&"a".into(), before.id(), true);
    world.commit();
    assert!(world.names().is_empty());
    world.accept_all();
    assert_ne!(world.ready()[0].id(), before.id());
}

#[test]
fn other_services_are_no_replicas_and_their_end_changes_only_them() {
    let mut other = container("db", 1);
    other.identity.as_mut().expect("labelled").key.service = "db".into();
    let mut world = World::with(&[container("a", 1), other]);
    assert_eq!(world.names(), ["a"]);
    let before = Arc::clone(world.service());
    world.event("db", What::Ended);
    assert!(world.commit());
    assert!(Arc::ptr_eq(world.service(), &before));
}

#[test]
fn replicas_of_the_same_number_do_not_hide_each_other() {
    let mut world = World::with(&[container("a", 1), container("b", 1)]);
    assert_eq!(world.names(), ["a", "b"]);
    world.event("a", What::Ended);
    world.commit();
    assert_eq!(world.names(), ["b"]);
}

#[test]
fn another_standpoint_moves_every_replica() {
    let mut world = World::with(&[container("a", 1)]);
    let elsewhere = Own { standpoint: Standpoint::Inside(Vec::new()), ..Own::outside() };
    world.table.set_own(elsewhere, world.now);
    assert!(world.commit());
    assert!(world.names().is_empty());
    world.table.set_own(Own::outside(), world.now);
    world.commit();
    world.accept_all();
    assert_eq!(world.names(), ["a"]);
}
