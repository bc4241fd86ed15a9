//! Waiting for a replica: first come, first served, within bounds of number, time and memory.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use divisi_model::spec::HoldLimits;
use divisi_model::{Lease, Moment, NoPlace, NoReplica, Place, Service};

use crate::body::Source;
use crate::clock::{Elapsed, Timer};
use crate::error::{Error, Unheld};
use crate::record::Record;
use crate::search::Search;

/// What woke one who waits.
enum Woken {
    Called,
    ClientLeft,
}

/// Waits in the line of the service until a replica can be had.
///
/// # Errors
/// A bound is reached, the client leaves, or the service is no longer known.
pub(crate) async fn wait<S: Source>(
    search: &mut Search<'_>,
    body: &mut S,
    timer: &Timer,
    record: &mut Record<'_>,
) -> Result<Lease, Error> {
    let since = Moment::now();
    record.waits();
    let (mut place, mut limits) = search.at_home(record, |service, _| join(service))??;
    timer.hold(limits.time);
    loop {
        let found = stand(search, body, timer, &place, &limits, record).await;
        record.held = Some(Moment::now().since(since));
        if let Some(lease) = found? {
            place.serve();
            return Ok(lease);
        }
        // The time goes on: it is the client's, and not the service's.
        (place, limits) = search.at_home(record, |service, _| join(service))??;
    }
}

/// Stands in one line until a replica can be had; None where the line is that of a service which is no longer the one.
async fn stand<S: Source>(
    search: &mut Search<'_>,
    body: &mut S,
    timer: &Timer,
    place: &Place,
    limits: &HoldLimits,
    record: &mut Record<'_>,
) -> Result<Option<Lease>, Error> {
    let mut why = NoReplica::NoneReady;
    loop {
        match timer.limit(called(place, body, limits.body)).await {
            Ok(Woken::Called) => {}
            Ok(Woken::ClientLeft) => return Err(Error::ClientLeft),
            Err(Elapsed) if search.worker.clock.is_stopping() => return Err(Error::Unheld(Unheld::Stopping)),
            Err(Elapsed) => {
                let late = search.at_home(record, |service, _| too_long(service, why, limits.time))?;
                return Err(Error::Unheld(late));
            }
        }
        match search.pick(record)? {
            Ok(lease) => return Ok(Some(lease)),
            Err(none) => why = none,
        }
        if !search.at_home(record, |service, _| place.is_of(service.state()))? {
            return Ok(None);
        }
        place.wait_on();
    }
}

/// Waits to be called, or for the client to leave. Of the body no more is read than may be kept: the rest stays with the client.
async fn called<S: Source>(place: &Place, body: &mut S, most: usize) -> Woken {
    let mut left = pin!(body.left(most));
    poll_fn(|context| {
        if place.poll_called(context).is_ready() {
            return Poll::Ready(Woken::Called);
        }
        left.as_mut().poll(context).map(|()| Woken::ClientLeft)
    })
    .await
}

fn join(service: &Service) -> Result<(Place, HoldLimits), Error> {
    let limits = service.spec().hold.clone();
    match service.join() {
        Ok(place) => Ok((place, limits)),
        Err(why) => Err(Error::Unheld(no_place(service, why, &limits))),
    }
}

pub(crate) fn no_place(service: &Service, why: NoPlace, limits: &HoldLimits) -> Unheld {
    let name = service.name().to_owned();
    match why {
        NoPlace::Off => Unheld::Off { name, known: service.known() },
        NoPlace::Full => Unheld::Full { name, most: limits.requests },
        NoPlace::Forgotten => Unheld::Forgotten { name },
    }
}

pub(crate) fn too_long(service: &Service, why: NoReplica, time: Duration) -> Unheld {
    let name = service.name().to_owned();
    match (why, service.spec().replica_limit) {
        (NoReplica::Busy, Some(limit)) => Unheld::Busy { name, time, limit },
        _ => Unheld::TooLong { name, time, known: service.known() },
    }
}
