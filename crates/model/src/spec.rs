//! What users may want of a service: the one typed form in which flags and labels end.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use crate::policy::Policy;

/// Everything that can be set for a service. [`Spec::default`] is what an untouched divisi does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// How a replica is picked.
    pub policy: Policy,
    /// Whether requests that belong together go to the same replica.
    pub affinity: Affinity,
    /// Bounds on requests that wait for a replica.
    pub hold: HoldLimits,
    /// Bounds on attempts beyond the first.
    pub retry: RetryLimits,
    /// When failures take a replica out.
    pub ejection: EjectionRules,
    /// Whether and how replicas are asked if they are well.
    pub check: Check,
    /// Over how long a fresh replica takes up its full share; zero for at once.
    pub slow_start: Duration,
    /// Most requests at one replica at a time; more wait.
    pub replica_limit: Option<u32>,
    /// Most requests of the service at a time, waiting ones included; more get a 503.
    pub service_limit: Option<u32>,
    /// How long exchanges and tunnels at a replica may go on after its stop began.
    pub drain: Duration,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            affinity: Affinity::default(),
            hold: HoldLimits::default(),
            retry: RetryLimits::default(),
            ejection: EjectionRules::default(),
            check: Check::default(),
            slow_start: Duration::from_secs(10),
            replica_limit: None,
            service_limit: None,
            drain: Duration::from_secs(600),
        }
    }
}

/// Whether requests that belong together go to the same replica.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Affinity {
    /// They need not.
    #[default]
    None,
    /// A cookie of that name says which replica it was.
    Cookie(Arc<str>),
    /// What the request says decides.
    Hash(HashKey),
}

/// The part of a request that decides on its replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HashKey {
    /// The client's address.
    Client,
    /// The path, without the query.
    Path,
    /// A field of the head, by its name in lower case.
    Header(Arc<str>),
    /// A cookie.
    Cookie(Arc<str>),
}

/// Bounds on requests that wait for a replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldLimits {
    /// How long one waits; zero for not at all.
    pub time: Duration,
    /// How many wait at a time.
    pub requests: u32,
    /// How much of a waiting request's body is read, in bytes.
    pub body: usize,
}

impl Default for HoldLimits {
    fn default() -> Self {
        Self { time: Duration::from_secs(30), requests: 1000, body: 64 * 1024 }
    }
}

/// Bounds on attempts beyond the first, over ten seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryLimits {
    /// How many, in percent of the requests.
    pub percent: u32,
    /// How many per second in any case.
    pub per_second: u32,
}

impl Default for RetryLimits {
    fn default() -> Self {
        Self { percent: 20, per_second: 10 }
    }
}

/// When failures take a replica out, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EjectionRules {
    /// Failures in a row that do; zero for never.
    pub failures: u32,
    /// For how long the first time; doubles from one to the next.
    pub time: Duration,
    /// For how long at most.
    pub most: Duration,
}

impl Default for EjectionRules {
    fn default() -> Self {
        Self { failures: 5, time: Duration::from_secs(1), most: Duration::from_secs(60) }
    }
}

/// Whether and how replicas are asked if they are well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What they are asked.
    pub question: Question,
    /// The statuses of a healthy one.
    pub statuses: RangeInclusive<u16>,
    /// How often they are asked.
    pub interval: Duration,
    /// How long one may take to answer.
    pub timeout: Duration,
    /// Good answers in a row after which one that was down is up.
    pub up: u32,
    /// Bad answers in a row after which one that was up is down.
    pub down: u32,
}

impl Default for Check {
    fn default() -> Self {
        Self {
            question: Question::None,
            statuses: 200..=399,
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(2),
            up: 1,
            down: 3,
        }
    }
}

/// What replicas are asked to learn whether they are well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Question {
    /// Nothing.
    #[default]
    None,
    /// Whether they accept a connection.
    Tcp,
    /// What they answer to a GET of this path.
    Http(Arc<str>),
}
