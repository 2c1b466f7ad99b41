//! One readable object per point, each series on a topic of its own. Drawn in `docs/uplink.md`.

use serde::Serialize;
use tm_journal::Row;
use tm_types::{Point, RunId, Source, Stamp};

use super::json::Key;
use super::thin::Kept;
use crate::schedule::BodyPart;

#[derive(Serialize)]
struct Line<'a> {
    device: &'a str,
    class: &'static str,
    stream: String,
    seq: u64,
    source: &'a Source,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<RunId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<u64>,
    #[serde(flatten)]
    stamp: Stamp,
    #[serde(flatten)]
    point: &'a Point,
}

/// A poll as one message for each of its points that are kept; `None` when the row makes no sense.
///
/// Names are levels of a topic as they are: they have letters, digits and `-`, and `/` between two levels.
pub(super) fn parts(
    key: Key<'_>,
    row: &Row<'_>,
    stamp: Stamp,
    kept: Kept<'_>,
) -> Option<Vec<BodyPart>> {
    let mut poll = row.to_poll()?;
    kept.keep(&mut poll.points);
    let stream = key.stream.to_string();
    let part = |point: &Point| {
        let line = Line {
            device: key.device,
            class: "data",
            stream: stream.clone(),
            seq: key.seq,
            source: &row.source,
            run: poll.sequence.map(|sequence| sequence.run),
            n: poll.sequence.map(|sequence| sequence.n),
            stamp,
            point,
        };
        let payload = serde_json::to_vec(&line).expect("a point has only string keys");
        BodyPart {
            below: format!("{}/{}", row.source, point.name),
            payload: payload.into(),
        }
    };
    Some(poll.points.iter().map(part).collect())
}
