//! One line for each connection, those that were refused included.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use divisi_model::Spec;
use divisi_model::spec::HoldLimits;
use divisi_proxy::{AccessLog, Format};
use divisi_testkit::replica::Replica;
use divisi_testkit::wait;

use crate::stage::{Stage, greeting};
use crate::support::{settings, spec};

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    fn lines(&self, count: usize) -> Vec<String> {
        let lines = || {
            let text = self.0.lock().expect("a lock").clone();
            String::from_utf8(text).expect("text").lines().map(str::to_owned).collect::<Vec<_>>()
        };
        wait::until("the lines are there", || lines().len() >= count);
        assert_eq!(lines().len(), count, "{:#?}", lines());
        lines()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("a lock").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn each_connection_is_one_line() {
    let replica = Replica::start(greeting).lenient();
    let sink = Sink::default();
    let stage =
        Stage::with(settings(), spec(), &[replica.addr()], Some(AccessLog::new(Format::Combined, sink.clone())));
    let mut client = stage.connect();
    client.read_until("hello\r\n");
    client.send("hi").finish();
    client.read_to_close();
    let line = sink.lines(1).remove(0);
    let begin = format!("\"TCP {}\" 000 16 \"-\" \"-\" service=db replica=shop-db-1 ", stage.port);
    assert!(line.starts_with("127.0.0.1 - - [") && line.contains(&begin), "{line}");
    assert!(line.contains(" attempts=1 held=- connect=0.") && line.ends_with(" in=2 out=16"), "{line}");
}

#[test]
fn one_that_was_not_served_says_why() {
    let sink = Sink::default();
    let hold = HoldLimits { time: Duration::from_millis(100), ..HoldLimits::default() };
    let log = AccessLog::new(Format::Json, sink.clone());
    let stage = Stage::with(settings(), Spec { hold, ..spec() }, &[], Some(log));
    stage.connect().read_to_close();
    let line: serde_json::Value = serde_json::from_str(&sink.lines(1)[0]).expect("JSON");
    assert_eq!(
        (line["target"].as_str(), line["status"].as_u64()),
        (Some(format!("TCP {}", stage.port).as_str()), Some(0))
    );
    assert_eq!(
        (line["service"].as_str(), line["replica"].as_str(), line["attempts"].as_u64()),
        (Some("db"), None, Some(0))
    );
    assert!(line["reason"].as_str().is_some_and(|why| why.contains("has no replica")), "{line}");
    assert!(line["held"].as_f64().is_some_and(|held| held >= 0.1), "{line}");
}
