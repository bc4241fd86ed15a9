//! Both directions at once, and nothing held back.

use std::io;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use divisi_testkit::client::Ending;
use divisi_testkit::conn::Conn;
use divisi_testkit::replica::Replica;

use crate::support::{GET, Proxy};

/// Sends back what comes, chunk framing and all, from the first byte of the request's body on.
fn echo_while_it_comes(conn: &mut Conn) -> io::Result<()> {
    let Some(head) = conn.head()? else { return Ok(()) };
    conn.note(head);
    conn.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
    loop {
        let bytes = conn.read_some()?;
        conn.send(&bytes)?;
        if bytes.is_empty() || bytes.ends_with(b"0\r\n\r\n") {
            return Ok(());
        }
    }
}

#[test]
fn a_response_begins_while_the_upload_goes_on() {
    let replica = Replica::start(echo_while_it_comes);
    let proxy = Proxy::before(&[&replica]);
    let mut client = proxy.connect();
    client.send("POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n");
    let head = client.head().expect("a head before any body was sent");
    assert_eq!(head.status(), 200);
    for word in ["one", "two", "three"] {
        client.send(format!("{:x}\r\n{word}\r\n", word.len()));
        client.read_until(word);
        client.read_until("\r\n");
    }
    client.send("0\r\n\r\n");
    client.read_until("0\r\n\r\n");
}

#[test]
fn a_chunk_arrives_when_it_was_sent_and_not_at_the_end() {
    let (go, wait) = mpsc::channel::<()>();
    let wait = Arc::new(Mutex::new(wait));
    let replica = Replica::start(move |conn| {
        conn.request()?;
        conn.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        for n in 0..3 {
            conn.send_chunk(format!("data: {n}\n\n"))?;
            // The next one is sent when the client has seen this one, and not before.
            let seen = wait.lock().map_err(|_| io::ErrorKind::Other)?.recv();
            seen.map_err(|_| io::ErrorKind::BrokenPipe)?;
        }
        conn.send("0\r\n\r\n")
    });
    let proxy = Proxy::before(&[&replica]);
    let mut client = proxy.connect();
    client.send(GET);
    assert_eq!(client.head().expect("a head").status(), 200);
    for n in 0..3 {
        client.read_until(format!("data: {n}\n\n"));
        go.send(()).expect("the replica waits");
    }
    client.read_until("0\r\n\r\n");
}

#[test]
fn a_sized_response_arrives_piece_by_piece() {
    let (go, wait) = mpsc::channel::<()>();
    let wait = Arc::new(Mutex::new(wait));
    let replica = Replica::start(move |conn| {
        conn.request()?;
        conn.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n")?;
        for piece in ["ab", "cd", "ef"] {
            conn.send(piece)?;
            let seen = wait.lock().map_err(|_| io::ErrorKind::Other)?.recv();
            seen.map_err(|_| io::ErrorKind::BrokenPipe)?;
        }
        Ok(())
    });
    let proxy = Proxy::before(&[&replica]);
    let mut client = proxy.connect();
    client.send(GET);
    for piece in ["ab", "cd", "ef"] {
        client.read_until(piece);
        go.send(()).expect("the replica waits");
    }
}

#[test]
fn a_head_alone_arrives_before_its_body() {
    let replica = Replica::start(|conn| {
        conn.request()?;
        conn.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n")?;
        conn.wait_closed().map(drop)
    });
    let proxy = Proxy::before(&[&replica]);
    let mut client = proxy.connect();
    client.send(GET);
    assert_eq!(client.head().expect("a head").status(), 200);
}

#[test]
fn an_early_response_to_an_upload_that_goes_on_reaches_the_client() {
    let replica = Replica::start(|conn| {
        let Some(head) = conn.head()? else { return Ok(()) };
        conn.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig")?;
        conn.body(&head, |_| {}).map(drop)
    });
    let proxy = Proxy::before(&[&replica]);
    let mut client = proxy.connect();
    client.send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 1000000\r\n\r\nsome of it");
    let response = client.response();
    assert_eq!((response.status(), response.text().as_str(), response.ending), (413, "big", Ending::Complete));
    // The client may go on; it must not be able to have the rest taken for a request.
    let _ = client.try_send("GET /smuggled HTTP/1.1\r\nHost: app.test\r\n\r\n");
    drop(client);
    assert_eq!(replica.requests().len(), 0);
}

#[test]
fn a_replica_that_answers_early_and_closes_is_heard_over_the_upload() {
    let replica = Replica::start(|conn| {
        conn.head()?;
        conn.send("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")?;
        conn.finish()?;
        conn.wait_closed().map(drop)
    });
    let proxy = Proxy::before(&[&replica]);
    let mut client = proxy.connect();
    client.send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 8000000\r\n\r\n");
    for _ in 0..80 {
        // The proxy may have stopped listening.
        let _ = client.try_send([b'x'; 100_000]);
    }
    let response = client.response();
    assert_eq!((response.status(), response.text().as_str()), (401, "no"));
}
