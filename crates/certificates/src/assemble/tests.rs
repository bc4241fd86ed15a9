use std::path::Path;

use tempfile::{TempDir, tempdir};

use super::*;
use crate::testing::{certificate, write};

/// Hosts with the names that their users gave to certificates.
fn wishes(hosts: &[(&str, &[&str])]) -> Wishes {
    let mut wishes = Wishes::default();
    for (host, names) in hosts {
        let wish = Wish { names: names.iter().map(|name| Arc::from(*name)).collect(), ..Wish::default() };
        wishes.hosts.insert(Arc::from(*host), wish);
        wishes.sets.insert([Arc::from(*host)].into());
    }
    wishes
}

fn folder(write: impl Fn(&Path)) -> (TempDir, Folder) {
    let place = tempdir().expect("a folder");
    write(place.path());
    let mut folder = Folder::new(place.path().to_owned());
    folder.look();
    (place, folder)
}

fn of_files(folder: &Folder, wishes: &Wishes) -> Keyring {
    let mut ring = Keyring::default();
    lay_files(&mut ring, folder, wishes, SystemTime::now());
    ring
}

fn source(ring: &Keyring, name: &str) -> String {
    let found = ring.find(Some(name)).map(|certificate| certificate.source().to_string()).unwrap_or_default();
    found.rsplit('/').next().unwrap_or_default().to_owned()
}

fn set(names: &[&str]) -> NameSet {
    names.iter().map(|name| Arc::from(*name)).collect()
}

#[test]
fn a_file_is_for_the_names_in_it_and_for_what_it_is_called() {
    let (_place, folder) = folder(|path| {
        write(path, "example.com", &["example.com", "*.example.com", "other.net"], 30);
        write(path, "single.org", &["single.org"], 30);
        write(path, "called.so", &["not.that"], 30);
        write(path, "default", &["fallback.test"], 30);
    });
    let ring = of_files(&folder, &Wishes::default());
    for name in ["example.com", "www.example.com", "other.net"] {
        assert_eq!(source(&ring, name), "example.com.crt", "{name}");
    }
    assert_eq!(source(&ring, "single.org"), "single.org.crt");
    assert_eq!(source(&ring, "called.so"), "called.so.crt");
    assert_eq!(source(&ring, "fallback.test"), "default.crt");
    for name in ["www.single.org", "a.b.example.com", "default", "unknown.test"] {
        assert_eq!(source(&ring, name), "default.crt", "{name}");
        assert!(ring.own(name).is_none(), "{name}");
    }
}

#[test]
fn of_several_files_the_one_that_is_called_so_wins_and_then_the_one_that_lasts_longest() {
    let (_place, folder) = folder(|path| {
        write(path, "a", &["web.test", "two.test"], 90);
        write(path, "b", &["web.test", "two.test"], 60);
        write(path, "web.test", &["web.test"], 30);
        write(path, "c", &["over.test"], -3);
    });
    let ring = of_files(&folder, &Wishes::default());
    assert_eq!(source(&ring, "web.test"), "web.test.crt");
    assert_eq!(source(&ring, "two.test"), "a.crt");
    assert_eq!(source(&ring, "over.test"), "", "it is over");
}

#[test]
fn users_name_files_for_their_hosts() {
    let (_place, folder) = folder(|path| {
        write(path, "shared", &["somebody.test"], 30);
        write(path, "web.test", &["web.test"], 30);
    });
    let ring = of_files(&folder, &wishes(&[("web.test", &["shared"]), ("**.deep.test", &["shared"])]));
    assert_eq!(source(&ring, "web.test"), "shared.crt");
    assert_eq!(source(&ring, "a.deep.test"), "shared.crt");
}

#[test]
fn what_acme_brought_is_for_names_that_no_file_is_for() {
    let (_place, folder) = folder(|path| write(path, "x", &["*.example.com"], 30));
    let mut ring = of_files(&folder, &Wishes::default());
    let mut brought = Brought::default();
    brought.certificates.insert(set(&["a.example.com", "b.org"]), certificate(&["a.example.com", "b.org"], 30));
    brought.certificates.insert(set(&["over.org"]), certificate(&["over.org"], -1));
    lay_brought(&mut ring, &brought, &BTreeSet::new(), SystemTime::now());
    assert_eq!(source(&ring, "a.example.com"), "x.crt");
    assert_eq!(source(&ring, "b.org"), "ACME");
    assert_eq!(source(&ring, "over.org"), "");
    lay_expired(&mut ring, Some(&folder), &brought, &Wishes::default());
    assert_eq!(source(&ring, "over.org"), "ACME", "better than nothing");
}

#[test]
fn names_are_on_their_way_until_acme_says_that_they_are_not() {
    let wanted: BTreeSet<_> = [set(&["a.org"]), set(&["b.org"]), set(&["c.org"]), set(&["d.org"])].into();
    let mut brought = Brought::default();
    brought.problems.insert(set(&["b.org"]), "no such domain".into());
    brought.coming.insert(set(&["c.org"]), false);
    brought.problems.insert(set(&["d.org"]), "again in a minute".into());
    brought.coming.insert(set(&["d.org"]), true);
    let mut ring = Keyring::default();
    lay_brought(&mut ring, &brought, &wanted, SystemTime::now());
    let coming = ["a.org", "b.org", "c.org", "d.org"].map(|name| ring.is_coming(name));
    assert_eq!(coming, [true, false, false, true]);
    assert_eq!(ring.problems["b.org"].as_ref(), "no such domain");
    brought.certificates.insert(set(&["a.org"]), certificate(&["a.org"], -1));
    let mut ring = Keyring::default();
    lay_brought(&mut ring, &brought, &wanted, SystemTime::now());
    assert!(!ring.is_coming("a.org"), "it had one");
}

#[test]
fn acme_is_asked_for_public_names_without_files() {
    let (_place, folder) = folder(|path| write(path, "x", &["*.example.com"], 30));
    let mut wishes = wishes(&[]);
    wishes.sets = [
        set(&["a.example.com"]),
        set(&["a.example.com", "b.org"]),
        set(&["c.org", "d.org", "echo.localhost", "nas"]),
        set(&["c.org"]),
        set(&["*.wild.org", "wild.org"]),
        set(&["x.wild.org"]),
        set(&["**.deep.org"]),
    ]
    .into();
    let ring = of_files(&folder, &wishes);
    let wanted: Vec<_> = wanted(&ring, &wishes).into_iter().collect();
    assert_eq!(wanted, [set(&["*.wild.org", "wild.org"]), set(&["a.example.com", "b.org"]), set(&["c.org", "d.org"])]);
}

#[test]
fn the_local_authority_signs_for_private_hosts_without_files() {
    let (_place, folder) = folder(|path| write(path, "x", &["web.test"], 30));
    let wishes = wishes(&[("web.test", &[]), ("echo.localhost", &[]), ("**.shop.internal", &[]), ("example.com", &[])]);
    let ring = of_files(&folder, &wishes);
    assert_eq!(for_local(&ring, &wishes, [].iter()), set(&["*.shop.internal", "echo.localhost"]));
}

#[test]
fn clients_are_checked_against_one_authority() {
    let mut wishes = wishes(&[("one.test", &[]), ("two.test", &[]), ("unread.test", &[])]);
    let demand = |wishes: &mut Wishes, host: &str, files: &[&str]| {
        wishes.hosts.get_mut(host).expect("a host").client_authorities = set(files);
    };
    demand(&mut wishes, "one.test", &["/a.pem"]);
    demand(&mut wishes, "two.test", &["/a.pem", "/b.pem"]);
    demand(&mut wishes, "unread.test", &["/c.pem"]);
    let known = [("/a.pem".into(), Demand::Unknown("stands for a good one".into()))].into();
    let mut ring = Keyring::default();
    lay_demands(&mut ring, &wishes, &known);
    let why = |host: &str| match ring.demand(host) {
        Some(Demand::Unknown(why)) => why.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(why("one.test"), "stands for a good one");
    assert!(why("two.test").contains("/a.pem and /b.pem"), "{}", why("two.test"));
    assert!(why("unread.test").contains("not read yet"));
}

#[test]
fn who_is_only_there_inside_tls_and_has_no_certificate_is_told() {
    let mut wishes = wishes(&[("web.org", &[]), ("plain.org", &[]), ("nas", &[])]);
    for host in ["web.org", "nas"] {
        wishes.hosts.get_mut(host).expect("a host").is_secure = true;
    }
    let mut ring = Keyring::default();
    lay_problems(&mut ring, None, &wishes, false);
    assert!(ring.problems["web.org"].contains("--listen-tls"), "{}", ring.problems["web.org"]);
    let (_place, folder) = folder(|_| ());
    let mut ring = Keyring::default();
    lay_problems(&mut ring, Some(&folder), &wishes, false);
    assert_eq!(ring.problems.len(), 2);
    assert!(ring.problems["web.org"].contains("--acme-email"), "{}", ring.problems["web.org"]);
    assert!(ring.problems["nas"].contains("--local-authority"), "{}", ring.problems["nas"]);
    let mut ring = Keyring { default: Some(certificate(&["x"], 30)), ..Keyring::default() };
    lay_problems(&mut ring, None, &wishes, false);
    assert!(ring.problems.is_empty());
}
