use std::fmt::Write;

use super::Settings;

/// The Markdown table of a settings struct: variable, meaning, type, default.
pub fn markdown_table<S: Settings>(prefix: &str) -> String {
    let mut table = String::from("| variable | meaning | type | default |\n|---|---|---|---|\n");
    for field in S::FIELDS {
        let doc = field
            .doc
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty());
        let doc = doc.collect::<Vec<_>>().join(" ").replace('|', "\\|");
        let default = match (field.default)() {
            empty if empty.is_empty() => "–".to_owned(),
            text => format!("`{text}`"),
        };
        let variable = field.variable(prefix);
        let kind = match field.range {
            "" => field.type_name.to_owned(),
            range => {
                let range = range.replace("..=", " to ").replace('_', "");
                format!("{}, {range}", field.type_name)
            }
        };
        writeln!(table, "| `{variable}` | {doc} | {kind} | {default} |")
            .expect("a String takes everything");
    }
    table
}
