//! One version for the house: `VERSION` is the source, everything else repeats it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

/// Every block; each is published as an image, `io` as another name of `sensors`.
const BLOCKS: [&str; 8] = [
    "mqtt", "modem", "gnss", "sensors", "io", "uplink", "api", "agent",
];

/// Before the tag of every published image.
const IMAGES: &str = "ghcr.io/tm-server/";

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn version() -> String {
    read("VERSION").trim().to_owned()
}

/// The value of a key at the top of a YAML file: plain scalars on one line.
fn top(text: &str, key: &str) -> Option<String> {
    let start = format!("{key}: ");
    let mut values = text.lines().filter_map(|line| line.strip_prefix(&start));
    let value = values.next()?.trim_matches('"').to_owned();
    assert_eq!(values.next(), None, "{key} is there twice");
    Some(value)
}

/// The entries of a list of plain words below a key.
fn list(text: &str, key: &str) -> Vec<String> {
    let start = format!("  {key}:");
    let lines = text.lines().skip_while(|line| *line != start).skip(1);
    lines
        .map_while(|line| line.strip_prefix("    - "))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_workspace_and_the_api_bear_it() {
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    let workspace = manifest["workspace"]["package"]["version"].as_str();
    assert_eq!(workspace, Some(version().as_str()));
    let openapi: Json = serde_json::from_str(&read("docs/openapi.json")).unwrap();
    assert_eq!(openapi["info"]["version"], version());
}

#[test]
fn every_balena_yml_bears_it() {
    let kinds = BLOCKS.map(|block| (format!("blocks/{block}/balena.yml"), "sw.block"));
    let application = ("balena.yml".to_owned(), "sw.application");
    for (name, kind) in kinds.into_iter().chain([application]) {
        let text = read(&name);
        assert_eq!(top(&text, "version"), Some(version()), "{name}");
        // The two things that balena's own check asks for.
        assert_eq!(top(&text, "type").as_deref(), Some(kind), "{name}");
        let types = list(&text, "supportedDeviceTypes");
        assert_eq!(
            types,
            ["raspberrypi4-64", "raspberrypicm4-ioboard"],
            "{name}"
        );
        assert!(
            text.contains("\n  defaultDeviceType: raspberrypi4-64\n"),
            "{name}"
        );
    }
}

#[test]
fn every_image_that_is_named_bears_it() {
    for block in BLOCKS {
        for file in ["README.md", "example/docker-compose.yml"] {
            let name = format!("blocks/{block}/{file}");
            let text = read(&name);
            // A tag of another name is a slip as well: io is the only one that runs under another.
            let image = if block == "io" { "sensors" } else { block };
            let tags: Vec<&str> = text
                .match_indices(IMAGES)
                .map(|(at, _)| {
                    text[at + IMAGES.len()..]
                        .split(['`', ' ', '\n', ','])
                        .next()
                        .unwrap()
                })
                .filter(|tag| tag.contains(':'))
                .collect();
            assert!(!tags.is_empty(), "{name} names no image");
            for tag in tags {
                assert_eq!(tag, format!("{image}:{}", version()), "{name}");
            }
        }
    }
}

#[test]
fn every_block_is_there_with_its_picture() {
    let mut folders: Vec<String> = fs::read_dir(path("blocks"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().join("README.md").exists())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    folders.sort();
    let mut expected = BLOCKS.map(str::to_owned);
    expected.sort();
    assert_eq!(folders, expected);
    for folder in BLOCKS
        .map(|block| format!("blocks/{block}"))
        .into_iter()
        .chain(["docs".to_owned()])
    {
        let logo = fs::read(path(&folder).join("logo.png")).unwrap();
        assert!(logo.len() < 20_000, "{folder}: {} bytes", logo.len());
        // The header chunk of a PNG: width and height at a fixed place.
        assert_eq!(&logo[..8], b"\x89PNG\r\n\x1a\n", "{folder}");
        let side = 512_u32.to_be_bytes();
        assert_eq!(
            (&logo[16..20], &logo[20..24]),
            (&side[..], &side[..]),
            "{folder}"
        );
        assert!(
            read(&format!("{folder}/icon.svg")).starts_with("<svg "),
            "{folder}"
        );
    }
}

#[test]
fn the_fleet_is_made_with_frugal_settings_and_without_secrets() {
    let text = read("balena.yml");
    let variables = list(&text, "applicationEnvironmentVariables");
    assert!(
        variables.iter().all(|line| line.starts_with("TM_")),
        "{variables:?}"
    );
    for secret in ["TOKEN", "PASSWORD", "PIN", "SEED", "KEY", "USER", "URL"] {
        assert!(
            !variables.iter().any(|line| line.contains(secret)),
            "{variables:?}"
        );
    }
    let known = read("docs/configuration.md");
    let page = read("docs/host/fleet-variables.md");
    for line in &variables {
        let name = line.split(':').next().unwrap();
        assert!(
            known.contains(&format!("| `{name}` |")),
            "{name} is no variable"
        );
    }
    let settings = list(&text, "applicationConfigVariables");
    assert_eq!(settings.len(), 4);
    for line in settings {
        let (name, value) = line.split_once(": ").unwrap();
        let value = value.trim_matches('"');
        // The page explains each with the same value.
        let row = page
            .lines()
            .find(|line| line.starts_with(&format!("| `{name}` |")));
        assert!(row.unwrap().contains(&format!("`{value}`")), "{name}");
        assert!(
            page.contains(&format!("balena env set {name} {value} ")),
            "{name}"
        );
    }
}
