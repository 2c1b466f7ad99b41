//! `docs/configuration.md` says what the structs say. `TM_BLESS=1` writes it anew.

use std::fmt::Write;
use std::fs;
use std::path::Path;

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
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    if std::env::var_os("TM_BLESS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/configuration.md differs from the code: run `just bless` and read the difference"
    );
}
