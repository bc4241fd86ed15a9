use super::*;
use crate::certificate::tests::made;

const DAY: Duration = Duration::from_hours(24);

fn ledger() -> Ledger {
    Ledger::new(Pace { between: Duration::ZERO, ..Pace::default() }, 1)
}

fn names(of: &[&str]) -> NameSet {
    NameSet::new(of).unwrap()
}

fn certificate(of: &[&str], days: i64) -> Certificate {
    Certificate::read(made(of, days)).unwrap()
}

fn later(now: Now, by: Duration) -> Now {
    Now { wall: now.wall + by, steady: now.steady + by }
}

fn ordered(job: Option<Job>) -> NameSet {
    match job {
        Some(Job::Order { names, .. }) => names,
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_is_wanted_and_has_none_is_ordered_for_once() {
    let (mut ledger, now) = (ledger(), Now::read());
    assert_eq!(ledger.next(now, true), None);
    let a = names(&["a.example"]);
    assert_eq!(ledger.route(std::slice::from_ref(&a)), std::slice::from_ref(&a));
    assert_eq!(ledger.route(std::slice::from_ref(&a)), [], "it is not new any more");
    assert_eq!(ordered(ledger.next(now, true)), a);
    assert_eq!(ledger.next(now, true), None, "it is on its way");
}

#[test]
fn at_most_so_many_at_a_time_and_so_far_apart() {
    let mut ledger = Ledger::new(Pace { at_once: 2, between: Duration::from_secs(10), ..Pace::default() }, 1);
    let now = Now::read();
    let all: Vec<_> = (0..5).map(|n| names(&[&format!("n{n}.example")])).collect();
    ledger.route(&all);
    let first = ordered(ledger.next(now, true));
    assert_eq!(ledger.next(now, true), None);
    assert_eq!(ledger.wait(now), Some(Duration::from_secs(10)));
    let now = later(now, Duration::from_secs(10));
    ordered(ledger.next(now, true));
    let now = later(now, Duration::from_secs(10));
    assert_eq!(ledger.next(now, true), None, "two are on their way");
    ledger.ended(&first);
    ordered(ledger.next(now, true));
}

#[test]
fn first_ones_come_before_renewals() {
    let (mut ledger, now) = (ledger(), Now::read());
    let (old, new) = (certificate(&["a.example"], 3), names(&["z.example"]));
    ledger.route(&[old.names().clone(), new.clone()]);
    ledger.hold(&old);
    let now = later(now, DAY * 2);
    assert_eq!(ordered(ledger.next(now, true)), new);
    assert_eq!(ordered(ledger.next(now, true)), *old.names());
}

#[test]
fn a_held_one_is_renewed_in_time_but_not_while_the_clock_is_doubted() {
    let (mut ledger, now) = (ledger(), Now::read());
    let held = certificate(&["a.example"], 30);
    ledger.route(std::slice::from_ref(held.names()));
    ledger.hold(&held);
    assert_eq!(ledger.next(now, true), None, "it was made for thirty days to both sides");
    let now = later(now, DAY * 11);
    assert_eq!(ledger.next(now, false), None);
    match ledger.next(now, true) {
        Some(Job::Order { names, held: from, is_demanded: false, .. }) => {
            assert_eq!((&names, from), (held.names(), Some(held.validity().from)));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn failures_wait_longer_and_longer_and_success_forgets_them() {
    let (mut ledger, mut now) = (ledger(), Now::read());
    let a = names(&["a.example"]);
    ledger.route(std::slice::from_ref(&a));
    let mut last = Duration::ZERO;
    for times in 1..=5 {
        assert_eq!(ordered(ledger.next(now, true)), a);
        ledger.ended(&a);
        let kept = ledger.fail(&a, "no".to_owned(), None, now).unwrap();
        assert_eq!(kept.times, times);
        let wait = ledger.wait(now).unwrap();
        assert!(wait > last, "{wait:?} after {last:?}");
        assert_eq!(ledger.next(later(now, wait - Duration::from_millis(1)), true), None);
        (now, last) = (later(now, wait), wait);
    }
    assert_eq!(ledger.status()[0].trouble.as_ref().unwrap().times, 5);
    ledger.hold(&certificate(&["a.example"], 30));
    assert_eq!((ledger.status()[0].trouble.as_ref(), ledger.failures(&a)), (None, 0));
}

#[test]
fn who_sets_the_clock_does_not_shorten_a_pause() {
    let (mut ledger, now) = (ledger(), Now::read());
    let a = names(&["a.example"]);
    ledger.route(std::slice::from_ref(&a));
    ledger.fail(&a, "no".to_owned(), Some(Duration::from_hours(1)), now);
    let leapt = Now { wall: now.wall + DAY * 365, steady: now.steady + Duration::from_secs(1) };
    assert_eq!(ledger.next(leapt, true), None);
    let back = Now { wall: now.wall - DAY * 365, steady: now.steady + Duration::from_hours(1) };
    assert_eq!(ordered(ledger.next(back, true)), a);
}

#[test]
fn what_was_kept_of_a_failure_counts_after_a_restart() {
    let (mut ledger, now) = (ledger(), Now::read());
    let a = names(&["a.example"]);
    ledger.route(std::slice::from_ref(&a));
    let seconds = now.wall.duration_since(UNIX_EPOCH).unwrap().as_secs();
    let kept = |next| StoredTrouble { since: seconds - 100, times: 7, said: "no".to_owned(), next };
    ledger.recall(&a, kept(seconds + 100), now);
    assert_eq!(ledger.next(now, true), None);
    assert_eq!(ledger.failures(&a), 7);
    ledger.recall(&a, kept(u64::MAX), now);
    assert!(ledger.wait(now).is_none_or(|wait| wait <= DAY * 8), "written with another clock");
    ledger.recall(&a, kept(seconds - 50), now);
    assert_eq!(ordered(ledger.next(now, true)), a);
}

#[test]
fn a_limit_stops_all_and_not_for_ever() {
    let (mut ledger, now) = (ledger(), Now::read());
    ledger.route(&[names(&["a.example"]), names(&["b.example"])]);
    ledger.crowd(Some(DAY * 30), now);
    assert_eq!(ledger.next(later(now, Duration::from_mins(14)), true), None);
    ordered(ledger.next(later(now, Duration::from_mins(15)), true));
}

#[test]
fn who_left_is_kept_until_it_is_over_and_never_renewed() {
    let (mut ledger, now) = (ledger(), Now::read());
    let held = certificate(&["a.example"], 3);
    ledger.route(std::slice::from_ref(held.names()));
    ledger.hold(&held);
    ledger.route(&[]);
    assert_eq!(ledger.next(later(now, DAY * 2), true), None);
    assert!(ledger.take_expired(later(now, DAY * 2)).is_empty());
    assert_eq!(ledger.take_expired(later(now, DAY * 4)), [held.names().clone()]);
    assert!(ledger.status().is_empty());
    let never = names(&["b.example"]);
    ledger.route(std::slice::from_ref(&never));
    ledger.route(&[]);
    assert!(ledger.status().is_empty(), "nothing is kept of who never had one");
}

#[test]
fn who_leaves_while_ordered_for_gives_its_place_back() {
    let mut ledger = Ledger::new(Pace { at_once: 1, between: Duration::ZERO, ..Pace::default() }, 1);
    let now = Now::read();
    let (a, b) = (names(&["a.example"]), names(&["b.example"]));
    ledger.route(std::slice::from_ref(&a));
    assert_eq!(ordered(ledger.next(now, true)), a);
    ledger.route(std::slice::from_ref(&b));
    assert_eq!(ledger.next(now, true), None);
    ledger.ended(&a);
    ledger.ended(&a);
    assert_eq!(ordered(ledger.next(now, true)), b);
}

#[test]
fn wishes_of_the_authority_are_asked_for_as_often_as_it_says() {
    let (mut ledger, now) = (ledger(), Now::read());
    let text = made(&["a.example"], 30);
    // Only what an authority has signed has a name there, and this one has signed itself.
    assert!(Certificate::read(text).unwrap().id().is_none());
    let held = certificate(&["a.example"], 30);
    ledger.route(std::slice::from_ref(held.names()));
    ledger.hold(&held);
    let id = CertificateIdentifier { authority_key_identifier: "a".into(), serial: "b".into() };
    let other = CertificateIdentifier { serial: "c".into(), ..id.clone() };
    ledger.sets.get_mut(held.names()).unwrap().held.as_mut().unwrap().id = Some(id.clone());
    assert!(matches!(ledger.next(now, true), Some(Job::Ask { .. })));
    assert_eq!(ledger.next(now, true), None, "it is being asked");
    let window = Window { start: now.wall, end: now.wall };
    // It is thirty days old.
    ledger.asked(held.names(), &other, Some((window, Duration::from_hours(2))), now);
    assert!(matches!(ledger.next(now, true), Some(Job::Ask { .. })), "that was another certificate");
    ledger.asked(held.names(), &id, Some((window, Duration::from_hours(2))), now);
    assert!(matches!(ledger.next(now, true), Some(Job::Order { replaces: Some(_), .. })));
    ledger.ended(held.names());
    ledger.fail(held.names(), "no".to_owned(), Some(DAY), now);
    assert_eq!(ledger.next(later(now, Duration::from_mins(119)), true), None);
    assert!(matches!(ledger.next(later(now, Duration::from_hours(2)), true), Some(Job::Ask { .. })));
}

#[test]
fn a_job_that_says_nothing_gives_its_place_back() {
    let mut ledger = Ledger::new(Pace { at_once: 1, between: Duration::ZERO, ..Pace::default() }, 1);
    let now = Now::read();
    let all = [names(&["a.example"]), names(&["b.example"])];
    ledger.route(&all);
    let first = ordered(ledger.next(now, true));
    ledger.lost(&first);
    ledger.fail(&first, "it panicked".to_owned(), None, now);
    assert_ne!(ordered(ledger.next(now, true)), first);
}

#[test]
fn of_many_only_some_are_asked_about_at_a_time() {
    let (mut ledger, now) = (ledger(), Now::read());
    let all: Vec<_> = (0..10).map(|n| certificate(&[&format!("n{n}.example")], 30)).collect();
    ledger.route(&all.iter().map(|held| held.names().clone()).collect::<Vec<_>>());
    for held in &all {
        ledger.hold(held);
        ledger.sets.get_mut(held.names()).unwrap().held.as_mut().unwrap().id =
            Some(CertificateIdentifier { authority_key_identifier: "a".into(), serial: "b".into() });
    }
    let mut asked: Vec<_> = std::iter::from_fn(|| ledger.next(now, true)).collect();
    assert_eq!(asked.len(), Pace::default().at_once);
    while let Some(Job::Ask { names, id }) = asked.pop() {
        ledger.asked(&names, &id, None, now);
        ledger.asked(&names, &id, None, now);
        asked.extend(ledger.next(now, true));
    }
    assert!(ledger.sets.values().all(|entry| entry.ask_from.is_some()), "each had its turn");
}
