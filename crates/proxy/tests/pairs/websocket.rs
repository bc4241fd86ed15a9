//! WebSocket: an upgrade in HTTP/1.1 (RFC 6455), an extended CONNECT in HTTP/2 (RFC 8441), and each behind the other.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use divisi_model::speech::Scheme;
use divisi_model::{Moment, Readiness};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::ext::Protocol;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufWriter};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::client::{Body, Client, get, read, request, whole};
use crate::replica::{Call, Replica};
use crate::seal::{self, HOST};
use crate::stage::{Downstream, PATIENCE, Pair, Stage, run, until};

/// RFC 6455 1.3, whose example this is.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const SUFFIX: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

type Tunnel = TokioIo<Upgraded>;

/// What asks for a tunnel in what the client speaks.
fn handshake(pair: Pair) -> Request<Body> {
    let mut asked = request("GET", "/chat", whole(""));
    let headers = asked.headers_mut();
    headers.insert("sec-websocket-version", "13".parse().expect("a value"));
    headers.insert("sec-websocket-protocol", "chat".parse().expect("a value"));
    if pair.client.is_http2() {
        *asked.method_mut() = Method::CONNECT;
        asked.extensions_mut().insert(Protocol::from_static("websocket"));
    } else {
        headers.insert("connection", "Upgrade".parse().expect("a value"));
        headers.insert("upgrade", "websocket".parse().expect("a value"));
        headers.insert("sec-websocket-key", KEY.parse().expect("a value"));
    }
    asked
}

/// Takes the handshake, in what the replica speaks.
async fn take(pair: Pair, call: Call) -> Tunnel {
    let (mut asked, answer) = call.open();
    let headers = asked.headers();
    assert_eq!(asked.uri().path(), "/chat");
    assert_eq!(headers["sec-websocket-version"], "13");
    assert_eq!(headers["sec-websocket-protocol"], "chat");
    let mut response = Response::new(whole(""));
    if pair.is_http2_upstream() {
        assert_eq!(asked.method(), Method::CONNECT);
        assert_eq!(asked.extensions().get::<Protocol>().map(Protocol::as_str), Some("websocket"));
        assert!(!headers.contains_key("sec-websocket-key"), "HTTP/2 has no key (RFC 8441 5)");
    } else {
        assert_eq!((asked.method(), &headers["upgrade"].as_bytes()), (&Method::GET, &&b"websocket"[..]));
        let key = headers["sec-websocket-key"].to_str().expect("text").to_owned() + SUFFIX;
        let accept = STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, key.as_bytes()));
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        response.headers_mut().insert("connection", "Upgrade".parse().expect("a value"));
        response.headers_mut().insert("upgrade", "websocket".parse().expect("a value"));
        response.headers_mut().insert("sec-websocket-accept", accept.parse().expect("a value"));
    }
    response.headers_mut().insert("sec-websocket-protocol", "chat".parse().expect("a value"));
    let upgraded = hyper::upgrade::on(&mut asked);
    answer.give(response);
    TokioIo::new(upgraded.await.expect("a tunnel"))
}

/// What the client has got for its handshake.
async fn opened(pair: Pair, response: Response<Incoming>) -> Tunnel {
    let headers = response.headers();
    assert_eq!(headers["sec-websocket-protocol"], "chat");
    if pair.client.is_http2() {
        assert_eq!(response.status(), 200);
        assert!(!headers.contains_key("sec-websocket-accept") && !headers.contains_key("upgrade"), "{headers:?}");
    } else {
        assert_eq!(response.status(), 101);
        assert_eq!(headers["sec-websocket-accept"], ACCEPT);
    }
    TokioIo::new(hyper::upgrade::on(response).await.expect("a tunnel"))
}

/// Both ends of a tunnel.
async fn tunnel(pair: Pair, client: &mut Client, replica: &mut Replica) -> (Tunnel, Tunnel) {
    greet(client, replica).await;
    let asked = tokio::spawn(client.send(handshake(pair)));
    let far = take(pair, replica.call().await).await;
    (opened(pair, asked.await.expect("no panic").expect("a response")).await, far)
}

/// RFC 8441 3: a client of HTTP/2 may ask only once it has heard that it may, which it has after any response.
async fn greet(client: &mut Client, replica: &mut Replica) {
    let (reply, ()) = tokio::join!(client.fetch(get()), async { replica.call().await.say(whole("hello")) });
    assert_eq!(reply.expect("a response").text(), "hello");
    client.ready().await.expect("it stays open");
}

pub(crate) async fn echoes(pair: Pair) {
    let mut replica = Replica::start(pair).await;
    let stage = Stage::before(pair, &[&replica]);
    let mut client = stage.client().await;
    let (mut near, mut far) = tunnel(pair, &mut client, &mut replica).await;
    let echo = tokio::spawn(async move {
        let mut space = vec![0; 16 << 10];
        loop {
            match far.read(&mut space).await.expect("it goes on") {
                0 => return,
                count => far.write_all(&space[..count]).await.expect("it goes on"),
            }
        }
    });
    let sent: Vec<u8> = (0..1 << 20).map(|number: u32| (number % 251) as u8).collect();
    let mut came = vec![0; sent.len()];
    let (mut reading, mut writing) = tokio::io::split(near);
    let (written, read) = tokio::join!(writing.write_all(&sent), reading.read_exact(&mut came));
    written.and(read).expect("it goes on");
    assert!(came == sent, "it was changed on the way");
    near = reading.unsplit(writing);
    near.shutdown().await.expect("it goes on");
    echo.await.expect("no panic");
    assert_eq!(near.read(&mut [0]).await.expect("an end in order"), 0);
    stage.assert_at_peace().await;
}

/// The replica has said nothing yet when it is asked, so what it takes is not known.
pub(crate) async fn comes_first(pair: Pair) {
    let mut replica = Replica::start(pair).await;
    let stage = Stage::before(pair, &[&replica]);
    let mut client = stage.client().await;
    // An answer of divisi's own: the client has heard what divisi takes, and divisi nothing of the replica.
    assert_eq!(client.fetch(request("GET", "/../", whole(""))).await.expect("a response").status, 400);
    if !pair.client.is_http2() {
        client = stage.client().await;
    }
    assert_eq!(replica.accepted(), 0);
    let asked = tokio::spawn(client.send(handshake(pair)));
    let mut far = take(pair, replica.call().await).await;
    let mut near = opened(pair, asked.await.expect("no panic").expect("a response")).await;
    far.write_all(b"!").await.expect("it goes on");
    assert_eq!(near.read_u8().await.expect("it goes on"), b'!');
}

/// RFC 6455 7.1.1: one side ends first, and goes on hearing.
pub(crate) async fn half_closes(pair: Pair) {
    let mut replica = Replica::start(pair).await;
    let stage = Stage::before(pair, &[&replica]);
    let mut client = stage.client().await;
    let (mut near, mut far) = tunnel(pair, &mut client, &mut replica).await;
    near.write_all(b"last words").await.expect("it goes on");
    near.shutdown().await.expect("it goes on");
    let mut heard = String::new();
    far.read_to_string(&mut heard).await.expect("an end in order");
    assert_eq!(heard, "last words");
    far.write_all(b"farewell").await.expect("it goes on");
    far.shutdown().await.expect("it goes on");
    heard.clear();
    near.read_to_string(&mut heard).await.expect("an end in order");
    assert_eq!(heard, "farewell");
    stage.assert_at_peace().await;
}

/// The same where the last words and the end of TLS come in one piece, and behind them the end of the connection.
#[test]
fn last_words_and_the_end_may_come_together() {
    let pair = Pair { client: Downstream::Http1InTls, replica: Scheme::Http };
    run(async move {
        let mut replica = Replica::start(pair).await;
        let stage = Stage::before(pair, &[&replica]);
        let tcp = TcpStream::connect(stage.door()).await.expect("it listens");
        let connector = TlsConnector::from(seal::client_config(pair.client.protocol(), None));
        let name = ServerName::try_from(HOST).expect("a name");
        let mut near = connector.connect(name, BufWriter::new(tcp)).await.expect("it is let in");
        let head = format!(
            "GET /chat HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
        );
        near.write_all(head.as_bytes()).await.expect("it goes on");
        near.flush().await.expect("it goes on");
        let mut far = take(pair, replica.call().await).await;
        let mut came = Vec::new();
        while !came.ends_with(b"\r\n\r\n") {
            came.push(near.read_u8().await.expect("a response"));
        }
        near.write_all(b"last words").await.expect("it goes on");
        near.shutdown().await.expect("it goes on");
        let mut heard = String::new();
        far.read_to_string(&mut heard).await.expect("an end in order");
        assert_eq!(heard, "last words");
        far.write_all(b"farewell").await.expect("it goes on");
        far.shutdown().await.expect("it goes on");
        heard.clear();
        near.read_to_string(&mut heard).await.expect("an end in order");
        assert_eq!(heard, "farewell");
        stage.assert_at_peace().await;
    });
}

pub(crate) async fn is_refused(pair: Pair) {
    let mut replica = Replica::start(pair).await;
    let stage = Stage::before(pair, &[&replica]);
    let mut client = stage.client().await;
    greet(&mut client, &mut replica).await;
    let asked = tokio::spawn(client.send(handshake(pair)));
    replica.call().await.answer(Response::builder().status(403).body(whole("not you")).expect("a response"));
    let reply = read(asked.await.expect("no panic").expect("a response")).await.expect("a body");
    assert_eq!((reply.status, &*reply.text()), (403, "not you"));
    let mut client = stage.client().await;
    greet(&mut client, &mut replica).await;
    stage.assert_at_peace().await;
}

/// Design, invariant 5: a tunnel lives until the time of its replica is over, and no longer.
pub(crate) async fn is_cut_when_the_drain_is_over(pair: Pair) {
    let mut replica = Replica::start(pair).await;
    let stage = Stage::before(pair, &[&replica]);
    let mut client = stage.client().await;
    let (mut near, mut far) = tunnel(pair, &mut client, &mut replica).await;
    let member = &stage.members[0];
    member.set_readiness(Readiness::Draining, Moment::now());
    stage.ready(&[]);
    for _ in 0..3 {
        near.write_all(b"?").await.expect("it goes on");
        assert_eq!(far.read_u8().await.expect("it goes on"), b'?');
        far.write_all(b"!").await.expect("it goes on");
        assert_eq!(near.read_u8().await.expect("it goes on"), b'!');
    }
    member.set_cut(Some(Moment::now()));
    let cut = async { tokio::join!(near.read_u8(), far.read_u8()) };
    let (near, far) = tokio::time::timeout(PATIENCE, cut).await.expect("both see the end");
    assert!(near.is_err() && far.is_err(), "{near:?} {far:?}");
    until("the lease is given back", || member.in_flight() == 0).await;
}
