//! Which requests belong together.

use std::sync::Arc;

use divisi_model::Spec;
use divisi_model::spec::{Affinity, HashKey};

use crate::values::{is_off, yes_or_no};

/// The cookie where the user names none.
const COOKIE: &str = "divisi";

/// The longest name of a cookie or field: far longer than any in use.
const LONGEST: usize = 128;

/// Together by a cookie of ours.
pub(crate) fn sticky(spec: &mut Spec, text: &str) -> Result<(), String> {
    let name = match yes_or_no(text) {
        Ok(true) => Some(COOKIE),
        Ok(false) => None,
        // RFC 6265bis 4.1.3: browsers drop these without `Secure`, which we cannot say where the client came without TLS.
        Err(_) if has_prefix(text) => {
            return Err("a name that browsers keep for cookies of TLS; write another".to_owned());
        }
        Err(_) if is_token(text) => Some(text),
        Err(_) => {
            return Err(
                "not the name of a cookie; write true for one named divisi, off, or letters and digits".to_owned()
            );
        }
    };
    match (name, &spec.affinity) {
        (Some(_), Affinity::Hash(_)) => return Err("does not go together with hash; choose one of them".to_owned()),
        (Some(name), _) => spec.affinity = Affinity::Cookie(name.into()),
        (None, Affinity::Cookie(_)) => spec.affinity = Affinity::None,
        (None, _) => {}
    }
    Ok(())
}

/// Together by what they say.
pub(crate) fn hash(spec: &mut Spec, text: &str) -> Result<(), String> {
    if is_off(text) {
        if matches!(spec.affinity, Affinity::Hash(_)) {
            spec.affinity = Affinity::None;
        }
        return Ok(());
    }
    let key = hash_key(text).ok_or("neither client, path, header:NAME, cookie:NAME nor off")?;
    if matches!(spec.affinity, Affinity::Cookie(_)) {
        return Err("does not go together with sticky; choose one of them".to_owned());
    }
    spec.affinity = Affinity::Hash(key);
    Ok(())
}

fn hash_key(text: &str) -> Option<HashKey> {
    let named = |name: &str| is_token(name).then(|| Arc::from(name));
    match text.split_once(':') {
        None if text == "client" => Some(HashKey::Client),
        None if text == "path" => Some(HashKey::Path),
        Some(("header", name)) => named(&name.to_ascii_lowercase()).map(HashKey::Header),
        Some(("cookie", name)) => named(name).map(HashKey::Cookie),
        _ => None,
    }
}

fn has_prefix(name: &str) -> bool {
    let begin = |prefix: &str| name.get(..prefix.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(prefix));
    begin("__Host-") || begin("__Secure-")
}

/// RFC 9110 5.6.2: names of fields and cookies are tokens.
fn is_token(text: &str) -> bool {
    let is_tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.len() <= LONGEST && text.bytes().all(is_tchar)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Setter = fn(&mut Spec, &str) -> Result<(), String>;

    fn after(steps: &[(Setter, &str)]) -> Result<Affinity, String> {
        let mut spec = Spec::default();
        for (set, text) in steps {
            set(&mut spec, text)?;
        }
        Ok(spec.affinity)
    }

    #[test]
    fn each_is_read() {
        let cookie = |name: &str| Ok(Affinity::Cookie(name.into()));
        assert_eq!(after(&[(sticky, "true")]), cookie("divisi"));
        assert_eq!(after(&[(sticky, "shop")]), cookie("shop"));
        assert_eq!(after(&[(sticky, "true"), (sticky, "off")]), Ok(Affinity::None));
        for (text, key) in [
            ("client", HashKey::Client),
            ("path", HashKey::Path),
            ("header:X-Tenant", HashKey::Header("x-tenant".into())),
            ("cookie:Tenant", HashKey::Cookie("Tenant".into())),
        ] {
            assert_eq!(after(&[(hash, text)]), Ok(Affinity::Hash(key)));
        }
        assert_eq!(after(&[(hash, "client"), (hash, "off")]), Ok(Affinity::None));
    }

    #[test]
    fn what_cannot_be_a_name_is_refused() {
        for text in ["a b", "a;b", "a=b", "", "a\r\nSet-Cookie: b", "ü", "__host-a", "__Secure-a", &"x".repeat(129)] {
            assert!(after(&[(sticky, text)]).is_err(), "{text:?}");
        }
        for text in ["header", "header:", "header:a b", "cookie:a=b", "ip", "header:a:b", "Client "] {
            assert!(after(&[(hash, text)]).is_err(), "{text:?}");
        }
    }

    #[test]
    fn only_one_of_them_holds() {
        let later = |steps| after(steps).expect_err("two");
        assert!(later(&[(sticky, "true"), (hash, "client")]).contains("sticky"));
        assert!(later(&[(hash, "client"), (sticky, "true")]).contains("hash"));
        assert_eq!(after(&[(hash, "client"), (sticky, "off")]), Ok(Affinity::Hash(HashKey::Client)));
        assert_eq!(after(&[(sticky, "a"), (hash, "off")]), Ok(Affinity::Cookie("a".into())));
    }
}
