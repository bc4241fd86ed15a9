//! One replica of five is ill: what does that cost?

use std::process::Command;
use std::time::Duration;

use divisi_testkit::load::Report;

use crate::caller::until;
use crate::engine::{Engine, engine};
use crate::project::{PLAIN, Project};
use crate::verdict::{ILLNESSES, assert_hardly_felt, say};
use crate::{alone, load};

const HEALTHY: usize = 4;
const REQUESTS: usize = 3000;
/// The machine does nothing else.
const NOISE: Duration = Duration::from_millis(20);

/// A fifth replica, beside those of Compose and with labels as Compose writes them. Removed when dropped.
struct Fifth<'a> {
    engine: &'a Engine,
    name: String,
}

impl<'a> Fifth<'a> {
    fn start(engine: &'a Engine, project: &Project<'_>, fault: &str) -> Self {
        let fifth = Self { engine, name: format!("{}-{fault}", project.name()) };
        let network = format!("{}_default", project.name());
        let image = engine.image("echo");
        let mut words = vec!["run", "--detach", "--name", &fifth.name, "--network", &network];
        let labels = [
            format!("com.docker.compose.project={}", project.name()),
            "com.docker.compose.service=echo".to_owned(),
            "com.docker.compose.container-number=5".to_owned(),
            "com.docker.compose.oneoff=False".to_owned(),
        ];
        words.extend(labels.iter().flat_map(|label| ["--label", label]));
        words.extend([&image, "--fault", fault]);
        engine.docker(&words);
        until_said(project, &format!("replica {} is ready", fifth.name));
        fifth
    }

    /// Freezes it without Docker's knowledge.
    fn freeze(&self) {
        let pid = self.engine.docker(&["inspect", "--format", "{{.State.Pid}}", &self.name]);
        let sent = Command::new("kill").args(["-STOP", &pid]).status();
        assert!(sent.is_ok_and(|status| status.success()), "a signal for {pid}");
    }
}

impl Drop for Fifth<'_> {
    fn drop(&mut self) {
        self.engine.try_docker(&["rm", "--force", &self.name]);
    }
}

fn until_said(project: &Project<'_>, part: &str) {
    until(part, || project.compose(&["logs", "--no-color", "divisi"]).contains(part));
}

/// A load before and while there is a fifth replica with that fault.
fn measure(engine: &Engine, project: &Project<'_>, illness: &str) -> Report {
    let load = load(project, HEALTHY);
    let is_frozen = illness == "frozen";
    let fifth = Fifth::start(engine, project, if is_frozen { "none" } else { illness });
    if is_frozen {
        load.go_on_for(500);
        fifth.freeze();
    }
    load.go_on_for(REQUESTS);
    load.stop()
}

#[test]
#[ignore = "takes minutes: cargo test -p divisi --test lossless -- --ignored --nocapture"]
fn an_ill_replica_is_hardly_felt() {
    let Some(engine) = engine() else { return };
    let _alone = alone();
    // A silence has to be called one: by default only after a minute.
    let timeout = "image: <divisi>\n    environment: [DIVISI_RESPONSE_TIMEOUT=1s]";
    let project = Project::new(engine, &PLAIN.replace("image: <divisi>", timeout));
    project.scale(HEALTHY);
    // The first second is told as a sum, and after it every replica by its name.
    until_said(&project, "more changes of replicas");
    let healthy = measure(engine, &project, "none");
    say("five of five are well", &healthy);
    assert_eq!(healthy.failed(), 0, "{healthy}");
    for (illness, least) in ILLNESSES {
        assert_hardly_felt(illness, *least, &measure(engine, &project, illness), &healthy, NOISE);
    }
}
