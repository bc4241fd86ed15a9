//! gRPC through the real program, with a real client and servers (grpcio): whatever its users rely on passes through.

#[path = "../support/mod.rs"]
mod support;

mod stage;
mod venv;

use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

use divisi_testkit::engine::{FakeContainer, FakeEngine};

use stage::{Server, Stage, Way};

/// The cases of the interoperability tests, and messages as large as they may be.
const CASES: &[&str] = &[
    "empty_unary",
    "large_unary",
    "four_megabytes",
    "client_streaming",
    "server_streaming",
    "ping_pong",
    "empty_stream",
    "custom_metadata",
    "status_code_and_message",
    "special_status_message",
    "unimplemented_method",
    "cancel_after_begin",
    "cancel_after_first_response",
    "timeout_on_sleeping_server",
];

const BOTH: [Way; 2] = [Way::Plain, Way::Tls];

/// gRPC is sent to replicas as HTTP/2 with prior knowledge, whether anybody has said so or not.
#[test]
fn every_kind_of_call_passes() {
    let Some(python) = venv::python() else { return };
    let server = Server::start(python, "a");
    for (way, replica) in [(Way::Plain, server.addr.clone()), (Way::Tls, format!("h2c://{}", server.addr))] {
        Stage::new(python, way, &["--replica", &replica]).assert_all(CASES);
    }
}

#[test]
fn keepalive_pings_are_answered() {
    let Some(python) = venv::python() else { return };
    let server = Server::start(python, "a");
    for way in BOTH {
        Stage::new(python, way, &["--replica", &server.addr]).assert_all(&["keepalive"]);
    }
}

/// Balanced per call, not per connection.
#[test]
fn calls_on_one_connection_reach_all_servers() {
    let Some(python) = venv::python() else { return };
    let servers = ["a", "b", "c"].map(|name| Server::start(python, name));
    let replicas = servers.each_ref().map(|server| &*server.addr).join(",");
    for way in BOTH {
        let told = ["--replica", &replicas, "--policy", "round-robin", "--workers", "1"];
        Stage::new(python, way, &told).assert_all(&["spread"]);
    }
}

#[test]
fn a_server_that_is_killed_within_a_stream_makes_an_error() {
    let Some(python) = venv::python() else { return };
    for way in BOTH {
        let server = Server::start(python, "a");
        Stage::new(python, way, &["--replica", &server.addr]).assert_all(&["killed_server"]);
    }
}

/// It says GOAWAY, and finishes what it has begun.
#[test]
fn a_server_that_stops_loses_no_call() {
    let Some(python) = venv::python() else { return };
    for way in BOTH {
        let servers = ["a", "b"].map(|name| Server::start(python, name));
        let replicas = servers.each_ref().map(|server| &*server.addr).join(",");
        let stage = Stage::new(python, way, &["--replica", &replicas]);
        let mut client = stage.client(&["lossless"]);
        client.wait_until_calling();
        // In the middle of two seconds of calls.
        thread::sleep(Duration::from_millis(800));
        servers[0].terminate();
        client.assert_all();
    }
}

/// A call waits for a server as any request does.
#[test]
fn a_call_is_held_until_there_is_a_server() {
    let Some(python) = venv::python() else { return };
    // An address that nobody else on this machine uses, so that its port stays free.
    let ip = [127, 1 + u8::try_from(std::process::id() % 250).expect("less than 250"), 250, 1];
    let free = TcpListener::bind(SocketAddr::from((ip, 0))).and_then(|free| free.local_addr());
    let addr = free.expect("a free port").to_string();
    let stage = Stage::new(python, Way::Plain, &["--replica", &addr]);
    let mut client = stage.client(&["held"]);
    client.wait_until_calling();
    thread::sleep(Duration::from_millis(500));
    let _server = Server::start_at(python, "a", &addr);
    client.assert_all();
}

#[test]
fn what_divisi_says_itself_is_a_status_of_grpc() {
    let Some(python) = venv::python() else { return };
    let server = Server::start(python, "a");
    for way in BOTH {
        // Port 9 is for nobody here.
        Stage::new(python, way, &["--replica", "127.0.0.1:9", "--hold", "0s"]).assert_all(&["no_replica"]);
        let hasty = Stage::new(python, way, &["--replica", &server.addr, "--stream-timeout", "1s"]);
        hasty.assert_all(&["too_slow", "too_slow_streaming"]);
    }
}

/// Found by a fake engine: whoever names replicas by hand has one service, which takes every request.
#[test]
fn a_host_without_a_route_is_unimplemented() {
    let Some(python) = venv::python() else { return };
    let engine = FakeEngine::new();
    let container = FakeContainer::replica("shop", "echo", 1).network("shop_default", "127.0.0.1").port(9);
    let id = engine.create(container.label("divisi.host", "elsewhere.test"));
    engine.start(&id);
    let stage = Stage::new(python, Way::Plain, &["--docker-host", &engine.docker_host(), "--project", "shop"]);
    stage.assert_all(&["no_route"]);
}
