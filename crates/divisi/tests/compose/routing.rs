//! Many services: twelve of them in three projects and two networks, in all dialects, behind one divisi.

use std::net::SocketAddr;

use divisi_testkit::client::{Client, Response};

use crate::caller::{name_in, until};
use crate::engine::{Engine, engine};
use crate::project::Project;

/// divisi and five services that speak our own language, or none.
const SHOP: &str = r#"
networks:
  front:
  back:
services:
  divisi:
    image: <divisi>
    ports: ["127.0.0.1::8080"]
    networks: [front, back]
    volumes: ["/var/run/docker.sock:/var/run/docker.sock:ro"]
  web:
    image: <echo>
    networks: [front]
    labels: {divisi.host: shop.test}
  api:
    image: <echo>
    networks: [back, front]
    labels: {divisi.host: shop.test, divisi.path: /api, divisi.strip: "true", divisi.network: back}
  admin:
    image: <echo>
    networks: [back]
    labels:
      divisi.host: "*.admin.test"
      divisi.priority: "5000"
      divisi.metrics.host: metrics.test
      divisi.metrics.port: "9090"
  plain:
    image: <echo>
    networks: [front]
  secret:
    image: <echo>
    networks: [front]
    labels: {divisi.enable: "false"}
"#;

/// Four services that speak as Traefik has taught them.
const BLOG: &str = r#"
networks:
  front: {external: true, name: <shop>_front}
services:
  blog:
    image: <echo>
    networks: [front]
    labels:
      traefik.enable: "true"
      traefik.http.routers.blog.rule: Host(`blog.test`) && PathPrefix(`/posts`)
      traefik.http.routers.blog.middlewares: cut
      traefik.http.services.blog.loadbalancer.server.port: "9090"
  whoami:
    image: <echo>
    networks: [front]
    labels:
      - traefik.http.routers.one.rule=Host(`one.test`)
      - traefik.http.routers.one.service=one
      - traefik.http.services.one.loadbalancer.server.port=9090
      - traefik.http.routers.two.rule=Host(`two.test`) || Header(`X-Two`, `yes`)
      - traefik.http.routers.two.service=two
      - traefik.http.services.two.loadbalancer.server.port=9090
  guarded:
    image: <echo>
    networks: [front]
    labels:
      traefik.http.routers.guarded.rule: Host(`guarded.test`)
      traefik.http.routers.guarded.middlewares: auth
      traefik.http.middlewares.auth.basicauth.users: admin:$$apr1$$x
  shared:
    image: <echo>
    networks: [front]
    labels:
      traefik.enable: "true"
      traefik.http.middlewares.cut.stripprefix.prefixes: /posts
"#;

/// Three services: two that nginx-proxy would serve, and one with a typo.
const WIKI: &str = r#"
networks:
  back: {external: true, name: <shop>_back}
services:
  wiki:
    image: <echo>
    networks: [back]
    environment: {VIRTUAL_HOST: "wiki.test,www.wiki.test"}
  media:
    image: <echo>
    networks: [back]
    environment:
      VIRTUAL_HOST_MULTIPORTS: |-
        media.test:
          "/": {port: 9090}
          "/old": {port: 9090, dest: /new}
  typo:
    image: <echo>
    networks: [back]
    labels: {divisi.host: typo.test, divisi.hodl: 3s, divisi.weight: "2"}
"#;

/// Three projects behind one divisi.
struct Town<'a> {
    addr: SocketAddr,
    shop: Project<'a>,
    blog: Project<'a>,
    wiki: Project<'a>,
}

impl<'a> Town<'a> {
    fn build(engine: &'a Engine) -> Self {
        let shop = Project::new(engine, SHOP);
        shop.compose(&["up", "-d", "--scale", "web=2"]);
        let of = |file: &str| Project::new(engine, &file.replace("<shop>", shop.name()));
        let (blog, wiki) = (of(BLOG), of(WIKI));
        blog.compose(&["up", "-d"]);
        wiki.compose(&["up", "-d"]);
        Self { addr: shop.addr(), shop, blog, wiki }
    }

    fn ask(&self, host: &str, path: &str) -> Response {
        self.ask_with(host, path, "")
    }

    fn ask_with(&self, host: &str, path: &str, fields: &str) -> Response {
        let mut client = Client::connect(self.addr);
        client.send(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{fields}Connection: close\r\n\r\n"));
        client.response()
    }

    /// `ps` and `explain` name the container, the label and what was meant, and say why a route serves nobody.
    fn explains(&self) {
        let run = |args: &[&str]| self.shop.compose(&[&["exec", "-T", "divisi", "/divisi"], args].concat());
        let ps = run(&["ps"]);
        for part in ["divisi.hodl", "typo", "divisi.hold", "secret", "divisi.enable", "basicauth", "guarded.test"] {
            assert!(ps.contains(part), "ps says nothing of {part}:\n{ps}");
        }
        let typo = run(&["explain", &self.wiki.containers("typo")[0]]);
        for part in ["divisi.hodl", "divisi.hold", "typo.test"] {
            assert!(typo.contains(part), "explain says nothing of {part}:\n{typo}");
        }
    }

    /// Waits until a URL is served by a container of that service.
    fn expect(&self, host: &str, path: &str, project: &Project<'_>, service: &str) {
        let ids = project.containers(service);
        until(&format!("{host}{path} is served by {service}"), || {
            let response = self.ask(host, path);
            response.status() == 200 && ids.iter().any(|id| id.starts_with(&name_in(&response)))
        });
    }
}

#[test]
fn twelve_services_in_three_projects_and_two_networks() {
    let Some(engine) = engine() else { return };
    let town = Town::build(engine);
    for (host, path, project, service) in [
        ("shop.test", "/", &town.shop, "web"),
        ("shop.test", "/api/x", &town.shop, "api"),
        ("x.admin.test", "/", &town.shop, "admin"),
        ("metrics.test", "/", &town.shop, "admin"),
        ("plain.localhost", "/", &town.shop, "plain"),
        ("blog.test", "/posts/1", &town.blog, "blog"),
        ("one.test", "/", &town.blog, "whoami"),
        ("two.test", "/", &town.blog, "whoami"),
        ("wiki.test", "/", &town.wiki, "wiki"),
        ("www.wiki.test", "/", &town.wiki, "wiki"),
        ("media.test", "/", &town.wiki, "media"),
        ("typo.test", "/", &town.wiki, "typo"),
    ] {
        town.expect(host, path, project, service);
    }
    assert_eq!(town.ask_with("else.test", "/", "X-Two: yes\r\n").status(), 200);
    let line = |response: &Response| response.text().lines().nth(1).unwrap_or_default().to_owned();
    assert_eq!(line(&town.ask("shop.test", "/api/x?y=1")), "GET /x?y=1 HTTP/1.1", "the prefix goes");
    assert_eq!(line(&town.ask("blog.test", "/posts/1")), "GET /1 HTTP/1.1", "by a middleware of another container");
    assert_eq!(line(&town.ask("media.test", "/old/a")), "GET /new/a HTTP/1.1");

    let guarded = town.ask("guarded.test", "/");
    assert_eq!(guarded.status(), 503, "{}", guarded.text());
    assert!(guarded.text().contains("middleware \"auth\""), "{}", guarded.text());
    for (host, path) in [("else.test", "/"), ("secret.localhost", "/"), ("blog.test", "/"), ("wiki.localhost", "/")] {
        let response = town.ask(host, path);
        assert_eq!(response.status(), 404, "{host}{path}: {}", response.text());
    }
    let log = town.shop.compose(&["logs", "--no-color", "divisi"]);
    let typo = log.lines().find(|line| line.contains("divisi.hodl")).expect("the typo is in the log");
    assert!(typo.contains("_typo_1") || typo.contains("-typo-1"), "the container is named: {typo}");
    assert!(typo.contains("did you mean divisi.hold?"), "{typo}");
    town.explains();
}

#[test]
fn a_service_that_is_recreated_keeps_its_route() {
    let Some(engine) = engine() else { return };
    let town = Town::build(engine);
    town.expect("blog.test", "/posts/", &town.blog, "blog");
    let before = town.blog.containers("blog");
    town.blog.compose(&["up", "-d", "--force-recreate", "blog"]);
    // Asked at once: the new one may not listen yet, and the route may not be gone.
    assert_eq!(town.ask("blog.test", "/posts/").status(), 200);
    assert_ne!(town.blog.containers("blog"), before);
    town.expect("blog.test", "/posts/", &town.blog, "blog");
}
