//! The commands inside an image that has nothing but divisi.

use crate::caller::until;
use crate::engine::engine;
use crate::project::{PLAIN, Project};

#[test]
fn inside_its_container_divisi_tells_what_it_knows() {
    let Some(engine) = engine() else { return };
    let health = "image: <divisi>\n    healthcheck: {test: [CMD, /divisi, health], interval: 1s}";
    let project = Project::new(engine, &PLAIN.replace("image: <divisi>", health));
    project.scale(2);
    project.connect().wait_for_replicas(2);
    let told = project.compose(&["exec", "-T", "divisi", "/divisi", "ps"]);
    let ready = |line: &&str| line.contains("echo") && line.contains(" ready ");
    assert_eq!(told.lines().filter(ready).count(), 2, "{told}");
    let told = project.compose(&["exec", "-T", "divisi", "/divisi", "explain", "http://any.test/"]);
    assert!(told.contains("goes to ") && told.contains("2 replicas can take it"), "{told}");
    let container = &project.containers("divisi")[0];
    let status = || engine.docker(&["inspect", "--format", "{{.State.Health.Status}}", container]);
    until("its HEALTHCHECK says that it is well", || status() == "healthy");
}
