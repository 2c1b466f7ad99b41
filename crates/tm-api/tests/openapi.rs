//! The OpenAPI document: golden, well-formed, and true.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value as Json;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

fn document() -> Json {
    serde_json::from_str(&tm_api::document()).unwrap()
}

/// Every operation: path, method, description.
fn operations(document: &Json) -> Vec<(String, String, Json)> {
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, item): (&String, &Json)| -> Vec<(String, String, Json)> {
        let item = item.as_object().unwrap().iter();
        item.map(|(method, operation)| (path.clone(), method.clone(), operation.clone()))
            .collect()
    };
    paths.iter().flat_map(of_path).collect()
}

/// `TM_BLESS=1` accepts the present document; the change then shows in the review.
#[test]
fn the_document_is_the_golden_one() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    if std::env::var_os("TM_BLESS").is_some() {
        std::fs::write(&golden, tm_api::document()).unwrap();
    }
    let expected = std::fs::read_to_string(&golden).unwrap();
    assert!(
        expected == tm_api::document(),
        "docs/openapi.json is not what the API is; see what changed with TM_BLESS=1 and git diff"
    );
}

#[test]
fn the_document_has_the_shape_of_openapi_3_1() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    for field in ["title", "version", "description"] {
        assert!(document["info"][field].is_string(), "{field}");
    }
    let tags: BTreeSet<&str> = document["tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| tag["name"].as_str().unwrap())
        .collect();
    let mut ids = BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        let at = format!("{method} {path}");
        assert!(path.starts_with('/') && METHODS.contains(&&*method), "{at}");
        assert!(
            ids.insert(operation["operationId"].as_str().unwrap().to_owned()),
            "{at}: same id twice"
        );
        assert!(operation["summary"].is_string(), "{at} has no summary");
        for tag in operation["tags"].as_array().unwrap() {
            assert!(
                tags.contains(tag.as_str().unwrap()),
                "{at}: tag {tag} is not described"
            );
        }
        let responses = operation["responses"].as_object().unwrap();
        assert!(!responses.is_empty(), "{at}");
        for (status, response) in responses {
            let status: u16 = status.parse().unwrap();
            assert!((100..600).contains(&status), "{at}");
            let text = response["description"].as_str().unwrap_or("");
            assert!(!text.is_empty(), "{at} {status} has no description");
            if status >= 400 && status != 503 {
                assert!(
                    response["content"]
                        .get("application/problem+json")
                        .is_some(),
                    "{at} {status}"
                );
            }
        }
        let none = Vec::new();
        let parameters = operation["parameters"].as_array().unwrap_or(&none);
        let in_path: BTreeSet<&str> = parameters
            .iter()
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        let braces: BTreeSet<&str> = path
            .split('{')
            .skip(1)
            .filter_map(|part| part.split('}').next())
            .collect();
        assert_eq!(in_path, braces, "{at}");
        for parameter in parameters {
            assert!(parameter["description"].is_string(), "{at}: {parameter}");
            assert!(parameter["schema"].is_object(), "{at}: {parameter}");
            assert!(
                parameter["in"] != "path" || parameter["required"] == true,
                "{at}: {parameter}"
            );
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn visit(document: &Json, node: &Json, n_found: &mut usize) {
        match node {
            Json::Object(map) => {
                if let Some(Json::String(reference)) = map.get("$ref") {
                    let pointer = reference.strip_prefix('#').unwrap();
                    assert!(
                        document.pointer(pointer).is_some(),
                        "{reference} leads nowhere"
                    );
                    *n_found += 1;
                }
                map.values()
                    .for_each(|value| visit(document, value, n_found));
            }
            Json::Array(items) => items.iter().for_each(|item| visit(document, item, n_found)),
            _ => {}
        }
    }
    let (document, mut n_found) = (document(), 0);
    visit(&document, &document, &mut n_found);
    assert!(n_found > 50, "{n_found}");
}

#[test]
fn every_schema_is_explained() {
    let document = document();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        let is_alias = schema.get("$ref").is_some();
        assert!(
            is_alias || schema["description"].is_string(),
            "{name} has no description"
        );
    }
}

#[test]
fn authorize_works_for_what_changes_something() {
    let document = document();
    let bearer = &document["components"]["securitySchemes"]["bearer"];
    assert_eq!(
        (&bearer["type"], &bearer["scheme"]),
        (&"http".into(), &"bearer".into())
    );
    for (path, method, operation) in operations(&document) {
        let is_write = method != "get";
        assert_eq!(
            operation.get("security").is_some(),
            is_write,
            "{method} {path}"
        );
    }
}
