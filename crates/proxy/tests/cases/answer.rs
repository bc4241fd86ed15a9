//! What a client got, taken apart: as lenient as a client may be, because here the proxy is judged and not its bytes.

/// One response.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// Its status; 0 where it has no whole head.
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    /// Whether its own framing says that it is whole; `None` where only the end of the connection can say it.
    pub(crate) complete: Option<bool>,
}

impl Answer {
    /// Whether it is the last word on its request.
    pub(crate) fn is_final(&self) -> bool {
        self.status >= 200 || self.status == 0 || self.status == 101
    }

    fn bare(status: u16) -> Self {
        Self { status, body: Vec::new(), complete: Some(true) }
    }
}

/// The final responses in what a client got.
pub(crate) fn finals(out: &[u8], to_head: bool) -> Vec<Answer> {
    answers(out, to_head).into_iter().filter(Answer::is_final).collect()
}

/// Every response in what a client got.
pub(crate) fn answers(out: &[u8], to_head: bool) -> Vec<Answer> {
    let mut found = Vec::new();
    let mut rest = out;
    while rest.starts_with(b"HTTP/1.") {
        let Some(end) = find(rest, b"\r\n\r\n") else {
            found.push(Answer { status: 0, body: Vec::new(), complete: Some(false) });
            break;
        };
        let (head, body) = (&rest[..end], &rest[end + 4..]);
        let (answer, after) = answer(head, body, to_head);
        rest = after;
        found.push(answer);
    }
    found
}

fn answer<'a>(head: &[u8], body: &'a [u8], to_head: bool) -> (Answer, &'a [u8]) {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let status = head.get(9..12).and_then(|digits| digits.parse().ok()).unwrap_or(0);
    let interim = (100..200).contains(&status) && status != 101;
    if interim || status == 204 || status == 304 || to_head {
        return (Answer::bare(status), body);
    }
    let field = |name: &str| head.split("\r\n").skip(1).find_map(|line| line.strip_prefix(name)).map(str::trim);
    if field("transfer-encoding:").is_some_and(|coding| coding.contains("chunked")) {
        return chunked(status, body);
    }
    let digits = field("content-length:").map(|value| value.split(|c: char| !c.is_ascii_digit()).next().unwrap_or(""));
    if let Some(length) = digits.and_then(|digits| digits.parse::<usize>().ok()) {
        let (taken, after) = body.split_at(length.min(body.len()));
        return (Answer { status, body: taken.to_vec(), complete: Some(body.len() >= length) }, after);
    }
    (Answer { status, body: body.to_vec(), complete: None }, b"")
}

fn chunked(status: u16, body: &[u8]) -> (Answer, &[u8]) {
    let mut data = Vec::new();
    let mut rest = body;
    while let Some(line_end) = find(rest, b"\r\n") {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let size = std::str::from_utf8(&rest[..digits]).ok().and_then(|hex| usize::from_str_radix(hex, 16).ok());
        let Some(size) = size else { break };
        if size == 0 {
            let end = find(&rest[line_end..], b"\r\n\r\n").map(|at| line_end + at + 4);
            let after = end.map_or(&b""[..], |end| &rest[end..]);
            return (Answer { status, body: data, complete: Some(end.is_some()) }, after);
        }
        let start = line_end + 2;
        if rest.len() < start + size {
            data.extend_from_slice(&rest[start..]);
            break;
        }
        data.extend_from_slice(&rest[start..start + size]);
        rest = rest.get(start + size + 2..).unwrap_or_default();
    }
    (Answer { status, body: data, complete: Some(false) }, b"")
}

/// Where `needle` begins in `bytes`.
pub(crate) fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}
