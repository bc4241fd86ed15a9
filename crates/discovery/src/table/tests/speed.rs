//! How long the table takes over very many services. Measured by hand, never asserted:
//! `cargo test --release -p divisi-discovery --lib -- --ignored --nocapture speed`

use std::fmt;

use super::routes::labelled;
use super::*;

/// The program's own: how fast a heap grows is a part of what is measured.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CONTAINERS: u32 = 10_000;

/// How often the first snapshot is made.
const ROUNDS: usize = 15;

/// How long this thread has computed: on a machine with more to do than processors, the clock on the wall says little.
fn computed() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0))
}

/// The container of that number, of which so many are of one service.
fn of_service(number: u32, each: u32, host: &str) -> Container {
    let labels = [("divisi.host", host), ("divisi.path", "/api"), ("divisi.policy", "random")];
    let service = number / each;
    let mut container = labelled(&format!("p{}/s{service}", service % 100), number % each + 1, &labels);
    container.health = Health::Healthy;
    container.networking = Networking::Attached(vec![Attachment {
        network: "default".to_owned(),
        id: String::new(),
        ip: Some(std::net::Ipv4Addr::from(0x0a00_0000 + number).into()),
        gateway: None,
    }]);
    container
}

/// The times in order: on a machine with more to do, the least of many is what it takes, and the first is dear because a heap has to
/// grow.
struct Times(Vec<Duration>);

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        write!(f, "first {:?}, best {:?}, median {:?}", self.0[0], sorted[0], sorted[sorted.len() / 2])
    }
}

/// A table that has heard the list of all containers, of which so many are of each service, and its first snapshot; how long that
/// took by the clock on the wall, and how long it computed.
fn first_snapshot(each: u32) -> (World, Snapshot, [Duration; 2]) {
    let host = |number| format!("h{}.test", number / each);
    let containers = (0..CONTAINERS).map(|number| of_service(number, each, &host(number))).collect();
    let list = List { containers, unreadable: Vec::new() };
    let mut world = World::of(&Settings::default());
    world.table.begin_list();
    let (began, before) = (Instant::now(), computed());
    world.table.apply_list(list, world.now);
    let snapshot = world.table.commit(world.now).expect("a snapshot");
    let times = [began.elapsed(), computed() - before];
    assert_eq!(snapshot.services().count(), (CONTAINERS / each) as usize);
    (world, snapshot, times)
}

/// One test, for two that run at a time would measure each other.
#[test]
#[ignore = "measures, by hand"]
fn ten_thousand_containers() {
    first_snapshots();
    changes();
}

fn first_snapshots() {
    for each in [1, 10, CONTAINERS] {
        let (mut walls, mut computed) = (Times(Vec::new()), Times(Vec::new()));
        for _ in 0..ROUNDS {
            let (_, _, [wall, own]) = first_snapshot(each);
            walls.0.push(wall);
            computed.0.push(own);
        }
        println!("{CONTAINERS} containers, {each} of each service: a snapshot after {walls}; computed {computed}");
    }
}

fn changes() {
    for each in [1, 10, CONTAINERS] {
        let (mut world, snapshot, _) = first_snapshot(each);
        let published = divisi_model::Published::new(snapshot);
        let mut times: Vec<_> = (0..1000)
            .map(|turn| {
                let number = turn * 7 % CONTAINERS;
                let newer =
                    Container { created: 1 + i64::from(turn), ..of_service(number, each, &format!("n{turn}.test")) };
                let id = Arc::clone(&newer.id);
                let began = Instant::now();
                world.event(&id, What::Ended);
                world.tell(&id, newer.identity.clone().expect("a replica"), What::Started);
                world.table.inspected(&id, u64::MAX, Some(newer), world.now);
                published.publish(world.table.commit(world.now).expect("a change"));
                began.elapsed()
            })
            .collect();
        times.sort_unstable();
        println!(
            "{CONTAINERS} containers, {each} of each service, one replaced: p50 {:?}, p99 {:?}, worst {:?}",
            times[500], times[990], times[999]
        );
    }
}
