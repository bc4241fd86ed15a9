//! The ways in which divisi itself is run, and how it ends.

use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

use divisi_testkit::client::{Client, Ending};

use crate::caller::{Caller, GET, until};
use crate::engine::engine;
use crate::project::{PLAIN, Project};

#[test]
fn a_compose_file_of_the_2016_program_works_with_another_image() {
    let Some(engine) = engine() else { return };
    let old = PLAIN.replace(
        "image: <divisi>",
        "image: <divisi>\n    command: -addr :8080\n    environment: [DOCKER_COMPOSE_SERVICE_NAME=echo]",
    );
    // A second service, which the name keeps out.
    let project = Project::new(engine, &format!("{old}  other:\n    image: <echo>\n"));
    project.scale(2);
    let mut caller = project.connect();
    caller.wait_for_replicas(2);
    let replicas: Vec<_> = project.containers("echo").iter().flat_map(|id| project.addresses(id)).collect();
    for _ in 0..20 {
        let named: SocketAddr = caller
            .get()
            .head
            .value("x-internal-service")
            .and_then(|value| value.parse().ok())
            .expect("X-Internal-Service: ip:port");
        assert!(replicas.contains(&named.ip().to_string()) && named.port() == 9090, "{named} of {replicas:?}");
    }
}

#[test]
fn divisi_on_the_hosts_network_finds_its_project() {
    let Some(engine) = engine() else { return };
    // Free now, and nobody is likely to take it until divisi does.
    let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr()).expect("a free port");
    let host = format!("network_mode: host\n    environment: [\"DIVISI_LISTEN={free}\"]");
    let project = Project::new(engine, &PLAIN.replace("ports: [\"127.0.0.1::8080\"]", &host));
    project.scale(3);
    let mut caller = Caller::to(free);
    caller.wait_for_replicas(3);
}

#[test]
fn divisi_finishes_what_it_has_begun_before_it_ends() {
    let Some(engine) = engine() else { return };
    let project = Project::new(engine, &PLAIN.replace("image: <echo>", "image: <echo>\n    command: --delay 2s"));
    project.scale(1);
    project.connect().wait_for_a_replica();
    let container = &project.containers("divisi")[0];
    let mut client = Client::connect(project.addr());
    client.send(GET);
    // The request is on its way to a replica that takes two seconds.
    thread::sleep(Duration::from_millis(500));
    engine.docker(&["kill", "--signal", "TERM", container]);
    let response = client.response();
    assert_eq!((response.status(), response.ending), (200, Ending::Complete));
    until("divisi has ended", || engine.docker(&["inspect", "--format", "{{.State.Running}}", container]) == "false");
    assert_eq!(engine.docker(&["inspect", "--format", "{{.State.ExitCode}}", container]), "0");
}
