use super::*;

const FORGET: Duration = Duration::from_secs(300);
const ABSENCE: Duration = Duration::from_secs(60);

impl World {
    /// Lets time go on, and what is due happen.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.table.due().filter(|due| *due <= end) {
            self.now = due;
            self.table.expire(due);
            self.commit();
        }
        self.now = end;
    }

    fn is_forgotten(&self) -> bool {
        self.service().is_forgotten()
    }
}

#[test]
fn a_service_without_containers_is_known_and_then_forgotten_until_it_has_one() {
    let mut world = World::with(&[container("a", 1), container("b", 2)]);
    world.pass(FORGET * 2);
    assert!(!world.is_forgotten(), "it has containers");
    world.event("a", What::Ended);
    world.pass(FORGET);
    world.event("b", What::Ended);
    world.commit();
    world.pass(FORGET - Duration::from_millis(1));
    assert!(!world.is_forgotten());
    world.pass(Duration::from_millis(1));
    assert!(world.is_forgotten());
    assert_eq!(world.table.due(), None, "there is nothing to wait for");
    let state = Arc::clone(world.service().state());
    world.event("c", What::Started);
    assert!(world.commit());
    assert!(!world.is_forgotten(), "who comes now waits for it");
    assert!(Arc::ptr_eq(world.service().state(), &state));
}

#[test]
fn one_that_comes_back_in_time_is_not_forgotten() {
    let mut world = World::with(&[container("a", 1)]);
    for _ in 0..3 {
        world.event("a", What::Ended);
        world.commit();
        world.pass(FORGET - Duration::from_secs(1));
        world.event("a", What::Started);
        world.commit();
        world.pass(FORGET);
        assert!(!world.is_forgotten());
    }
}

#[test]
fn a_service_that_never_had_a_container_is_forgotten_too() {
    let mut world = World::new();
    world.list(&[]);
    world.commit();
    assert!(!world.is_forgotten());
    world.pass(FORGET);
    assert!(world.is_forgotten());
}

#[test]
fn a_number_is_expected_for_as_long_as_a_restart_takes() {
    let mut world = World::with(&[container("a", 1), container("b", 2), container("c", 10)]);
    let expected = |world: &World| (0..=11).filter(|number| world.service().expects(*number)).collect::<Vec<_>>();
    assert_eq!(expected(&world), [1, 2, 10]);
    world.event_of("b", 2, What::Ended);
    world.event_of("c", 10, What::Signalled(15));
    world.commit();
    assert_eq!(expected(&world), [1, 2, 10]);
    world.pass(ABSENCE - Duration::from_secs(1));
    assert_eq!(expected(&world), [1, 2, 10]);
    // Another container has the number now, and goes as well.
    world.event_of("d", 2, What::Started);
    world.commit();
    world.pass(ABSENCE);
    assert_eq!(expected(&world), [1, 2, 10]);
    world.event_of("d", 2, What::Ended);
    world.commit();
    world.pass(ABSENCE - Duration::from_millis(1));
    assert_eq!(expected(&world), [1, 2, 10]);
    world.pass(Duration::from_millis(1));
    assert_eq!(expected(&world), [1, 10]);
}

#[test]
fn two_of_one_number_are_one_number() {
    let mut world = World::with(&[container("a", 1), container("b", 1)]);
    world.event("a", What::Ended);
    world.commit();
    world.pass(ABSENCE * 2);
    assert!(world.service().expects(1));
}

#[test]
fn what_goes_on_at_a_replica_that_leaves_is_cut_off_after_its_drain() {
    let mut world = World::with(&[container("a", 1), container("b", 2)]);
    let [stopped, crashed] = [0, 1].map(|at| Arc::clone(&world.ready()[at]));
    let drain = world.service().spec().drain;
    let is_cut = |replica: &Replica, at: Instant| replica.is_cut(Moment::of(at));
    world.pass(Duration::from_secs(3600));
    let began = world.now;
    world.event("a", What::Signalled(15));
    world.event_of("b", 2, What::Ended);
    world.commit();
    for replica in [&stopped, &crashed] {
        assert!(!is_cut(replica, began + drain - Duration::from_millis(1)));
        assert!(is_cut(replica, began + drain), "by its own clock, not by that of the machine");
    }
    world.pass(Duration::from_secs(1));
    world.event("a", What::Signalled(9));
    world.event("a", What::Ended);
    world.commit();
    assert!(is_cut(&stopped, began + drain), "the drain began with the stop");
}

#[test]
fn what_survives_its_stop_is_not_cut_off() {
    let mut world = World::with(&[container("a", 1)]);
    let replica = world.ready().remove(0);
    world.event("a", What::Signalled(15));
    world.commit();
    world.pass(Duration::from_secs(15));
    world.accept_all();
    assert_eq!(world.names(), ["a"]);
    assert!(!replica.is_cut(Moment::of(world.now + Duration::from_secs(86_400))));
}

#[test]
fn one_that_loses_its_address_drains() {
    let mut world = World::with(&[container("a", 1)]);
    let replica = world.ready().remove(0);
    let drain = world.service().spec().drain;
    world.list(&[Container { networking: Networking::Attached(Vec::new()), ..container("a", 1) }]);
    world.commit();
    assert_eq!(replica.readiness(), Readiness::Draining);
    assert!(replica.is_cut(Moment::of(world.now + drain)));
}
