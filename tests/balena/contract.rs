//! `balena.yml`: what balena's command line and API ask of it.

use serde_json::Value;

use crate::compose::parse;
use crate::files;

const DEVICE_TYPES: [&str; 2] = ["raspberrypi4-64", "raspberrypicm4-ioboard"];

fn objections(file: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let text = |name: &str| file[name].as_str().unwrap_or_default();
    if text("name").is_empty() || text("description").is_empty() {
        wrong.push("a name and a description are needed".to_owned());
    }
    if !["sw.application", "sw.block"].contains(&text("type")) {
        wrong.push(format!("type {}", file["type"]));
    }
    // The API counts revisions itself: no `+rev` of our own.
    let numbers: Vec<&str> = text("version").split('.').collect();
    if numbers.len() != 3 || !numbers.iter().all(|number| number.parse::<u32>().is_ok()) {
        wrong.push(format!("version {}", file["version"]));
    }
    let data = &file["data"];
    let types = data["supportedDeviceTypes"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    if types.is_empty()
        || !types
            .iter()
            .all(|kind| DEVICE_TYPES.iter().any(|known| kind == known))
    {
        wrong.push("supportedDeviceTypes".to_owned());
    }
    let default = data.get("defaultDeviceType");
    if default.is_some_and(|kind| !types.contains(kind)) {
        wrong.push("defaultDeviceType is not supported".to_owned());
    }
    for (list, is_allowed) in [
        (
            "applicationEnvironmentVariables",
            (|name| !is_config(name)) as fn(&str) -> bool,
        ),
        ("applicationConfigVariables", is_config),
    ] {
        for entry in data[list].as_array().into_iter().flatten() {
            let pairs = entry.as_object().into_iter().flatten();
            for (name, value) in pairs {
                if !is_allowed(name) || !value.is_string() {
                    wrong.push(format!(
                        "{list}: {name} is misplaced, or its value is no text"
                    ));
                }
                let is_secret = ["PASSWORD", "TOKEN", "PIN", "SECRET", "KEY"]
                    .iter()
                    .any(|word| name.contains(word));
                if is_secret {
                    wrong.push(format!("{name} is a secret, and this file is public"));
                }
            }
        }
    }
    wrong
}

fn is_config(name: &str) -> bool {
    name.starts_with("BALENA_") || name.starts_with("RESIN_")
}

#[test]
fn contracts_are_taken() {
    let files = files(|name| name == "balena.yml");
    assert!(files.iter().any(|(path, _)| path == "balena.yml"));
    for (path, text) in files {
        if path.starts_with(".github/") {
            continue;
        }
        assert_eq!(objections(&parse(&text)), Vec::<String>::new(), "{path}");
    }
}

#[test]
fn the_rules_object() {
    let good = "{name: x, description: yes it is, type: sw.application, version: 1.2.3, data: {defaultDeviceType: raspberrypi4-64, supportedDeviceTypes: [raspberrypi4-64], applicationEnvironmentVariables: [{TM_X: '1'}]}}";
    assert_eq!(objections(&parse(good)), Vec::<String>::new());
    for (from, to) in [
        ("sw.application", "sw.app"),
        ("1.2.3", "1.2.3+rev1"),
        ("name: x", "name: ''"),
        ("[raspberrypi4-64]", "[raspberrypi4]"),
        ("[raspberrypi4-64]", "[raspberrypicm4-ioboard]"),
        ("TM_X: '1'", "TM_X: 1"),
        ("TM_X", "BALENA_HOST_CONFIG_gpu_mem"),
        ("TM_X", "TM_API_TOKEN"),
    ] {
        assert!(
            !objections(&parse(&good.replace(from, to))).is_empty(),
            "{to}"
        );
    }
}
