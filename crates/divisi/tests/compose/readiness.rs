//! Which containers get requests, and which do not.

use std::thread;
use std::time::Duration;

use crate::caller::until;
use crate::engine::{Engine, engine};
use crate::project::{PLAIN, Project};
use crate::scaling::without_hold;

/// The plain project, with a HEALTHCHECK that runs this. The images have no shell and need none.
fn with_healthcheck(command: &str) -> String {
    let check = format!(
        "image: <echo>\n    healthcheck: {{ test: [\"CMD\", \"/divisi\", \"{command}\"], interval: 1s, retries: 1 }}"
    );
    without_hold().replace("image: <echo>", &check)
}

fn health(engine: &Engine, container: &str) -> String {
    engine.docker(&["inspect", "--format", "{{.State.Health.Status}}", container])
}

#[test]
fn a_replica_with_a_healthcheck_is_ready_when_it_says_so() {
    let Some(engine) = engine() else { return };
    let project = Project::new(engine, &with_healthcheck("version"));
    project.scale(2);
    let mut caller = project.connect();
    caller.wait_for_a_replica();
    let healthy = project.containers("echo").iter().any(|container| health(engine, container) == "healthy");
    assert!(healthy, "nobody was healthy when a replica answered");
    caller.wait_for_replicas(2);
}

#[test]
fn a_replica_that_is_unhealthy_gets_nothing() {
    let Some(engine) = engine() else { return };
    let project = Project::new(engine, &with_healthcheck("no-such-command"));
    project.scale(1);
    let mut caller = project.connect();
    let container = &project.containers("echo")[0];
    until("its HEALTHCHECK has failed", || {
        assert_eq!(caller.get().status(), 503, "its port accepts, but it is not healthy");
        health(engine, container) == "unhealthy"
    });
    for _ in 0..50 {
        let response = caller.get();
        assert_eq!(response.status(), 503);
        assert!(response.head.has("retry-after"));
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_paused_replica_gets_nothing_until_it_goes_on() {
    let Some(engine) = engine() else { return };
    let project = Project::new(engine, PLAIN);
    project.scale(2);
    let mut caller = project.connect();
    caller.wait_for_replicas(2);
    let paused = &project.containers("echo")[0];
    engine.docker(&["pause", paused]);
    // The engine tells the client before it tells its listeners.
    until("nobody waits for the paused one", || caller.names(30).len() == 1);
    engine.docker(&["unpause", paused]);
    caller.wait_for_replicas(2);
}

#[test]
fn a_one_off_container_is_no_replica() {
    let Some(engine) = engine() else { return };
    let project = Project::new(engine, PLAIN);
    project.scale(1);
    let mut caller = project.connect();
    caller.wait_for_a_replica();
    let service = caller.names(1);
    let name = project.compose(&["run", "--detach", "echo"]);
    until("the one-off container accepts connections", || {
        let addr = format!("{}:9090", project.addresses(&name)[0]);
        std::net::TcpStream::connect(addr).is_ok()
    });
    for _ in 0..10 {
        assert_eq!(caller.names(20), service);
        thread::sleep(Duration::from_millis(50));
    }
    engine.docker(&["rm", "--force", &name]);
}

#[test]
fn with_two_services_the_client_is_told_what_to_write() {
    let Some(engine) = engine() else { return };
    let project = Project::new(engine, &format!("{}  other:\n    image: <echo>\n", without_hold()));
    project.scale(1);
    let mut caller = project.connect();
    until("both are seen", || caller.get().text().contains("other"));
    let response = caller.get();
    assert_eq!(response.status(), 503);
    let text = response.text();
    assert!(text.contains("echo") && text.contains("DIVISI_SERVICE="), "{text}");
}
