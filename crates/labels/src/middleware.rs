//! What stands between a route and its service, and what that means where it is not built yet.
//!
//! A route never becomes more open than its owner wrote it. A middleware that guards, and one that nobody knows, closes the
//! routes that name it. One that only shapes is left out.

use std::sync::Arc;

use divisi_model::route::{Door, Redirect};

use crate::complaint::Said;
use crate::door;
use crate::wish::{Rewrite, RouteSpec};

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Middleware {
    /// What routes call it.
    pub name: String,
    /// What is done about it.
    pub effect: Effect,
}

/// What is done about a middleware.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It changes the path.
    Rewrite(Rewrite),
    /// It is left out.
    Left,
    /// It is about https.
    Https {
        /// It sends requests that came without TLS into it.
        redirect: Option<Redirect>,
        /// The `Strict-Transport-Security` of responses inside TLS.
        hsts: Option<Arc<str>>,
    },
    /// It closes the routes that name it; why.
    Closes(String),
    /// It is several others, one after the other.
    Chain(Vec<String>),
}

/// How deep chains may name chains, and how many middlewares a route may come to: anyone may write chains of chains.
const MOST: usize = 100;

/// Below every priority that anybody writes.
const LAST: i64 = -1_000_000_000_000;

/// Puts what the middlewares of a route do into its place. `known` has those of all containers, for one may use what another
/// one says; a name that `passed_over` holds is left out whatever it is.
///
/// Without `has_tls` somebody before divisi ends TLS, so that no route has a door of its own. A route of Traefik without TLS that
/// sends everybody on to https then comes after all others: beside it stands the one to which it would have sent, with what
/// guards that.
pub fn apply(
    route: &mut RouteSpec,
    mut known: impl FnMut(&str) -> Option<Middleware>,
    passed_over: &[String],
    has_tls: bool,
) {
    let mut next: Vec<String> = route.middlewares.iter().rev().cloned().collect();
    let mut rewrites = Vec::new();
    let (mut count, mut is_last) = (0, false);
    while let Some(reference) = next.pop() {
        count += 1;
        if count > MOST {
            close(route, &format!("its middlewares name more than {MOST} others, or themselves"));
            break;
        }
        let bare = reference.strip_suffix("@docker").unwrap_or(&reference);
        if passed_over.iter().any(|name| *name == reference || name == bare) {
            continue;
        }
        match known(bare).map(|middleware| middleware.effect) {
            Some(Effect::Rewrite(rewrite)) => rewrites.push(rewrite),
            Some(Effect::Left) => {}
            Some(Effect::Https { redirect, hsts }) => {
                let sends = redirect.filter(|_| route.door != Door::Secure);
                is_last |= sends.is_some() && !has_tls;
                route.redirect = sends.or(route.redirect);
                if hsts.is_some() {
                    Arc::make_mut(&mut route.protection).hsts = hsts;
                }
            }
            Some(Effect::Closes(why)) => close(route, &without(&reference, &why)),
            Some(Effect::Chain(names)) => next.extend(names.iter().rev().cloned()),
            None => close(route, &without(&reference, "is not known here, and might guard it")),
        }
    }
    route.rewrites.extend(rewrites);
    door::settle(route, has_tls);
    // One that is closed stays before wider ones, which would serve its requests.
    if is_last && route.closed.is_none() {
        route.priority = Some(after_all_others(route.priority));
    }
}

/// Why a middleware closes its route, and what to write where nothing is to be guarded.
fn without(reference: &str, why: &str) -> String {
    format!("middleware {reference:?} {why}; --pass-over {reference} serves the route without it")
}

/// The priority of a route that comes after all others, in the order of such routes among each other.
pub(crate) fn after_all_others(priority: Option<i64>) -> i64 {
    LAST + priority.unwrap_or_default().clamp(LAST / 2, -LAST / 2)
}

/// The first reason is the one that is told.
fn close(route: &mut RouteSpec, why: &str) {
    route.closed.get_or_insert_with(|| Said(why).to_string());
}
