//! Dockerfiles: what the classic builder of balenaEngine builds and livepush parses.

use crate::files;

const INSTRUCTIONS: &[&str] = &[
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "LABEL",
    "RUN",
    "USER",
    "WORKDIR",
];
/// Arguments that only BuildKit defines.
const BUILDKIT_ARGUMENTS: &[&str] = &[
    "TARGETARCH",
    "TARGETPLATFORM",
    "TARGETOS",
    "BUILDPLATFORM",
    "BUILDARCH",
];

/// Lines with their continuations joined, without comments.
fn instructions(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim);
    let mut joined = vec![String::new()];
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let last = joined.last_mut().unwrap();
        if let Some(begun) = line.strip_suffix('\\') {
            last.push_str(begun);
        } else {
            last.push_str(line);
            joined.push(String::new());
        }
    }
    joined.retain(|line| !line.is_empty());
    joined
}

fn objections(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut stages: Vec<String> = Vec::new();
    if text
        .lines()
        .any(|line| line.to_lowercase().replace(' ', "").starts_with("#syntax="))
    {
        wrong.push("a syntax line asks for BuildKit".to_owned());
    }
    for line in instructions(text) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let instruction = words[0];
        if !INSTRUCTIONS.contains(&instruction) {
            wrong.push(format!("{instruction} (ADD stops livepush): {line}"));
        }
        if line.contains("<<") {
            wrong.push(format!("a heredoc: {line}"));
        }
        if BUILDKIT_ARGUMENTS.iter().any(|name| line.contains(name)) {
            wrong.push(format!("an argument that only BuildKit defines: {line}"));
        }
        let flags = words[1..].iter().take_while(|word| word.starts_with("--"));
        for flag in flags {
            let (name, value) = flag.split_once('=').unwrap_or((flag, ""));
            let is_stage = stages.iter().any(|stage| stage == value);
            match (instruction, name) {
                ("COPY", "--from") if is_stage => {}
                ("COPY", "--chown") => {}
                _ => wrong.push(format!("{flag}: {line}")),
            }
        }
        if instruction == "FROM" {
            let image = words[1];
            let is_pinned = image == "scratch"
                || image
                    .rsplit_once(':')
                    .is_some_and(|(_, tag)| tag != "latest");
            if !is_pinned && !stages.iter().any(|stage| stage == image) {
                wrong.push(format!("an image without a tag: {line}"));
            }
            stages.extend(words.get(3).map(|&name| name.to_owned()));
        }
    }
    wrong
}

#[test]
fn dockerfiles_build_with_the_classic_builder() {
    let files = files(|name| name.starts_with("Dockerfile"));
    for expected in [
        "blocks/Dockerfile",
        "blocks/Dockerfile.dist",
        "blocks/mqtt/Dockerfile",
    ] {
        assert!(
            files.iter().any(|(path, _)| path == expected),
            "{expected} is missing"
        );
    }
    for (path, text) in files {
        assert_eq!(objections(&text), Vec::<String>::new(), "{path}");
    }
}

#[test]
fn the_rules_object() {
    let good = "FROM a:1 AS b\nRUN x \\\n && y\nFROM scratch\nARG S\nCOPY --from=b --chown=1:1 /x-${S} /x\n";
    assert_eq!(objections(good), Vec::<String>::new());
    for line in [
        "RUN --mount=type=cache,target=/x make",
        "RUN make \\\n  <<EOF",
        "COPY --chmod=755 a b",
        "COPY --link a b",
        "COPY --from=alpine:3 a b",
        "ADD a b",
        "FROM --platform=linux/arm64 a:1",
        "FROM a",
        "FROM a:latest",
        "ARG TARGETARCH",
        "# syntax=docker/dockerfile:1",
        "ONBUILD RUN x",
        "SHELL [\"bash\"]",
    ] {
        assert!(
            !objections(&format!("FROM a:1\n{line}\n")).is_empty(),
            "{line}"
        );
    }
}
