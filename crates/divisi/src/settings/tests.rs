//! The table itself, and what comes of reading it.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use divisi_model::spec::Affinity;
use divisi_model::speech::{Scheme, Speech};
use divisi_model::{Policy, Spec};
use divisi_proxy::Limits;

use super::row::{Row, Setting, Takes};
use super::*;

fn rows<T>(table: &[Setting<T>]) -> Vec<Row> {
    table.iter().map(|setting| setting.row).collect()
}

fn tables() -> [(&'static str, Vec<Row>); 5] {
    [
        ("serve", rows(&serve::table())),
        ("echo", rows(echo::TABLE)),
        ("demo", rows(demo::TABLE)),
        ("check", rows(&check::table())),
        ("ps", rows(ask::TABLE)),
    ]
}

fn read_with(line: &str, variables: &[(&str, &str)]) -> Result<Task, Refusal> {
    let variables: HashMap<_, _> = variables.iter().copied().collect();
    let words = std::iter::once("divisi").chain(line.split_whitespace()).map(OsString::from);
    read(words, &|name| variables.get(name).map(|&value| value.to_owned()))
}

fn serving(line: &str, variables: &[(&str, &str)]) -> Serve {
    match read_with(line, variables) {
        Ok(Task::Serve(settings)) => *settings,
        other => panic!("{line}: {other:?}"),
    }
}

fn problems(line: &str, variables: &[(&str, &str)]) -> Vec<String> {
    match read_with(line, variables) {
        Err(Refusal::Values(problems)) => problems.iter().map(Problem::to_string).collect(),
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn clap_finds_no_fault_with_the_command_line() {
    arguments::command().debug_assert();
}

#[test]
fn routes_have_doors_unless_tls_is_off() {
    let has_tls = |line, variables: &[_]| serving(line, variables).routing.reader.has_tls;
    assert!(has_tls("", &[]) && has_tls("--listen-tls :443", &[]) && has_tls("serve --replica a:80", &[]));
    assert!(!has_tls("--listen-tls off", &[]) && !has_tls("serve --replica a:80", &[("DIVISI_LISTEN_TLS", "off")]));
}

#[test]
fn every_row_says_everything() {
    for (command, rows) in tables() {
        for row in rows {
            let name = format!("{command} --{}", row.flag);
            assert!(!row.variables.is_empty(), "{name} has no variable");
            assert!(!row.help.is_empty() && !row.help.ends_with('.'), "{name}: help is one phrase");
            assert!(!row.value.is_empty() && !row.group.is_empty(), "{name}");
            assert!(row.default.is_some() || !row.example.is_empty(), "{name} shows no value");
            for letter in row.flag.bytes() {
                assert!(letter.is_ascii_lowercase() || letter == b'-', "{name}");
            }
        }
    }
}

#[test]
fn no_flag_and_no_variable_means_two_things() {
    for (command, rows) in tables() {
        let mut seen = HashSet::new();
        for row in rows {
            assert!(seen.insert(row.flag), "{command} --{} twice", row.flag);
            for variable in row.variables {
                assert!(seen.insert(variable), "{command} {variable} twice");
            }
        }
    }
}

#[test]
fn every_example_is_accepted_as_flag_and_as_variable() {
    for (command, rows) in tables() {
        for row in rows.iter().filter(|row| !row.example.is_empty()) {
            let flag = format!("{command} --{}={}", row.flag, row.example);
            // The engine's TLS example needs certificates on the disk, which is for the engine's address to judge.
            if row.flag.starts_with("docker-tls") || row.flag.starts_with("docker-cert") {
                continue;
            }
            assert!(read_with(&flag, companions(row.flag)).is_ok(), "{flag}");
            for variable in row.variables {
                let variables = [companions(row.flag), &[(*variable, row.example)]].concat();
                assert!(read_with(command, &variables).is_ok(), "{variable}={}", row.example);
            }
        }
    }
}

/// What a setting is of no use without.
fn companions(flag: &str) -> &'static [(&'static str, &'static str)] {
    match flag {
        "acme-email" => &[],
        "acme-eab-kid" => &[EMAIL, ("DIVISI_ACME_EAB_HMAC", "c2VjcmV0")],
        "acme-eab-hmac" => &[EMAIL, ("DIVISI_ACME_EAB_KID", "kid-1")],
        "acme-dns-key" => &[EMAIL, ("DIVISI_ACME_DNS_SERVER", "10.0.0.53")],
        flag if flag.starts_with("acme-") => &[EMAIL],
        _ => &[],
    }
}

const EMAIL: (&str, &str) = ("DIVISI_ACME_EMAIL", "you@example.org");

#[test]
fn acme_is_on_with_an_address_and_what_does_not_go_together_is_said() {
    assert!(!serving("", &[]).secure.acme.is_wanted());
    let settings =
        |line| serving(line, &[EMAIL]).secure.acme.settings("/data".as_ref()).expect("no roots").expect("it is on");
    let plain = settings("");
    assert_eq!(plain.directory, "https://acme-v02.api.letsencrypt.org/directory");
    assert!(plain.email == EMAIL.1 && plain.dns.is_none() && plain.external.is_none() && plain.challenge.is_none());
    let dns = settings("--acme-dns-server=::1 --acme-challenge=dns-01").dns;
    assert!(matches!(&dns, Some(divisi_acme::Dns::Update { server, key: None }) if server == "[::1]:53"), "{dns:?}");

    let wrong = "--acme-ask=http://a/ --acme-eab-kid=k --acme-dns-key=k:hmac-sha256:c2VjcmV0 --acme-challenge=dns-01";
    let told = problems(wrong, &[]).join("\n");
    for part in ["--acme-email: without it", "--acme-eab-kid: an", "--acme-dns-key: there", "--acme-challenge: dns-01"]
    {
        assert!(told.contains(part), "{part} is not in {told}");
    }
    let both = problems("--acme-dns-server=10.0.0.53 --acme-dns-hook=/hook", &[EMAIL]).join("\n");
    assert!(both.contains("not by both"), "{both}");
    for wrong in [
        "--acme-email=you",
        "--acme-email=a@b.c,d@e.f",
        "--acme-directory=http://a/dir",
        "--acme-directory=a/dir",
        "--acme-ask=https:///x",
        "--acme-challenge=http",
        "--acme-dns-server=:53",
        "--acme-dns-key=k:md5:c2VjcmV0",
        "--acme-eab-hmac=**",
    ] {
        assert_eq!(problems(&format!("{wrong} --stop-timeout=x"), &[]).len(), 2, "{wrong}");
    }
}

#[test]
fn keys_of_acme_show_nowhere() {
    let secret = "c2VjcmV0IHNlY3JldCBzZWNyZXQ";
    let line = format!(
        "--acme-eab-kid=k --acme-eab-hmac={secret} --acme-dns-server=10.0.0.53 --acme-dns-key=k:hmac-sha512:{secret}"
    );
    let shown = format!("{:?}", serving(&line, &[EMAIL]));
    assert!(!shown.contains(&secret[..8]) && !shown.contains("secret secret"), "{shown}");
    let told = problems(&format!("--acme-dns-key=k:md5:{secret}"), &[EMAIL]).join("");
    assert!(!told.contains(&secret[..8]), "{told}");
}

#[test]
fn the_defaults_of_the_table_are_those_of_the_proxy() {
    assert_eq!(format!("{:?}", serving("", &[]).limits), format!("{:?}", Limits::default()));
}

#[test]
fn help_lists_every_row() {
    for (command, rows) in tables() {
        let Err(Refusal::Arguments(help)) = read_with(&format!("{command} --help"), &[]) else {
            panic!("{command} has no help");
        };
        let help = help.to_string();
        for row in rows {
            let variables = row.variables.iter().copied();
            for word in variables.chain([row.flag, row.default.unwrap_or_default()]) {
                assert!(help.contains(word), "{command} --help says nothing of {word}");
            }
        }
    }
}

#[test]
fn a_flag_wins_over_a_variable_and_an_empty_variable_is_none() {
    let variables = [("DIVISI_LISTEN", ":1"), ("DIVISI_SERVICE", "")];
    assert_eq!(serving("--listen :2", &variables).listen.to_string(), ":2");
    assert_eq!(serving("-addr :3", &variables).listen.to_string(), ":3");
    assert_eq!(serving("", &variables).listen.to_string(), ":1");
    assert!(matches!(serving("", &variables).upstream, Upstream::Engine { service: None, .. }));
    // A value that is not used cannot be wrong.
    assert_eq!(serving("--policy random", &[("DIVISI_POLICY", "fastest")]).spec.policy.name(), "random");
}

#[test]
fn without_a_command_it_serves() {
    assert_eq!(serving("--listen :1", &[]).listen, serving("serve --listen :1", &[]).listen);
    assert_eq!(serving("", &[]).listen.to_string(), ":8080");
}

#[test]
fn the_old_program_is_still_understood() {
    for line in ["-addr :9", "-addr=:9", "--addr :9", "--addr=:9"] {
        let settings = serving(line, &[]);
        assert_eq!(settings.listen.to_string(), ":9", "{line}");
        assert!(settings.replica_header, "{line}");
    }
    let old = [("DOCKER_COMPOSE_SERVICE_NAME", "echo")];
    let settings = serving("", &old);
    assert!(settings.replica_header);
    assert!(matches!(settings.upstream, Upstream::Engine { service: Some(name), .. } if name == "echo"));
    assert!(!serving("--replica-header=false", &old).replica_header, "the user's word wins");
    assert!(!serving("--service web", &old).replica_header, "the old variable is not used here");
    assert!(!serving("", &[("DIVISI_SERVICE", "web")]).replica_header);
    assert!(serving("--replica-header", &[]).replica_header);
}

#[test]
fn lists_are_repeated_or_separated_by_commas() {
    let replicas = |line: &str, variables: &[(&str, &str)]| match serving(line, variables).upstream {
        Upstream::Static { replicas, .. } => replicas.iter().map(FixedReplica::to_string).collect::<Vec<_>>().join(" "),
        engine @ Upstream::Engine { .. } => panic!("{engine:?}"),
    };
    assert_eq!(replicas("--replica a:1 --replica 10.0.0.1:2,[::1]:3", &[]), "a:1 10.0.0.1:2 [::1]:3");
    assert_eq!(
        replicas("--replica http://a:1,h2c://[::1]:2,https://b:3,h2://c:4", &[]),
        "a:1 h2c://[::1]:2 https://b:3 h2://c:4"
    );
    assert_eq!(replicas("", &[("DIVISI_REPLICAS", "a:1, b:2")]), "a:1 b:2");
    assert_eq!(replicas("--replica c:3", &[("DIVISI_REPLICAS", "a:1, b:2")]), "c:3");
    assert_eq!(serving("--trust 10.0.0.0/8,192.168.1.5", &[]).trust.len(), 2);
}

#[test]
fn all_mistakes_are_said_at_once_each_with_its_source() {
    let line = "--listen 8080 --policy fastest --replica :80 --trust 10.0.0.0/33 --head-size 5TB --head-timeout 0s";
    let variables = [("DIVISI_WORKERS", "0"), ("DIVISI_LOG", "loud"), ("DIVISI_IDLE_TIMEOUT", "5")];
    let found = problems(line, &variables);
    assert_eq!(found.len(), 9, "{found:#?}");
    let starts = [
        "--listen \"8080\": ",
        "--policy \"fastest\": ",
        "--replica \":80\": ",
        "--trust \"10.0.0.0/33\": ",
        "--head-size \"5TB\": ",
        "--head-timeout \"0s\": ",
        "--workers \"0\" (from DIVISI_WORKERS): ",
        "--log \"loud\" (from DIVISI_LOG): ",
        "--idle-timeout \"5\" (from DIVISI_IDLE_TIMEOUT): ",
    ];
    for start in starts {
        assert!(found.iter().any(|line| line.starts_with(start)), "{start} in {found:#?}");
    }
    assert!(found.iter().all(|line| !line.contains('\n')));
}

#[test]
fn what_is_wanted_of_services_comes_from_the_table_of_labels() {
    let spec =
        serving("--policy random --hold 5s --limit=20", &[("DIVISI_STICKY", "shop"), ("DIVISI_HOLD", "9s")]).spec;
    let mut expected = Spec { policy: Policy::Random, affinity: Affinity::Cookie("shop".into()), ..Spec::default() };
    expected.hold.time = Duration::from_secs(5);
    expected.replica_limit = Some(20);
    assert_eq!(spec, expected);
    assert_eq!(serving("", &[]).spec, Spec::default());
    let found = problems("--hash client", &[("DIVISI_STICKY", "true"), ("DIVISI_RETRY_BUDGET", "200")]);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found.iter().any(|line| line.starts_with("--hash \"client\": ") && line.contains("sticky")), "{found:#?}");
    assert!(found.iter().any(|line| line.contains("(from DIVISI_RETRY_BUDGET)")), "{found:#?}");
}

#[test]
fn a_secret_is_not_repeated_be_it_wrong() {
    let [problem] = &problems("", &[("DIVISI_STICKY_KEY", "hunter2")])[..] else { panic!("one problem") };
    assert!(
        problem.contains("DIVISI_STICKY_KEY") && problem.contains("16") && !problem.contains("hunter2"),
        "{problem}"
    );
    let settings = serving("--sticky-key correct-horse-battery", &[]);
    assert!(!format!("{settings:?}").contains("horse"));
    let token = settings.sticky_key.expect("given").token("", "web", 1);
    assert_eq!(token, divisi_labels::StickyKey::from_secret("correct-horse-battery").token("", "web", 1));
}

#[test]
fn the_console_listens_where_it_is_told_or_nowhere() {
    let console =
        |line: &str, variables: &[(&str, &str)]| serving(line, variables).console.map(|addr| addr.to_string());
    assert_eq!(console("", &[]).as_deref(), Some("127.0.0.1:9180"));
    assert_eq!(console("", &[("DIVISI_CONSOLE", ":9")]).as_deref(), Some(":9"));
    assert_eq!(console("--console off", &[("DIVISI_CONSOLE", ":9")]), None);
    assert!(problems("--console 9180", &[])[0].contains("or off"));
    for console in ["off", "127.0.0.1:0", "here"] {
        assert_eq!(problems("ps", &[("DIVISI_CONSOLE", console)]).len(), 1, "{console}");
    }
}

#[test]
fn tls_is_asked_for_or_there_by_itself() {
    let by_itself = serving("", &[]).secure;
    let listen = |secure: &Secure| secure.listen.as_ref().map(ToString::to_string);
    assert_eq!((listen(&by_itself).as_deref(), by_itself.is_asked), (Some(":8443"), false));
    assert!(by_itself.local_authority && !by_itself.certificates.is_asked && !by_itself.data.is_asked);
    let asked = serving("--listen-tls :8443 --certificates /c", &[("DIVISI_DATA", "/d")]).secure;
    assert!(asked.is_asked && asked.certificates.is_asked && asked.data.is_asked);
    assert_eq!((asked.certificates.path.as_path(), asked.data.path.as_path()), (Path::new("/c"), Path::new("/d")));
    assert_eq!(listen(&serving("", &[("DIVISI_LISTEN_TLS", "off")]).secure), None);
    assert!(problems("--listen-tls 8443", &[])[0].contains(":8080"), "{:?}", problems("--listen-tls 8443", &[]));
}

#[test]
fn a_url_has_a_slash_and_a_container_has_none() {
    let about = |line: &str| match read_with(line, &[]) {
        Ok(Task::Explain(explain)) => explain.about,
        other => panic!("{line}: {other:?}"),
    };
    for url in ["http://shop.test", "shop.test/", "shop.test/a/b"] {
        let expected = About::Request { url: url.to_owned(), method: None, headers: Vec::new(), client: None };
        assert_eq!(about(&format!("explain {url}")), expected);
    }
    for container in ["shop-web-1", "/shop-web-1", "3abc"] {
        assert_eq!(about(&format!("explain {container}")), About::Container(container.to_owned()));
    }
    let asked = about("explain a/b -X PUT -H A:1,2 -H B:2 --client ::1");
    let About::Request { method: Some(method), headers, client: Some(client), .. } = asked else { panic!("{asked:?}") };
    assert_eq!((method.as_str(), headers.join(" ").as_str(), client.as_str()), ("PUT", "A:1,2 B:2", "::1"));
    assert!(matches!(read_with("explain", &[]), Err(Refusal::Arguments(_))));
}

#[test]
fn labels_are_printed() {
    let Ok(Task::Print(text)) = read_with("labels", &[]) else { panic!("text") };
    let text = String::from_utf8_lossy(&text);
    assert!(text.contains("divisi.weight N\n") && text.contains("[flag: --hold] [env: DIVISI_HOLD]"), "{text}");
}

#[test]
fn addresses_are_read_and_written_the_same_way() {
    for text in [":0", ":8080", "127.0.0.1:80", "[::1]:80", "my_host-1.example:80"] {
        assert_eq!(values::listen(text).map(|addr| addr.to_string()), Ok(text.to_owned()));
    }
    for text in ["", ":", "8080", "::1:80", "[::1]", "[::1:80", "[x]:80", "a b:80", ":65536", ":+80", "http://a:80"] {
        assert!(values::listen(text).is_err(), "{text:?}");
    }
    for text in
        [":80", "web:0", "ftp://web:80", "https://:443", "https://web", "://web:80", "H2C://web:80", "https://web:80/"]
    {
        assert!(values::replica(text).is_err(), "{text}");
    }
    let speech = |text| values::replica(text).expect("a replica").speech();
    assert_eq!(speech("web:80"), Speech::default());
    assert_eq!(speech("h2c://web:80"), Speech { scheme: Scheme::H2c, ..Speech::default() });
    assert_eq!(
        speech("https://web:443"),
        Speech { scheme: Scheme::Https, server_name: Some("web".into()), ..Speech::default() }
    );
}

#[test]
fn every_shell_and_every_page_is_written() {
    for line in [
        "man",
        "man serve",
        "man echo",
        "man demo",
        "man ps",
        "man explain",
        "completions bash",
        "completions fish",
        "completions zsh",
    ] {
        let Ok(Task::Print(text)) = read_with(line, &[]) else { panic!("{line}") };
        let text = String::from_utf8_lossy(&text).replace("\\-", "-");
        assert!(text.contains("listen"), "{line}: {text}");
    }
}

/// The README's table is made from the rows. `UPDATE_README=1 cargo test -p divisi readme` writes it anew.
#[test]
fn the_readme_shows_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = fs::read_to_string(&path).expect("README.md");
    let (begin, end) = ("<!-- settings -->\n", "<!-- end of settings -->");
    let (before, rest) = readme.split_once(begin).expect("the mark before the table");
    let (_, after) = rest.split_once(end).expect("the mark after the table");
    let expected = format!("{before}{begin}{}{end}{after}", markdown(&rows(&serve::table())));
    if std::env::var_os("UPDATE_README").is_some() {
        fs::write(&path, &expected).expect("README.md can be written");
        return;
    }
    assert!(readme == expected, "README.md is behind the table: UPDATE_README=1 cargo test -p divisi readme");
}

fn markdown(rows: &[Row]) -> String {
    let mut groups: Vec<_> = rows.iter().map(|row| row.group).collect();
    let mut seen = HashSet::new();
    groups.retain(|group| seen.insert(*group));
    let mut text = "| flag | variable | default | what it says |\n|---|---|---|---|\n".to_owned();
    for group in groups {
        text.push_str(&format!("| **{group}** | | | |\n"));
        for row in rows.iter().filter(|row| row.group == group) {
            let repeated = if row.takes == Takes::List { " …" } else { "" };
            let variables: Vec<_> = row.variables.iter().map(|name| format!("`{name}`")).collect();
            let default = row.default.map_or_else(String::new, |default| format!("`{default}`"));
            text.push_str(&format!(
                "| `--{} {}`{repeated} | {} | {default} | {} |\n",
                row.flag,
                row.value,
                variables.join(", "),
                row.help
            ));
        }
    }
    text
}
