//! What is wrong with files is told all at once, with file and line; and nothing that stands in them does harm.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use divisi_compose::{Project, Request, load};
use proptest::prelude::*;
use tempfile::TempDir;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    folder
}

fn read(folder: &Path, files: &[&str]) -> Project {
    load(&Request {
        directory: folder.to_owned(),
        files: files.iter().map(PathBuf::from).collect(),
        env_files: Vec::new(),
        profiles: Vec::new(),
        project: Some("test".to_owned()),
        environment: &|_| None,
    })
}

fn problems(files: &[(&str, &str)]) -> Vec<String> {
    let folder = folder(files);
    let project = read(folder.path(), &[]);
    let begin = format!("{}/", folder.path().display());
    let real = folder.path().canonicalize().expect("a folder");
    let real = format!("{}/", real.display());
    let line = |problem: &divisi_compose::Problem| problem.to_string().replace(&begin, "").replace(&real, "");
    project.problems.iter().map(line).collect()
}

fn one(text: &str) -> Vec<String> {
    problems(&[("compose.yaml", text)])
}

#[test]
fn all_mistakes_are_told_at_once() {
    let text = "services:\n  web:\n    image: ${REQUIRED:?say which}\n    labels:\n      - a: b\n      - 'x=$'\n    ports: [http]\n\
                \x20   scale: many\n  api: nothing\n  db:\n    labels: {a: {b: c}, \"${KEY}.x\": 1}\n    extends: nobody\n    \
                environment: text\n    env_file: missing.env\n  db:\n    image: $UNSET$UNSET\n";
    let expected = [
        "compose.yaml:3: service web: variable REQUIRED must be set: say which; set it in the environment or in .env",
        "compose.yaml:5: service web: an entry in the list of labels is not a text; write it as - name=value, or all of them without dashes",
        "compose.yaml:6: service web: \"x=$\" has a $ that is no variable; write ${NAME}, ${NAME:-default} or ${NAME:?message}, \
         and $$ for the sign itself",
        "compose.yaml:7: service web: \"http\" in ports is not a port; write one (80) or the machine's before it (\"8080:80\")",
        "compose.yaml:8: service web: the number of replicas \"many\" is not a number; write one (2)",
        "compose.yaml:9: service api: it is not a mapping; write at least its image",
        "compose.yaml:15: \"db\" stands twice in the same mapping; remove one of them",
        "compose.yaml:16: service db: variable UNSET is not set, nothing is put in its place; set it in the environment or in .env",
    ];
    assert_eq!(one(text), expected);
}

#[test]
fn each_mistake_has_its_line() {
    for (text, expected) in [
        ("", "compose.yaml: no services; a Compose file has them under `services:`"),
        ("[]", "compose.yaml:1: the file is not a mapping with `services:` in it"),
        ("services: 5", "compose.yaml:1: services is not a mapping from names to services"),
        ("services:\n  a: [\n", "compose.yaml:"),
        (
            "services:\n  a:\n    labels: {a: {b: c}}",
            "compose.yaml:3: service a: label \"a\" is not a text, a number, true or false; put it in quotes",
        ),
        (
            "services:\n  a:\n    labels:\n      \"${KEY}.x\": 1",
            "compose.yaml:4: service a: Compose puts nothing in the place of variables in a key, so \"${KEY}.x\" stays as it is; \
             write the list form instead: - \"${KEY}.x=…\"",
        ),
        (
            "services:\n  a:\n    extends: nobody",
            "compose.yaml:3: service a: extends service \"nobody\", which is not there",
        ),
        ("services:\n  a:\n    extends: {file: a.yaml}", "compose.yaml:3: service a: extends is not complete"),
        ("services:\n  a:\n    extends: a", "compose.yaml:3: service a: extends itself: a → a"),
        (
            "services:\n  a:\n    extends: b\n  b:\n    extends: a",
            "compose.yaml:3: service a: extends itself: a → b → a",
        ),
        ("services:\n  a:\n    extends: {file: no.yaml, service: a}", "no.yaml: cannot be read: there is no such file"),
        ("services:\n  a:\n    env_file: no.env", "no.env: cannot be read: there is no such file"),
        ("include: [oci://x/y]\nservices: {a: {}}", "compose.yaml:1: \"oci://x/y\" is fetched from elsewhere"),
        ("include: [compose.yaml]", "compose.yaml:1: includes itself: compose.yaml → compose.yaml"),
        ("include: [{}]\nservices: {a: {}}", "compose.yaml:1: an entry of include is not the path of a file"),
    ] {
        let found = one(text);
        assert!(found.len() == 1 && found[0].starts_with(expected), "{text}: {found:#?}");
    }
    let found = problems(&[
        ("compose.yaml", "include: [a.yaml]\nservices:\n  web: {image: x}\n"),
        ("a.yaml", "include: [compose.yaml]\nservices:\n  web: {image: y}\n"),
    ]);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found.iter().any(|line| line.contains("compose.yaml:3: service \"web\" is also in a file")), "{found:#?}");
}

#[test]
fn files_that_are_looked_for() {
    let folder = folder(&[
        ("docker-compose.yml", "services: {old: {image: x}}"),
        ("compose.yml", "services: {web: {image: x}}"),
        ("docker-compose.override.yml", "services: {web: {image: y}}"),
        ("deep/er/.gitkeep", ""),
        ("listed/.env", "COMPOSE_FILE=a.yaml:b.yaml\nCOMPOSE_PROFILES=x"),
        ("listed/a.yaml", "services: {a: {image: x, profiles: [x]}}"),
        ("listed/b.yaml", "services: {b: {image: x, profiles: [y]}}"),
    ]);
    for place in ["", "deep/er"] {
        let project = read(&folder.path().join(place), &[]);
        let images: Vec<_> = project.services.iter().map(|service| service.image.as_deref()).collect();
        assert_eq!((project.files.len(), images), (2, vec![Some("y")]), "{place}");
    }
    let project = read(&folder.path().join("listed"), &[]);
    assert_eq!((project.services.len(), project.skipped.len()), (1, 1));
    let nothing = tempfile::tempdir().expect("a folder");
    // Above it there may be anything; in it there is nothing.
    assert!(read(nothing.path(), &["compose.yaml"]).problems[0].to_string().contains("there is no such file"));
}

/// How long this thread has computed: on a machine with more to do than processors, the clock on the wall says little.
fn computed() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").expect("what the kernel counts");
    Duration::from_nanos(text.split(' ').next().and_then(|nanos| nanos.parse().ok()).expect("nanoseconds"))
}

#[test]
fn bombs_are_bounded_in_time() {
    let mut doubling = "services:\n  s0: {labels: {a: b}}\n".to_owned();
    for at in 1..20_000 {
        doubling.push_str(&format!("  s{at}: {{extends: s{}, labels: {{l{at}: x}}}}\n", at - 1));
    }
    let mut aliases = "services:\n  a: &s0 {image: x}\nx0: &a0 [1, 2, 3, 4]\n".to_owned();
    for at in 1..40 {
        aliases.push_str(&format!("x{at}: &a{at} [*a{0}, *a{0}, *a{0}]\n", at - 1));
    }
    let many: String =
        (0..30_000).map(|at| format!("---\nservices: {{a{at}: {{extends: a{}}}}}\n", at.max(1) - 1)).collect();
    let cases = [
        ("doubling", doubling),
        ("aliases", aliases),
        ("documents", many),
        ("deep", format!("services: {}", "{a: ".repeat(100_000))),
        ("defaults", format!("services: {{a: {{image: \"{}\"}}}}", "${A:-".repeat(50_000))),
        ("dollars", format!("services: {{a: {{image: \"{}\"}}}}", "$A".repeat(300_000))),
        ("labels", format!("services: {{a: {{labels: [{}]}}}}", "a=b,".repeat(200_000))),
        ("long", "#".repeat(3 << 20)),
        ("tabs", "\t".repeat(1 << 19)),
        ("quotes", format!("a: \"{}", "\\x41".repeat(200_000))),
    ];
    for (name, text) in cases {
        let before = computed();
        let found = one(&text);
        let took = computed() - before;
        assert!(found.len() <= 1000, "{name}");
        assert!(took < Duration::from_secs(20), "{name}: {took:?}");
    }
}

#[test]
fn chains_of_files_end() {
    let files: Vec<_> = (0..200)
        .map(|at| (format!("f{at}.yaml"), format!("include: [f{}.yaml]\nservices: {{s{at}: {{image: x}}}}\n", at + 1)))
        .collect();
    let mut files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    files.push(("compose.yaml", "include: [f0.yaml]"));
    let found = problems(&files);
    assert!(found.len() == 1 && found[0].contains("levels deep"), "{found:#?}");
    // Each one includes the next one twice.
    let files: Vec<_> = (0..30)
        .map(|at| (format!("f{at}.yaml"), format!("include: [f{0}.yaml, f{0}.yaml]\n", at + 1)))
        .chain([("f30.yaml".to_owned(), "services: {a: {image: x}}".to_owned())])
        .collect();
    let mut files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    files.push(("compose.yaml", "include: [f0.yaml]"));
    let found = problems(&files);
    assert!(found.iter().any(|line| line.contains("draws in more than")), "{found:#?}");
}

/// Files that are fine, to be spoiled.
fn good() -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/projects")];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = fs::read_to_string(path) {
                found.push(text);
            }
        }
    }
    found.sort_unstable();
    found
}

fn harmless(text: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("compose.yaml"), text).expect("a file");
    fs::write(folder.path().join(".env"), text).expect("a file");
    let project = read(folder.path(), &["compose.yaml"]);
    for problem in &project.problems {
        let line = problem.to_string();
        assert!(line.len() < 5000 && !line.chars().any(char::is_control), "{line}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn random_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        harmless(&bytes);
    }

    #[test]
    fn random_words_do_no_harm(
        words in prop::collection::vec(prop::sample::select(vec![
            "services:", "\n", "\n  ", "\n    ", "\n      ", "- ", "a", "b: ", "labels:", "extends: ", "&a ", "*a", "<<: ", "!reset ",
            "!override ", "{", "}", "[", "]", ", ", "\"", "'", "${A:-", "}", "$", "=", "include:", "compose.yaml", "|\n", ">-\n", "---\n",
            "ports:", "80:80", "networks:", "environment:", "env_file: ", "profiles: ", "# x", "\t", "?", "!!str ",
        ]), 0..60),
    ) {
        harmless(words.concat().as_bytes());
    }

    #[test]
    fn spoiled_files_do_no_harm(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..12),
    ) {
        let good = good();
        let mut bytes = which.get(&good).as_bytes().to_vec();
        for (at, byte, how) in changes {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, byte),
            }
        }
        harmless(&bytes);
    }
}
