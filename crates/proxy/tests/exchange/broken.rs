//! Responses that break off and connections that died unnoticed.

use std::io;

use divisi_testkit::client::Ending;
use divisi_testkit::conn::Conn;
use divisi_testkit::replica::{Replica, ok};

use crate::support::{GET, Proxy};

/// Answers one request on its first connection and leaves the second one unanswered; answers everything on later ones.
fn stale(conn: &mut Conn) -> io::Result<()> {
    let mut answered = 0;
    while let Some(head) = conn.head()? {
        if conn.number() == 1 && answered == 1 {
            conn.note(head);
            return Ok(());
        }
        conn.rest_of_request(&head)?;
        conn.send(ok("fine"))?;
        answered += 1;
    }
    Ok(())
}

#[test]
fn a_get_on_a_connection_that_died_succeeds_on_a_fresh_one() {
    let replica = Replica::start(stale);
    let proxy = Proxy::before(&[&replica]);
    assert_eq!(proxy.fetch(GET).text(), "fine");
    assert_eq!(proxy.fetch(GET).text(), "fine");
    assert_eq!(replica.accepted(), 2);
}

#[test]
fn a_post_on_a_connection_that_died_is_not_sent_twice() {
    let replica = Replica::start(stale);
    let proxy = Proxy::before(&[&replica]);
    assert_eq!(proxy.fetch(GET).text(), "fine");
    let response = proxy.fetch("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(response.status(), 502);
    let posts = replica.requests().iter().filter(|request| request.head.method() == "POST").count();
    assert_eq!(posts, 1);
}

#[test]
fn a_get_that_is_never_answered_is_not_tried_for_ever() {
    let replica = Replica::start(|conn| {
        if let Some(head) = conn.head()? {
            conn.note(head);
        }
        Ok(())
    });
    let proxy = Proxy::before(&[&replica]);
    assert_eq!(proxy.fetch(GET).status(), 502);
    assert!(replica.requests().len() <= 4, "{} attempts", replica.requests().len());
}

/// A replica that answers with those bytes and ends, by a reset if so wished.
fn breaking(bytes: &'static str, reset: bool) -> Replica {
    Replica::start(move |conn| {
        conn.request()?;
        conn.send(bytes)?;
        if reset {
            // The bytes must have been read before the reset overtakes them.
            std::thread::sleep(std::time::Duration::from_millis(50));
            conn.reset()?;
        }
        Ok(())
    })
}

#[test]
fn a_truncated_response_is_never_presented_as_complete() {
    let heads = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", false),
        ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", true),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", false),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", true),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n", false),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nx\r\n", false),
        ("HTTP/1.1 200 OK\r\n\r\nhalf", true),
    ];
    for version in ["1.1", "1.0"] {
        for (bytes, reset) in heads {
            let replica = breaking(bytes, reset);
            let proxy = Proxy::before(&[&replica]);
            let response = proxy.fetch(format!("GET / HTTP/{version}\r\nHost: app.test\r\n\r\n"));
            let visible = response.ending == Ending::Cut || response.status() >= 500;
            assert!(visible, "{bytes:?} (reset: {reset}) to HTTP/{version}: {response:?}");
        }
    }
}

#[test]
fn a_head_that_breaks_off_is_a_502() {
    for bytes in ["HTTP/1.1 200 OK\r\nContent-", "HTTP/1.1 100 Continue\r\n\r\n", "not HTTP at all\r\n\r\n"] {
        let replica = breaking(bytes, false);
        let proxy = Proxy::before(&[&replica]);
        let mut client = proxy.connect();
        let response = client.send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 0\r\n\r\n").response();
        let last = if response.status() < 200 { client.response() } else { response };
        assert_eq!(last.status(), 502, "{bytes:?}");
    }
}

#[test]
fn what_follows_a_response_unasked_is_not_the_next_response() {
    let replica = Replica::start(|conn| {
        while conn.request()?.is_some() {
            conn.send([ok("mine").as_slice(), b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nYOURS"].concat())?;
        }
        Ok(())
    });
    let proxy = Proxy::before(&[&replica]);
    let mut client = proxy.connect();
    for _ in 0..3 {
        assert_eq!(client.exchange(GET).text(), "mine");
    }
}
