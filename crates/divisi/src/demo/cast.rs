//! The replicas of the demo: who is there, who comes, who leaves.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use divisi_model::{Card, Moment, Published, Readiness, Replica, Service, Snapshot, Spec};
use tokio::sync::oneshot;

use crate::echo::{self, Answer};

/// How often a leaving replica looks whether its last request has finished.
const LOOK: Duration = Duration::from_millis(1);

/// The replicas that are there now, oldest first.
pub(super) struct Cast {
    published: Arc<Published>,
    service: Service,
    actors: VecDeque<Actor>,
    entered: u32,
}

struct Actor {
    replica: Arc<Replica>,
    stop: oneshot::Sender<()>,
}

impl Cast {
    /// Nobody yet; who comes and goes is published there.
    pub(super) fn new(published: Arc<Published>) -> Self {
        Self { published, service: Service::new("echo", Spec::default()), actors: VecDeque::new(), entered: 0 }
    }

    /// How many are there.
    pub(super) fn count(&self) -> usize {
        self.actors.len()
    }

    /// Who is there.
    pub(super) fn replicas(&self) -> impl Iterator<Item = &Arc<Replica>> {
        self.actors.iter().map(|actor| &actor.replica)
    }

    /// Starts a replica. It is published only now that it listens.
    pub(super) async fn enter(&mut self) -> io::Result<Option<String>> {
        let listener = echo::on_loopback().await?;
        self.entered += 1;
        let name = format!("echo-{}", self.entered);
        let card = Card::new(name.clone(), self.entered);
        let replica = self.service.replica(card, listener.local_addr()?, Readiness::Ready);
        let (stop, stopped) = oneshot::channel();
        tokio::spawn(echo::serve(listener, Answer::new(name, Duration::ZERO, None), async {
            let _ = stopped.await;
        }));
        let line = format!("+ {} is ready on {}", replica.name(), replica.authority());
        self.actors.push_back(Actor { replica, stop });
        self.publish();
        Ok(Some(line))
    }

    /// Stops the oldest replica in the order that loses nothing: no new requests, finish those in flight, end.
    pub(super) fn leave(&mut self) -> Option<String> {
        let Actor { replica, stop } = self.actors.pop_front()?;
        replica.set_readiness(Readiness::Draining, Moment::now());
        self.publish();
        let line = format!("- {} drains ({} in flight) and stops", replica.name(), replica.in_flight());
        tokio::spawn(async move {
            while replica.in_flight() > 0 {
                tokio::time::sleep(LOOK).await;
            }
            let _ = stop.send(());
        });
        Some(line)
    }

    fn publish(&self) {
        let ready: Vec<_> = self.replicas().cloned().collect();
        let known = ready.len();
        self.published.publish(Snapshot::of(Arc::new(self.service.with_replicas(ready, known))));
    }
}
