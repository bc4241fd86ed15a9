//! What the log says: by name, and once.

use std::fmt::{Debug, Write};
use std::sync::Mutex;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Metadata, Subscriber};

use super::*;

/// Keeps every line.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, _: &Field, value: &dyn Debug) {
        write!(self.0, "{value:?}").expect("memory");
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let mut text = Text(format!("{} ", event.metadata().level()));
        event.record(&mut text);
        self.0.lock().expect("no panic").push(text.0);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// The lines with `part` that come of `acts`.
pub(super) fn lines(part: &str, acts: impl FnOnce()) -> Vec<String> {
    let log = Log::default();
    tracing::subscriber::with_default(log.clone(), acts);
    let mut lines = log.0.lock().expect("no panic").clone();
    lines.retain(|line| line.contains(part));
    lines
}

fn mislabelled(id: &str, number: u32) -> Container {
    let labels = [("divisi.drain".to_owned(), "soon".to_owned()), ("divisi.stiky".to_owned(), "true".to_owned())];
    Container { labels: Said::labels(labels.into_iter().collect()), ..container(id, number) }
}

#[test]
fn a_label_that_cannot_be_read_is_said_once_per_container() {
    let both = [mislabelled("a", 1), mislabelled("b", 2)];
    let lines = lines("label", || {
        let mut world = World::with(&both);
        for _ in 0..3 {
            world.now += Duration::from_secs(2);
            world.list(&both);
            world.commit();
            world.event("a", What::Ended);
            world.event("a", What::Started);
            world.table.inspected(&"a".into(), u64::MAX, Some(both[0].clone()), world.now);
            world.commit();
        }
    });
    assert_eq!(lines.len(), 4, "{lines:#?}");
    let of_a: Vec<_> = lines.iter().filter(|line| line.contains("WARN replica a ")).collect();
    assert!(of_a[0].contains("label \"divisi.drain\" is \"soon\": not a duration"), "{of_a:#?}");
    assert!(of_a[1].contains("did you mean divisi.sticky?"), "{of_a:#?}");
}

#[test]
fn the_first_list_is_one_line_but_what_is_wrong_is_said_by_name() {
    let mut containers: Vec<_> = (1..=50).map(|number| container(&format!("web-{number}"), number)).collect();
    containers[3].port = Port::None;
    let all = lines("", || {
        let mut world = World::with(&containers);
        world.now += Duration::from_secs(1);
        world.table.expire(world.now);
    });
    assert_eq!(all.len(), 3, "{all:#?}");
    assert!(all[1].contains("requests go to service \"web\" of project \"shop\""), "{all:#?}");
    assert!(all[0].contains("WARN replica web-4 is not routed: no exposed TCP port"), "{all:#?}");
    assert!(all[2].contains("49 more changes of replicas; `divisi ps` shows how they are"), "{all:#?}");
}

#[test]
fn so_many_wrong_ones_are_summed_up() {
    let containers: Vec<_> = (1..=50).map(|number| mislabelled(&format!("web-{number}"), number)).collect();
    let all = lines("WARN", || {
        let mut world = World::with(&containers);
        world.now += Duration::from_secs(1);
        world.table.expire(world.now);
    });
    assert_eq!(all.len(), 21, "{all:#?}");
    assert!(all[20].contains("80 more"), "{all:#?}");
}

#[test]
fn a_list_entry_that_cannot_be_read_is_said_once() {
    let lost = |why: &str| Unreadable { id: None, name: "shop-web-7".to_owned(), why: why.to_owned() };
    let lines = lines("shop-web-7", || {
        let mut world = World::with(&[container("a", 1)]);
        for why in ["odd", "odd", "even", "even"] {
            world.now += Duration::from_secs(2);
            world.table.begin_list();
            world
                .table
                .apply_list(List { containers: vec![container("a", 1)], unreadable: vec![lost(why)] }, world.now);
        }
    });
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert!(lines[0].starts_with("WARN replica shop-web-7") && lines[0].ends_with("odd"), "{lines:#?}");
}

#[test]
fn that_a_service_is_forgotten_and_comes_back_is_said() {
    let lines = lines("container", || {
        let mut world = World::with(&[container("a", 1)]);
        world.event("a", What::Ended);
        world.commit();
        world.now += Duration::from_secs(300);
        world.table.expire(world.now);
        world.event("a", What::Started);
        world.commit();
    });
    let expected = [
        "WARN service shop/web has had no container for 300 s: requests no longer wait for one",
        "INFO service shop/web has a container again",
    ];
    assert_eq!(lines, expected);
}
