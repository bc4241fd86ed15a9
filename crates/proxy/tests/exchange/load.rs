//! Much at once: large bodies, many connections, bytes cut anywhere.

use std::io;
use std::thread;
use std::time::Duration;

use divisi_testkit::client::{Client, Ending};
use divisi_testkit::conn::Conn;
use divisi_testkit::pattern::Pattern;
use divisi_testkit::replica::{Replica, ok};

use crate::support::{GET, Proxy, allow_many_connections, settings};

const LARGE: usize = 50_000_000;

/// Answers how much of the body was the pattern, and `GET` with the pattern itself, chunked if asked for.
fn large(conn: &mut Conn) -> io::Result<()> {
    let pattern = Pattern::new(3);
    while let Some(head) = conn.head()? {
        let (mut length, mut same) = (0, true);
        conn.body(&head, |bytes| {
            same &= pattern.matches(length, bytes);
            length += bytes.len();
        })?;
        match head.target().as_str() {
            "/sized" => {
                conn.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n"))?;
                pieces(&pattern, |piece| conn.send(piece))?;
            }
            "/chunked" => {
                conn.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
                pieces(&pattern, |piece| conn.send_chunk(piece))?;
                conn.send("0\r\n\r\n")?;
            }
            _ => conn.send(ok(format!("{length} {same}")))?,
        }
    }
    Ok(())
}

/// The large body, in pieces.
fn pieces(pattern: &Pattern, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut done = 0;
    while done < LARGE {
        let piece = pattern.piece(done, LARGE - done);
        take(piece)?;
        done += piece.len();
    }
    Ok(())
}

#[test]
fn large_uploads_arrive_unchanged() {
    let replica = Replica::start(large);
    let proxy = Proxy::before(&[&replica]);
    let pattern = Pattern::new(3);
    let mut client = proxy.connect();
    client.send(format!("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: {LARGE}\r\n\r\n"));
    pieces(&pattern, |piece| client.try_send(piece)).expect("the proxy takes the upload");
    assert_eq!(client.response().text(), format!("{LARGE} true"));

    client.send("POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n");
    let chunk = |piece: &[u8]| [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
    pieces(&pattern, |piece| client.try_send(chunk(piece))).expect("the proxy takes the upload");
    assert_eq!(client.exchange("0\r\n\r\n").text(), format!("{LARGE} true"));
}

#[test]
fn large_responses_arrive_unchanged() {
    let replica = Replica::start(large);
    let proxy = Proxy::before(&[&replica]);
    let pattern = Pattern::new(3);
    let mut client = proxy.connect();
    for target in ["/sized", "/chunked"] {
        client.send(format!("GET {target} HTTP/1.1\r\nHost: app.test\r\n\r\n"));
        let head = client.head().expect("a head");
        let (mut length, mut same) = (0, true);
        let (ending, _) = client.body(&head, |bytes| {
            same &= pattern.matches(length, bytes);
            length += bytes.len();
        });
        assert_eq!((length, same, ending), (LARGE, true, Ending::Complete), "{target}");
    }
}

/// Sends `bytes` in pieces of random sizes.
fn send_cut(bytes: &[u8], random: &mut fastrand::Rng, mut send: impl FnMut(&[u8])) {
    let mut rest = bytes;
    while !rest.is_empty() {
        let most = if random.bool() { 3 } else { 400 };
        let (now, later) = rest.split_at(random.usize(1..=most.min(rest.len())));
        send(now);
        if random.u8(..) < 16 {
            thread::yield_now();
        }
        rest = later;
    }
}

/// A request as bytes, and its body.
fn random_request(number: usize, random: &mut fastrand::Rng) -> (Vec<u8>, Vec<u8>) {
    let length = random.usize(0..2000);
    let body: Vec<u8> = std::iter::repeat_with(|| random.alphanumeric() as u8).take(length).collect();
    let mut bytes = format!("POST /{number} HTTP/1.1\r\nHost: app.test\r\n").into_bytes();
    if random.bool() {
        bytes.extend(format!("Content-Length: {}\r\n\r\n", body.len()).bytes());
        bytes.extend(&body);
    } else {
        bytes.extend(b"Transfer-Encoding: chunked\r\n\r\n");
        for piece in body.chunks(random.usize(1..700)) {
            bytes.extend(format!("{:x}\r\n", piece.len()).bytes());
            bytes.extend(piece);
            bytes.extend(b"\r\n");
        }
        bytes.extend(b"0\r\n\r\n");
    }
    (bytes, body)
}

#[test]
fn bytes_may_be_cut_anywhere() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    println!("SEED={seed}");
    let replica = Replica::start(move |conn| {
        let mut random = fastrand::Rng::with_seed(seed);
        while let Some(request) = conn.request()? {
            let mut bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
            for piece in [request.head.target().as_bytes(), &request.body].into_iter().filter(|piece| !piece.is_empty())
            {
                bytes.extend(format!("{:X}\r\n", piece.len()).bytes());
                bytes.extend(piece);
                bytes.extend(b"\r\n");
            }
            bytes.extend(b"0\r\n\r\n");
            let mut result = Ok(());
            send_cut(&bytes, &mut random, |piece| result = conn.send(piece));
            result?;
        }
        Ok(())
    });
    let proxy = Proxy::before(&[&replica]);
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..8 {
        let requests: Vec<_> = (0..12).map(|number| random_request(number, &mut random)).collect();
        let mut client = proxy.connect();
        let mut writer = client.writer();
        let stream: Vec<u8> = requests.iter().flat_map(|(bytes, _)| bytes.clone()).collect();
        let mut cuts = fastrand::Rng::with_seed(random.u64(..));
        let sending = thread::spawn(move || {
            send_cut(&stream, &mut cuts, |piece| io::Write::write_all(&mut writer, piece).expect("the proxy reads"));
        });
        for (number, (_, body)) in requests.iter().enumerate() {
            let response = client.response();
            assert_eq!(response.ending, Ending::Complete);
            assert_eq!(response.text(), format!("/{number}{}", String::from_utf8_lossy(body)));
        }
        sending.join().expect("everything was sent");
    }
}

#[test]
fn a_thousand_clients_at_once_each_get_their_own_response() {
    const CLIENTS: usize = 1000;
    allow_many_connections();
    let replica = Replica::answering(|request| ok(request.head.target()));
    // The replica's accept queue is shorter than this burst; the kernel tries again after one, two and four seconds.
    let mut settings = divisi_proxy::Settings { workers: 2, ..settings() };
    settings.limits.connect_timeout = Duration::from_secs(30);
    let proxy = Proxy::with(settings, &[&replica]);
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| Client::connect(proxy.addr())).collect();
    for round in 0..3 {
        for (number, client) in clients.iter_mut().enumerate() {
            client.send(format!("GET /{round}/{number} HTTP/1.1\r\nHost: app.test\r\n\r\n"));
        }
        for (number, client) in clients.iter_mut().enumerate() {
            assert_eq!(client.response().text(), format!("/{round}/{number}"));
        }
    }
    let accepted = replica.accepted();
    assert!(accepted <= CLIENTS, "{accepted} upstream connections for {CLIENTS} clients");
    drop(clients);
    assert_eq!(proxy.fetch(GET).status(), 200);
}
