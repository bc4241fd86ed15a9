//! From HTTP/2 to HTTP/1.1: what a replica must see of a request, and what it must never see.
//!
//! A field that HTTP/2 carries as it is can end a line, a head or a body in HTTP/1.1. The scripted replica judges every
//! request for being canonical, so a request that was let through wrongly fails even where no case looks for it.

use divisi_testkit::http2::client::Client;
use divisi_testkit::http2::frame::Frame;
use divisi_testkit::http2::hpack::block;
use divisi_testkit::replica::Request;

use crate::case::{Case, proxied};
use crate::stage::Stage;

type Fields<'a> = &'a [(&'a str, &'a str)];

const METHOD: (&str, &str) = (":method", "GET");
const POST: (&str, &str) = (":method", "POST");
const SCHEME: (&str, &str) = (":scheme", "http");
const PATH: (&str, &str) = (":path", "/");
const AUTHORITY: (&str, &str) = (":authority", "app.test");

pub(crate) const CASES: &[Case] = &[
    proxied("8.2.1", "no value ends its line", || {
        for value in
            ["a\r\nx-evil: 1", "a\nx-evil: 1", "a\rb", "a\0b", "\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n", "a\n"]
        {
            refused(&with(&[("x-test", value)]));
            refused(&with(&[("cookie", value)]));
        }
    }),
    proxied("8.2.1", "no name is anything but a token in lower case", || {
        let names = [
            "",
            "X-Test",
            "x test",
            "x:test",
            "x-test:",
            "x\r\nx-evil",
            "x\n",
            "x\0",
            "x\t",
            "x(",
            "x\u{e4}",
            "x\x7f",
            " x",
        ];
        for name in names {
            refused(&with(&[(name, "1")]));
        }
    }),
    proxied("8.2.1", "no value has space at its ends when a replica sees it", || {
        let stage = Stage::new();
        for value in [" a", "a ", "\ta", "a\t"] {
            if let Some(request) = sent(&stage, &with(&[("x-test", value)]), None) {
                let head = String::from_utf8_lossy(request.head.bytes()).into_owned();
                assert!(
                    head.to_lowercase().contains("x-test: a\r\n") || head.to_lowercase().ends_with("x-test: a"),
                    "{head}"
                );
            }
        }
    }),
    proxied("8.2.1", "a control character is refused or passed on within its line", || {
        for value in ["a\x01b", "a\x1bb", "a\x7fb", "a\u{80}b"] {
            sent(&Stage::new(), &with(&[("x-test", value)]), None);
        }
    }),
    proxied("8.3", "pseudo-fields are those of a request, each once, in front", || {
        refused(&[METHOD, SCHEME, PATH, AUTHORITY, (":a", "1")]);
        refused(&[(":a", "1"), METHOD, SCHEME, PATH, AUTHORITY]);
        refused(&[METHOD, SCHEME, PATH, AUTHORITY, (":status", "200")]);
        refused(&[METHOD, SCHEME, PATH, AUTHORITY, (":", "1")]);
        refused(&[METHOD, SCHEME, PATH, ("x-a", "1"), AUTHORITY]);
        for twice in [METHOD, SCHEME, PATH, AUTHORITY] {
            refused(&[METHOD, SCHEME, PATH, AUTHORITY, twice]);
        }
        for missing in [METHOD, SCHEME, PATH] {
            let rest: Vec<_> =
                [METHOD, SCHEME, PATH, AUTHORITY].into_iter().filter(|field| *field != missing).collect();
            refused(&rest);
        }
    }),
    proxied("8.3.1", ":path is a path, and nothing else", || {
        for path in [
            "",
            "a",
            "/a b",
            "/a\tb",
            "/a\r\nx-evil: 1",
            "/a\0",
            "*",
            "http://app.test/",
            "app.test/",
            "?a",
            "/ HTTP/1.1",
        ] {
            refused(&[METHOD, SCHEME, (":path", path), AUTHORITY]);
        }
    }),
    proxied("8.3.1", "a fragment never reaches a replica", || {
        if let Some(request) = sent(&Stage::new(), &[METHOD, SCHEME, (":path", "/a#b"), AUTHORITY], None) {
            assert!(!request.head.target().contains('#'), "{:?}", request.head);
        }
    }),
    proxied("8.3.1", "a path with a query arrives as it was", || {
        let request = seen(&[METHOD, SCHEME, (":path", "/a/%7E?b=c&d=%20'"), AUTHORITY], None);
        assert_eq!(request.head.first_line(), "GET /a/%7E?b=c&d=%20' HTTP/1.1");
    }),
    proxied("8.3.1", "OPTIONS may ask for *", || {
        let request = seen(&[(":method", "OPTIONS"), SCHEME, (":path", "*"), AUTHORITY], None);
        assert_eq!(request.head.first_line(), "OPTIONS * HTTP/1.1");
    }),
    proxied("8.3.1", ":method is a token", || {
        for method in ["", "G ET", "GET /evil HTTP/1.1\r\n", "GET\r", "GET\0", "GET\t", "G(T"] {
            refused(&[(":method", method), SCHEME, PATH, AUTHORITY]);
        }
    }),
    proxied("8.3.1", ":scheme is one", || {
        for scheme in ["", "ht tp", "http\r\n", "http://evil.test/", "1http", "http\0"] {
            refused(&[METHOD, (":scheme", scheme), PATH, AUTHORITY]);
        }
    }),
    proxied("8.3.1", ":authority is a host and a port, without a user", || {
        let wrong = [
            "user@app.test",
            "user:word@app.test",
            "app.test:abc",
            "app.test:99999999",
            "app.test/a",
            "app test",
            "app.test\r\nx: 1",
            "app.test,b.test",
            "app.test#a",
            "app.test?a",
            "[::1",
            "app.test\0",
        ];
        for authority in wrong {
            refused(&[METHOD, SCHEME, PATH, (":authority", authority)]);
            refused(&[METHOD, SCHEME, PATH, ("host", authority)]);
        }
        refused(&[METHOD, SCHEME, PATH]);
    }),
    proxied("8.3.1", ":authority becomes Host, in front of everything that came as one", || {
        let request = seen(&with(&[("x-test", "1")]), None);
        assert_eq!(request.head.values("host"), ["app.test"]);
        assert_eq!(seen(&with(&[("host", "app.test")]), None).head.values("host"), ["app.test"]);
        assert_eq!(seen(&[METHOD, SCHEME, PATH, ("host", "app.test")], None).head.values("host"), ["app.test"]);
    }),
    proxied("8.3.1", "two names of the host are one too many", || {
        refused(&with(&[("host", "evil.test")]));
        refused(&with(&[("host", "app.test"), ("host", "app.test")]));
        refused(&[METHOD, SCHEME, PATH, ("host", "app.test"), ("host", "evil.test")]);
    }),
    proxied("8.2.2", "nothing about a connection comes through", || {
        let fields = [
            ("transfer-encoding", "chunked"),
            ("transfer-encoding", "identity"),
            ("connection", "close"),
            ("connection", "x-test"),
            ("upgrade", "websocket"),
            ("upgrade", "h2c"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "close"),
            ("te", "gzip"),
            ("te", "trailers, gzip"),
            ("te", "chunked"),
        ];
        for field in fields {
            refused(&with(&[field]));
        }
    }),
    proxied("8.2.2", "that a client takes trailers does", || {
        let request = seen(&with(&[("te", "trailers")]), None);
        assert_eq!(request.head.value("te").as_deref(), Some("trailers"));
    }),
    proxied("8.1.1", "a body that is not as long as it says is no request", || {
        for (says, body) in [("5", "four"), ("3", "four"), ("5", "")] {
            refused_with_body(&[POST, SCHEME, PATH, AUTHORITY, ("content-length", says)], body);
        }
        refused(&[POST, SCHEME, PATH, AUTHORITY, ("content-length", "5")]);
        refused(&with(&[("content-length", "5")]));
    }),
    proxied("8.1.1", "what comes beyond the length that was said reaches nobody", || {
        let evil = "GET /evil HTTP/1.1\r\nHost: app.test\r\n\r\n";
        for (says, pieces) in [("0", vec![evil]), ("4", vec!["four", evil])] {
            let stage = Stage::new();
            let mut client = Client::open(stage.proxy.addr());
            let stream = client.begin([POST, SCHEME, PATH, AUTHORITY, ("content-length", says)]);
            for piece in pieces {
                // The replica may have the whole request, and answer it, before the rest comes.
                client.send(Frame::data(stream, piece)).listen(std::time::Duration::from_millis(20));
            }
            client.expect_stream_error(stream, &[divisi_testkit::http2::frame::code::PROTOCOL_ERROR]);
            Client::open(stage.proxy.addr()).expect_served();
            let record = stage.replica.forget();
            let raw = String::from_utf8_lossy(&record.raw).into_owned();
            assert!(!raw.contains("evil") && record.requests.len() <= 2, "{raw}");
        }
    }),
    proxied("8.1.1", "a length is one number", || {
        for says in ["", "+4", "-4", "04", "4,4", "4, 4", "0x4", "4 ", "18446744073709551620", "four", "4;"] {
            refused_with_body(&[POST, SCHEME, PATH, AUTHORITY, ("content-length", says)], "four");
        }
        let twice = |one, other| [POST, SCHEME, PATH, AUTHORITY, ("content-length", one), ("content-length", other)];
        refused_with_body(&twice("4", "4"), "four");
        refused_with_body(&twice("4", "5"), "four");
    }),
    proxied("8.1.1", "a length that is right comes through", || {
        let request = seen(&[POST, SCHEME, PATH, AUTHORITY, ("content-length", "4")], Some("four"));
        assert_eq!((request.head.values("content-length"), &request.body[..]), (vec!["4".to_owned()], &b"four"[..]));
        assert!(!request.head.has("transfer-encoding"));
        assert_eq!(seen(&[POST, SCHEME, PATH, AUTHORITY, ("content-length", "0")], None).body, b"");
    }),
    proxied("8.1", "a body without a length comes through whole", || {
        let body = "0123456789".repeat(20_000);
        assert!(seen(&[POST, SCHEME, PATH, AUTHORITY], Some(&body)).body == body.as_bytes());
        assert_eq!(seen(&[POST, SCHEME, PATH, AUTHORITY], Some("")).body, b"");
        assert_eq!(seen(&[POST, SCHEME, PATH, AUTHORITY], None).body, b"");
    }),
    proxied("8.1", "a GET without a body is sent without one", || {
        let request = seen(&with(&[]), None);
        assert!(!request.head.has("transfer-encoding") && !request.head.has("content-length"), "{:?}", request.head);
    }),
    proxied("8.1", "a body in chunks that look like HTTP/1.1 stays a body", || {
        let evil = "0\r\n\r\nGET /evil HTTP/1.1\r\nHost: app.test\r\n\r\n";
        assert_eq!(seen(&[POST, SCHEME, PATH, AUTHORITY], Some(evil)).body, evil.as_bytes());
    }),
    proxied("8.1", "trailers come through", || {
        let (request, _) = with_trailers(&[("x-sum", "42"), ("x-other", "1")]);
        let trailers = String::from_utf8(request.expect("a request").trailers).expect("text").to_lowercase();
        assert_eq!(trailers, "x-sum: 42\r\nx-other: 1\r\n");
    }),
    proxied("8.1", "a trailer cannot frame, route or authorise, nor end its line", || {
        let trailers = [
            ("content-length", "5"),
            ("transfer-encoding", "chunked"),
            ("host", "evil.test"),
            ("authorization", "x"),
            ("connection", "close"),
            (":path", "/evil"),
            (":a", "1"),
            ("x\r\nx-evil", "1"),
            ("x", "a\r\nx-evil: 1"),
            ("x", "a\r\n\r\nGET /evil HTTP/1.1"),
            ("X-Upper", "1"),
        ];
        for trailer in trailers {
            let (request, _) = with_trailers(&[trailer]);
            let clean = request.as_ref().is_none_or(|request| request.trailers.is_empty());
            assert!(
                clean,
                "{trailer:?}: {:?}",
                request.map(|request| String::from_utf8_lossy(&request.trailers).into_owned())
            );
        }
    }),
    proxied("8.1", "trailers that do not end their stream make it no request", || {
        let stage = Stage::new();
        let mut client = Client::open(stage.proxy.addr());
        let stream = client.begin([POST, SCHEME, PATH, AUTHORITY]);
        client.send(Frame::data(stream, "four")).send(Frame::headers(stream, block([("x-sum", "42")])));
        client.expect_malformed(stream);
        nothing_came(&stage);
        client.expect_served();
    }),
    proxied("8.1", "what is broken off is no request", || {
        let stage = Stage::new();
        let mut client = Client::open(stage.proxy.addr());
        let stream = client.begin([POST, SCHEME, PATH, AUTHORITY]);
        client.send(Frame::data(stream, "four")).send(Frame::reset(stream, 8)).expect_alive();
        let other = client.begin([POST, SCHEME, PATH, AUTHORITY]);
        client.send(Frame::data(other, "four")).expect_alive();
        client.close();
        let addr = stage.proxy.addr();
        Client::open(addr).expect_served();
        assert_eq!(stage.replica.requests().len(), 1, "only the last one was whole");
    }),
    proxied("8.2.3", "crumbs become one cookie", || {
        let request = seen(&with(&[("cookie", "a=1"), ("x-test", "1"), ("cookie", "b=2"), ("cookie", "c=3")]), None);
        assert_eq!(request.head.values("cookie"), ["a=1; b=2; c=3"]);
    }),
    proxied("8.2", "other fields of one name stay what they were", || {
        let request = seen(&with(&[("x-test", "1"), ("x-test", ""), ("x-test", "a, b")]), None);
        assert_eq!(request.head.values("x-test"), ["1", "", "a, b"]);
    }),
    proxied("8.5", "CONNECT opens no tunnel", || {
        refused(&[(":method", "CONNECT"), AUTHORITY]);
        refused(&[(":method", "CONNECT"), (":authority", "app.test:443")]);
        refused(&[(":method", "CONNECT"), SCHEME, PATH, AUTHORITY]);
    }),
    proxied("8.1", "a list of fields that is too long is refused, and its connection goes on", || {
        let stage = Stage::new();
        let mut client = Client::open(stage.proxy.addr());
        let names: Vec<_> = (0..200).map(|number| format!("x-{number}")).collect();
        let fields: Vec<_> = names.iter().map(|name| (name.as_str(), "1")).collect();
        let stream = client.request(with(&fields));
        client.expect_malformed(stream);
        let crumbs: Vec<_> = (0..500).map(|_| ("cookie", "")).collect();
        let stream = client.request(with(&crumbs));
        client.expect_malformed(stream);
        nothing_came(&stage);
        client.expect_served();
    }),
];

/// A plain GET with more fields.
fn with<'a>(more: Fields<'a>) -> Vec<(&'a str, &'a str)> {
    [&[METHOD, SCHEME, PATH, AUTHORITY], more].concat()
}

/// The replica sees nothing of it, the client gets no answer of the replica, and its connection goes on or ends.
fn refused(fields: Fields<'_>) {
    let stage = Stage::new();
    let request = sent(&stage, fields, None);
    assert!(request.is_none(), "{fields:?} came through as {:?}", request.map(|request| request.head));
}

/// The same for a request with a body, of which the replica may see the beginning.
fn refused_with_body(fields: Fields<'_>, body: &str) {
    let stage = Stage::new();
    let request = sent(&stage, fields, Some(body));
    assert!(request.is_none(), "{fields:?} with {body:?} came through as {:?}", request.map(|request| request.head));
}

/// What the replica sees of a request that is answered.
fn seen(fields: Fields<'_>, body: Option<&str>) -> Request {
    sent(&Stage::new(), fields, body).unwrap_or_else(|| panic!("{fields:?} was refused"))
}

/// Sends a request and returns what the replica saw of it, if it was answered; else it saw nothing whole.
fn sent(stage: &Stage, fields: Fields<'_>, body: Option<&str>) -> Option<Request> {
    let mut client = Client::open(stage.proxy.addr());
    let stream = match body {
        None => client.request(fields.iter().copied()),
        Some(body) => {
            let stream = client.begin(fields.iter().copied());
            client.send_body(stream, body.as_bytes());
            stream
        }
    };
    answered(stage, &mut client, stream)
}

fn answered(stage: &Stage, client: &mut Client, stream: u32) -> Option<Request> {
    let answer = client.response(stream);
    if answer.status() == 200 && answer.is_complete() {
        let mut requests = stage.replica.forget().requests;
        assert_eq!(requests.len(), 1, "one request became {requests:?}");
        return requests.pop();
    }
    client.expect_malformed(stream);
    nothing_came(stage);
    None
}

/// Nothing whole has reached the replica, and nothing follows when the next request does.
fn nothing_came(stage: &Stage) {
    Client::open(stage.proxy.addr()).expect_served();
    let record = stage.replica.forget();
    let targets: Vec<_> = record.requests.iter().map(|request| request.head.first_line()).collect();
    assert_eq!(targets, ["GET / HTTP/1.1"], "{:?}", String::from_utf8_lossy(&record.raw));
    assert!(!record.raw.windows(6).any(|six| six == b"x-evil" || six == b"X-Evil"));
}

fn with_trailers(trailers: Fields<'_>) -> (Option<Request>, Stage) {
    let stage = Stage::new();
    let mut client = Client::open(stage.proxy.addr());
    let stream = client.begin([POST, SCHEME, PATH, AUTHORITY]);
    client.send(Frame::data(stream, "four"));
    client.send(Frame::headers(stream, block(trailers.iter().copied())).end_stream());
    (answered(&stage, &mut client, stream), stage)
}
