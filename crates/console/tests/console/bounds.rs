//! What those may do who ask.

use std::thread;
use std::time::Duration;

use divisi_testkit::client::{Client, fetch};
use divisi_testkit::wait::until;

use crate::stage;

#[test]
fn only_questions_are_answered() {
    let stage = stage::shop();
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "BREW"] {
        let request = format!("{method} /api/snapshot HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{{}}");
        let answer = fetch(stage.addr, request);
        assert_eq!((answer.status(), answer.head.value("allow").as_deref()), (405, Some("GET, HEAD")), "{method}");
    }
    let answer = Client::connect(stage.addr).send("HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n").response_to_head();
    assert_eq!((answer.status(), answer.body.len()), (200, 0));
    let answer = stage.get("/nothing");
    assert!(answer.status() == 404 && answer.text().contains("/api/snapshot"), "{}", answer.text());
}

#[test]
fn only_hosts_that_no_stranger_can_own_are_answered() {
    let stage = stage::shop();
    let ask = |host: &str| fetch(stage.addr, format!("GET /health/live HTTP/1.1\r\nHost: {host}\r\n\r\n")).status();
    for host in ["localhost:9180", "127.0.0.1", "[::1]:9180", "divisi:9180", "console.corp.test:9180"] {
        assert_eq!(ask(host), 200, "{host}");
    }
    for host in ["evil.test", "evil.test:9180", "localhost.evil.test"] {
        assert_eq!(ask(host), 403, "{host}");
    }
    assert_eq!(fetch(stage.addr, "GET /health/live HTTP/1.1\r\n\r\n").status(), 400);
    assert_eq!(fetch(stage.addr, "GET /health/live HTTP/1.0\r\n\r\n").status(), 200);
}

#[test]
fn nonsense_is_borne() {
    let stage = stage::shop();
    let long = "x".repeat(1 << 20);
    let fields = "a: b\r\n".repeat(1000);
    for request in [
        "\0\0\0\0\r\n\r\n".to_owned(),
        format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n"),
        "GET /api/explain?url=%00%ff&header=%0d%0a HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
    ] {
        let mut client = Client::connect(stage.addr);
        let _ = client.try_send(request);
        let (answer, _) = client.read_to_close();
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"), "{}", String::from_utf8_lossy(&answer));
    }
    assert_eq!(stage.get("/health/live").status(), 200);
}

#[test]
fn every_byte_may_stand_everywhere() {
    let stage = stage::shop();
    for byte in 0..=255_u8 {
        let it = format!("%{byte:02X}");
        for question in [
            format!("url={it}"),
            format!("url=a{it}b.test/{it}?{it}"),
            format!("url=http://{it}:{it}@shop.test:{it}/&header={it}:{it}&method={it}"),
            format!("url=shop.test&header=Host:{it}"),
            format!("url=shop.test&client={it}"),
            format!("container={it}"),
        ] {
            let answer = stage.get(&format!("/api/explain?{question}"));
            assert!([200, 400, 404].contains(&answer.status()), "{question}: {}", answer.text());
            let one_line = answer.text().trim_end().chars().all(|char| !char.is_control());
            assert!(one_line, "{question}: {}", answer.text());
        }
    }
}

#[test]
fn who_keeps_silent_does_not_keep_others_away_for_long() {
    let stage = stage::shop();
    let _silent: Vec<_> = (0..17).map(|_| Client::connect(stage.addr)).collect();
    let addr = stage.addr;
    let asked = thread::spawn(move || fetch(addr, "GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n").status());
    until("the silent ones have been sent away", || {
        thread::sleep(Duration::from_millis(50));
        asked.is_finished()
    });
    assert_eq!(asked.join().expect("an answer"), 200);
}
