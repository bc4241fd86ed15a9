//! `--scale`, followed.

use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use crate::caller::until;
use crate::engine::engine;
use crate::project::{PLAIN, Project};

/// The plain project, in which a request does not wait for a replica: what is looked at is the moment.
pub(crate) fn without_hold() -> String {
    PLAIN.replace("image: <divisi>", "image: <divisi>\n    environment: [DIVISI_HOLD=0]")
}

#[test]
fn every_scale_is_followed() {
    let Some(engine) = engine() else { return };
    let project = Project::new(engine, &without_hold());
    project.scale(10);
    let mut caller = project.connect();
    caller.wait_for_replicas(10);

    project.scale(3);
    // Fewer, where one was slow a moment ago; more only if one that was stopped answers.
    assert!(caller.names(100).len() <= 3);
    caller.wait_for_replicas(3);

    project.scale(0);
    let response = caller.get();
    assert_eq!(response.status(), 503);
    assert!(response.head.has("retry-after"), "{:?}", response.head);
    assert!(response.text().contains("echo"), "{}", response.text());

    project.scale(5);
    caller.wait_for_replicas(5);
}

#[test]
fn a_replica_is_routed_as_soon_as_its_port_accepts() {
    let Some(engine) = engine() else { return };
    let slow = without_hold().replace("image: <echo>", "image: <echo>\n    command: --startup-delay 10s");
    let project = Project::new(engine, &slow);
    project.scale(0);
    let mut caller = project.connect();
    assert_eq!(caller.get().status(), 503);
    project.scale(1);
    let container = &project.containers("echo")[0];
    let addr = format!("{}:9090", project.addresses(container)[0]);
    assert_eq!(caller.get().status(), 503, "it runs, but its port does not accept yet");
    let probing = thread::spawn(move || {
        while TcpStream::connect(&addr).is_err() {
            thread::sleep(Duration::from_millis(1));
        }
        Instant::now()
    });
    until("the replica is routed", || caller.get().status() == 200);
    let routed = Instant::now();
    let accepting = probing.join().expect("the port accepts");
    let delay = routed.saturating_duration_since(accepting);
    println!("routed {delay:?} after its port accepted");
    assert!(delay < Duration::from_secs(1), "{delay:?}");
}
