//! Rows for a spreadsheet: one per point; events and the like have one row of their own.

use std::io::{self, Write};

use serde_json::Value as Json;

use super::Line;

/// The columns, in order.
pub(super) const HEAD: &str =
    "time,device,class,stream,seq,source,name,kind,unit,value,quality,reason,clock,err_ms,run,n";

/// Writes the rows of one line.
pub(super) fn write(out: &mut impl Write, line: &Line) -> io::Result<()> {
    let value: Json = serde_json::from_slice(&line.json)?;
    let none = Json::Null;
    let of_message = |name: &str| field(&value[name]);
    let points = value["points"]
        .as_array()
        .map_or(std::slice::from_ref(&none), Vec::as_slice);
    for point in points {
        let row = [
            of_message("time"),
            of_message("device"),
            of_message("class"),
            of_message("stream"),
            of_message("seq"),
            of_message("source"),
            field(&point["name"]),
            field(&point["kind"]),
            field(&point["unit"]),
            field(&point["value"]),
            field(&point["quality"]),
            field(&point["reason"]),
            of_message("clock"),
            of_message("err_ms"),
            of_message("run"),
            of_message("n"),
        ];
        writeln!(out, "{}", row.join(","))?;
    }
    Ok(())
}

/// A field as RFC 4180 wants it; nothing for null.
///
/// A text that a spreadsheet would run as a formula is led by an apostrophe.
fn field(value: &Json) -> String {
    let text = match value {
        Json::Null => return String::new(),
        Json::String(text)
            if text.starts_with(['=', '+', '-', '@']) && text.parse::<f64>().is_err() =>
        {
            format!("'{text}")
        }
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expected: &str) {
        let mut out = Vec::new();
        write(&mut out, &Line { json: json.into() }).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn one_row_per_point() {
        check(
            r#"{"time":"t","device":"d","class":"data","stream":"s","seq":1,"source":"tank","run":"r","n":2,"clock":"ntp","err_ms":null,
                "points":[{"name":"level","kind":"gauge","unit":"m","value":1.5,"quality":"good","reason":null},{"name":"mode","value":"a,\"b\""}]}"#,
            "t,d,data,s,1,tank,level,gauge,m,1.5,good,,ntp,,r,2\nt,d,data,s,1,tank,mode,,,\"a,\"\"b\"\"\",,,ntp,,r,2\n",
        );
    }

    #[test]
    fn a_spreadsheet_runs_no_formula() {
        check(
            r#"{"points":[{"value":"=1+1"},{"value":"-97"}]}"#,
            ",,,,,,,,,'=1+1,,,,,,\n,,,,,,,,,-97,,,,,,\n",
        );
    }

    #[test]
    fn what_has_no_points_has_one_row() {
        check(r#"{"class":"event","seq":3}"#, ",,event,,3,,,,,,,,,,,\n");
    }
}
