//! The path that the replica is asked for.

use divisi_model::route::Rewrite;

/// The path after that was done to it, in this order.
pub(super) fn rewritten(path: &str, rewrites: &[Rewrite]) -> String {
    rewrites.iter().fold(path.to_owned(), |path, rewrite| match rewrite {
        Rewrite::Strip { prefixes, whole } => {
            let rest = prefixes.iter().find_map(|prefix| without(&path, prefix, *whole));
            rest.map_or_else(|| path.clone(), rooted)
        }
        Rewrite::Add(prefix) => rooted(&format!("{prefix}{path}")),
        Rewrite::Replace(path) => rooted(path),
    })
}

fn without<'a>(path: &'a str, prefix: &str, whole: bool) -> Option<&'a str> {
    let rest = path.strip_prefix(prefix)?;
    (!whole || rest.is_empty() || rest.starts_with('/') || prefix.ends_with('/')).then_some(rest)
}

fn rooted(path: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_after_the_other() {
        let strip = |prefix: &str, whole| Rewrite::Strip { prefixes: vec![prefix.to_owned()], whole };
        for (path, rewrites, expected) in [
            ("/api/x", vec![strip("/api", true)], "/x"),
            ("/api", vec![strip("/api", true)], "/"),
            ("/apis", vec![strip("/api", true)], "/apis"),
            ("/apis", vec![strip("/api", false)], "/s"),
            ("/x", vec![strip("/api", true), Rewrite::Add("/v1".to_owned())], "/v1/x"),
            ("/api/x", vec![strip("/api", true), Rewrite::Add("/v1".to_owned())], "/v1/x"),
            ("/x", vec![Rewrite::Replace("/y".to_owned())], "/y"),
        ] {
            assert_eq!(rewritten(path, &rewrites), expected, "{path}");
        }
    }
}
