//! The numbers for Prometheus, read when they are asked for: so the series of a replica that is gone are gone, too.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use divisi_model::meter::BOUNDS;
use divisi_model::tcp::{Ending, Streams};
use divisi_model::{Health, Published, Readiness, Service};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, prometheus_text};
use prometheus_client::metrics::MetricType::{self, Counter, Gauge, Histogram};
use prometheus_client::registry::Registry;

use crate::gauges::Gauges;
use crate::view::certificate::not_after;
use crate::view::world::{Group, Member, World};

/// What the text is (Prometheus exposition formats, "Basic info").
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The classes of statuses, by their first digit.
const CODES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// All numbers as text.
///
/// # Errors
/// None that is known: the text is written to memory.
pub(crate) fn text(
    world: World,
    gauges: Gauges,
    published: Arc<Published>,
    version: &'static str,
) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("divisi");
    registry.register_collector(Box::new(Scrape { world, gauges, published, version }));
    let mut text = String::new();
    prometheus_text::encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Scrape {
    world: World,
    gauges: Gauges,
    published: Arc<Published>,
    version: &'static str,
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        let groups = self.world.groups();
        services(&mut page, &groups)?;
        replicas(&mut page, &groups)?;
        streams(&mut page, &groups)?;
        self.clients(&mut page)?;
        self.changes(&mut page)
    }
}

type Labels<'a, const N: usize> = [(&'static str, &'a str); N];

/// The text as it grows.
struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    fn family<'s>(&'s mut self, name: &'s str, help: &str, kind: MetricType) -> Result<Family<'s>, fmt::Error> {
        self.0.encode_descriptor(name, help, None, kind).map(Family)
    }

    /// A number without labels; none where nobody counts it.
    fn single(&mut self, name: &str, help: &str, kind: MetricType, value: Option<f64>) -> fmt::Result {
        let Some(value) = value else { return Ok(()) };
        let mut family = self.family(name, help, kind)?;
        if matches!(kind, Counter) { family.counter(&[], value) } else { family.gauge(&[], value) }
    }
}

/// Series of one name.
struct Family<'a>(MetricEncoder<'a>);

impl Family<'_> {
    fn counter<const N: usize>(&mut self, labels: &Labels<'_, N>, value: f64) -> fmt::Result {
        let mut series = self.0.encode_family(labels)?;
        match whole(value) {
            Some(value) => series.encode_counter::<NoLabelSet, _, f64>(&value, None),
            None => series.encode_counter::<NoLabelSet, _, f64>(&value, None),
        }
    }

    fn gauge<const N: usize>(&mut self, labels: &Labels<'_, N>, value: f64) -> fmt::Result {
        let mut series = self.0.encode_family(labels)?;
        match whole(value) {
            Some(value) => series.encode_gauge(&value),
            None => series.encode_gauge(&value),
        }
    }

    fn durations(&mut self, service: &Service) -> fmt::Result {
        let (counts, sum) = service.state().durations().read();
        let bounds = BOUNDS.into_iter().chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
        let labels = of(service);
        let mut series = self.0.encode_family(&labels)?;
        series.encode_histogram::<NoLabelSet>(sum.as_secs_f64(), counts.iter().sum(), &buckets, None)
    }

    /// Requests by class; those that hardly ever are, only where there were any.
    fn statuses(&mut self, service: &Service, replica: &str, counts: [u64; 6], always: &[usize]) -> fmt::Result {
        for (class, count) in counts.into_iter().enumerate() {
            if count > 0 || always.contains(&class) {
                let [project, name] = of(service);
                self.counter(&[project, name, ("replica", replica), ("code", CODES[class])], count as f64)?;
            }
        }
        Ok(())
    }
}

/// Counts are written as people write them, up to where all numbers are counts.
fn whole(value: f64) -> Option<u64> {
    (value.fract() == 0.0 && (0.0..9e15).contains(&value)).then_some(value as u64)
}

fn of(service: &Service) -> Labels<'_, 2> {
    let name = service.state().name();
    [("project", &*name.project), ("service", &*name.service)]
}

/// Name, help, kind, and where the number is read.
type OfService = (&'static str, &'static str, MetricType, fn(&Service) -> f64);

/// The same for gauges of replicas; none where there is nothing to read.
type OfReplica = (&'static str, &'static str, fn(&Member<'_>) -> Option<f64>);

/// One series per service.
fn services(page: &mut Page<'_>, groups: &[Group<'_>]) -> fmt::Result {
    let mut requests = page.family(
        "requests",
        "Requests by the class of their status; without a replica, those that divisi answered itself",
        Counter,
    )?;
    for group in groups {
        requests.statuses(group.service, "", group.service.state().meter().read(), &[4, 5])?;
        for member in distinct(group) {
            let counts = member.replica.meter().read();
            requests.statuses(group.service, member.replica.name(), counts, &[2, 3, 4, 5])?;
        }
    }
    let help = "From a request's head to the end of its response";
    let mut durations = page.family("request_duration_seconds", help, Histogram)?;
    groups.iter().try_for_each(|group| durations.durations(group.service))?;
    let rows: [OfService; 6] = [
        ("requests_held", "Requests that wait for a replica now", Gauge, |service| service.state().waiting() as f64),
        ("held", "Requests that waited for a replica", Counter, |service| service.state().counts().held as f64),
        ("held_seconds", "How long they waited, all together", Counter, |service| {
            service.state().counts().held_time.as_secs_f64()
        }),
        ("retries", "Attempts beyond the first", Counter, |service| service.state().counts().retries as f64),
        (
            "ejections",
            "How often a replica was taken out because of its answers, or for want of them",
            Counter,
            |service| service.state().counts().ejections as f64,
        ),
        ("service_replicas", "Replicas, ready or not", Gauge, |service| service.known() as f64),
    ];
    for (name, help, kind, read) in rows {
        let mut family = page.family(name, help, kind)?;
        for group in groups {
            let (labels, value) = (of(group.service), read(group.service));
            if matches!(kind, Counter) { family.counter(&labels, value)? } else { family.gauge(&labels, value)? }
        }
    }
    Ok(())
}

/// Name, help, and where the number of connections of TCP is read.
type OfStreams = (&'static str, &'static str, fn(&Streams) -> u64);

/// Connections of TCP, of services that have had any.
fn streams(page: &mut Page<'_>, groups: &[Group<'_>]) -> fmt::Result {
    let counted = groups.iter().map(|group| (of(group.service), group.service.state().streams().read()));
    let counted: Vec<_> = counted.filter(|(_, streams)| *streams != Streams::default()).collect();
    if counted.is_empty() {
        return Ok(());
    }
    let help = "Connections of TCP that have ended: complete, broken off, or never served";
    let mut family = page.family("tcp_connections", help, Counter)?;
    for ([project, service], streams) in &counted {
        for (ending, count) in Ending::ALL.into_iter().zip(streams.endings) {
            family.counter(&[*project, *service, ("ending", ending.name())], count as f64)?;
        }
    }
    let rows: [OfStreams; 2] = [
        ("tcp_received_bytes", "Bytes of such connections from clients", |streams| streams.received),
        ("tcp_sent_bytes", "Bytes of such connections to clients", |streams| streams.sent),
    ];
    for (name, help, read) in rows {
        let mut family = page.family(name, help, Counter)?;
        for (labels, streams) in &counted {
            family.counter(labels, read(streams) as f64)?;
        }
    }
    Ok(())
}

/// One series per replica.
fn replicas(page: &mut Page<'_>, groups: &[Group<'_>]) -> fmt::Result {
    let rows: [OfReplica; 4] = [
        ("requests_in_flight", "Requests at a replica now", |member| Some(member.replica.in_flight() as f64)),
        ("replica_ready", "Whether the replica's container may get requests", |member| {
            Some(f64::from(member.replica.readiness() == Readiness::Ready))
        }),
        ("replica_up", "Whether the replica does its work, as its answers say", |member| {
            Some(f64::from(member.replica.health() == Health::Up))
        }),
        ("replica_latency_seconds", "How long the replica took to answer of late", |member| {
            member.replica.latency().map(|latency| latency.as_secs_f64())
        }),
    ];
    for (name, help, read) in rows {
        let mut family = page.family(name, help, Gauge)?;
        for group in groups {
            for member in distinct(group) {
                let Some(value) = read(member) else { continue };
                let [project, service] = of(group.service);
                family.gauge(&[project, service, ("replica", member.replica.name())], value)?;
            }
        }
    }
    Ok(())
}

/// Its replicas by name: a container may still end when another one has got its name, and a series can be there only once.
fn distinct<'a>(group: &'a Group<'_>) -> impl Iterator<Item = &'a Member<'a>> {
    let is_ready = |member: &&Member<'_>| member.replica.readiness() == Readiness::Ready;
    let (ready, others): (Vec<&Member<'_>>, Vec<_>) = group.members.iter().partition(is_ready);
    let mut seen = HashSet::new();
    ready.into_iter().chain(others).filter(move |member| seen.insert(member.replica.name()))
}

impl Scrape {
    fn clients(&self, page: &mut Page<'_>) -> fmt::Result {
        let gauges = &self.gauges;
        let mut responses = page.family(
            "responses",
            "Responses to clients by the class of their status, be they of no service or to no request that makes sense",
            Counter,
        )?;
        for (code, count) in CODES.into_iter().zip(gauges.statuses) {
            responses.counter(&[("code", code)], count as f64)?;
        }
        let number = |value: Option<u64>| value.map(|value| value as f64);
        let broken = Some(gauges.broken as f64);
        page.single("responses_broken", "Responses that were begun and broken off", Counter, broken)?;
        for (name, help, kind, value) in [
            ("client_connections", "Connections of clients that are open", Gauge, gauges.client_connections),
            (
                "client_resting_connections",
                "Those of them whose clients have asked for nothing for a second; all but those of HTTP/1 inside TLS",
                Gauge,
                gauges.client_resting_connections,
            ),
            (
                "upstream_idle_connections",
                "Connections to replicas that rest until they are needed",
                Gauge,
                gauges.upstream_idle_connections,
            ),
            (
                "upstream_connections",
                "Connections to replicas that were opened; what else was sent went over one that there was",
                Counter,
                gauges.upstream_connections,
            ),
            (
                "access_log_dropped_lines",
                "Lines of the access log that could not be written as fast as they came",
                Counter,
                gauges.access_log_dropped_lines,
            ),
            ("received_bytes", "Bytes from clients", Counter, gauges.received_bytes),
            ("sent_bytes", "Bytes to clients", Counter, gauges.sent_bytes),
        ] {
            page.single(name, help, kind, number(value))?;
        }
        Ok(())
    }

    fn certificates(&self, page: &mut Page<'_>) -> fmt::Result {
        let help = "When a certificate ends, in seconds since 1970";
        let mut family = page.family("certificate_expiry_timestamp_seconds", help, Gauge)?;
        for listing in &self.world.certificates.names {
            if let Some(seen) = &listing.certificate {
                family.gauge(&[("name", &listing.name), ("source", seen.kind)], not_after(seen) as f64)?;
            }
        }
        Ok(())
    }

    fn changes(&self, page: &mut Page<'_>) -> fmt::Result {
        let (engine, snapshot) = (self.published.engine(), &self.world.snapshot);
        let age = self.world.now.since(snapshot.made_at()).as_secs_f64();
        let unrouted = self.world.sightings.iter().filter(|sighting| sighting.unrouted.is_some()).count();
        let is_connected = engine.is_wanted().then(|| f64::from(engine.is_connected()));
        let losses = engine.is_wanted().then(|| engine.losses() as f64);
        self.certificates(page)?;
        for (name, help, kind, value) in [
            ("snapshot_age_seconds", "How long ago anything changed", Gauge, Some(age)),
            (
                "containers_unrouted",
                "Containers that get no requests; `divisi ps` says why",
                Gauge,
                Some(unrouted as f64),
            ),
            ("engine_connected", "Whether the Docker Engine's events are heard", Gauge, is_connected),
            ("engine_losses", "How often the Docker Engine was lost", Counter, losses),
        ] {
            page.single(name, help, kind, value)?;
        }
        let refused = self.published.listening().refused();
        if refused > 0 {
            let help = "Connections that were refused before it was known which service they are for";
            page.single("connections_refused", help, Counter, Some(refused as f64))?;
        }
        let mut build = page.family("build_info", "What runs here", Gauge)?;
        build.gauge(&[("version", self.version)], 1.0)
    }
}
