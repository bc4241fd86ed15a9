//! Everything that one container says, in whatever languages, becomes one [`Wish`].

use std::sync::Arc;

use divisi_model::Spec;

use crate::complaint::Said;
use crate::dialect::{Dialect, Dialects};
use crate::nginx_proxy;
use crate::reading::{self, Native};
use crate::stream::{self, Streams};
use crate::traefik::{self, Traefik};
use crate::values::is_off;
use crate::verdict::{Outcome, Verdict};
use crate::wish::{Exposed, Wish, Words};

/// The label that is asked first whether a container is to be reached.
const ENABLE: &str = "divisi.enable";

/// Most labels of a container: far more than any has, and few enough that looking through all of them for each costs nothing.
const MOST: usize = 1000;

/// Most routes of a container. A few of them cannot be left out: their requests might find another, wider one.
const MOST_ROUTES: usize = 4096;

/// How containers are read: what flags say.
#[derive(Clone, Debug)]
pub struct Reader {
    /// Which languages.
    pub dialects: Dialects,
    /// What Traefik's own flags would say.
    pub traefik: traefik::Options,
    /// Whether divisi speaks TLS. If not, somebody before it does, and routes have no doors of their own.
    pub has_tls: bool,
}

impl Default for Reader {
    fn default() -> Self {
        Self { dialects: Dialects::default(), traefik: traefik::Options::default(), has_tls: true }
    }
}

impl Reader {
    /// Whether what is understood of a container of a Compose service depends on what the container itself is called.
    pub fn reads_container_names(&self) -> bool {
        self.traefik.default_rule.contains(".ContainerName")
    }
}

/// Understands one container. What it wants of its service comes on top of `base`, and what our own labels say on top of what
/// others do.
pub fn understand(words: &Words<'_>, base: &Arc<Spec>, reader: &Reader) -> Wish {
    if words.labels.len() > MOST {
        return too_much(base);
    }
    let has = |dialect| reader.dialects.has(dialect);
    let ours: &[_] = if has(Dialect::Native) { words.labels } else { &[] };
    let native = reading::native(ours.iter().copied(), base);
    // Most containers speak one language, and reading none of a thousand others is not free.
    let speaks_traefik =
        reader.traefik.exposed_by_default || words.labels.iter().any(|(name, _)| traefik::is_ours(name));
    let traefik = (has(Dialect::Traefik) && speaks_traefik).then(|| traefik::read(words, base, &reader.traefik));
    let speaks_nginx_proxy =
        !words.environment.is_empty() || words.labels.iter().any(|(name, _)| nginx_proxy::is_label(name));
    let nginx_proxy = (has(Dialect::NginxProxy) && speaks_nginx_proxy).then(|| nginx_proxy::read(words, base));
    let off = refused(&native);
    let stray = native.stray.clone();
    let spoken = native.container.spoken.clone();
    let mut wish = from_native(native);
    if let Some(traefik) = traefik {
        add_traefik(&mut wish, traefik);
    }
    if let Some(found) = nginx_proxy {
        expose(&mut wish, found.exposed);
        wish.routes.extend(found.routes);
        wish.services.extend(found.services);
        wish.verdicts.extend(found.verdicts);
    }
    for service in wish.services.iter_mut().filter(|service| service.dialect != Dialect::Native) {
        service.spec = reading::spec(ours.iter().copied(), &service.spec);
    }
    wish.services.iter_mut().for_each(|service| spoken.onto(&mut service.speech));
    for service in &mut wish.streams.services {
        // How HTTP is spoken says nothing of other protocols.
        let scheme = service.speech.scheme;
        spoken.onto(&mut service.speech);
        service.speech.scheme = scheme;
        if service.dialect != Dialect::Native {
            let base = Arc::new(service.spec.clone());
            service.spec = stream::spec_of(&reading::spec(ours.iter().copied(), &base));
        }
    }
    let many = (wish.routes.len() > MOST_ROUTES).then(|| format!("more than {MOST_ROUTES} routes"));
    if let Some(why) = off.or(stray).or(many) {
        wish.exposed = Exposed::No(why);
        wish.routes.clear();
        wish.streams = Streams::default();
    }
    bound(&mut wish);
    wish
}

/// Nothing is understood of a container with more labels than anybody writes, for a guard might be among those left out.
fn too_much(base: &Arc<Spec>) -> Wish {
    let mut wish = from_native(reading::native([], base));
    wish.exposed = Exposed::No(format!("more than {MOST} labels"));
    wish
}

/// There are words of others in ours, and they go into logs and pages.
fn bound(wish: &mut Wish) {
    for verdict in &mut wish.verdicts {
        verdict.outcome = std::mem::replace(&mut verdict.outcome, Outcome::Used).bounded();
    }
    let routes = wish.routes.iter_mut().filter_map(|route| route.closed.as_mut());
    let services = wish.services.iter_mut().filter_map(|service| service.closed.as_mut());
    for closed in routes.chain(services) {
        *closed = Said(closed).to_string();
    }
}

/// The label by which our own language says that the container is not to be reached, or might have said so: the other way
/// round, `flase` would publish it.
fn refused(native: &Native) -> Option<String> {
    if native.container.enable == Some(false) {
        return Some(ENABLE.to_owned());
    }
    let is_about = |verdict: &&Verdict| match &verdict.outcome {
        Outcome::Wrong { meant: Some(meant), .. } => meant == ENABLE && is_off(&verdict.value),
        Outcome::Wrong { meant: None, .. } => verdict.label == ENABLE,
        _ => false,
    };
    native.verdicts.iter().find(is_about).map(|verdict| verdict.label.clone())
}

fn from_native(native: Native) -> Wish {
    let exposed = match native.left_out {
        _ if !native.routes.is_empty() || !native.streams.is_empty() => Exposed::Yes,
        Some(label) => Exposed::No(label),
        None if native.container.enable == Some(true) => Exposed::Yes,
        None => Exposed::Unsaid,
    };
    Wish {
        spec: native.spec,
        weight: native.container.weight,
        exposed,
        network: native.container.network,
        routes: native.routes,
        services: native.services,
        streams: native.streams,
        middlewares: Vec::new(),
        verdicts: native.verdicts,
    }
}

/// One language is enough to expose a container; that another one's route cannot be read takes nothing from it.
fn expose(wish: &mut Wish, said: Exposed) {
    match said {
        Exposed::Unsaid => {}
        Exposed::Yes => wish.exposed = Exposed::Yes,
        Exposed::No(_) if wish.exposed != Exposed::Unsaid => {}
        no @ Exposed::No(_) => wish.exposed = no,
    }
}

fn add_traefik(wish: &mut Wish, mut traefik: Traefik) {
    expose(wish, std::mem::take(&mut traefik.exposed));
    match (&wish.network, traefik.network) {
        (Some(ours), Some(theirs)) if *ours != theirs => {
            let theirs =
                traefik.verdicts.iter_mut().filter(|verdict| verdict.label.eq_ignore_ascii_case(TRAEFIK_NETWORK));
            theirs.for_each(|verdict| verdict.outcome = Outcome::Ignored("divisi.network says another one".to_owned()));
        }
        (None, theirs) => wish.network = theirs,
        (Some(_), _) => {}
    }
    wish.routes.extend(traefik.routes);
    wish.services.extend(traefik.services);
    wish.streams.extend(traefik.streams);
    wish.middlewares.extend(traefik.middlewares);
    wish.verdicts.extend(traefik.verdicts);
}

const TRAEFIK_NETWORK: &str = "traefik.docker.network";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::middleware::apply;
    use crate::wish::RouteSpec;

    fn wish(labels: &[(&str, &str)], options: traefik::Options) -> Wish {
        let words = Words { labels, service: "web", project: "shop", ..Words::default() };
        understand(&words, &Arc::default(), &Reader { traefik: options, ..Reader::default() })
    }

    #[test]
    fn flags_of_traefik() {
        let labels = [("traefik.http.routers.a.rule", "Host(`a.com`)"), ("traefik.http.routers.a.x", "y")];
        assert_eq!(wish(&labels, traefik::Options::default()).routes.len(), 1);
        let strict = wish(&labels, traefik::Options { strict: true, ..Default::default() });
        assert_eq!((strict.routes.len(), matches!(strict.exposed, Exposed::No(_))), (0, true));
        assert_eq!(wish(&[], traefik::Options::default()).exposed, Exposed::Unsaid);
        let all = wish(&[], traefik::Options { exposed_by_default: true, ..Default::default() });
        assert_eq!((all.routes.len(), all.exposed), (1, Exposed::Yes));
    }

    #[test]
    fn more_than_anybody_writes_is_not_exposed() {
        let hosts = |route: usize| (0..256).map(|host| format!("h{host}.r{route}")).collect::<Vec<_>>().join(",");
        let labels: Vec<_> = (0..17).map(|route| (format!("divisi.r{route}.host"), hosts(route))).collect();
        let labels: Vec<_> = labels.iter().map(|(label, value)| (label.as_str(), value.as_str())).collect();
        assert_eq!(wish(&labels[..16], traefik::Options::default()).routes.len(), MOST_ROUTES);
        let many = wish(&labels, traefik::Options::default());
        assert_eq!((many.routes.len(), many.exposed), (0, Exposed::No("more than 4096 routes".to_owned())));
        let many = wish(&[("divisi.host", "a.com")].repeat(MOST + 1), traefik::Options::default());
        assert_eq!((many.routes.len(), many.exposed), (0, Exposed::No("more than 1000 labels".to_owned())));
    }

    #[test]
    fn regular_expressions_are_counted() {
        let rule = "HostRegexp(`a+`)||".repeat(49) + "Host(`a`)";
        let labels: Vec<_> = (0..6).map(|at| format!("traefik.http.routers.r{at}.rule")).collect();
        let labels: Vec<_> = labels.iter().map(|label| (label.as_str(), rule.as_str())).collect();
        let found = wish(&labels, traefik::Options::default());
        assert_eq!((found.routes.len(), found.verdicts.iter().filter(|verdict| verdict.is_wrong()).count()), (5, 1));
        let hosts = (0..257).map(|at| format!("~^a{at}$")).collect::<Vec<_>>().join(",");
        let words = Words { environment: &[("VIRTUAL_HOST", &hosts)], ..Words::default() };
        let found = understand(&words, &Arc::default(), &Reader::default());
        assert_eq!((found.routes.len(), found.verdicts[0].is_wrong()), (256, true));
    }

    #[test]
    fn the_narrower_route_is_first_in_whatever_language() {
        let priority = |labels: &[(&str, &str)], environment: &[(&str, &str)]| {
            let words = Words { labels, environment, ..Words::default() };
            understand(&words, &Arc::default(), &Reader::default()).routes[0].priority.expect("a number")
        };
        let old = |host| priority(&[], &[("VIRTUAL_HOST", host)]);
        let ours = priority(&[("divisi.host", "shop.test"), ("divisi.path", "/api")], &[]);
        let traefik = priority(&[("traefik.http.routers.a.rule", "Host(`shop.test`) && PathPrefix(`/api`)")], &[]);
        assert!(ours > old("shop.test") && traefik > old("shop.test"));
        let host = priority(&[("divisi.host", "shop.test")], &[]);
        for wide in ["*.test", ".shop.test", "shop.*", "~^shop"] {
            assert!(host > old(wide) && old("shop.test") > old(wide), "{wide}");
        }
        assert!(old("*.test") > old("shop.*") && old("shop.*") > old("~^shop"));
    }

    #[test]
    fn dialects_that_are_off_are_not_read() {
        let labels = [("divisi.host", "a.com"), ("traefik.http.routers.a.rule", "Host(`a.com`)")];
        let words = Words { labels: &labels, environment: &[("VIRTUAL_HOST", "a.com")], ..Words::default() };
        for dialect in Dialect::ALL {
            let reader = Reader { dialects: Dialects::only(dialect), ..Reader::default() };
            let wish = understand(&words, &Arc::default(), &reader);
            assert!(wish.routes.len() == 1 && wish.routes[0].dialect == dialect, "{dialect}");
            assert!(wish.verdicts.iter().all(|verdict| verdict.dialect == dialect), "{dialect}");
        }
    }

    proptest! {
        /// Anyone who can start a container writes labels.
        #[test]
        fn no_container_does_harm(
            said in prop::collection::vec((
                "(divisi|traefik|traefik\\.http|com\\.github\\.nginx-proxy\\.nginx-proxy)(\\.(routers|services|middlewares|\
                 loadbalancer|server|servers|rule|tls|domains|chain|host|path|enable|port|sticky|cookie|[a-zü@]{1,3}|\
                 \\[[0-9]?\\]?)){0,6}|VIRTUAL_[A-Z_]{0,20}|(?s:.*)",
                "(Host|PathPrefix)\\(`[a-z/.]{0,6}`\\)|true|80|/x|[a-z,]{0,9}|\\{[a-z:\"{}, ]{0,20}|(?s:.*)",
            ), 0..8),
        ) {
            let said: Vec<_> = said.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
            let words = Words { labels: &said, environment: &said, service: "web", project: "shop", container: "c" };
            let mut wish = understand(&words, &Arc::default(), &Reader::default());
            let known = wish.middlewares.clone();
            for route in &mut wish.routes {
                apply(route, |name| known.iter().find(|middleware| middleware.name == name).cloned(), &[], true);
            }
            for verdict in &wish.verdicts {
                let line = verdict.to_string();
                prop_assert!(line.len() < 5000 && !line.chars().any(char::is_control), "{line}");
            }
        }
    }

    #[test]
    fn chains_end() {
        let labels = [
            ("traefik.http.routers.a.rule", "Host(`a.com`)"),
            ("traefik.http.routers.a.middlewares", "b"),
            ("traefik.http.middlewares.b.chain.middlewares", "c,c"),
            ("traefik.http.middlewares.c.chain.middlewares", "b,b"),
        ];
        let mut wish = wish(&labels, traefik::Options::default());
        let known = wish.middlewares.clone();
        let find = |name: &str| known.iter().find(|middleware| middleware.name == name).cloned();
        apply(&mut wish.routes[0], find, &[], true);
        assert!(wish.routes[0].closed.as_deref().is_some_and(|why| why.contains("themselves")));
        let mut open = RouteSpec { closed: None, ..wish.routes[0].clone() };
        apply(&mut open, find, &["b".to_owned()], true);
        assert_eq!(open.closed, None, "passed over");
    }
}
