//! `VIRTUAL_HOST_MULTIPORTS`: hosts, under each its paths, under each its port.

use super::yaml::{self, Yaml};
use super::{Place, Proto};
use crate::native::port_number;
use crate::nearest::nearest;

pub(super) const NAME: &str = "VIRTUAL_HOST_MULTIPORTS";

/// Most paths of one container.
const MOST: usize = 1024;

/// What can be read of it, and what is wrong with the rest: an entry that cannot be read loses itself.
pub(super) fn read(text: &str) -> (Vec<Place>, Vec<String>) {
    let mut places = Vec::new();
    let mut problems = Vec::new();
    match yaml::read(text) {
        Ok(Yaml::Map(hosts)) => {
            for (host, paths) in hosts {
                entries(&host, paths, &mut places, &mut problems);
            }
        }
        Ok(_) => problems.push("not a mapping of hosts (example.com: {\"/\": {port: 8080}})".to_owned()),
        Err(error) => problems.push(error),
    }
    if places.len() > MOST {
        places.truncate(MOST);
        problems.push(format!("more than {MOST} paths; the others are left out"));
    }
    (places, problems)
}

fn entries(host: &str, paths: Yaml, places: &mut Vec<Place>, problems: &mut Vec<String>) {
    let whole = |host: &str| Place {
        host: host.trim().to_owned(),
        path: "/".to_owned(),
        dest: String::new(),
        port: None,
        proto: Proto::Http,
    };
    let paths = match paths {
        Yaml::Map(paths) => paths,
        Yaml::Text(text) if is_nothing(&text) => Vec::new(),
        _ => return problems.push(format!("{host}: not a mapping of paths (\"/\": {{port: 8080}})")),
    };
    let of_host = |key: &str| matches!(key, "external_http_port" | "external_https_port");
    let paths: Vec<_> = paths.into_iter().filter(|(key, _)| !of_host(key)).collect();
    if paths.is_empty() {
        places.push(whole(host));
    }
    for (path, settings) in paths {
        let mut place = Place { path, ..whole(host) };
        match fill(&mut place, settings) {
            Ok(()) => places.push(place),
            Err(error) => problems.push(format!("{host}, {}: {error}", place.path)),
        }
    }
}

fn fill(place: &mut Place, settings: Yaml) -> Result<(), String> {
    let settings = match settings {
        Yaml::Map(settings) => settings,
        Yaml::Text(text) if is_nothing(&text) => return Ok(()),
        _ => return Err("not a mapping of settings ({port: 8080})".to_owned()),
    };
    for (key, value) in settings {
        let Yaml::Text(value) = value else { return Err(format!("{key} is not a text")) };
        match key.as_str() {
            _ if is_nothing(&value) => {}
            "port" => place.port = Some(port_number(&value)?),
            "proto" => place.proto = Proto::read(&value)?,
            "dest" => place.dest = value,
            _ => {
                let meant = nearest(&key, ["port", "proto", "dest"]);
                let meant = meant.map(|meant| format!(" (did you mean {meant}?)")).unwrap_or_default();
                return Err(format!("no setting is called {key}{meant}; there are port, proto and dest"));
            }
        }
    }
    Ok(())
}

fn is_nothing(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}
