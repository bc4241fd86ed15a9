//! What is done to the path of a request on its way to a replica.
//!
//! Prefixes are compared in canonical form ([`path`]), so that `/%61pi/x` loses `/api` as its route has found it; what is left
//! keeps the spelling in which it came. Whatever is done, the path begins with one slash and has no dot segment that it did
//! not come with: `/api../x` without `/api` would be `/../x`, which leads out of what the replica shows.

use super::path::{self, DotSegment};

/// What is done to the path of a request. The query stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rewrite {
    /// The first of these that the path begins with, on a segment's boundary if `whole`, goes away. A path that is empty
    /// then is `/`.
    Strip {
        /// What goes away.
        prefixes: Vec<String>,
        /// Whether `/api` leaves `/apis` alone.
        whole: bool,
    },
    /// This is put before it.
    Add(String),
    /// This stands in its place.
    Replace(String),
}

/// What came of a path. Made to be reused: nothing is allocated once the memory has grown to what paths here need.
#[derive(Debug, Default)]
pub struct Rewritten {
    path: Vec<u8>,
    stripped: Vec<u8>,
    spare: Vec<u8>,
}

impl Rewritten {
    /// Does all of `rewrites`, in their order, to a path as it came, without its query. `*`, which is no path but the server as
    /// a whole (RFC 9112 3.2.4), stays.
    ///
    /// # Errors
    /// What is left has dot segments, and means another place than it says.
    pub fn apply(&mut self, rewrites: &[Rewrite], raw: &[u8]) -> Result<(), DotSegment> {
        self.path.clear();
        self.stripped.clear();
        self.path.extend_from_slice(if raw.is_empty() { b"/" } else { raw });
        if raw == b"*" {
            return Ok(());
        }
        for rewrite in rewrites {
            match rewrite {
                Rewrite::Strip { prefixes, whole } => self.strip(prefixes, *whole),
                Rewrite::Add(prefix) => self.add(prefix),
                Rewrite::Replace(path) => {
                    self.path.clear();
                    put(path, &mut self.path);
                }
            }
        }
        path::canonical(&self.path, &mut self.spare).map(drop)
    }

    /// The path.
    pub fn path(&self) -> &[u8] {
        &self.path
    }

    /// What was taken away at its beginning; empty where nothing was.
    pub fn stripped(&self) -> &[u8] {
        &self.stripped
    }

    fn strip(&mut self, prefixes: &[String], whole: bool) {
        let found = prefixes.iter().find_map(|prefix| Some((prefix, begins(&self.path, prefix, whole)?)));
        let Some((prefix, length)) = found else { return };
        put(prefix.trim_end_matches('/'), &mut self.stripped);
        self.spare.clear();
        join(&self.path[length..], &mut self.spare);
        std::mem::swap(&mut self.path, &mut self.spare);
    }

    fn add(&mut self, prefix: &str) {
        let prefix = prefix.trim_end_matches('/');
        if prefix.is_empty() {
            return;
        }
        self.spare.clear();
        put(prefix, &mut self.spare);
        join(&self.path, &mut self.spare);
        std::mem::swap(&mut self.path, &mut self.spare);
    }
}

/// How many bytes of `path` stand for `prefix`, if it begins with it and that is anything.
fn begins(path: &[u8], prefix: &str, whole: bool) -> Option<usize> {
    let bare = prefix.trim_end_matches('/');
    if bare.is_empty() {
        return None;
    }
    let mut wanted = if whole { bare } else { prefix }.as_bytes();
    let mut rest = path;
    while let Some((unit, length)) = first(wanted) {
        let (found, taken) = first(rest)?;
        if found != unit {
            return None;
        }
        wanted = &wanted[length..];
        rest = &rest[taken..];
    }
    (!whole || matches!(rest, [] | [b'/', ..])).then(|| path.len() - rest.len())
}

/// The first byte for which `text` stands, whether that is an escape which canonical form keeps, and how long it is there:
/// several slashes are one.
fn first(text: &[u8]) -> Option<((u8, bool), usize)> {
    let (byte, after) = text.split_first()?;
    Some(match path::escaped(byte, after) {
        Some(meant) => ((meant, path::is_reserved(meant)), 3),
        None if *byte == b'/' => ((b'/', false), 1 + after.iter().take_while(|byte| **byte == b'/').count()),
        None => ((*byte, false), 1),
    })
}

/// The rest of a path behind what stands before it, with one slash between them.
fn join(rest: &[u8], out: &mut Vec<u8>) {
    let start = rest.iter().position(|byte| *byte != b'/').unwrap_or(rest.len());
    out.push(b'/');
    out.extend_from_slice(&rest[start..]);
}

/// The words of a user, who may write what no request line can hold (RFC 3986 3.3): that is escaped.
fn put(text: &str, out: &mut Vec<u8>) {
    out.push(b'/');
    for byte in text.trim_start_matches('/').bytes() {
        if byte.is_ascii_graphic() && !matches!(byte, b'#' | b'?') {
            out.push(byte);
        } else {
            let digit = |half: u8| b"0123456789ABCDEF"[usize::from(half)];
            out.extend([b'%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn strip(whole: bool, prefixes: &[&str]) -> Rewrite {
        Rewrite::Strip { prefixes: prefixes.iter().map(|&prefix| prefix.to_owned()).collect(), whole }
    }

    /// The path, and what was taken away.
    fn of(rewrites: &[Rewrite], raw: &str) -> Result<(String, String), DotSegment> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut rewritten = Rewritten::default();
        rewritten.apply(rewrites, raw.as_bytes())?;
        Ok((text(rewritten.path()), text(rewritten.stripped())))
    }

    #[test]
    fn a_prefix_goes_away_at_a_segments_end() {
        let api = [strip(true, &["/api"])];
        for (raw, expected) in [
            ("/api/x", "/x"),
            ("/api", "/"),
            ("/api/", "/"),
            ("/api//x", "/x"),
            ("/%61pi/%62%2Fc%2f", "/%62%2Fc%2f"),
            ("/a%50i/x", "/a%50i/x"),
            ("/apis", "/apis"),
            ("/api%2fx", "/api%2fx"),
            ("/x/api/y", "/x/api/y"),
            ("//api/x", "/x"),
            ("", "/"),
            ("*", "*"),
        ] {
            let (path, stripped) = of(&api, raw).expect("no dots");
            assert_eq!(path, expected, "{raw}");
            assert_eq!(stripped.is_empty(), path == raw || raw.is_empty(), "{raw}");
        }
    }

    #[test]
    fn prefixes_are_compared_as_what_they_stand_for() {
        for (prefix, raw, expected) in [
            ("/a b", "/a%20b/x", "/x"),
            ("/%61", "/a/x", "/x"),
            ("/a%2Fb", "/a%2fb/x", "/x"),
            ("/a/b", "/a%2fb/x", "/a%2fb/x"),
            ("/\u{e9}", "/%C3%A9/x", "/x"),
            ("/api/", "/api/x", "/x"),
            ("/", "/x", "/x"),
            ("", "/x", "/x"),
            ("api", "/api", "/api"),
        ] {
            assert_eq!(of(&[strip(true, &[prefix])], raw).expect("no dots").0, expected, "{prefix} {raw}");
        }
    }

    #[test]
    fn the_first_that_fits_goes_and_no_other() {
        let both = strip(true, &["/b", "/a/b", "/a"]);
        assert_eq!(of(&[both], "/a/b/a"), Ok(("/a".to_owned(), "/a/b".to_owned())));
        let twice = [strip(true, &["/a"]), strip(true, &["/b"])];
        assert_eq!(of(&twice, "/a/b/c"), Ok(("/c".to_owned(), "/a/b".to_owned())));
    }

    #[test]
    fn letter_by_letter_the_rest_gets_a_slash() {
        let api = [strip(false, &["/api"])];
        assert_eq!(of(&api, "/apis/x"), Ok(("/s/x".to_owned(), "/api".to_owned())));
        assert_eq!(of(&[strip(false, &["/api/"])], "/api/x"), Ok(("/x".to_owned(), "/api".to_owned())));
        assert_eq!(of(&[strip(false, &["/api/"])], "/api"), Ok(("/api".to_owned(), String::new())));
    }

    #[test]
    fn no_rest_leads_out_of_its_place() {
        for raw in ["/api../x", "/api%2e%2E/x", "/api./x", "/api.."] {
            assert_eq!(of(&[strip(false, &["/api"])], raw), Err(DotSegment), "{raw}");
        }
    }

    #[test]
    fn what_is_added_meets_the_path_with_one_slash() {
        let add = |text: &str| Rewrite::Add(text.to_owned());
        for (text, raw, expected) in [
            ("/v1", "/x", "/v1/x"),
            ("/v1/", "/x", "/v1/x"),
            ("/v1", "/", "/v1/"),
            ("v1", "//x", "/v1/x"),
            ("/", "/x", "/x"),
            ("", "/x", "/x"),
            ("/a b?#\r\n", "/x", "/a%20b%3F%23%0D%0A/x"),
        ] {
            assert_eq!(of(&[add(text)], raw).expect("no dots").0, expected, "{text} {raw}");
        }
        assert_eq!(of(&[strip(true, &["/api"]), add("/v1")], "/api").expect("no dots").0, "/v1/");
        assert_eq!(of(&[Rewrite::Replace("/y".to_owned())], "/x").expect("no dots").0, "/y");
        assert_eq!(of(&[Rewrite::Replace(String::new())], "/x").expect("no dots").0, "/");
    }

    /// Few letters, so that much of it meets.
    fn segment() -> impl Strategy<Value = String> {
        prop_oneof![4 => "[ab]{1,2}", 1 => Just(".".to_owned()), 1 => Just("%2e".to_owned()), 1 => Just(String::new())]
    }

    fn text() -> impl Strategy<Value = String> {
        prop::collection::vec(segment(), 0..4).prop_map(|parts| format!("/{}", parts.join("/")))
    }

    fn rewrite() -> impl Strategy<Value = Rewrite> {
        prop_oneof![
            (prop::collection::vec(text(), 0..3), any::<bool>())
                .prop_map(|(prefixes, whole)| Rewrite::Strip { prefixes, whole }),
            text().prop_map(Rewrite::Add),
            text().prop_map(Rewrite::Replace),
        ]
    }

    proptest! {
        #[test]
        fn whatever_is_done_it_is_a_path(
            rewrites in prop::collection::vec(rewrite(), 1..4),
            raw in prop_oneof![text(), "/[ -~]{0,12}"],
        ) {
            let mut rewritten = Rewritten::default();
            if rewritten.apply(&rewrites, raw.as_bytes()).is_ok() {
                let mut buffer = Vec::new();
                let path = rewritten.path();
                prop_assert!(path.starts_with(b"/"));
                prop_assert!(path::canonical(path, &mut buffer).is_ok());
                prop_assert!(path == raw.as_bytes() || raw.starts_with("//") || !path.starts_with(b"//"));
            }
        }

        #[test]
        fn what_is_stripped_can_be_added_again(prefix in "(/[ab]{1,2}){1,2}", rest in "(/[ab%]{1,2}){0,3}") {
            let raw = format!("{prefix}{rest}");
            let there_and_back = [strip(true, &[&prefix]), Rewrite::Add(prefix.clone())];
            let (path, stripped) = of(&there_and_back, &raw).expect("no dots");
            prop_assert_eq!(path.trim_end_matches('/'), &raw);
            prop_assert_eq!(stripped, prefix);
        }

        #[test]
        fn another_spelling_of_the_prefix_changes_nothing(
            prefix in "(/[a-d]{1,3}){1,2}",
            rest in "(/[a-d%]{1,2}){0,2}",
            at in any::<prop::sample::Index>(),
        ) {
            let at = at.index(prefix.len());
            prop_assume!(prefix.as_bytes()[at] != b'/');
            let spelled = format!("{}%{:02x}{}", &prefix[..at], prefix.as_bytes()[at], &prefix[at + 1..]);
            let rewrites = [strip(true, &[&prefix])];
            prop_assert_eq!(of(&rewrites, &format!("{spelled}{rest}")), of(&rewrites, &format!("{prefix}{rest}")));
        }
    }
}
