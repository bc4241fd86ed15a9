use std::fs;

use tempfile::tempdir;

use super::*;
use crate::testing::{pair, write};

fn names(folder: &Folder, stem: &str) -> String {
    folder
        .pairs()
        .get(stem)
        .and_then(|pair| pair.certificate.as_ref())
        .map_or_else(String::new, |one| one.names().join(" "))
}

fn problem(folder: &Folder, stem: &str) -> String {
    folder.pairs().get(stem).and_then(|pair| pair.problem.as_ref()).map_or_else(String::new, ToString::to_string)
}

#[test]
fn pairs_are_found_under_all_their_spellings() {
    let place = tempdir().expect("a folder");
    write(place.path(), "web.test", &["web.test"], 30);
    let (chain, key) = pair(&["pem.test"], 30);
    fs::write(place.path().join("pem.test.pem"), chain).expect("written");
    fs::write(place.path().join("pem.test.key"), key).expect("written");
    fs::create_dir(place.path().join("certbot.test")).expect("a folder");
    let (chain, key) = pair(&["certbot.test"], 30);
    fs::write(place.path().join("certbot.test/fullchain.pem"), chain).expect("written");
    fs::write(place.path().join("certbot.test/privkey.pem"), key).expect("written");
    // What nginx-proxy has beside them.
    for other in ["web.test.chain.pem", "web.test.dhparam.pem", "web.test.ca.crt", "ca.crt", "notes.txt"] {
        fs::write(place.path().join(other), "nothing").expect("written");
    }
    let mut folder = Folder::new(place.path().to_owned());
    assert!(folder.look());
    let stems: Vec<_> = folder.pairs().keys().map(|stem| &**stem).collect();
    assert_eq!(stems, ["certbot.test", "pem.test", "web.test"]);
    for stem in stems {
        assert_eq!(names(&folder, stem), stem);
    }
    assert!(!folder.look(), "nothing has changed");
}

#[test]
fn a_changed_pair_is_taken_up() {
    let place = tempdir().expect("a folder");
    write(place.path(), "web", &["one.test"], 30);
    let mut folder = Folder::new(place.path().to_owned());
    folder.look();
    write(place.path(), "web", &["two.test"], 30);
    assert!(folder.look());
    assert_eq!(names(&folder, "web"), "two.test");
    fs::remove_file(place.path().join("web.crt")).expect("removed");
    assert!(!folder.look(), "it may come back");
    assert_eq!(names(&folder, "web"), "two.test");
    assert!(folder.look(), "it does not");
    assert!(folder.pairs().is_empty());
}

#[test]
fn what_cannot_be_used_leaves_the_last_good_one_in_use() {
    let place = tempdir().expect("a folder");
    let path = |name: &str| place.path().join(name);
    write(place.path(), "web", &["web.test"], 30);
    let mut folder = Folder::new(place.path().to_owned());
    folder.look();
    let (chain, key) = pair(&["other.test"], 30);
    let good = (fs::read(path("web.crt")).expect("there"), fs::read(path("web.key")).expect("there"));
    let mut expect = |what: &str, chain: &[u8], key: Option<&[u8]>| {
        fs::write(path("web.crt"), chain).expect("written");
        match key {
            Some(key) => fs::write(path("web.key"), key).expect("written"),
            None => fs::remove_file(path("web.key")).expect("removed"),
        }
        folder.look();
        let problem = problem(&folder, "web");
        assert!(problem.contains(what), "{problem:?} does not say {what:?}");
        assert!(problem.contains(&*path("web").to_string_lossy()), "{problem:?} does not say where");
        assert_eq!(names(&folder, "web"), "web.test", "{what}");
    };
    expect("the key is another certificate's", chain.as_bytes(), Some(&good.1));
    expect("no certificate as PEM", b"nothing", Some(&good.1));
    expect("no private key as PEM", &good.0, Some(b"nothing"));
    expect("cannot be understood", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", Some(&good.1));
    expect("larger than 1 MiB", &vec![b'a'; 2 << 20], Some(&good.1));
    expect("private key is not there", &good.0, None);
    let (over, its_key) = pair(&["over.test"], -3);
    expect("expired 3 days ago", over.as_bytes(), Some(its_key.as_bytes()));
    fs::write(path("web.crt"), chain).expect("written");
    fs::write(path("web.key"), key).expect("written");
    assert!(folder.look());
    assert_eq!((names(&folder, "web"), problem(&folder, "web")), ("other.test".to_owned(), String::new()));
}

#[test]
fn a_certificate_that_is_over_is_known_where_there_was_no_other() {
    let place = tempdir().expect("a folder");
    write(place.path(), "web", &["web.test"], -3);
    let mut folder = Folder::new(place.path().to_owned());
    folder.look();
    assert_eq!(names(&folder, "web"), "web.test");
    assert!(problem(&folder, "web").contains("expired"));
}

#[test]
fn a_folder_that_is_not_there_is_empty_until_it_is() {
    let place = tempdir().expect("a folder");
    let mut folder = Folder::new(place.path().join("later"));
    assert!(!folder.look());
    fs::create_dir(place.path().join("later")).expect("a folder");
    write(&place.path().join("later"), "web", &["web.test"], 30);
    assert!(folder.look());
    assert_eq!(names(&folder, "web"), "web.test");
}

#[test]
fn a_folder_that_cannot_be_read_changes_nothing() {
    let place = tempdir().expect("a folder");
    let (here, away) = (place.path().join("certs"), place.path().join("away"));
    fs::create_dir(&here).expect("a folder");
    write(&here, "web", &["web.test"], 30);
    let mut folder = Folder::new(here.clone());
    folder.look();
    fs::rename(&here, &away).expect("moved");
    for _ in 0..3 {
        assert!(!folder.look());
    }
    assert_eq!(names(&folder, "web"), "web.test");
    fs::rename(&away, &here).expect("moved");
    write(&here, "web", &["new.test"], 30);
    assert!(folder.look());
    assert_eq!(names(&folder, "web"), "new.test");
}

#[test]
fn what_could_not_be_read_is_tried_again_and_told_once() {
    let place = tempdir().expect("a folder");
    let loose = place.path().join("web.crt");
    let (chain, key) = pair(&["web.test"], 30);
    fs::write(place.path().join("web.key"), key).expect("written");
    // A link in a circle cannot be read, and looks like nothing.
    std::os::unix::fs::symlink(&loose, &loose).expect("a link");
    let mut folder = Folder::new(place.path().to_owned());
    assert!(folder.look());
    assert!(problem(&folder, "web").contains("web.crt"), "{}", problem(&folder, "web"));
    assert!(!folder.look() && folder.pairs()["web"].is_told);
    fs::remove_file(&loose).expect("removed");
    fs::write(&loose, chain).expect("written");
    assert!(folder.look());
    assert_eq!((names(&folder, "web"), problem(&folder, "web")), ("web.test".to_owned(), String::new()));
}

#[test]
fn files_are_called_after_names_or_not() {
    assert_eq!(name_of("Web.Example.com").as_deref(), Some("web.example.com"));
    assert_eq!(name_of("*.example.com").as_deref(), Some("*.example.com"));
    assert_eq!(name_of("default"), None);
    assert_eq!(name_of("my certificate"), None);
}
