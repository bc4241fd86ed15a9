//! The description of the answers, held against the answers.

use divisi_model::Snapshot;
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::stage::{self, Stage};

/// What is asked of each path, and with which status it must be answered.
const ASKED: [(&str, &[(&str, u16)]); 7] = [
    ("/api/snapshot", &[("", 200)]),
    (
        "/api/explain",
        &[
            ("?url=shop.test", 200),
            ("?url=shop.test/api", 200),
            ("?url=nobody.test", 200),
            ("?url=admin.test", 200),
            ("?container=shop-web-2", 200),
            ("?container=db", 200),
            ("?container=nobody", 404),
            ("?container=web", 409),
            ("?url=http://", 400),
        ],
    ),
    ("/api/ca", &[("", 200)]),
    ("/api/openapi.json", &[("", 200)]),
    ("/metrics", &[("", 200)]),
    ("/health/live", &[("", 200)]),
    ("/health/ready", &[("", 200)]),
];

#[test]
fn every_answer_is_as_described() {
    let stage = stage::shop();
    stage.published.engine().set_wanted();
    for (path, questions) in ASKED {
        questions.iter().for_each(|(query, status)| check(&stage, path, query, *status));
    }
    let harbour = stage::harbour();
    for query in ["?url=tcp://db.test:8443", "?url=tcp://shop.test:8443", "?url=tcp://10.0.0.1:8443", "?url=tcp://a:1"]
    {
        check(&harbour, "/api/explain", query, 200);
    }
    let unheard = Stage::open(Snapshot::unrouted("nothing is known yet"), Vec::new());
    unheard.published.engine().set_wanted();
    check(&unheard, "/health/ready", "", 503);
    check(&unheard, "/api/snapshot", "", 200);
    check(&unheard, "/api/explain", "?url=shop.test", 200);
    check(&unheard, "/api/explain", "?container=web", 404);
}

fn check(stage: &Stage, path: &str, query: &str, status: u16) {
    let document = stage.json("/api/openapi.json");
    let answer = stage.get(&format!("{path}{query}"));
    assert_eq!(answer.status(), status, "{path}{query}: {}", answer.text());
    let described = &document["paths"][path]["get"]["responses"][status.to_string()]["content"];
    let kind = answer.head.value("content-type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default();
    let schema = &described[kind]["schema"];
    assert!(schema.is_object(), "{path}: {status} as {kind} is not described");
    let body = match kind {
        "application/json" => serde_json::from_slice(&answer.body).expect("JSON"),
        _ => Value::String(answer.text()),
    };
    let faults: Vec<_> = validator(&document, schema).iter_errors(&body).map(|fault| fault.to_string()).collect();
    assert!(faults.is_empty(), "{path}{query}: {faults:#?}\n{body:#}");
}

#[test]
fn every_path_is_described_and_every_description_has_its_path() {
    let stage = stage::shop();
    let document = stage.json("/api/openapi.json");
    let described: Vec<_> = document["paths"].as_object().expect("paths").keys().map(String::as_str).collect();
    let mut asked = ASKED.map(|(path, _)| path);
    asked.sort_unstable();
    assert_eq!(described, asked);
    let listed = stage.get("/nothing").text();
    let listed: Vec<_> = listed.split(['"', ' ', ',']).filter(|word| word.starts_with('/')).collect();
    assert!(listed.len() == asked.len() && asked.iter().all(|path| listed.contains(path)), "{listed:?}");
}

/// A schema that lets everything pass would make the test above worth nothing.
#[test]
fn the_schemas_refuse_what_is_not_there() {
    let stage = stage::shop();
    let document = stage.json("/api/openapi.json");
    let schema = json!({ "$ref": "#/components/schemas/Snapshot" });
    let validator = validator(&document, &schema);
    let snapshot = stage.json("/api/snapshot");
    assert!(validator.is_valid(&snapshot));
    let change = |change: &dyn Fn(&mut Value)| {
        let mut changed = snapshot.clone();
        change(&mut changed);
        validator.is_valid(&changed)
    };
    assert!(!change(&|value| value["services"][3]["replicas"][0]["state"] = json!("fine")));
    assert!(!change(&|value| value["services"][3]["replicas"][0]["more"] = json!(1)));
    assert!(!change(&|value| value["age_seconds"] = json!("1")));
    assert!(!change(&|value| drop(value.as_object_mut().expect("an object").remove("routes"))));
}

/// The schema, with everything that it refers to. Here nothing may be there that is not described; those who read the answers
/// must bear more, as fields may be added.
fn validator(document: &Value, schema: &Value) -> Validator {
    let mut whole = schema.clone();
    whole["components"] = document["components"].clone();
    for schema in whole["components"]["schemas"].as_object_mut().expect("schemas").values_mut() {
        if schema["type"] == "object" {
            schema["additionalProperties"] = json!(false);
        }
    }
    whole["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    jsonschema::validator_for(&whole).expect("a schema")
}
