use std::net::SocketAddr;
use std::time::Duration;

use divisi_model::spec::{Check, Question};
use divisi_model::{Card, Failure, Health, Service, Tried, Wanted};

use super::*;
use crate::visit::Inquiry;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// A ward, the world it looks at, and a clock that is turned by hand.
struct World {
    ward: Ward,
    service: Service,
    now: Moment,
}

impl World {
    fn new(count: u16, spec: Spec) -> Self {
        let now = Moment::from_nanos(1 << 40);
        let service = Service::new("web", spec);
        let replica = |n: u16| {
            let addr = SocketAddr::from(([127, 0, 0, 1], n));
            let replica = service.replica(Card::new(format!("web-{n}"), n.into()), addr, Readiness::Starting);
            replica.set_readiness(Readiness::Ready, now);
            replica
        };
        let service = service.with_replicas((1..=count).map(replica).collect(), count.into());
        let mut world = Self { ward: Ward::new(Pace::default(), 7), service, now };
        world.look();
        world
    }

    fn checked(count: u16, check: Check) -> Self {
        Self::new(count, Spec { check, ..Spec::default() })
    }

    fn look(&mut self) {
        self.ward.look(&Snapshot::of(Arc::new(self.service.clone())), self.now);
    }

    fn replica(&self, number: u32) -> Arc<Replica> {
        Arc::clone(self.service.numbered(number).expect("there"))
    }

    fn health(&self) -> Health {
        self.replica(1).health()
    }

    fn fail(&mut self, failure: Failure, times: usize) {
        for _ in 0..times {
            let lease = self.service.pick(&Tried::NONE, Wanted::Number(1), self.now).expect("usable");
            assert_eq!(lease.replica().number(), 1);
            lease.failed(failure, self.now);
        }
        self.look();
    }

    /// Lets time pass until somebody is asked; says what, and how long it took.
    fn wait(&mut self) -> (Visit, Duration) {
        let began = self.now;
        loop {
            let due = self.ward.due().expect("somebody is to be asked");
            self.now = self.now.max(due);
            if let Some(visit) = self.ward.next(self.now) {
                return (visit, self.now.since(began));
            }
        }
    }

    /// The same, with an answer. Returns what was asked and the wait.
    fn ask(&mut self, answer: Answer) -> (Inquiry, Duration) {
        let (visit, wait) = self.wait();
        self.ward.answered(&visit, answer, self.now);
        (visit.inquiry, wait)
    }

    /// Nobody is looked after and nothing is left behind.
    fn is_empty(&self) -> bool {
        self.ward.beds.is_empty() && self.ward.queue.is_empty() && self.ward.asking == 0
    }
}

fn http_check() -> Check {
    Check { question: Question::Http("/up".into()), ..Check::default() }
}

#[test]
fn where_all_is_well_nobody_is_asked() {
    let mut world = World::new(100, Spec::default());
    assert!(world.ward.due().is_none() && world.is_empty());
    world.look();
    assert!(world.is_empty());
}

#[test]
fn a_refusal_is_confirmed_at_once_and_asked_after_until_it_accepts() {
    let mut world = World::new(3, Spec::default());
    world.fail(Failure::Refused, 1);
    assert_eq!(world.ask(Answer::Refused), (Inquiry::Connect, Duration::ZERO));
    assert_eq!(world.health(), Health::Down);
    let waits: Vec<_> = (0..10).map(|_| world.ask(Answer::Refused).1).collect();
    assert_eq!(waits[..3], [2 * MS, 3 * MS, MS * 9 / 2]);
    assert_eq!(waits[9], 40 * MS);
    world.now = world.now + 60 * SECOND;
    (0..10).for_each(|_| drop(world.ask(Answer::Silent)));
    assert_eq!(world.ask(Answer::Accepted), (Inquiry::Connect, 500 * MS));
    assert_eq!(world.health(), Health::Up);
    assert!(world.is_empty());
}

#[test]
fn an_accident_at_connecting_is_over_with_the_next_connection() {
    let mut world = World::new(3, Spec::default());
    world.fail(Failure::Refused, 1);
    world.ask(Answer::Accepted);
    assert_eq!(world.health(), Health::Up);
    assert!(world.is_empty());
}

#[test]
fn one_that_fails_is_pinged_after_its_time_and_ever_more_seldom() {
    let mut world = World::new(3, Spec::default());
    world.fail(Failure::Other, 5);
    let asked: Vec<_> = (0..8).map(|_| world.ask(Answer::Silent)).collect();
    assert!(asked.iter().all(|(inquiry, _)| *inquiry == Inquiry::Ping), "a hanging process accepts connections");
    let waits: Vec<_> = asked.iter().map(|(_, wait)| wait.as_secs()).collect();
    assert_eq!(waits, [1, 1, 2, 4, 8, 16, 32, 60]);
    assert_eq!(world.health(), Health::Ejected);
    world.ask(Answer::Status(404));
    assert_eq!(world.health(), Health::Up);
    assert!(world.is_empty());
    world.fail(Failure::Other, 1);
    assert_eq!(world.health(), Health::Ejected, "one more failure is enough");
    assert_eq!(world.wait().1, 2 * SECOND);
}

#[test]
fn what_answers_a_ping_is_well_unless_it_says_otherwise() {
    for (status, health) in [(200, Health::Up), (405, Health::Up), (501, Health::Up), (505, Health::Up)] {
        let mut world = World::new(3, Spec::default());
        world.fail(Failure::Other, 5);
        world.ask(Answer::Status(status));
        assert_eq!(world.health(), health, "{status}");
    }
    for answer in [Answer::Status(500), Answer::Status(503), Answer::Broken, Answer::Silent, Answer::Unasked] {
        let mut world = World::new(3, Spec::default());
        world.fail(Failure::Other, 5);
        world.ask(answer);
        assert_eq!(world.health(), Health::Ejected, "{answer}");
        world.ask(Answer::Refused);
        assert_eq!(world.health(), Health::Down, "nobody is there any more");
    }
}

#[test]
fn one_that_does_not_understand_the_ping_is_not_lost_for_ever() {
    let mut world = World::new(3, Spec::default());
    world.fail(Failure::Other, 5);
    let began = world.now;
    while world.health() == Health::Ejected {
        world.ask(Answer::Status(500));
    }
    assert_eq!(world.health(), Health::Up);
    assert_eq!(world.now.since(began).as_secs(), 1 + 1 + 2 + 4 + 8 + 16 + 32 + 60);
}

#[test]
fn a_new_one_is_down_until_its_check_is_good_often_enough() {
    let mut world = World::checked(1, Check { up: 2, ..http_check() });
    assert_eq!(world.health(), Health::Down);
    let asked: Vec<_> = (0..10).map(|_| world.ask(Answer::Status(503))).collect();
    assert_eq!(asked[0], (Inquiry::Get("/up".into()), Duration::ZERO));
    assert_eq!((asked[1].1, asked[9].1), (2 * MS, 40 * MS));
    world.ask(Answer::Status(200));
    world.ask(Answer::Status(500));
    world.ask(Answer::Status(399));
    assert_eq!(world.health(), Health::Down, "two in a row");
    world.ask(Answer::Status(200));
    assert_eq!(world.health(), Health::Up);
}

#[test]
fn a_check_counts_and_keeps_its_interval() {
    let mut world = World::checked(1, Check { up: 2, ..http_check() });
    (0..2).for_each(|_| drop(world.ask(Answer::Status(200))));
    assert_eq!(world.health(), Health::Up);
    let waits: Vec<_> = (0..50).map(|_| world.ask(Answer::Status(204)).1).collect();
    assert!(waits.iter().all(|wait| (4500 * MS..=5500 * MS).contains(wait)), "{waits:?}");
    assert!(waits.iter().max() > waits.iter().min(), "they drift apart");
    for answers in [[404, 404, 200], [404, 404, 404]] {
        assert_eq!(world.health(), Health::Up);
        answers.into_iter().for_each(|status| drop(world.ask(Answer::Status(status))));
    }
    assert_eq!(world.health(), Health::Down);
    assert!(world.ask(Answer::Status(404)).1 >= 4500 * MS, "one that answers is not pressed");
    world.ask(Answer::Status(200));
    assert_eq!(world.health(), Health::Down);
    world.ask(Answer::Status(200));
    assert_eq!(world.health(), Health::Up);
}

#[test]
fn a_check_brings_back_one_at_which_requests_failed() {
    let mut world = World::checked(3, http_check());
    (0..3).for_each(|_| drop(world.ask(Answer::Status(200))));
    world.fail(Failure::Other, 5);
    assert_eq!(world.health(), Health::Ejected);
    let (mut visit, wait) = world.wait();
    assert_eq!((visit.replica().number(), visit.inquiry().clone()), (1, Inquiry::Get("/up".into())));
    assert_eq!(wait, SECOND);
    for _ in 0..3 {
        assert_eq!(world.health(), Health::Ejected);
        world.ward.answered(&visit, Answer::Status(500), world.now);
        loop {
            visit = world.wait().0;
            if visit.replica().number() == 1 {
                break;
            }
            world.ward.answered(&visit, Answer::Status(200), world.now);
        }
    }
    assert_eq!(world.health(), Health::Down, "the check has failed often enough by itself");
    world.ward.answered(&visit, Answer::Status(200), world.now);
    assert_eq!(world.health(), Health::Up);
}

#[test]
fn one_that_refuses_its_check_is_asked_again_soon() {
    let mut world = World::checked(1, Check { question: Question::Tcp, ..Check::default() });
    world.ask(Answer::Accepted);
    assert_eq!(world.health(), Health::Up);
    world.ask(Answer::Refused);
    assert_eq!(world.ask(Answer::Refused).1, 2 * MS);
    assert_eq!(world.ask(Answer::Refused).1, 3 * MS);
    assert_eq!(world.health(), Health::Down);
    world.ask(Answer::Accepted);
    assert_eq!(world.health(), Health::Up);
}

#[test]
fn a_check_that_is_switched_off_frees_whom_it_held() {
    let mut world = World::checked(2, http_check());
    world.ask(Answer::Status(503));
    world.ask(Answer::Refused);
    world.service = world.service.with_spec(Spec::default());
    world.look();
    let up: Vec<_> = world.service.ready().iter().map(|replica| replica.health()).collect();
    assert_eq!(up, [Health::Up, Health::Down], "where nobody is, nobody is freed");
    assert_eq!(world.ask(Answer::Accepted).0, Inquiry::Connect);
    assert!(world.is_empty() && world.replica(2).health() == Health::Up);
}

#[test]
fn a_check_that_is_switched_on_begins_at_once_and_takes_nobody_out() {
    let mut world = World::new(2, Spec::default());
    world.service = world.service.with_spec(Spec { check: http_check(), ..Spec::default() });
    world.look();
    assert_eq!(world.health(), Health::Up);
    assert_eq!(world.ask(Answer::Status(404)), (Inquiry::Get("/up".into()), Duration::ZERO));
    assert_eq!(world.ask(Answer::Status(404)).1, Duration::ZERO);
    assert_eq!(world.health(), Health::Up);
}

#[test]
fn an_answer_to_what_is_no_longer_asked_says_nothing() {
    let mut world = World::checked(1, http_check());
    let (visit, _) = world.wait();
    let other = Check { question: Question::Http("/other".into()), ..Check::default() };
    world.service = world.service.with_spec(Spec { check: other, ..Spec::default() });
    world.look();
    world.ward.answered(&visit, Answer::Status(200), world.now);
    assert_eq!(world.health(), Health::Down);
    assert_eq!(world.ask(Answer::Status(200)).0, Inquiry::Get("/other".into()));
    assert_eq!(world.health(), Health::Up);
    let (visit, _) = world.wait();
    world.fail(Failure::Other, 5);
    world.ward.answered(&visit, Answer::Status(200), world.now);
    assert_eq!(world.health(), Health::Ejected, "it was asked before the requests failed");
    assert_eq!(world.wait().1, SECOND);
}

#[test]
fn who_left_is_forgotten() {
    let mut world = World::checked(3, http_check());
    let (visit, _) = world.wait();
    world.service = world.service.with_replicas(Vec::new(), 0);
    world.look();
    assert!(world.ward.beds.is_empty() && world.ward.queue.is_empty());
    world.ward.answered(&visit, Answer::Status(200), world.now);
    assert_eq!(visit.replica().health(), Health::Down);
    assert!(world.is_empty());

    let mut world = World::new(3, Spec::default());
    world.fail(Failure::Other, 5);
    world.replica(1).set_readiness(Readiness::Draining, world.now);
    let due = world.ward.due().expect("its time");
    world.now = due;
    assert!(world.ward.next(due).is_none() && world.is_empty(), "it is not asked while it leaves");
}

#[test]
fn no_more_are_asked_at_a_time_nor_in_a_second_than_may_be() {
    let mut world = World::checked(5000, http_check());
    let began = world.now;
    let mut visits: Vec<_> = std::iter::from_fn(|| world.ward.next(began)).collect();
    assert_eq!(visits.len(), 256);
    let mut asked = visits.len();
    while world.now.since(began) < 2 * SECOND {
        let now = world.now;
        visits.drain(..).for_each(|visit| world.ward.answered(&visit, Answer::Refused, now));
        visits.extend(std::iter::from_fn(|| world.ward.next(now)));
        asked += visits.len();
        world.now = now + MS;
    }
    assert!((4000..4300).contains(&asked), "{asked}");
    drop(visits);
}

#[test]
fn somebody_else_may_change_its_health() {
    let mut world = World::checked(1, http_check());
    assert!(world.replica(1).change_health(Health::Down, Health::Up));
    world.ask(Answer::Status(500));
    assert_eq!(world.health(), Health::Up, "once is not enough");
    assert!(world.ask(Answer::Status(200)).1 >= 4500 * MS);
}
