//! What is to be known of a request to find its route.

use std::net::IpAddr;

/// What is to be known of a request to find its route. Nothing in it needs to be valid; odd bytes match nothing.
pub trait Asked {
    /// The host as it was sent, port and all; empty where there is none.
    fn host(&self) -> &[u8];
    /// The path without the query, as [`super::path::canonical`] gives it.
    fn path(&self) -> &[u8];
    /// The query as it was sent, without its `?`; empty where there is none.
    fn query(&self) -> &[u8];
    /// The method as it was sent.
    fn method(&self) -> &[u8];
    /// Whether `test` holds for one of the values of the header of that name, which is in lower case.
    fn any_header(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> bool;
    /// Who asks, after what trusted proxies say of it.
    fn client(&self) -> IpAddr;
    /// Whether the client offers that protocol in its handshake of TLS; only asked of connections that carry no HTTP.
    fn offers(&self, _protocol: &[u8]) -> bool {
        false
    }
    /// Whether it came inside TLS, here or at a trusted proxy.
    fn is_secure(&self) -> bool;
}
