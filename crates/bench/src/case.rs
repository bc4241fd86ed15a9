//! What is asked of a proxy: one row per case, known by name to the run and to the load generator.

use clap::ValueEnum;

use crate::peers::Peer;

/// One thing to ask of every proxy.
#[derive(Debug)]
pub(crate) struct Case {
    /// How it is chosen (`--only`) and named in results.
    pub(crate) name: &'static str,
    /// One line for the reader of the result.
    pub(crate) title: &'static str,
    /// What the request line asks for.
    pub(crate) path: &'static str,
    /// Bytes sent as the request's body; 0 makes it a GET.
    pub(crate) upload: usize,
    /// Bytes that must come back as the response's body.
    pub(crate) download: usize,
    /// How many connections ask at the same time.
    pub(crate) connections: usize,
    /// How many requests each of them has on the way at the same time; more than one needs HTTP/2.
    pub(crate) streams: usize,
    /// What the client speaks.
    pub(crate) wire: Wire,
    /// What a request inherits from the one before it.
    pub(crate) reuse: Reuse,
}

/// What a client speaks, and so at which of a proxy's doors it knocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
pub(crate) enum Wire {
    /// HTTP/1.1 in the clear.
    Http1,
    /// HTTP/1.1 inside TLS, agreed by ALPN.
    Https,
    /// HTTP/2 in the clear, with prior knowledge (RFC 9113 3.3).
    H2c,
    /// HTTP/2 inside TLS, agreed by ALPN.
    H2,
}

/// What a client keeps from one request to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reuse {
    /// The connection.
    Connection,
    /// The TLS session (RFC 8446 2.2): every request has a connection of its own, whose handshake takes up the last one's.
    Session,
    /// Nothing: every request has a connection of its own, inside TLS with a full handshake.
    Nothing,
}

/// The length of the answer to an upload.
pub(crate) const UPLOADED: usize = 2;

const BASE: Case = Case {
    name: "",
    title: "",
    path: "/128",
    upload: 0,
    download: 128,
    connections: 64,
    streams: 1,
    wire: Wire::Http1,
    reuse: Reuse::Connection,
};

/// Every case, in the order in which they are measured.
pub(crate) const CASES: [Case; 13] = [
    Case { name: "128B-c64", title: "128 B responses, 64 keep-alive connections", ..BASE },
    Case { name: "128B-c1000", title: "128 B responses, 1,000 keep-alive connections", connections: 1000, ..BASE },
    Case { name: "16KiB-c64", title: "16 KiB responses, 64 keep-alive connections", ..KIB16 },
    Case { name: "1MiB-c64", title: "1 MiB responses, 64 keep-alive connections", ..MIB },
    Case {
        name: "upload-1MiB-c64",
        title: "1 MiB uploads, 64 keep-alive connections",
        path: "/upload",
        upload: 1 << 20,
        download: UPLOADED,
        ..BASE
    },
    Case {
        name: "fresh-128B-c64",
        title: "128 B responses, a new connection per request, 64 at a time",
        reuse: Reuse::Nothing,
        ..BASE
    },
    Case {
        name: "https-128B-c64",
        title: "128 B responses over HTTPS (HTTP/1.1), 64 keep-alive connections",
        wire: Wire::Https,
        ..BASE
    },
    Case {
        name: "https-16KiB-c64",
        title: "16 KiB responses over HTTPS (HTTP/1.1), 64 keep-alive connections",
        wire: Wire::Https,
        ..KIB16
    },
    Case {
        name: "https-1MiB-c64",
        title: "1 MiB responses over HTTPS (HTTP/1.1), 64 keep-alive connections",
        wire: Wire::Https,
        ..MIB
    },
    Case {
        name: "tls-full-c64",
        title: "A new connection with a full TLS 1.3 handshake per request of 128 B, 64 at a time",
        wire: Wire::Https,
        reuse: Reuse::Nothing,
        ..BASE
    },
    Case {
        name: "tls-resumed-c64",
        title: "A new connection with a TLS 1.3 handshake resumed by ticket per request of 128 B, 64 at a time",
        wire: Wire::Https,
        reuse: Reuse::Session,
        ..BASE
    },
    Case {
        name: "h2c-128B-c16x16",
        title: "128 B responses over HTTP/2 in the clear, 16 connections with 16 streams each",
        wire: Wire::H2c,
        ..MULTIPLEXED
    },
    Case {
        name: "h2-128B-c16x16",
        title: "128 B responses over HTTP/2 inside TLS, 16 connections with 16 streams each",
        wire: Wire::H2,
        ..MULTIPLEXED
    },
];

const KIB16: Case = Case { path: "/16384", download: 16 << 10, ..BASE };
const MIB: Case = Case { path: "/1048576", download: 1 << 20, ..BASE };
const MULTIPLEXED: Case = Case { connections: 16, streams: 16, ..BASE };

impl Wire {
    /// Its name in options and results.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Http1 => "http1",
            Self::Https => "https",
            Self::H2c => "h2c",
            Self::H2 => "h2",
        }
    }

    /// Whether it is inside TLS.
    pub(crate) fn is_tls(self) -> bool {
        matches!(self, Self::Https | Self::H2)
    }

    /// Whether it is HTTP/2.
    pub(crate) fn is_http2(self) -> bool {
        matches!(self, Self::H2c | Self::H2)
    }
}

impl Case {
    /// The case of this name, for the command line.
    ///
    /// # Errors
    /// The names there are, when there is none of this name.
    pub(crate) fn named(name: &str) -> Result<&'static Self, String> {
        CASES.iter().find(|case| case.name == name).ok_or_else(|| {
            let names: Vec<_> = CASES.iter().map(|case| case.name).collect();
            format!("one of {}", names.join(", "))
        })
    }

    /// To whom ratios are taken: to the floor where there is one. None is there below TLS and HTTP/2.
    pub(crate) fn reference(&self) -> Peer {
        if self.wire == Wire::Http1 { Peer::Relay } else { Peer::Divisi }
    }

    /// The bytes of one request: what `wrk` would send, and a body where there is one.
    pub(crate) fn request(&self) -> Vec<u8> {
        let method = if self.upload > 0 { "POST" } else { "GET" };
        let mut request = format!("{method} {} HTTP/1.1\r\nHost: app.test\r\n", self.path).into_bytes();
        if self.reuse != Reuse::Connection {
            request.extend_from_slice(b"Connection: close\r\n");
        }
        if self.upload > 0 {
            request.extend_from_slice(format!("Content-Length: {}\r\n", self.upload).as_bytes());
        }
        request.extend_from_slice(b"\r\n");
        request.resize(request.len() + self.upload, b'x');
        request
    }
}
