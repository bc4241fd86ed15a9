//! How long the table takes over very many services. Measured by hand, never asserted:
//! `cargo test --release -p divisi-discovery --lib -- --ignored --nocapture speed`

use super::routes::labelled;
use super::*;

const CONTAINERS: u32 = 10_000;

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

#[test]
#[ignore = "measures, by hand"]
fn ten_thousand_containers() {
    for each in [1, 10, 1, 10, CONTAINERS] {
        let host = |number| format!("h{}.test", number / each);
        let containers: Vec<_> = (0..CONTAINERS).map(|number| of_service(number, each, &host(number))).collect();
        let mut world = World::of(&Settings::default());
        let list = listed(&containers);
        world.table.begin_list();
        let (began, before) = (Instant::now(), computed());
        world.table.apply_list(list, world.now);
        let snapshot = world.table.commit(world.now).expect("a snapshot");
        let (took, computed) = (began.elapsed(), computed() - before);
        println!(
            "{CONTAINERS} containers, {each} of each service: a snapshot after {took:?}, of it computed {computed:?}"
        );
        assert_eq!(snapshot.services().count(), (CONTAINERS / each) as usize);
        let published = divisi_model::Published::new(snapshot);
        let mut times: Vec<_> = (0..1000)
            .map(|turn| {
                let number = turn * 7 % CONTAINERS;
                let id = containers[number as usize].id.clone();
                let began = Instant::now();
                world.event(&id, What::Ended);
                let newer =
                    Container { created: 1 + i64::from(turn), ..of_service(number, each, &format!("n{turn}.test")) };
                world.tell(&id, newer.identity.clone().expect("a replica"), What::Started);
                world.table.inspected(&id, u64::MAX, Some(newer), world.now);
                published.publish(world.table.commit(world.now).expect("a change"));
                began.elapsed()
            })
            .collect();
        times.sort_unstable();
        println!("a container replaced: p50 {:?}, p99 {:?}, worst {:?}", times[500], times[990], times[999]);
    }
}
