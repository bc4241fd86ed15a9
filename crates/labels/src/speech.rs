//! How the replicas of a container are spoken to, as its own labels say; they are on top of what other languages say.

use std::sync::Arc;

use divisi_model::route::Rule;
use divisi_model::speech::{ProxyHeader, Scheme, Speech, Trust};

use crate::native::{AUTO, OfContainer};
use crate::values::{is_off, put_some, yes_or_no};

/// The longest path of a file: far longer than any in use.
const LONGEST: usize = 1024;

/// What labels say of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spoken {
    scheme: Option<Scheme>,
    authority: Option<Arc<str>>,
    is_verified: Option<bool>,
    server_name: Option<Arc<str>>,
    /// The inner None is `off`.
    proxy_header: Option<Option<ProxyHeader>>,
}

impl Spoken {
    /// Puts what they say on top of what is said already.
    pub(crate) fn onto(&self, speech: &mut Speech) {
        if let Some(scheme) = self.scheme {
            speech.scheme = scheme;
        }
        match (self.is_verified, &self.authority) {
            (Some(false), _) => speech.trust = Trust::Unproven,
            (_, Some(authority)) => speech.trust = Trust::Authority(Arc::clone(authority)),
            (Some(true), None) => speech.trust = Trust::Public,
            (None, None) => {}
        }
        if self.server_name.is_some() {
            speech.server_name.clone_from(&self.server_name);
        }
        if let Some(header) = self.proxy_header {
            speech.proxy_header = header;
        }
    }
}

pub(crate) fn scheme(container: &mut OfContainer, text: &str) -> Result<(), String> {
    let known = [Scheme::Http, Scheme::Https, Scheme::H2c, Scheme::H2];
    let named = known.into_iter().find(|scheme| scheme.name().eq_ignore_ascii_case(text));
    put_some(&mut container.spoken.scheme, named.ok_or_else(|| "neither http, https, h2c nor h2".to_owned()))
}

pub(crate) fn authority(container: &mut OfContainer, text: &str) -> Result<(), String> {
    container.spoken.authority = if is_off(text) { None } else { Some(file(text)?) };
    Ok(())
}

pub(crate) fn verify(container: &mut OfContainer, text: &str) -> Result<(), String> {
    put_some(&mut container.spoken.is_verified, yes_or_no(text))
}

pub(crate) fn server_name(container: &mut OfContainer, text: &str) -> Result<(), String> {
    if text.eq_ignore_ascii_case(AUTO) {
        container.spoken.server_name = None;
        return Ok(());
    }
    let is_name = matches!(Rule::host(text), Ok(Rule::Host { .. }));
    let name = if is_name { Ok(text.to_ascii_lowercase().into()) } else { Err(NO_NAME.to_owned()) };
    put_some(&mut container.spoken.server_name, name)
}

const NO_NAME: &str = "not the name in a certificate (app.internal)";

pub(crate) fn proxy_header(container: &mut OfContainer, text: &str) -> Result<(), String> {
    let header = match text.to_ascii_lowercase().as_str() {
        "v1" => Some(ProxyHeader::V1),
        "v2" => Some(ProxyHeader::V2),
        text if is_off(text) => None,
        _ => return Err("neither v1, v2 nor off".to_owned()),
    };
    container.spoken.proxy_header = Some(header);
    Ok(())
}

/// The path of a file in divisi's container; one that does not begin with `/` is below the folder with the certificates.
pub(crate) fn file(text: &str) -> Result<Arc<str>, String> {
    let is_plain = !text.is_empty() && text.len() <= LONGEST && !text.chars().any(char::is_control);
    if !is_plain || text.ends_with('/') || text.split('/').any(|part| part == "..") {
        return Err("not the path of a file (/certs/ca.pem, or ca.pem in the folder with the certificates)".to_owned());
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_labels_say_is_on_top() {
        let mut container = OfContainer::default();
        let mut speech = Speech { scheme: Scheme::Https, trust: Trust::Unproven, ..Speech::default() };
        container.spoken.onto(&mut speech);
        assert_eq!((speech.scheme, &speech.trust), (Scheme::Https, &Trust::Unproven), "nothing is said");
        authority(&mut container, "ca.pem").expect("a file");
        scheme(&mut container, "H2").expect("a scheme");
        container.spoken.onto(&mut speech);
        assert_eq!((speech.scheme, &speech.trust), (Scheme::H2, &Trust::Authority("ca.pem".into())));
        verify(&mut container, "false").expect("a word");
        container.spoken.onto(&mut speech);
        assert_eq!(speech.trust, Trust::Unproven, "said in so many words");
        proxy_header(&mut container, "V2").expect("a version");
        container.spoken.onto(&mut speech);
        proxy_header(&mut container, "off").expect("none");
        assert_eq!(speech.proxy_header, Some(ProxyHeader::V2));
        container.spoken.onto(&mut speech);
        assert_eq!(speech.proxy_header, None);
    }

    #[test]
    fn files() {
        for text in ["ca.pem", "/certs/ca.pem", "a..b/c"] {
            assert!(file(text).is_ok(), "{text}");
        }
        for text in ["", "/", "certs/", "../ca.pem", "/a/../../etc/shadow", "a\nb", &"x".repeat(1025)] {
            assert!(file(text).is_err(), "{text:?}");
        }
    }
}
