//! What a replica says before it answers (RFC 9110 15.2).

use std::future::poll_fn;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::client::{Client, Wire, pieces, read, request, wire};
use crate::replica::Strange;
use crate::seal::HOST;
use crate::stage::{Pair, Stage};

/// What a client hears: statuses with the value of `Link`, and the body of the last.
type Heard = (Vec<(u16, Option<String>)>, String);

fn told(status: StatusCode, headers: &HeaderMap) -> (u16, Option<String>) {
    (status.as_u16(), headers.get("link").map(|link| link.to_str().expect("text").to_owned()))
}

/// A replica that says `interim`, waits for a body of ten bytes if there is one, and answers.
async fn replica(pair: Pair, interim: u16) -> Strange {
    Strange::start(pair, move |wire| async move {
        if pair.is_http2_upstream() {
            answer_in_http2(wire, interim).await;
        } else {
            answer_in_http1(wire, interim).await.expect("the proxy stays");
        }
    })
    .await
}

async fn answer_in_http1(mut wire: Box<dyn Wire>, interim: u16) -> std::io::Result<()> {
    let mut came = Vec::new();
    while !came.ends_with(b"\r\n\r\n") {
        came.push(wire.read_u8().await?);
    }
    wire.write_all(format!("HTTP/1.1 {interim} Some\r\nLink: </a.css>\r\n\r\n").as_bytes()).await?;
    wire.flush().await?;
    if came.starts_with(b"POST") {
        came.clear();
        while !came.ends_with(b"0\r\n\r\n") {
            came.push(wire.read_u8().await?);
        }
    }
    wire.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").await?;
    wire.flush().await?;
    wire.read_u8().await.map(drop).or(Ok(()))
}

async fn answer_in_http2(wire: Box<dyn Wire>, interim: u16) {
    let mut connection = h2::server::handshake(wire).await.expect("a handshake");
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        tokio::spawn(async move {
            let early = Response::builder().status(interim).header("link", "</a.css>").body(()).expect("a head");
            respond.send_informational(early).expect("it is wanted");
            let mut body = request.into_body();
            while let Some(data) = body.data().await {
                body.flow_control().release_capacity(data.expect("a piece").len()).expect("it came");
            }
            let mut stream = respond.send_response(Response::new(()), false).expect("it is wanted");
            stream.send_data(Bytes::from_static(b"hello"), true).expect("it is wanted");
        });
    }
}

async fn hear_in_http1(stage: &Stage) -> Heard {
    let mut client = Client::connect(stage.door(), stage.pair.client, None).await.expect("it is let in");
    let heard = Arc::new(Mutex::new(Vec::new()));
    let mut asked = crate::client::get();
    let early = Arc::clone(&heard);
    hyper::ext::on_informational(&mut asked, move |response| {
        early.lock().expect("no panic").push(told(response.status(), response.headers()));
    });
    let response = client.send(asked).await.expect("a response");
    let mut heard = std::mem::take(&mut *heard.lock().expect("no panic"));
    heard.push(told(response.status(), response.headers()));
    (heard, read(response).await.expect("a body").text())
}

async fn hear_in_http2(stage: &Stage) -> Heard {
    let wire = wire(stage.door(), stage.pair.client, None).await.expect("it is let in");
    let (sender, connection) = h2::client::handshake(wire).await.expect("a handshake");
    let driver = tokio::spawn(async { drop(connection.await) });
    let mut sender = sender.ready().await.expect("it is open");
    let uri = format!("{}://{HOST}/", stage.pair.client.scheme());
    let asked = Request::builder().uri(uri).body(()).expect("a request");
    let (mut answer, _) = sender.send_request(asked, true).expect("it is open");
    let mut heard = Vec::new();
    if let Some(early) = poll_fn(|context| answer.poll_informational(context)).await {
        let early = early.expect("a head");
        heard.push(told(early.status(), early.headers()));
    }
    let response = answer.await.expect("a response");
    heard.push(told(response.status(), response.headers()));
    let mut body = response.into_body();
    let mut text = String::new();
    while let Some(data) = body.data().await {
        text.push_str(std::str::from_utf8(&data.expect("a piece")).expect("text"));
    }
    driver.abort();
    (heard, text)
}

pub(crate) async fn early_hints(pair: Pair) {
    let replica = replica(pair, 103).await;
    let stage = Stage::at(pair, &[replica.addr()]);
    let heard = if pair.client.is_http2() { hear_in_http2(&stage).await } else { hear_in_http1(&stage).await };
    assert_eq!(heard, (vec![(103, Some("</a.css>".to_owned())), (200, None)], "hello".to_owned()));
}

/// RFC 9110 10.1.1: the client keeps its body until the replica asks for it.
pub(crate) async fn continues(pair: Pair) {
    let replica = replica(pair, 100).await;
    let stage = Stage::at(pair, &[replica.addr()]);
    if pair.client.is_http2() {
        return continue_in_http2(&stage).await;
    }
    let mut client = stage.client().await;
    let (mut sender, body) = pieces();
    let mut asked = request("POST", "/", body);
    asked.headers_mut().insert("expect", "100-continue".parse().expect("a value"));
    let (tell, told) = tokio::sync::oneshot::channel();
    let tell = Mutex::new(Some(tell));
    hyper::ext::on_informational(&mut asked, move |response| {
        let tell = tell.lock().expect("no panic").take().expect("only one");
        tell.send(response.status().as_u16()).expect("it is waited for");
    });
    let asked = tokio::spawn(client.send(asked));
    assert_eq!(told.await.expect("it is said"), 100);
    sender.send_data("ten bytes!".into()).await.expect("it is wanted");
    drop(sender);
    assert_eq!(read(asked.await.expect("no panic").expect("a response")).await.expect("a body").text(), "hello");
}

async fn continue_in_http2(stage: &Stage) {
    let wire = wire(stage.door(), stage.pair.client, None).await.expect("it is let in");
    let (sender, connection) = h2::client::handshake(wire).await.expect("a handshake");
    let driver = tokio::spawn(async { drop(connection.await) });
    let mut sender = sender.ready().await.expect("it is open");
    let uri = format!("{}://{HOST}/", stage.pair.client.scheme());
    let asked = Request::builder().method("POST").uri(uri).header("expect", "100-continue");
    let (mut answer, mut upload) = sender.send_request(asked.body(()).expect("a request"), false).expect("it is open");
    let early = poll_fn(|context| answer.poll_informational(context)).await.expect("it is said").expect("a head");
    assert_eq!(early.status(), 100);
    upload.send_data(Bytes::from_static(b"ten bytes!"), true).expect("it is open");
    assert_eq!(answer.await.expect("a response").status(), 200);
    driver.abort();
}
