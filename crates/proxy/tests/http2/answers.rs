//! From HTTP/1.1 to HTTP/2: what becomes of a replica's answer, and of one that breaks off.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use divisi_testkit::conn::Conn;
use divisi_testkit::http2::client::{Client, get_fields, post_fields};
use divisi_testkit::http2::frame::{Frame, code, setting};
use divisi_testkit::http2::response::{Ending, Response};
use divisi_testkit::pattern::Pattern;
use divisi_testkit::replica::{Replica, ok};
use divisi_testkit::wait::until;

use crate::case::{Case, proxied};
use crate::stage::BODY;
use crate::support::Proxy;

/// What sockets and buffers between a replica and a client that does not read may hold, all together.
const UNDERWAY: usize = 24 << 20;

pub(crate) const CASES: &[Case] = &[
    proxied("8.1", "interim answers are passed on before the final one", || {
        let answer =
            answered("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
        assert_eq!((answer.interim_statuses(), answer.status(), &answer.text()[..]), (vec![103], 200, "hi"));
        assert!(answer.interim[0].iter().any(|(name, value)| name == b"link" && value == b"</a>"));
    }),
    proxied("8.1", "who expects 100 gets it, and sends its body then", || {
        let replica = Replica::start(|conn| {
            while let Some(head) = conn.head()? {
                if head.has("expect") {
                    conn.send("HTTP/1.1 100 Continue\r\n\r\n")?;
                }
                conn.rest_of_request(&head)?;
                conn.send(ok(BODY))?;
            }
            Ok(())
        });
        let proxy = Proxy::before(&[&replica]);
        let mut client = Client::open(proxy.addr());
        let stream =
            client.begin([&post_fields("/")[..], &[("expect", "100-continue"), ("content-length", "4")]].concat());
        client.wait_for("100", |client| client.so_far(stream).interim_statuses() == [100]);
        client.send(Frame::data(stream, "four").end_stream());
        assert_eq!(client.expect_response(stream).status(), 200);
        assert_eq!(replica.requests()[0].body, b"four");
    }),
    proxied("8.2.2", "nothing about the replica's connection is passed on", || {
        let answer = answered(
            "HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop\r\nKeep-Alive: timeout=5\r\nProxy-Connection: close\r\n\
             Transfer-Encoding: chunked\r\nX-Custom: 1\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        );
        // Names in upper case and fields of a connection are an error in the client.
        assert_eq!((answer.text().as_str(), answer.value("x-custom").as_deref()), ("hi", Some("1")));
    }),
    proxied("8.1", "several fields of one name stay several", || {
        let answer =
            answered("HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2; Path=/\r\nContent-Length: 0\r\n\r\n");
        let cookies: Vec<_> =
            answer.fields.iter().filter(|(name, _)| name == b"set-cookie").map(|(_, v)| &v[..]).collect();
        assert_eq!(cookies, [&b"a=1"[..], b"b=2; Path=/"]);
    }),
    proxied("8.1", "an answer in chunks comes whole, with its trailers", || {
        let answer = answered(
            "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n4\r\n you\r\n0\r\nX-Sum: 42\r\n\r\n",
        );
        assert_eq!((answer.text().as_str(), answer.trailer("x-sum").as_deref()), ("hi you", Some("42")));
    }),
    proxied("8.1", "204 and 304 have no body, whatever is said of one", || {
        for (head, status) in [
            ("HTTP/1.1 204 No Content\r\n\r\n", 204),
            ("HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n", 304),
            ("HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n", 304),
        ] {
            let answer = answered(head);
            assert!(answer.is_complete() && answer.body.is_empty() && answer.status() == status, "{}", answer.shown());
        }
    }),
    proxied("8.1", "an answer to HEAD has a length and no body", || {
        let replica = Replica::answering(|_| b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n".to_vec());
        let proxy = Proxy::before(&[&replica]);
        let mut client = Client::open(proxy.addr());
        let stream = client.request([&[(":method", "HEAD")], &get_fields("/")[1..]].concat());
        let answer = client.expect_response(stream);
        assert_eq!((answer.body.len(), answer.value("content-length").as_deref()), (0, Some("1000")));
        client.expect_alive();
    }),
    proxied("8.1", "a body that ends with its connection comes whole", || {
        let replica = Replica::start(|conn| {
            conn.request()?;
            conn.send("HTTP/1.1 200 OK\r\n\r\nhello")
        });
        let proxy = Proxy::before(&[&replica]);
        let answer = Client::open(proxy.addr()).fetch("/");
        assert_eq!(answer.text(), "hello");
    }),
    proxied("8.1.1", "an answer that breaks off is never whole", || {
        let broken = [
            "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfour",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n0\r\nX-Sum: 1\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\nxyz\r\n",
        ];
        for bytes in broken {
            let (answer, mut client) = answered_by(move |conn| {
                conn.request()?;
                conn.send(bytes)
            });
            // As long as nothing of it has reached the client, it may be told in words.
            let is_told = answer.is_complete() && answer.status() == 502;
            let is_reset = matches!(answer.ending, Some(Ending::Reset(code)) if code != code::NO_ERROR);
            assert!(is_told || is_reset, "{bytes:?}: {}", answer.shown());
            client.expect_alive();
        }
    }),
    proxied("8.1.1", "nor is one that is reset", || {
        let (answer, mut client) = answered_by(|conn| {
            conn.request()?;
            conn.send("HTTP/1.1 200 OK\r\n\r\nhello")?;
            conn.reset()
        });
        // Whether the head came out before the reset is a matter of luck; a whole answer of 200 is not.
        assert!(!(answer.is_complete() && answer.status() == 200), "{}", answer.shown());
        client.expect_alive();
    }),
    proxied("8.1.1", "what comes after the length that was said is no part of an answer", || {
        let replica = Replica::answering(|_| b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfour and more".to_vec());
        let proxy = Proxy::before(&[&replica]);
        let mut client = Client::open(proxy.addr());
        for _ in 0..3 {
            let stream = client.get("/");
            let answer = client.response(stream);
            let clean = !answer.is_complete() || answer.text() == "four";
            assert!(clean && answer.body.len() <= 4, "{}", answer.shown());
        }
        client.expect_alive();
    }),
    proxied("8.1", "an answer that cannot be read is a 502, and a whole one", || {
        for bytes in [
            "HTTP/1.1 200 OK\r\nX-Test : 1\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
            "HTTP/1.1 99 Odd\r\n\r\n",
            "nonsense\r\n\r\n",
        ] {
            let (answer, mut client) = answered_by(move |conn| {
                conn.request()?;
                conn.send(bytes)
            });
            assert!(answer.status() == 502 && answer.is_complete(), "{bytes:?}: {}", answer.shown());
            client.expect_alive();
        }
    }),
    proxied("8.1", "an answer before the end of its request is whole, and its connection goes on", || {
        let replica = Replica::start(|conn| {
            conn.head()?;
            conn.send(ok("enough"))?;
            conn.wait_closed().map(drop)
        });
        let proxy = Proxy::before(&[&replica]);
        let mut client = Client::open(proxy.addr());
        let stream = client.post("/");
        client.send(Frame::data(stream, "some of it"));
        let answer = client.expect_response(stream);
        assert_eq!(answer.text(), "enough");
        client.expect_alive();
        assert!(client.reset_of(stream).is_none_or(|code| code == code::NO_ERROR), "{}", client.heard());
    }),
    proxied("5.4.2", "a stream that its client resets is cancelled at its replica", || {
        let replica = Replica::start(|conn| {
            conn.request()?;
            conn.wait_closed().map(drop)
        });
        let proxy = Proxy::before(&[&replica]);
        let mut client = Client::open(proxy.addr());
        let stream = client.get("/");
        until("the replica has it", || replica.requests().len() == 1);
        client.send(Frame::reset(stream, code::CANCEL));
        until("the replica's connection ends", || replica.open() == 0);
        client.expect_alive();
    }),
    proxied("6.9", "a client that does not read stops its replica, and no other stream", slow_reader),
    proxied("6.9", "a replica that does not read stops its client, who may not go on", slow_replica),
    proxied("8.1", "a thousand requests on one connection are all answered", || {
        let replica = Replica::answering(|request| ok(request.head.target()));
        let proxy = Proxy::before(&[&replica]);
        let mut client = Client::open(proxy.addr());
        for round in 0..20 {
            let streams: Vec<_> =
                (0..50).map(|n| format!("/{round}/{n}")).map(|path| (client.get(&path), path)).collect();
            for (stream, path) in streams {
                assert_eq!(client.expect_response(stream).text(), path);
            }
        }
        assert_eq!(replica.requests().len(), 1000);
    }),
    proxied("6.8", "a stop tells by GOAWAY, and finishes what was begun", || {
        let replica = Replica::start(|conn| {
            while conn.request()?.is_some() {
                std::thread::sleep(Duration::from_millis(300));
                conn.send(ok(BODY))?;
            }
            Ok(())
        });
        let mut proxy = Proxy::before(&[&replica]);
        let mut client = Client::open(proxy.addr());
        let stream = client.get("/");
        until("the replica has it", || replica.requests().len() == 1);
        let stop = std::thread::spawn(move || proxy.stop(Duration::from_secs(10)));
        assert_eq!(client.expect_response(stream).text(), BODY);
        client.expect_goaway(&[code::NO_ERROR]);
        client.expect_closed();
        assert!(stop.join().expect("it stops"), "everything had finished");
    }),
];

/// One answer of a replica that says these bytes to every request.
fn answered(bytes: impl Into<String>) -> Response {
    let bytes = bytes.into();
    let replica = Replica::answering(move |_| bytes.clone().into_bytes());
    let proxy = Proxy::before(&[&replica]);
    Client::open(proxy.addr()).fetch("/")
}

/// One answer of a replica with that script, and the connection it came on, whose proxy is still there.
fn answered_by(script: impl Fn(&mut Conn) -> io::Result<()> + Send + Sync + 'static) -> (Response, Kept) {
    let replica = Replica::start(script);
    let proxy = Proxy::before(&[&replica]);
    let mut client = Client::open(proxy.addr());
    let stream = client.get("/");
    let answer = client.response(stream);
    (answer, Kept { client, _proxy: proxy, _replica: replica })
}

/// A connection with what it leads to.
struct Kept {
    client: Client,
    _proxy: Proxy,
    _replica: Replica,
}

impl Kept {
    fn expect_alive(&mut self) {
        self.client.expect_alive();
    }
}

fn slow_reader() {
    const LENGTH: usize = 64 << 20;
    let written = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&written);
    let replica = Replica::start(move |conn| {
        while let Some(request) = conn.request()? {
            if request.head.target() != "/large" {
                conn.send(ok(BODY))?;
                continue;
            }
            let pattern = Pattern::new(1);
            conn.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n"))?;
            while count.load(Ordering::SeqCst) < LENGTH {
                let at = count.load(Ordering::SeqCst);
                let piece = pattern.piece(at, LENGTH - at);
                conn.send(piece)?;
                count.fetch_add(piece.len(), Ordering::SeqCst);
            }
        }
        Ok(())
    });
    let proxy = Proxy::before(&[&replica]);
    let mut client = Client::open_with(proxy.addr(), &[(setting::INITIAL_WINDOW_SIZE, 100)]);
    client.keep_windows();
    let stream = client.get("/large");
    client.wait_for("what the window holds", |client| client.so_far(stream).body.len() == 100);
    let mut before = usize::MAX;
    until("the replica is stopped", || {
        std::thread::sleep(Duration::from_millis(300));
        std::mem::replace(&mut before, written.load(Ordering::SeqCst)) == written.load(Ordering::SeqCst)
    });
    assert!(written.load(Ordering::SeqCst) < UNDERWAY, "{} bytes underway", written.load(Ordering::SeqCst));
    client.expect_served();
    client.send(Frame::window_update(0, 0x7000_0000)).send(Frame::window_update(stream, 0x7000_0000));
    let answer = client.expect_response(stream);
    assert!(answer.body.len() == LENGTH && Pattern::new(1).matches(0, &answer.body), "{}", answer.shown());
}

fn slow_replica() {
    let replica = Replica::start(|conn| {
        conn.head()?;
        std::thread::sleep(Duration::from_secs(5));
        Ok(())
    });
    let proxy = Proxy::before(&[&replica]);
    let mut client = Client::open(proxy.addr());
    let stream = client.post("/");
    let mut sent = 0;
    let open = |client: &mut Client| client.outbound_window(0) > 0 && client.outbound_window(stream) > 0;
    while client.try_wait_for(Duration::from_millis(500), open).is_ok() {
        let window = client.outbound_window(0).min(client.outbound_window(stream)).min(16_384);
        let piece = vec![b'x'; usize::try_from(window).expect("an open window")];
        sent += piece.len();
        client.send(Frame::data(stream, piece));
        assert!(sent < UNDERWAY, "{sent} bytes underway");
    }
    client.send(Frame::data(stream, "x")).expect_stream_error(stream, &[code::FLOW_CONTROL_ERROR]);
}
