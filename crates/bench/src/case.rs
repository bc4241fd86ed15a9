//! What is asked of a proxy: one row per case, known by name to the run and to the load generator.

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
    /// Whether every request has a connection of its own.
    pub(crate) fresh: bool,
}

/// The length of the answer to an upload.
pub(crate) const UPLOADED: usize = 2;

const BASE: Case = Case { name: "", title: "", path: "", upload: 0, download: 0, connections: 64, fresh: false };

/// Every case, in the order in which they are measured.
pub(crate) const CASES: [Case; 6] = [
    Case { name: "128B-c64", title: "128 B responses, 64 keep-alive connections", path: "/128", download: 128, ..BASE },
    Case {
        name: "128B-c1000",
        title: "128 B responses, 1,000 keep-alive connections",
        path: "/128",
        download: 128,
        connections: 1000,
        ..BASE
    },
    Case {
        name: "16KiB-c64",
        title: "16 KiB responses, 64 keep-alive connections",
        path: "/16384",
        download: 16 << 10,
        ..BASE
    },
    Case {
        name: "1MiB-c64",
        title: "1 MiB responses, 64 keep-alive connections",
        path: "/1048576",
        download: 1 << 20,
        ..BASE
    },
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
        path: "/128",
        download: 128,
        fresh: true,
        ..BASE
    },
];

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

    /// The bytes of one request: what `wrk` would send, and a body where there is one.
    pub(crate) fn request(&self) -> Vec<u8> {
        let method = if self.upload > 0 { "POST" } else { "GET" };
        let mut request = format!("{method} {} HTTP/1.1\r\nHost: app.test\r\n", self.path).into_bytes();
        if self.fresh {
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
