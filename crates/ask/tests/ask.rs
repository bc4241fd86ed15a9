//! A connection in memory, of which the test has the other end.

use std::time::Duration;

use divisi_ask::hyper::header::HOST;
use divisi_ask::hyper::{Request, Response, body::Incoming};
use divisi_ask::{Body, Connection, ReadError, open, open_for_heads_of, read};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::time::timeout;

/// How long the test waits for something that must happen.
const PATIENCE: Duration = Duration::from_secs(20);

fn question() -> Request<Body> {
    Request::get("/").header(HOST, "test").body(Body::default()).expect("a request")
}

fn pair() -> (DuplexStream, DuplexStream) {
    duplex(64 * 1024)
}

/// The other end: reads a question and answers with that. What was asked.
async fn answer(far: &mut DuplexStream, text: &str) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(far.read_u8().await.expect("a question"));
    }
    far.write_all(text.as_bytes()).await.expect("somebody reads the answer");
    String::from_utf8(head).expect("text")
}

/// A question that was answered with that, its connection, and the other end.
async fn answered(text: &str) -> (Connection, Response<Incoming>, DuplexStream) {
    let (near, mut far) = pair();
    let mut connection = open(Box::pin(near)).await.expect("opened");
    let (response, _) = tokio::join!(connection.send_request(question()), answer(&mut far, text));
    (connection, response.expect("an answer"), far)
}

/// What comes at the other end until the connection is closed.
async fn to_the_end(mut far: DuplexStream) -> String {
    let mut text = String::new();
    timeout(PATIENCE, far.read_to_string(&mut text)).await.expect("it is closed").expect("text");
    text
}

#[tokio::test]
async fn a_connection_is_used_again_and_nothing_but_heads_is_sent() {
    let (near, mut far) = pair();
    let mut connection = open(Box::pin(near)).await.expect("opened");
    for text in
        ["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"]
    {
        connection.ready().await.expect("it goes on");
        let (response, asked) = tokio::join!(connection.send_request(question()), answer(&mut far, text));
        assert_eq!(asked, "GET / HTTP/1.1\r\nhost: test\r\n\r\n");
        let body = read(response.expect("an answer").into_body(), 2).await.expect("a body");
        assert!(text.as_bytes().ends_with(&body), "{text}");
    }
    drop(connection);
    assert_eq!(to_the_end(far).await, "");
}

#[tokio::test]
async fn a_connection_ends_when_nobody_waits_for_its_answer() {
    let (near, mut far) = pair();
    let mut connection = open(Box::pin(near)).await.expect("opened");
    tokio::select! {
        answer = connection.send_request(question()) => panic!("nobody answers, and this came: {answer:?}"),
        _ = answer(&mut far, "") => {}
    }
    to_the_end(far).await;
    assert!(connection.is_closed());
}

#[tokio::test]
async fn a_connection_ends_when_nobody_reads_its_answer() {
    let (connection, response, far) = answered("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi").await;
    drop((connection, response));
    to_the_end(far).await;
}

#[tokio::test]
async fn an_answer_that_goes_on_is_read_although_the_connection_was_let_go() {
    let (connection, response, mut far) = answered("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhi").await;
    drop(connection);
    far.write_all(b"ho").await.expect("it is still open");
    assert_eq!(read(response.into_body(), 4).await.expect("a body"), b"hiho");
}

#[tokio::test]
async fn a_body_is_bounded() {
    let (_connection, response, _far) = answered("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc").await;
    let refused = read(response.into_body(), 2).await;
    assert!(matches!(refused, Err(ReadError::TooLong)), "{refused:?}");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_none() {
    let (_connection, response, far) = answered("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab").await;
    drop(far);
    let broken = read(response.into_body(), 3).await;
    assert!(matches!(broken, Err(ReadError::Broken(_))), "{broken:?}");
}

#[tokio::test]
async fn a_head_is_bounded() {
    let filler = "x".repeat(12 * 1024);
    let long = format!("HTTP/1.1 200 OK\r\nFiller: {filler}\r\nContent-Length: 0\r\n\r\n");
    for (most, is_taken) in [(8 * 1024, false), (16 * 1024, true)] {
        let (near, mut far) = pair();
        let mut connection = open_for_heads_of(most, Box::pin(near)).await.expect("opened");
        let (response, _) = tokio::join!(connection.send_request(question()), answer(&mut far, &long));
        assert_eq!(response.is_ok(), is_taken, "{most}");
    }
}
