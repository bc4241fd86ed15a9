//! How long the table takes over very many services. Measured by hand, never asserted:
//! `cargo test --release -p divisi-discovery --lib -- --ignored --nocapture speed`

use super::routes::labelled;
use super::*;

const SERVICES: u32 = 10_000;

fn of_service(number: u32, host: &str) -> Container {
    let labels = [("divisi.host", host), ("divisi.path", "/api"), ("divisi.policy", "random")];
    let mut container = labelled(&format!("p{}/s{number}", number % 100), 1, &labels);
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
fn ten_thousand_services() {
    let containers: Vec<_> = (0..SERVICES).map(|number| of_service(number, &format!("h{number}.test"))).collect();
    for round in 0..3 {
        let mut world = World::of(&Settings::default());
        let list = listed(&containers);
        world.table.begin_list();
        let began = Instant::now();
        world.table.apply_list(list, world.now);
        let snapshot = world.table.commit(world.now).expect("a snapshot");
        println!("round {round}: snapshot of {SERVICES} services after {:?}", began.elapsed());
        assert_eq!(snapshot.services().count(), SERVICES as usize);
        let published = divisi_model::Published::new(snapshot);
        let mut times: Vec<_> = (0..1000)
            .map(|turn| {
                let number = turn * 7 % SERVICES;
                let id = containers[number as usize].id.clone();
                let began = Instant::now();
                world.event(&id, What::Ended);
                let newer = Container { created: 1 + i64::from(turn), ..of_service(number, &format!("n{turn}.test")) };
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
