//! `--scale`, followed.

use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use crate::engine::engine;
use crate::project::{Project, until};

/// What the README shows; only the port is a free one.
pub(crate) const PLAIN: &str = "
services:
  echo:
    image: <echo>
  divisi:
    image: <divisi>
    ports: [\"127.0.0.1::8080\"]
    volumes: [\"/var/run/docker.sock:/var/run/docker.sock:ro\"]
";

#[test]
fn every_scale_is_followed() {
    let Some(engine) = engine() else { return };
    let project = Project::new(engine, PLAIN);
    project.scale(10);
    let mut caller = project.connect();
    caller.wait_for_replicas(10);
    assert_eq!(caller.names(300).len(), 10);

    project.scale(3);
    assert_eq!(caller.names(100).len(), 3, "those that were stopped answer nothing more");

    project.scale(0);
    let response = caller.get();
    assert_eq!(response.status(), 503);
    assert!(response.head.has("retry-after"), "{:?}", response.head);
    assert!(response.text().contains("echo"), "{}", response.text());

    project.scale(5);
    caller.wait_for_replicas(5);
    assert_eq!(caller.names(100).len(), 5);
}

#[test]
fn a_replica_is_routed_as_soon_as_its_port_accepts() {
    let Some(engine) = engine() else { return };
    let slow = PLAIN.replace("image: <echo>", "image: <echo>\n    command: --startup-delay 3s");
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
