//! What the balena parsers, builders and supervisors take, as rules over every compose file, Dockerfile and
//! `balena.yml` of the repository. The real parser is a download of its own; these rules run anywhere.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod compose;
mod contract;
mod dockerfile;

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap()
}

/// Every file of the repository whose name satisfies, with its path from the root.
fn files(is_wanted: fn(&str) -> bool) -> Vec<(String, String)> {
    let root = root();
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                if !["target", "dist", ".git"].contains(&name) {
                    folders.push(path);
                }
            } else if is_wanted(name) {
                let relative = path.strip_prefix(&root).unwrap().display().to_string();
                found.push((relative, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}
