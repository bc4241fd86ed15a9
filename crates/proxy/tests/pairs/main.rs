//! Each pair of protocols passes the same exchanges: what a client speaks to divisi, and what divisi speaks to a replica.
//!
//! ```text
//! client (hyper, h2) ─► HTTP/1.1 or HTTP/2, in TLS or not ─► divisi ─► http, https, h2c, h2 ─► replica (hyper, h2)
//! ```
//!
//! A behaviour is written once, as a function of the pair, and stands in the table below; every pair runs all of them. Clients
//! and replicas are ordinary engines that are not ours, so neither end can share a mistake with the proxy.

#[path = "../support/mod.rs"]
mod support;

mod broken;
mod cancel;
mod client;
mod doors;
mod early;
mod fields;
mod hold;
mod interim;
mod many;
mod proof;
mod refused;
mod replica;
mod resting;
mod seal;
mod slow;
mod stage;
mod stop;
mod streamed;
mod trailers;
mod websocket;
mod whole;

use divisi_model::speech::Scheme;

use stage::{Downstream, Pair, run};

/// Those behaviours, for one pair.
macro_rules! behaviours {
    ($pair:expr, { $($room:ident { $($behaviour:ident)* })* }) => {
        $($(
            #[test]
            fn $behaviour() {
                crate::run(crate::$room::$behaviour($pair));
            }
        )*)*
    };
}

/// Those behaviours, for each of those pairs.
macro_rules! pairs {
    ($behaviours:tt $($name:ident: $client:ident => $replica:ident;)*) => {
        $(mod $name {
            use crate::{Downstream, Pair, Scheme};

            behaviours! { Pair { client: Downstream::$client, replica: Scheme::$replica }, $behaviours }
        })*
    };
}

pairs! {
    {
        whole { small large empty }
        streamed { downloads uploads both_ways }
        trailers { of_requests of_responses }
        interim { early_hints continues }
        early { response_before_the_upload_ends }
        cancel { before_the_response within_the_response within_the_upload }
        broken { within_the_body before_the_head_of_a_get before_the_head_of_a_post }
        refused { graceful_end }
        hold { until_a_replica_is_ready }
        slow { reader readers_hold_up_nobody_else replica_in_reading }
        many { at_once }
        websocket { echoes comes_first half_closes is_refused is_cut_when_the_drain_is_over }
        stop { finishes_what_is_open }
        fields { forwarded hop_by_hop }
        resting { between_requests }
    }
    http1_to_http: Http1 => Http;
    http1_to_https: Http1 => Https;
    http1_to_h2c: Http1 => H2c;
    http1_to_h2: Http1 => H2;
    https1_to_http: Http1InTls => Http;
    https1_to_https: Http1InTls => Https;
    https1_to_h2c: Http1InTls => H2c;
    https1_to_h2: Http1InTls => H2;
    h2c_to_http: Http2 => Http;
    h2c_to_https: Http2 => Https;
    h2c_to_h2c: Http2 => H2c;
    h2c_to_h2: Http2 => H2;
    h2_to_http: Http2InTls => Http;
    h2_to_https: Http2InTls => Https;
    h2_to_h2c: Http2InTls => H2c;
    h2_to_h2: Http2InTls => H2;
}

/// What only a replica that speaks HTTP/2 can say.
mod http2_upstream {
    pairs! {
        { refused { stream goaway } }
        http1_to_h2c: Http1 => H2c;
        http1_to_h2: Http1 => H2;
        https1_to_h2c: Http1InTls => H2c;
        https1_to_h2: Http1InTls => H2;
        h2c_to_h2c: Http2 => H2c;
        h2c_to_h2: Http2 => H2;
        h2_to_h2c: Http2InTls => H2c;
        h2_to_h2: Http2InTls => H2;
    }
}

/// What has a meaning only where replicas prove who they are.
mod tls_upstream {
    pairs! {
        { proof { of_a_stranger of_nobody } }
        http1_to_https: Http1 => Https;
        http1_to_h2: Http1 => H2;
        https1_to_https: Http1InTls => Https;
        https1_to_h2: Http1InTls => H2;
        h2c_to_https: Http2 => Https;
        h2c_to_h2: Http2 => H2;
        h2_to_https: Http2InTls => Https;
        h2_to_h2: Http2InTls => H2;
    }
}
