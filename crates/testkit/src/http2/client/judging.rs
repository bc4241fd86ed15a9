//! What must come back.

use super::Client;
use crate::http2::frame::{Frame, code, code_name, kind};
use crate::http2::response::Response;
use crate::wait::PATIENCE;

impl Client {
    /// The answer on a stream, which must come whole.
    ///
    /// # Panics
    /// When it does not.
    pub fn expect_response(&mut self, stream: u32) -> Response {
        let answer = self.response(stream);
        assert!(answer.is_complete() && answer.status() != 0, "{}; heard: {}", answer.shown(), self.heard());
        answer
    }

    /// The connection goes on: a PING is answered.
    ///
    /// # Panics
    /// When it is not.
    pub fn expect_alive(&mut self) -> &mut Self {
        let payload = [&b"alive"[..], &self.next_stream.to_be_bytes()[1..]].concat();
        self.pings.clear();
        self.send(Frame::new(kind::PING, 0, 0, payload.clone()));
        self.wait_for("the answer to a PING", |client| client.pings.contains(&payload));
        assert!(self.goaway.is_none(), "an unexpected {:?}", self.goaway);
        self
    }

    /// The connection goes on, and so does service on it.
    ///
    /// # Panics
    /// When it does not.
    pub fn expect_served(&mut self) -> &mut Self {
        let answer = self.fetch("/");
        assert_eq!(answer.status(), 200, "{}", answer.shown());
        self
    }

    /// A connection error (RFC 9113 5.4.1): GOAWAY with one of these codes, and then the end. The end alone is allowed,
    /// too: the GOAWAY is a SHOULD, and may be lost when a socket is closed on unread bytes.
    ///
    /// # Panics
    /// When it is not one.
    pub fn expect_connection_error(&mut self, codes: &[u32]) {
        let waited = self.try_wait_for(PATIENCE, |client| client.closed.is_some());
        let said = self.goaway.as_ref().and_then(Frame::code);
        assert!(waited.is_ok(), "the connection should have ended with {}; heard: {}", names(codes), self.heard());
        if let Some(said) = said {
            assert!(codes.contains(&said), "GOAWAY {} and not {}", code_name(said), names(codes));
        }
    }

    /// The end of the connection, whatever is said before it.
    ///
    /// # Panics
    /// When it does not end.
    pub fn expect_closed(&mut self) {
        self.wait_for("the end of the connection", |client| client.closed.is_some());
    }

    /// GOAWAY with one of these codes; the connection may go on.
    ///
    /// # Panics
    /// When none comes, or another.
    pub fn expect_goaway(&mut self, codes: &[u32]) -> Frame {
        self.wait_for("GOAWAY", |client| client.goaway.is_some());
        let goaway = self.goaway.clone().expect("it came");
        let said = goaway.code().expect("a code");
        assert!(codes.contains(&said), "GOAWAY {} and not {}", code_name(said), names(codes));
        goaway
    }

    /// RST_STREAM with one of these codes, and nothing for the connection.
    ///
    /// # Panics
    /// When something else comes.
    pub fn expect_reset(&mut self, stream: u32, codes: &[u32]) {
        let answer = self.response(stream);
        let reset = answer.reset();
        assert!(
            reset.is_some_and(|code| codes.contains(&code)),
            "not {}: {}; heard: {}",
            names(codes),
            answer.shown(),
            self.heard()
        );
    }

    /// A stream error (RFC 9113 5.4.2), which a peer may take for one of the connection.
    ///
    /// # Panics
    /// When it is neither.
    pub fn expect_stream_error(&mut self, stream: u32, codes: &[u32]) {
        let over = |client: &mut Self| client.goaway.is_some() || client.reset_of(stream).is_some();
        let waited = self.try_wait_for(PATIENCE, over);
        let said = self.reset_of(stream).or_else(|| self.goaway.as_ref().and_then(Frame::code));
        match said {
            Some(said) => {
                assert!(codes.contains(&said), "{} and not {}; heard: {}", code_name(said), names(codes), self.heard())
            }
            None => assert!(self.closed.is_some(), "{waited:?} and not {}; heard: {}", names(codes), self.heard()),
        }
    }

    /// What a malformed request gets (RFC 9113 8.1.1): a stream error, or an answer of 400 and the like before it.
    ///
    /// # Panics
    /// When it is taken for a good one.
    pub fn expect_malformed(&mut self, stream: u32) {
        let over = |client: &mut Self| client.goaway.is_some() || client.is_over(stream);
        let waited = self.try_wait_for(PATIENCE, over);
        let answer = self.so_far(stream);
        if (400..500).contains(&answer.status()) {
            return;
        }
        let said = answer.reset().or_else(|| self.goaway.as_ref().and_then(Frame::code));
        let refused = said.map_or_else(|| self.closed.is_some(), |said| said == code::PROTOCOL_ERROR);
        assert!(refused, "taken for a good request: {} ({waited:?}); heard: {}", answer.shown(), self.heard());
    }
}

fn names(codes: &[u32]) -> String {
    codes.iter().map(|code| code_name(*code)).collect::<Vec<_>>().join(" or ")
}
