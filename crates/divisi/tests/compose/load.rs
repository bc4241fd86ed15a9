//! Scaling under load: every response is right, and the only error is a clear one while there is nobody.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use divisi_testkit::client::Ending;

use crate::engine::engine;
use crate::project::{Caller, Project, name_in};
use crate::scaling::PLAIN;

const CLIENTS: usize = 4;

/// What one client saw, in order; the same again is counted.
type Story = Vec<(Saw, usize)>;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Saw {
    Replica,
    Nobody,
    Wrong(String),
}

#[test]
fn scaling_under_load_loses_nothing() {
    let Some(engine) = engine() else { return };
    let project = Project::new(engine, PLAIN);
    project.scale(1);
    project.connect().wait_for_a_replica();
    let addr = project.addr();
    let over = AtomicBool::new(false);
    let stories: Vec<Story> = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(|| watch(Caller::to(addr), &over))).collect();
        for count in [10, 0, 5] {
            // What panics here must let the clients end.
            let scaled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| project.scale(count)));
            thread::sleep(Duration::from_millis(500));
            over.fetch_or(scaled.is_err(), Ordering::Relaxed);
        }
        Caller::to(addr).wait_for_a_replica();
        thread::sleep(Duration::from_millis(500));
        over.store(true, Ordering::Relaxed);
        clients.into_iter().map(|client| client.join().expect("a client ends")).collect()
    });
    for story in &stories {
        println!("{story:?}");
        let saw: Vec<_> = story.iter().map(|(saw, _)| saw.clone()).collect();
        assert_eq!(saw, [Saw::Replica, Saw::Nobody, Saw::Replica], "{story:?}");
    }
    let count =
        |wanted| stories.iter().flatten().filter(|(saw, _)| *saw == wanted).map(|(_, count)| count).sum::<usize>();
    println!("{} answered, {} told to come back, none lost", count(Saw::Replica), count(Saw::Nobody));
}

fn watch(mut caller: Caller, over: &AtomicBool) -> Story {
    let mut story = Story::new();
    while !over.load(Ordering::Relaxed) {
        let saw = look(&mut caller);
        match story.last_mut() {
            Some((last, count)) if *last == saw => *count += 1,
            _ => story.push((saw, 1)),
        }
        thread::sleep(Duration::from_millis(1));
    }
    story
}

fn look(caller: &mut Caller) -> Saw {
    match caller.try_get() {
        None => Saw::Wrong("the connection ended".to_owned()),
        Some(response) if response.ending != Ending::Complete => Saw::Wrong(format!("{response:?}")),
        Some(response) if response.status() == 200 && name_in(&response).len() == 12 => Saw::Replica,
        Some(response) if response.status() == 503 && response.head.has("retry-after") => Saw::Nobody,
        Some(response) => Saw::Wrong(format!("{response:?}")),
    }
}
