//! Events that come twice, late, in another order or not at all.

use super::*;

const SECOND: i64 = 1_000_000_000;

impl World {
    fn at(&mut self, second: i64, id: &str, what: What) {
        let event =
            Event { id: id.into(), identity: Some(identity(1)), name: id.to_owned(), what, at: second * SECOND };
        self.table.apply(event, self.now);
        self.commit();
    }

    /// Answers every inspection that is wanted with a running container, and lets every probe succeed.
    fn settle(&mut self) {
        for job in self.table.take_jobs() {
            match job {
                Job::Inspect { id, ticket, .. } => {
                    let found = Container { started: Some(90 * SECOND), ..container(&id, 1) };
                    self.table.inspected(&id, ticket, Some(found), self.now);
                }
                Job::Probe(id, replica) => self.table.probed(&id, replica.id(), true),
                Job::InspectOwn | Job::List => {}
            }
        }
        self.commit();
        self.accept_all();
    }
}

#[test]
fn a_start_that_is_told_twice_starts_once() {
    let mut world = World::with(&[]);
    world.at(100, "a", What::Started);
    world.settle();
    let replica = world.ready().remove(0);
    world.at(100, "a", What::Started);
    assert_eq!(world.ready()[0].id(), replica.id());
    world.at(200, "a", What::Started);
    assert_eq!(replica.readiness(), Readiness::Gone, "a later one is a restart whose end was lost");
    world.settle();
    assert_eq!(world.names(), ["a"]);
}

#[test]
fn the_end_of_an_earlier_run_is_no_end() {
    let mut world = World::with(&[]);
    world.at(100, "a", What::Started);
    world.settle();
    let replica = world.ready().remove(0);
    for what in [What::Ended, What::Signalled(15), What::Paused, What::Health(Health::Unhealthy)] {
        world.at(99, "a", what);
        assert_eq!((world.names(), replica.readiness()), (vec!["a".to_owned()], Readiness::Ready), "{what:?}");
    }
    world.at(101, "a", What::Ended);
    assert!(world.names().is_empty());
}

#[test]
fn a_clock_that_is_set_back_hides_nothing() {
    let mut world = World::with(&[]);
    world.at(10_000, "a", What::Started);
    world.settle();
    world.at(3_000, "a", What::Signalled(15));
    assert!(world.names().is_empty());
    world.at(3_001, "a", What::Ended);
    world.at(3_002, "a", What::Started);
    world.settle();
    assert_eq!(world.names(), ["a"]);
}

/// A world in which `a` was listed, is ready, and was then inspected: it began at 90.
fn inspected() -> (World, Arc<Replica>) {
    let mut world = World::with(&[]);
    world.list(&[Container { stop: None, ..container("a", 1) }]);
    world.commit();
    world.settle();
    let replica = world.ready().remove(0);
    (world, replica)
}

#[test]
fn an_inspection_says_when_the_run_began() {
    let (mut world, replica) = inspected();
    world.at(90, "a", What::Started);
    for what in [What::Started, What::Signalled(15), What::Paused] {
        world.at(89, "a", what);
        assert_eq!((world.names(), replica.readiness()), (vec!["a".to_owned()], Readiness::Ready), "{what:?}");
    }
    world.list(&[container("a", 1)]);
    world.commit();
    world.at(89, "a", What::Paused);
    assert_eq!(replica.readiness(), Readiness::Ready, "a list does not say when, and takes nothing away");
}

/// It was inspected after its restart, of which the events come later.
#[test]
fn a_restart_is_noticed_even_when_an_inspection_has_hidden_it() {
    let (mut world, before) = inspected();
    world.at(88, "a", What::Signalled(15));
    world.at(89, "a", What::Ended);
    assert_eq!(before.readiness(), Readiness::Gone);
    world.settle();
    let after = world.ready().remove(0);
    assert_ne!(after.id(), before.id());
    world.at(90, "a", What::Started);
    world.at(89, "a", What::Ended);
    assert_eq!((world.names(), after.readiness()), (vec!["a".to_owned()], Readiness::Ready), "once is enough");
}

#[test]
fn of_a_pause_and_its_end_the_later_counts() {
    let mut world = World::with(&[]);
    world.at(100, "a", What::Started);
    world.settle();
    world.at(103, "a", What::Unpaused);
    world.at(102, "a", What::Paused);
    assert_eq!(world.names(), ["a"]);
}

/// Whatever was lost: the next list puts it right.
#[test]
fn a_list_makes_up_for_everything_that_was_lost() {
    let truth = [container("a", 1), Container { health: Health::Unhealthy, ..container("b", 2) }, container("d", 4)];
    let mut world = World::with(&[container("a", 1), container("b", 2), container("c", 3)]);
    world.list(&truth);
    world.commit();
    world.accept_all();
    assert_eq!(world.names(), ["a", "d"]);
}

/// A container with a HEALTHCHECK that has said so much.
fn checked(health: Health) -> Container {
    Container { health, ..container("a", 1) }
}

#[test]
fn what_was_heard_of_an_unknown_counts_more_than_the_list() {
    for what in [What::Paused, What::Signalled(15), What::Health(Health::Unhealthy)] {
        let mut world = World::new();
        world.table.begin_list();
        world.at(100, "a", what);
        let listed_as = Container { stop: None, ..checked(Health::Healthy) };
        world.table.apply_list(listed(&[listed_as]), world.now);
        world.commit();
        assert!(world.names().is_empty(), "{what:?}: the list may be older");
        let ticket = world.tickets()[0];
        world.table.inspected(&"a".into(), ticket, Some(checked(Health::Healthy)), world.now);
        world.commit();
        assert_eq!(world.names().is_empty(), what == What::Signalled(15), "{what:?}: no inspection tells of a stop");
    }
}

#[test]
fn a_list_from_before_a_start_says_nothing_about_what_was_started() {
    let mut world = World::with(&[]);
    world.table.begin_list();
    world.at(100, "a", What::Started);
    world.table.apply_list(listed(&[container("a", 1)]), world.now);
    world.commit();
    world.accept_all();
    assert!(world.names().is_empty(), "that may be the address of its earlier run");
}

#[test]
fn who_has_not_said_whether_it_is_checked_is_not_taken_for_unchecked() {
    let mut world = World::with(&[]);
    world.at(100, "a", What::Started);
    let ticket = world.tickets()[0];
    world.at(101, "a", What::Paused);
    world.at(102, "a", What::Unpaused);
    world.table.inspected(&"a".into(), ticket, Some(checked(Health::Starting)), world.now);
    world.commit();
    world.accept_all();
    assert!(world.names().is_empty());

    let mut world = World::with(&[]);
    let frozen = Container { life: Life::Paused, stop: None, ..checked(Health::Unknown) };
    world.list(&[frozen]);
    world.commit();
    let ticket = world.tickets()[0];
    world.at(103, "a", What::Unpaused);
    world.accept_all();
    assert!(world.names().is_empty(), "the list does not tell");
    world.table.inspected(&"a".into(), ticket, Some(checked(Health::Healthy)), world.now);
    world.commit();
    assert_eq!(world.names(), ["a"]);
}
