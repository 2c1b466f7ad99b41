use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Map, Value as Json, json};
use tm_types::{Kind, SeriesId, Timestamp, Unit};

use crate::history::{Range, Rows};

/// A series between two moments, in columns.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct HistoryView {
    /// The series.
    pub(crate) series: SeriesId,
    /// What it counts as: decides the columns.
    pub(crate) kind: Kind,
    /// Unit of the values.
    pub(crate) unit: Unit,
    /// Start, included.
    pub(crate) from: Timestamp,
    /// End, excluded.
    pub(crate) to: Timestamp,
    /// Length of a row in milliseconds; null for raw points.
    pub(crate) step_ms: Option<u64>,
    /// Points that went into the rows.
    pub(crate) points: usize,
    /// The columns, all of the same length: `t` (start of the step, RFC 3339) and for a gauge
    /// `min, mean, max, count, bad`, for a counter `first, last, delta, resets, count, bad`, for a
    /// state `last, changes, time_in_ms, count, bad`, for raw points `value, quality, clock`.
    #[schema(value_type = BTreeMap<String, Vec<serde_json::Value>>)]
    pub(crate) columns: Map<String, Json>,
}

/// Rows as named columns.
#[derive(Debug, Default)]
pub(crate) struct Table {
    names: Vec<&'static str>,
    rows: Vec<Vec<Json>>,
}

impl Table {
    pub(crate) fn new(rows: Rows) -> Self {
        match rows {
            Rows::Raw(rows) => Self {
                names: vec!["t", "value", "quality", "clock"],
                rows: rows
                    .into_iter()
                    .map(|r| vec![json!(r.t), json!(r.value), json!(r.quality), json!(r.clock)])
                    .collect(),
            },
            Rows::Gauge(rows) => Self {
                names: vec!["t", "min", "mean", "max", "count", "bad"],
                rows: rows
                    .into_iter()
                    .map(|r| {
                        vec![
                            json!(r.t),
                            json!(r.min),
                            json!(r.mean),
                            json!(r.max),
                            json!(r.count),
                            json!(r.bad),
                        ]
                    })
                    .collect(),
            },
            Rows::Counter(rows) => Self {
                names: vec!["t", "first", "last", "delta", "resets", "count", "bad"],
                rows: rows
                    .into_iter()
                    .map(|r| {
                        let ends = [json!(r.t), json!(r.first), json!(r.last), json!(r.delta)];
                        let counts = [json!(r.resets), json!(r.count), json!(r.bad)];
                        ends.into_iter().chain(counts).collect()
                    })
                    .collect(),
            },
            Rows::State(rows) => Self {
                names: vec!["t", "last", "changes", "time_in_ms", "count", "bad"],
                rows: rows
                    .into_iter()
                    .map(|r| {
                        vec![
                            json!(r.t),
                            json!(r.last),
                            json!(r.changes),
                            json!(r.time_in_ms),
                            json!(r.count),
                            json!(r.bad),
                        ]
                    })
                    .collect(),
            },
        }
    }

    /// Keeps `t` and the wanted columns; the name of a column there is none of otherwise.
    pub(crate) fn keep(&mut self, wanted: &[&str]) -> Result<(), String> {
        if let Some(unknown) = wanted.iter().find(|name| !self.names.contains(name)) {
            return Err((*unknown).to_owned());
        }
        let keeps: Vec<bool> = self
            .names
            .iter()
            .map(|name| *name == "t" || wanted.contains(name))
            .collect();
        let mut keep = keeps.iter();
        self.names.retain(|_| *keep.next().unwrap_or(&false));
        for row in &mut self.rows {
            let mut keep = keeps.iter();
            row.retain(|_| *keep.next().unwrap_or(&false));
        }
        Ok(())
    }

    /// Names of the columns.
    pub(crate) fn names(&self) -> &[&'static str] {
        &self.names
    }

    /// `{"t": […], "min": […], …}`.
    pub(crate) fn columns(self) -> Map<String, Json> {
        let mut columns: Vec<Vec<Json>> =
            vec![Vec::with_capacity(self.rows.len()); self.names.len()];
        for row in self.rows {
            for (column, cell) in columns.iter_mut().zip(row) {
                column.push(cell);
            }
        }
        let names = self.names.iter().map(|name| (*name).to_owned());
        names.zip(columns.into_iter().map(Json::Array)).collect()
    }

    /// RFC 4180 with a header line; what is missing is empty.
    pub(crate) fn csv(&self) -> String {
        let mut out = self.names.join(",");
        out.push_str("\r\n");
        for row in &self.rows {
            for (index, cell) in row.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                csv_cell(&mut out, cell);
            }
            out.push_str("\r\n");
        }
        out
    }

    /// One JSON object a line.
    pub(crate) fn ndjson(&self) -> String {
        let mut out = String::new();
        for row in &self.rows {
            let names = self.names.iter().map(|name| (*name).to_owned());
            let object: Map<String, Json> = names.zip(row.iter().cloned()).collect();
            // Writing to a string cannot fail.
            let _ = writeln!(out, "{}", Json::Object(object));
        }
        out
    }
}

impl HistoryView {
    pub(crate) fn new(
        series: SeriesId,
        (from, to): (Timestamp, Timestamp),
        step_ms: Option<u64>,
        range: &Range,
        table: Table,
    ) -> Self {
        Self {
            series,
            kind: range.kind,
            unit: range.unit.clone(),
            from,
            to,
            step_ms,
            points: range.points,
            columns: table.columns(),
        }
    }
}

fn csv_cell(out: &mut String, cell: &Json) {
    let text = match cell {
        Json::Null => return,
        Json::String(text) => text.clone(),
        Json::Object(map) => {
            let pairs: Vec<String> = map.iter().map(|(key, ms)| format!("{key}={ms}")).collect();
            pairs.join(";")
        }
        other => other.to_string(),
    };
    if text.contains([',', '"', '\r', '\n']) {
        out.push('"');
        out.push_str(&text.replace('"', "\"\""));
        out.push('"');
    } else {
        out.push_str(&text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table {
            names: vec!["t", "last", "time_in_ms"],
            rows: vec![
                vec![json!("x"), json!("a,\"b\""), json!({"on": 5, "off": 7})],
                vec![json!("y"), Json::Null, json!({})],
            ],
        }
    }

    #[test]
    fn csv_is_quoted_where_needed() {
        let expected = "t,last,time_in_ms\r\nx,\"a,\"\"b\"\"\",off=7;on=5\r\ny,,\r\n";
        assert_eq!(table().csv(), expected);
    }

    #[test]
    fn lines_and_columns_hold_the_same() {
        assert_eq!(
            table().ndjson(),
            "{\"last\":\"a,\\\"b\\\"\",\"t\":\"x\",\"time_in_ms\":{\"off\":7,\"on\":5}}\n\
             {\"last\":null,\"t\":\"y\",\"time_in_ms\":{}}\n"
        );
        assert_eq!(table().columns()["t"], json!(["x", "y"]));
    }

    #[test]
    fn columns_are_chosen_by_name() {
        let mut kept = table();
        kept.keep(&["last"]).unwrap();
        assert_eq!((kept.names(), kept.rows[1].len()), (&["t", "last"][..], 2));
        assert_eq!(table().keep(&["median"]), Err("median".to_owned()));
    }
}
