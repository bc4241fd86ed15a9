//! The link to the engine: finds it, follows its events, and finds it again.
//!
//! It runs as a task of its own, so that events are taken off the socket however busy the table is: the engine drops
//! events for those who read slowly, and says nothing.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc};

use crate::address::EngineAddress;
use crate::engine::{Engine, Heard};
use crate::event::Event;
use crate::own::{Clues, Own};
use crate::settings::{Settings, Tuning};
use crate::wire::EngineError;

/// What comes over the link.
#[derive(Debug)]
pub(crate) enum Feed {
    /// The engine was found, and events are on their way.
    Up(Engine, Own),
    /// Something happened.
    Event(Event),
    /// Something was told that cannot be read.
    Lost,
    /// The engine was lost, or not found: why.
    Down(String),
}

/// What both ends of the link share besides the feed.
#[derive(Debug, Default)]
pub(crate) struct Line {
    overflow: AtomicBool,
    cut: Notify,
}

impl Line {
    /// Whether events were dropped since the last call.
    pub(crate) fn take_overflow(&self) -> bool {
        self.overflow.swap(false, Ordering::Relaxed)
    }

    /// Has the link looked for the engine anew.
    pub(crate) fn cut(&self) {
        self.cut.notify_one();
    }
}

/// One end of the link.
#[derive(Debug)]
pub(crate) struct Link {
    address: EngineAddress,
    clues: Clues,
    tuning: Tuning,
    feed: mpsc::Sender<Feed>,
    line: Arc<Line>,
    /// The engine's clock up to which events were seen, in nanoseconds.
    seen: Option<i64>,
}

impl Link {
    /// A link that is not up yet, and where its feed comes out.
    pub(crate) fn new(settings: &Settings) -> (Self, mpsc::Receiver<Feed>, Arc<Line>) {
        let (feed, out) = mpsc::channel(settings.tuning.event_queue.max(1));
        let line = Arc::new(Line::default());
        let link = Self {
            address: settings.engine.clone(),
            clues: settings.clues.clone(),
            tuning: settings.tuning.clone(),
            feed,
            line: Arc::clone(&line),
            seen: None,
        };
        (link, out, line)
    }

    /// Keeps the link up, until nobody listens any more.
    pub(crate) async fn keep(mut self) {
        let mut pause = self.tuning.backoff_first;
        loop {
            let began = Instant::now();
            let reason = match self.session().await {
                Ok(reason) => reason.to_owned(),
                Err(error) => error.to_string(),
            };
            if began.elapsed() > self.tuning.backoff_most {
                pause = self.tuning.backoff_first;
            }
            if self.feed.send(Feed::Down(reason)).await.is_err() {
                return;
            }
            tokio::time::sleep(jittered(pause)).await;
            pause = (pause * 2).min(self.tuning.backoff_most);
        }
    }

    /// From finding the engine to losing it. Returns why it ended.
    async fn session(&mut self) -> Result<&'static str, EngineError> {
        let engine = Engine::connect(&self.address, self.tuning.answer_timeout).await?;
        // The engine replays what happened since then, so that nothing is lost while the subscription is on its way.
        let since = self.seen.map_or_else(now_nanos, |seen| seen + 1);
        let mut events = engine.events(since);
        events.open().await?;
        let own = engine.own(&self.clues).await?;
        if self.feed.send(Feed::Up(engine, own)).await.is_err() {
            return Ok("nobody listens");
        }
        self.seen = Some(since - 1);
        loop {
            let heard = tokio::select! {
                heard = events.next() => heard,
                () = self.line.cut.notified() => return Ok("the link was cut to be made anew"),
            };
            let Some(heard) = heard else { return Ok("the event stream ended") };
            match heard {
                Ok(heard) => self.pass_on(heard),
                Err(error) => {
                    // What cannot be read would be replayed for ever.
                    if error.is_nonsense() {
                        self.seen = None;
                    }
                    return Err(error);
                }
            }
        }
    }

    fn pass_on(&mut self, heard: Heard) {
        if heard.at > 0 {
            self.seen = Some(heard.at);
        }
        let message = match heard {
            Heard { is_lost: true, .. } => Feed::Lost,
            Heard { event: Some(event), .. } => Feed::Event(event),
            Heard { event: None, .. } => return,
        };
        if let Err(TrySendError::Full(_)) = self.feed.try_send(message) {
            self.line.overflow.store(true, Ordering::Relaxed);
        }
    }
}

fn now_nanos() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_nanos()).unwrap_or(0)
}

/// Between half and all of `pause`: several divisis must not knock at the same time.
fn jittered(pause: Duration) -> Duration {
    let dice = RandomState::new().hash_one(0_u8) % 1000;
    pause / 2 + pause * u32::try_from(dice).unwrap_or(0) / 2000
}
