//! A question about a request: text to what routes ask.

use std::net::{IpAddr, Ipv4Addr};

use divisi_model::route::{Asked, path};
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Method, Uri};

use crate::api::request::Question;

/// A request that nobody has sent.
#[derive(Debug)]
pub(crate) struct Asking {
    host: String,
    /// In canonical form.
    path: Vec<u8>,
    query: String,
    method: String,
    /// By their names in lower case.
    headers: Vec<(String, String)>,
    client: IpAddr,
    is_secure: bool,
}

impl Asking {
    /// From the parameters of a question.
    ///
    /// # Errors
    /// What would have been accepted.
    pub(crate) fn read(parameters: &[(String, String)]) -> Result<Self, String> {
        let mut asking = Self {
            host: String::new(),
            path: Vec::new(),
            query: String::new(),
            method: "GET".to_owned(),
            headers: Vec::new(),
            client: Ipv4Addr::LOCALHOST.into(),
            is_secure: false,
        };
        for (name, value) in parameters {
            match name.as_str() {
                "url" => asking.set_url(value)?,
                "method" => asking.set_method(value)?,
                "header" => asking.add_header(value)?,
                "client" => asking.client = client(value)?,
                other => {
                    return Err(format!("no parameter {}; there are url, method, header and client", shown(other)));
                }
            }
        }
        // As a client would, one that says so itself asks for that host.
        if let Some((_, host)) = asking.headers.iter().find(|(name, _)| name == "host") {
            asking.host = host.clone();
        }
        Ok(asking)
    }

    fn set_url(&mut self, text: &str) -> Result<(), String> {
        let wrong =
            |why: &str| format!("not a URL: {} ({why}); write one like http://shop.test/cart?id=1", shown(text));
        let text = text.trim();
        let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let url: Uri = whole.parse().map_err(|error| wrong(&format!("{error}")))?;
        if !matches!(url.scheme_str(), Some("http" | "https")) {
            return Err(wrong("its scheme is none of http, https and tcp"));
        }
        let host = url.host().filter(|host| !host.is_empty()).ok_or_else(|| wrong("it has no host"))?;
        let mut buffer = Vec::new();
        let path = path::canonical(url.path().as_bytes(), &mut buffer);
        let path = path.map_err(|error| format!("divisi refuses such a request with 400: {error}"))?;
        self.is_secure = url.scheme_str() == Some("https");
        self.host = host.to_ascii_lowercase();
        self.path = path.to_vec();
        self.query = url.query().unwrap_or_default().to_owned();
        Ok(())
    }

    fn set_method(&mut self, text: &str) -> Result<(), String> {
        let wrong = |_| format!("not a method: {}; write one like GET or POST", shown(text));
        self.method = Method::from_bytes(text.as_bytes()).map_err(wrong)?.to_string();
        Ok(())
    }

    fn add_header(&mut self, text: &str) -> Result<(), String> {
        let wrong = || format!("not a header: {}; write one like 'X-Tenant: blue'", shown(text));
        let (name, value) = text.split_once(':').ok_or_else(wrong)?;
        let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| wrong())?;
        let value = HeaderValue::from_str(value.trim()).map_err(|_| wrong())?;
        self.headers.push((name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
        Ok(())
    }

    /// What was asked, for people.
    pub(crate) fn tell(&self) -> Question {
        Question {
            method: self.method.clone(),
            host: self.name(),
            path: self.path_text(),
            query: self.query.clone(),
            headers: self.headers.iter().map(|(name, _)| name.clone()).collect(),
            client: self.client.to_string(),
            tls: self.is_secure,
        }
    }

    /// The host in lower case, without port and trailing dot.
    pub(crate) fn name(&self) -> String {
        let name = match self.host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => &self.host,
        };
        name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
    }

    /// That path with the query behind it.
    pub(crate) fn with_query(&self, path: String) -> String {
        if self.query.is_empty() { path } else { format!("{path}?{}", self.query) }
    }

    /// The path as text.
    pub(crate) fn path_text(&self) -> String {
        String::from_utf8_lossy(&self.path).into_owned()
    }
}

impl Asked for Asking {
    fn host(&self) -> &[u8] {
        self.host.as_bytes()
    }

    fn path(&self) -> &[u8] {
        &self.path
    }

    fn query(&self) -> &[u8] {
        self.query.as_bytes()
    }

    fn method(&self) -> &[u8] {
        self.method.as_bytes()
    }

    fn any_header(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.headers.iter().any(|(found, value)| found == name && test(value.as_bytes()))
    }

    fn client(&self) -> IpAddr {
        self.client
    }

    fn is_secure(&self) -> bool {
        self.is_secure
    }
}

/// Who asks.
pub(super) fn client(text: &str) -> Result<IpAddr, String> {
    let wrong = |_| format!("not the address of a client: {}; write one like 203.0.113.7 or 2001:db8::7", shown(text));
    text.parse().map_err(wrong)
}

/// Text of others in a line of ours: in quotes, on one line, not for ever.
pub(crate) fn shown(text: &str) -> String {
    const SHOWN: usize = 80;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(parameters: &[(&str, &str)]) -> Result<Asking, String> {
        let owned: Vec<_> = parameters.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Asking::read(&owned)
    }

    #[test]
    fn spellings_of_a_url() {
        for (url, host, path, query) in [
            ("http://a.test", "a.test", "/", ""),
            ("a.test/x", "a.test", "/x", ""),
            ("https://u:p@A.Test.:8080/%61b?c=d#e", "a.test", "/ab", "c=d"),
            ("http://[::1]:80/", "[::1]", "/", ""),
        ] {
            let told = read(&[("url", url)]).expect(url).tell();
            assert_eq!((told.host.as_str(), told.path.as_str(), told.query.as_str()), (host, path, query), "{url}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        for (name, value, part) in [
            ("url", "http://", "not a URL"),
            ("url", "http:///x", "not a URL"),
            ("url", "ftp://a/x", "none of http, https and tcp"),
            ("url", "a b/x", "not a URL"),
            ("url", "http://a/../b", "400"),
            ("method", "G T", "not a method"),
            ("header", "x", "X-Tenant"),
            ("header", "a b: c", "X-Tenant"),
            ("client", "me", "not the address"),
            ("uri", "x", "there are url"),
        ] {
            let said = read(&[("url", "http://a/"), (name, value)]).expect_err(value);
            assert!(said.contains(part) && !said.contains('\n'), "{said}");
        }
    }

    #[test]
    fn a_host_in_the_headers_counts() {
        let asking = read(&[("url", "http://10.0.0.1/"), ("header", "Host: Shop.test:80"), ("header", "X-A:b")]);
        let asking = asking.expect("a question");
        assert_eq!((asking.name().as_str(), asking.host()), ("shop.test", &b"Shop.test:80"[..]));
        assert!(asking.any_header("x-a", &mut |value| value == b"b"));
        assert_eq!(asking.tell().headers, ["host", "x-a"]);
    }
}
