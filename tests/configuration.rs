//! `docs/configuration.md` and the blocks' READMEs say what the structs say. `TM_BLESS=1` writes them anew.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use tm_service::config::{
    BusSettings, ConfigSettings, DeviceSettings, LogSettings, markdown_table,
};

const HEAD: &str = "# Configuration

Every variable of every service.
This page is generated from the code; a test holds it.

Values come from the environment; an empty variable counts as unset.
An unknown `TM_` name is ignored and reported with the nearest known one; a malformed value falls back to its default and is reported, security settings fall closed; the service's health is then `degraded`.
With `TM_CONFIG_STRICT=true` a service ends with exit code 64 instead.
`<service> config` prints the values in force and where each comes from, secrets masked.

Two variables choose what a process is: `TM_INSTANCE` (its name in topics, client ids and variables; default the service's own) and `TM_DATA_DIR` (where it keeps its files; default `/data`).
";

#[test]
fn the_page_says_what_the_structs_say() {
    let sections = [
        ("Log", markdown_table::<LogSettings>("TM_LOG_")),
        ("Local broker", markdown_table::<BusSettings>("TM_BUS_")),
        ("Device", markdown_table::<DeviceSettings>("TM_DEVICE_")),
        ("Strictness", markdown_table::<ConfigSettings>("TM_CONFIG_")),
        ("modem", markdown_table::<tm_modem::Config>("TM_MODEM_")),
        ("gnss", markdown_table::<tm_gnss::Config>("TM_GNSS_")),
        (
            "sensors",
            markdown_table::<tm_sensors::Config>("TM_SENSORS_"),
        ),
        ("uplink", markdown_table::<tm_uplink::Config>("TM_UPLINK_")),
        ("api", markdown_table::<tm_api::Config>("TM_API_")),
        ("agent", markdown_table::<tm_agent::Config>("TM_AGENT_")),
    ];
    let mut page = HEAD.to_owned();
    for (title, table) in sections {
        write!(page, "\n## {title}\n\n{table}").unwrap();
    }
    hold("docs/configuration.md", &page);
}

#[test]
fn the_readmes_of_the_blocks_carry_their_variables_and_their_example() {
    for (block, table) in [
        (
            "modem",
            Some(markdown_table::<tm_modem::Config>("TM_MODEM_")),
        ),
        ("gnss", Some(markdown_table::<tm_gnss::Config>("TM_GNSS_"))),
        (
            "sensors",
            Some(markdown_table::<tm_sensors::Config>("TM_SENSORS_")),
        ),
        ("io", Some(markdown_table::<tm_sensors::Config>("TM_IO_"))),
        (
            "uplink",
            Some(markdown_table::<tm_uplink::Config>("TM_UPLINK_")),
        ),
        ("api", Some(markdown_table::<tm_api::Config>("TM_API_"))),
        (
            "agent",
            Some(markdown_table::<tm_agent::Config>("TM_AGENT_")),
        ),
        // It is Mosquitto, and has none of ours.
        ("mqtt", None),
    ] {
        let name = format!("blocks/{block}/README.md");
        let mut page = read(&name);
        if let Some(table) = table {
            page = filled(&page, "variables", &table);
        }
        let example = read(&format!("blocks/{block}/example/docker-compose.yml"));
        page = filled(&page, "example", &format!("```yaml\n{example}```\n"));
        hold(&name, &page);
    }
}

#[test]
fn the_worked_example_is_shown_as_it_is_run() {
    let code = read("blocks/example-tank/tank.py");
    let page = filled(
        &read("docs/extend.md"),
        "tank",
        &format!("```python\n{code}```\n"),
    );
    hold("docs/extend.md", &page);
    let lines = code.lines().filter(|line| !line.is_empty()).count();
    assert!(lines <= 30, "the example has grown to {lines} lines");
}

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The page with `text` between the two markers of this name.
fn filled(page: &str, marker: &str, text: &str) -> String {
    let (begin, end) = (
        format!("<!-- {marker}:begin -->\n"),
        format!("<!-- {marker}:end -->"),
    );
    let (head, rest) = page.split_once(&begin).expect("a begin marker");
    let (_, tail) = rest.split_once(&end).expect("an end marker");
    format!("{head}{begin}{text}{end}{tail}")
}

/// The file is as it should be; `TM_BLESS=1` makes it so.
fn hold(name: &str, page: &str) {
    if std::env::var_os("TM_BLESS").is_some() {
        fs::write(path(name), page).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let written = fs::read_to_string(path(name)).unwrap_or_default();
    assert!(
        written == page,
        "{name} differs from the code: run `just bless` and read the difference"
    );
}
