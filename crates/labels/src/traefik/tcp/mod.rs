//! Labels of Traefik about TCP: routers, services and middlewares of their own beside those of HTTP.
//!
//! | module | job |
//! |---|---|
//! | `routers`, `services`, `middlewares` | what each field puts in its place |
//! | `link` | which router leads to which service, and at which ports |
//!
//! An entry point of Traefik has its port in Traefik's own configuration. Here a flag says it: `--entrypoints postgres=5432`.

mod link;
pub(crate) mod middlewares;
pub(crate) mod routers;
pub(crate) mod services;

use super::draft::Named;
use middlewares::Middleware;
use routers::Router;
use services::Service;

pub(crate) use link::link;

/// Routers, services and middlewares of TCP while they are read.
#[derive(Debug, Default)]
pub(crate) struct Tcp {
    pub(crate) routers: Named<Router>,
    pub(crate) services: Named<Service>,
    pub(crate) middlewares: Named<Middleware>,
}
