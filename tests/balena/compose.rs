//! Compose files: what every parser takes and no supervisor drops.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::files;

/// What the parsers accept and the supervisor honours. Everything else is refused by a parser (`secrets`, `logging`,
/// `deploy`, `profiles`…), dropped by the supervisor (`expose`, `container_name`, `device_cgroup_rules`) or gets the
/// release refused (`cpus`, `healthcheck.start_interval`: supervisor 19 does not know the contract they add).
const SERVICE: &[&str] = &[
    "build",
    "cap_add",
    "cap_drop",
    "command",
    "depends_on",
    "entrypoint",
    "environment",
    "healthcheck",
    "image",
    "init",
    "labels",
    "mem_limit",
    "ports",
    "privileged",
    "read_only",
    "restart",
    "security_opt",
    "stop_grace_period",
    "tmpfs",
    "tty",
    "user",
    "volumes",
];
const BUILD: &[&str] = &["args", "context", "dockerfile"];
const HEALTH: &[&str] = &["interval", "retries", "start_period", "test", "timeout"];
const TOP: &[&str] = &["services", "version", "volumes"];
/// Each of them hands a part of the device over: a service that needs another one says so here.
const LABELS: &[&str] = &[
    "io.balena.features.dbus",
    "io.balena.features.journal-logs",
    "io.balena.features.supervisor-api",
];

pub(crate) fn compose_files() -> Vec<(String, String)> {
    files(|name| name.starts_with("docker-compose") && name.rsplit('.').next() == Some("yml"))
}

pub(crate) fn parse(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

/// What is wrong with a compose file; an overlay completes services of another file.
fn objections(text: &str, is_overlay: bool) -> Vec<String> {
    let mut wrong = Vec::new();
    let without_comments = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    if without_comments.clone().any(|line| line.contains('$')) {
        wrong.push("a `$` is interpolated by some parsers and not by others".to_owned());
    }
    let file = parse(text);
    unknown(&mut wrong, "the file", file.as_object(), TOP);
    if file["version"] != "2.4" {
        wrong.push("version is not \"2.4\"".to_owned());
    }
    let declared: BTreeSet<&str> = keys(&file["volumes"]).collect();
    for (volume, settings) in file["volumes"].as_object().into_iter().flatten() {
        if settings.as_object().is_none_or(|map| !map.is_empty()) {
            wrong.push(format!("volume {volume} is not written as {{}}"));
        }
    }
    for (name, service) in file["services"].as_object().into_iter().flatten() {
        let mut object = |what: String| wrong.push(format!("{name}: {what}"));
        let is_partial =
            is_overlay && service.get("image").is_none() && service.get("build").is_none();
        check_service(service, is_partial, &declared, is_overlay, &mut object);
    }
    wrong
}

fn check_service(
    service: &Value,
    is_partial: bool,
    declared: &BTreeSet<&str>,
    is_overlay: bool,
    object: &mut impl FnMut(String),
) {
    for key in keys(service).filter(|key| !SERVICE.contains(key)) {
        object(format!("`{key}` is not taken everywhere"));
    }
    let is_whole = !is_partial && (!is_overlay || service.get("image").is_some());
    if is_whole && service["restart"] != "always" {
        object("`restart: always` is missing".to_owned());
    }
    // The supervisor's own default is a terminal, which merges standard error into the log.
    if is_whole && service["tty"] != false {
        object("`tty: false` is missing".to_owned());
    }
    if let Some(build) = service.get("build") {
        for key in keys(build).filter(|key| !BUILD.contains(key)) {
            object(format!("`build.{key}` is not taken everywhere"));
        }
        // What is sent to the builder is the project's folder.
        let context = build["context"].as_str().unwrap_or_default();
        if context.is_empty() || context.split('/').any(|part| part == "..") {
            object(format!("the context {context} is not in the project"));
        }
        let dockerfile = build["dockerfile"].as_str().unwrap_or("Dockerfile");
        if !crate::root().join(context).join(dockerfile).is_file() {
            object(format!("there is no {dockerfile} in {context}"));
        }
    }
    for volume in strings(&service["volumes"], object) {
        let mut parts = volume.split(':');
        let (volume, path) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        let is_named = volume
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let is_declared = declared.contains(volume) || is_overlay;
        if !is_named || !is_declared || !path.starts_with('/') || parts.any(|mode| mode != "ro") {
            object(format!("{volume}:{path} is not a declared, named volume"));
        }
    }
    for path in strings(&service["tmpfs"], object) {
        // The supervisor takes the whole text for the path.
        if !path.starts_with('/') || path.contains(':') {
            object(format!("tmpfs {path} is not a plain path"));
        }
    }
    for port in strings(&service["ports"], object) {
        let parts: Vec<&str> = port.split(':').collect();
        let is_number = |text: &&str| text.parse::<u16>().is_ok();
        // On IPv4 alone: see docker-compose.yml.
        if parts.len() != 3 || parts[0] != "0.0.0.0" || !parts[1..].iter().all(is_number) {
            object(format!(
                "port {port} is not written as 0.0.0.0:HOST:CONTAINER"
            ));
        }
    }
    for option in strings(&service["security_opt"], object) {
        if option != "no-new-privileges" {
            object(format!("security option {option}"));
        }
    }
    // A map with conditions is refused.
    strings(&service["depends_on"], object);
    if let Some(health) = service.get("healthcheck") {
        for key in keys(health).filter(|key| !HEALTH.contains(key)) {
            object(format!("`healthcheck.{key}` is not taken everywhere"));
        }
        // A text is run by a shell, which the images do not have.
        if health["test"][0] != "CMD" {
            object("the health check is not in exec form".to_owned());
        }
    }
    for (label, value) in service["labels"].as_object().into_iter().flatten() {
        if !LABELS.contains(&label.as_str()) || value != "1" {
            object(format!("label {label}: {value}"));
        }
    }
    for (name, value) in service["environment"].as_object().into_iter().flatten() {
        let is_name = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        if !name.bytes().all(is_name) || !value.is_string() {
            object(format!("variable {name} is not a name with a text"));
        }
    }
    let memory = service
        .get("mem_limit")
        .map(|limit| limit.as_str().unwrap_or(""));
    let is_memory = |text: &str| {
        let digits = text.trim_end_matches(['b', 'k', 'm', 'g']);
        !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
    };
    if memory.is_some_and(|limit| !is_memory(limit)) {
        object("mem_limit is not a whole number with b, k, m or g".to_owned());
    }
}

fn unknown(wrong: &mut Vec<String>, what: &str, map: Option<&Map<String, Value>>, known: &[&str]) {
    for key in map.into_iter().flat_map(Map::keys) {
        if !known.contains(&key.as_str()) {
            wrong.push(format!("{what}: `{key}` is not taken everywhere"));
        }
    }
}

fn keys(value: &Value) -> impl Iterator<Item = &str> {
    value
        .as_object()
        .into_iter()
        .flat_map(Map::keys)
        .map(String::as_str)
}

/// A list of texts; anything else is the long syntax.
fn strings<'a>(value: &'a Value, object: &mut impl FnMut(String)) -> Vec<&'a str> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(list) if list.iter().all(Value::is_string) => {
            list.iter().filter_map(Value::as_str).collect()
        }
        other => {
            object(format!("{other} is not the short syntax"));
            Vec::new()
        }
    }
}

fn is_overlay(path: &str) -> bool {
    ["sim", "dev", "typo"]
        .iter()
        .any(|kind| path.ends_with(&format!(".{kind}.yml")))
}

#[test]
fn compose_files_are_taken_everywhere() {
    let files = compose_files();
    for expected in [
        "docker-compose.yml",
        "docker-compose.dev.yml",
        "tests/stack/docker-compose.sim.yml",
    ] {
        assert!(
            files.iter().any(|(path, _)| path == expected),
            "{expected} is missing"
        );
    }
    for (path, text) in files {
        // A block's example stands alone: it takes published images.
        assert_eq!(
            objections(&text, is_overlay(&path)),
            Vec::<String>::new(),
            "{path}"
        );
    }
}

#[test]
fn the_rules_object() {
    let good = "restart: always, tty: false, image: 'a:1'";
    assert_eq!(
        objections(
            &format!("{{version: '2.4', services: {{a: {{{good}}}}}}}"),
            false
        ),
        Vec::<String>::new()
    );
    for service in [
        "volumes: ['./data:/data']",
        "volumes: ['/dev:/dev']",
        "volumes: ['undeclared:/data']",
        "volumes: ['v:/data:rw,z']",
        "volumes: [{type: tmpfs, target: /x}]",
        "tmpfs: ['/tmp:size=16m']",
        "tmpfs: /tmp",
        "ports: ['80:80']",
        "ports: ['[::]:80:80']",
        "ports: [80]",
        "devices: ['/dev/ttyUSB2:/dev/ttyUSB2']",
        "device_cgroup_rules: ['c 188:* rwm']",
        "cpus: 0.5",
        "secrets: [pin]",
        "logging: {driver: none}",
        "deploy: {}",
        "profiles: [x]",
        "container_name: x",
        "network_mode: host",
        "security_opt: ['seccomp:profile.json']",
        "depends_on: {b: {condition: service_healthy}}",
        "healthcheck: {test: 'curl x'}",
        "healthcheck: {test: [CMD, /tm], start_interval: 1s}",
        "labels: {io.balena.features.balena-socket: '1'}",
        "labels: {io.balena.features.dbus: true}",
        "environment: {TM_X: 1}",
        "environment: {tm.x: '1'}",
        "environment: {TM_X: '${X}'}",
        "mem_limit: 0.5g",
    ] {
        let text = format!(
            "{{version: '2.4', volumes: {{v: {{}}}}, services: {{a: {{{good}, {service}}}}}}}"
        );
        assert!(!objections(&text, false).is_empty(), "{service}");
    }
    for file in [
        "{version: '3.8', services: {}}",
        "{version: '2.4', services: {}, networks: {}}",
        "{version: '2.4', services: {}, secrets: {}}",
        "{version: '2.4', volumes: {v: {external: true}}, services: {}}",
        "{version: '2.4', services: {a: {image: 'a:1', tty: false}}}",
        "{version: '2.4', services: {a: {image: 'a:1', restart: always}}}",
        "{version: '2.4', services: {a: {build: {context: .., dockerfile: blocks/Dockerfile}, tty: false, restart: always}}}",
        "{version: '2.4', services: {a: {build: {context: ., dockerfile: none, target: x}, tty: false, restart: always}}}",
    ] {
        assert!(!objections(file, false).is_empty(), "{file}");
    }
}

/// What a service may do on the host; everything that is not told here it has not.
#[derive(Default)]
struct Privileges {
    service: &'static str,
    /// Without it: uid 0, or the image's own user.
    user: Option<&'static str>,
    is_privileged: bool,
    labels: &'static [&'static str],
    ports: &'static [&'static str],
}

const NOBODY: Option<&str> = Some("1000:1000");

fn privileges() -> [Privileges; 8] {
    let plain = |service| Privileges {
        service,
        ..Privileges::default()
    };
    let unprivileged = |service| Privileges {
        user: NOBODY,
        ..plain(service)
    };
    [
        plain("mqtt"),
        Privileges {
            labels: &["io.balena.features.dbus"],
            ..plain("modem")
        },
        unprivileged("gnss"),
        unprivileged("sensors"),
        Privileges {
            is_privileged: true,
            ..plain("io")
        },
        unprivileged("uplink"),
        Privileges {
            ports: &["0.0.0.0:80:8080"],
            ..unprivileged("api")
        },
        Privileges {
            labels: &[
                "io.balena.features.journal-logs",
                "io.balena.features.supervisor-api",
            ],
            ..plain("agent")
        },
    ]
}

#[test]
fn each_service_has_the_privileges_it_needs_and_no_other() {
    let text = std::fs::read_to_string(crate::root().join("docker-compose.yml")).unwrap();
    let file = parse(&text);
    let names: BTreeSet<&str> = keys(&file["services"]).collect();
    let expected = privileges();
    assert_eq!(names, expected.iter().map(|of| of.service).collect());
    for of in expected {
        let name = of.service;
        let service = &file["services"][name];
        assert_eq!(service["user"].as_str(), of.user, "{name}");
        assert_eq!(service["privileged"] == true, of.is_privileged, "{name}");
        assert_eq!(service["cap_drop"][0] == "ALL", !of.is_privileged, "{name}");
        let hardened = service["security_opt"][0] == "no-new-privileges";
        assert_eq!(hardened, !of.is_privileged, "{name}");
        assert!(
            service["read_only"] == true && service.get("cap_add").is_none(),
            "{name}"
        );
        let labels: BTreeSet<&str> = keys(&service["labels"]).collect();
        assert_eq!(labels, of.labels.iter().copied().collect(), "{name}");
        let mut complain = |what: String| panic!("{name}: {what}");
        assert_eq!(
            strings(&service["ports"], &mut complain),
            of.ports,
            "{name}"
        );
        // A volume of its own, and the credentials: written by the broker, read by the others.
        let bus = if name == "mqtt" {
            "bus:/bus"
        } else {
            "bus:/bus:ro"
        };
        let volumes = strings(&service["volumes"], &mut complain);
        assert_eq!(volumes, [format!("{name}:/data").as_str(), bus], "{name}");
    }
}
