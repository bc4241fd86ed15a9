//! How names stand inside TLS.

use std::time::{SystemTime, UNIX_EPOCH};

use divisi_tls::status::{Listing, Seen};

use crate::api::snapshot::Certificate;

/// What people are told of a name.
pub(super) fn certificate(listing: &Listing, now: SystemTime) -> Certificate {
    let seen = listing.certificate.as_ref();
    Certificate {
        name: listing.name.to_string(),
        source: seen.map(|seen| seen.kind.to_owned()),
        place: seen.map(|seen| seen.source.clone()),
        issuer: seen.map(|seen| seen.issuer.to_string()),
        names: seen.iter().flat_map(|seen| &seen.names).map(ToString::to_string).collect(),
        not_after: seen.map(not_after),
        valid_seconds: seen.map(|seen| match seen.not_after.duration_since(now) {
            Ok(left) => left.as_secs_f64(),
            Err(past) => -past.duration().as_secs_f64(),
        }),
        is_coming: listing.is_coming,
        client_authority: listing.client_authority.as_deref().map(str::to_owned),
        problem: listing.problem.as_deref().map(str::to_owned),
    }
}

/// Until when it is valid, in seconds since 1970.
pub(crate) fn not_after(seen: &Seen) -> u64 {
    seen.not_after.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
