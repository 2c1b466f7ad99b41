//! Rows as pictures: inline SVG that stretches to its place and needs neither script nor style.
//!
//! Three pictures side by side: the scale, the plot, the times. Only the plot is stretched, so
//! texts keep their shape at every width.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use tm_types::Timestamp;

use super::escape;
use super::runs::runs;
use super::scale::{Scale, least_span};
use super::zone::Mark;
use crate::history::{CounterRow, GaugeRow, StateRow};

/// Width of the stretched picture in its own units; coordinates are whole ones of them.
const WIDTH: i32 = 720;
/// Units of the picture to a pixel of height.
const FINE: i32 = 4;
/// Room above the highest and below the lowest mark, pixels.
const EDGE_PX: i32 = 7;
/// Conditions that have a lane of their own; the rest shares one.
const LANES: usize = 5;
/// Characters of a condition beside its lane.
const LANE_TEXT: usize = 12;

/// What is drawn on: a stretch of time and a height.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    pub(super) step_ms: i64,
    pub(super) height_px: i32,
}

/// A plot, ready to be put into a page.
#[derive(Debug, Default)]
pub(super) struct Plot {
    /// Marks of the scale: pixels from above, and text.
    marks: Vec<(i32, String)>,
    /// Whether the marks are words.
    has_words: bool,
    body: String,
}

impl Frame {
    /// Where a moment is, held within the picture.
    fn x(&self, time: Timestamp) -> i32 {
        let (part, whole) = (time.ms_since(self.from), self.to.ms_since(self.from).max(1));
        let x = i128::from(part) * i128::from(WIDTH) / i128::from(whole);
        i32::try_from(x.clamp(0, WIDTH.into())).unwrap_or(WIDTH)
    }

    /// The middle of a step.
    fn middle(&self, start: Timestamp) -> i32 {
        self.x(start.plus_ms(self.step_ms / 2))
    }

    fn y_px(&self, scale: Scale, value: f64) -> i32 {
        self.height_px - EDGE_PX - scale.up(value, self.height_px - 2 * EDGE_PX)
    }

    fn y(&self, scale: Scale, value: f64) -> i32 {
        let room = (self.height_px - 2 * EDGE_PX) * FINE;
        (self.height_px - EDGE_PX) * FINE - scale.up(value, room)
    }
}

impl Plot {
    /// Levels: a line of means in a band from minimum to maximum. `divisor` fits the unit shown.
    pub(super) fn gauge(
        rows: &[GaugeRow],
        reports: &[Timestamp],
        frame: Frame,
        unit: &str,
        divisor: f64,
    ) -> Option<Self> {
        let low = rows.iter().filter_map(|row| row.min).reduce(f64::min)? / divisor;
        let high = rows.iter().filter_map(|row| row.max).reduce(f64::max)? / divisor;
        let mut plot = Self::default();
        let lines = if frame.height_px > 200 { 5 } else { 3 };
        let scale = Scale::new(
            low,
            high,
            least_span(unit, low.abs().max(high.abs())),
            lines,
        );
        plot.lines(scale, frame);
        let (mut band, mut line, mut dots) = (String::new(), String::new(), String::new());
        for run in runs(rows, reports, frame.step_ms) {
            let points: Vec<(i32, [i32; 3])> = run
                .iter()
                .filter_map(|row| {
                    let values = [row.min?, row.mean?, row.max?];
                    Some((
                        frame.middle(row.t),
                        values.map(|value| frame.y(scale, value / divisor)),
                    ))
                })
                .collect();
            // Writing to a string cannot fail, here and below.
            if let [(x, [low, mean, high])] = points[..] {
                let _ = write!(dots, "M{x} {mean}h0");
                let _ = write!(band, "M{} {low}V{high}h2V{low}z", x - 1);
                continue;
            }
            trace(
                &mut line,
                points.iter().map(|(x, [_, mean, _])| (*x, *mean)),
            );
            // Where minimum and maximum are one there is nothing to see between them.
            if points.iter().any(|(_, [low, _, high])| low != high) {
                let above = points.iter().map(|(x, [_, _, high])| (*x, *high));
                let below = points.iter().rev().map(|(x, [low, ..])| (*x, *low));
                trace(&mut band, above.chain(below));
                band.push('z');
            }
        }
        plot.path("band", &band);
        plot.path("line", &line);
        plot.path("dots", &dots);
        let unusable = rows.iter().filter(|row| row.bad > 0).map(|row| row.t);
        plot.bad(unusable, frame);
        Some(plot)
    }

    /// Totals: what each step grew by, as columns. `divisor` fits the unit shown.
    pub(super) fn counter(rows: &[CounterRow], frame: Frame, divisor: f64) -> Option<Self> {
        rows.iter().find(|row| row.count > 0)?;
        let high = rows
            .iter()
            .map(|row| row.delta / divisor)
            .fold(0.0, f64::max);
        let mut plot = Self::default();
        let scale = Scale::new(0.0, high, 1e-3, if frame.height_px > 200 { 5 } else { 3 });
        plot.lines(scale, frame);
        let floor = frame.y(scale, 0.0);
        let (mut columns, mut known) = (String::new(), String::new());
        for row in rows.iter().filter(|row| row.count > 0) {
            let (start, end) = (frame.x(row.t), frame.x(row.t.plus_ms(frame.step_ms)));
            // Zero is something known, and looks different from nothing.
            let _ = write!(known, "M{start} {floor}H{end}");
            let top = frame.y(scale, row.delta / divisor);
            if top < floor {
                let end = (end - 2).max(start + 1);
                let _ = write!(columns, "M{start} {floor}V{top}H{end}V{floor}z");
            }
        }
        plot.path("hold", &columns);
        plot.path("line", &known);
        plot.bad(
            rows.iter().filter(|row| row.bad > 0).map(|row| row.t),
            frame,
        );
        Some(plot)
    }

    /// Conditions: a lane for each, filled while it holds. What held for less than a step fills
    /// the step, so that nothing short is lost.
    pub(super) fn state(
        rows: &[StateRow],
        frame: Frame,
        name: impl Fn(&str) -> String,
    ) -> Option<Self> {
        let mut total: BTreeMap<&str, u64> = BTreeMap::new();
        for (condition, ms) in rows.iter().flat_map(|row| &row.time_in_ms) {
            *total.entry(condition).or_default() += (*ms).max(1);
        }
        let mut lanes: Vec<(&str, u64)> = total.into_iter().collect();
        lanes.sort_by_key(|(_, ms)| std::cmp::Reverse(*ms));
        let has_more = lanes.len() > LANES;
        lanes.truncate(LANES);
        let mut names: Vec<&str> = lanes.into_iter().map(|(condition, _)| condition).collect();
        names.sort_unstable_by(|a, b| b.cmp(a));
        let n_lanes = i32::try_from(names.len()).unwrap_or(1) + i32::from(has_more);
        if n_lanes == 0 {
            return None;
        }
        let mut plot = Self {
            has_words: true,
            ..Self::default()
        };
        let lane_px = (frame.height_px - 2 * EDGE_PX) / n_lanes;
        let middle_px = |lane: i32| EDGE_PX + lane * lane_px + lane_px / 2;
        let mut grid = String::new();
        let mut filled = String::new();
        for lane in 0..n_lanes {
            let y = middle_px(lane) * FINE;
            let _ = write!(grid, "M0 {y}H{WIDTH}");
            let of_lane = usize::try_from(lane).ok().and_then(|lane| names.get(lane));
            let text = of_lane.map_or_else(|| "…".to_owned(), |condition| short(&name(condition)));
            plot.marks.push((middle_px(lane), text));
            let holds = |row: &&StateRow| match of_lane {
                Some(condition) => row.time_in_ms.contains_key(*condition),
                None => row
                    .time_in_ms
                    .keys()
                    .any(|key| !names.contains(&key.as_str())),
            };
            let thick = (lane_px / 3).clamp(4, 12) * FINE;
            for (start, end) in stretches(rows.iter().filter(holds), frame) {
                let (top, bottom) = (y - thick / 2, y + thick / 2);
                let _ = write!(filled, "M{start} {top}H{end}V{bottom}H{start}z");
            }
        }
        plot.path("grid", &grid);
        plot.path("hold", &filled);
        plot.bad(
            rows.iter().filter(|row| row.bad > 0).map(|row| row.t),
            frame,
        );
        Some(plot)
    }

    /// Puts the plot into a page, with times below it.
    pub(super) fn put(&self, out: &mut String, frame: Frame, times: &[Mark]) {
        let height = frame.height_px;
        let class = if self.has_words { "y words" } else { "y" };
        let _ = write!(
            out,
            "<svg class=\"{class}\" height=\"{height}\" aria-hidden=\"true\">"
        );
        for (y, text) in &self.marks {
            let _ = write!(
                out,
                "<text x=\"100%\" y=\"{}\">{}</text>",
                y + 4,
                escape(text)
            );
        }
        let _ = write!(
            out,
            "</svg><svg class=\"p\" viewBox=\"0 0 {WIDTH} {}\" height=\"{height}\" \
             preserveAspectRatio=\"none\" aria-hidden=\"true\">{}</svg>\
             <svg class=\"x\" height=\"18\" aria-hidden=\"true\">",
            height * FINE,
            self.body
        );
        for (index, Mark { percent, text }) in times.iter().enumerate() {
            // Where it is narrow the odd ones step back.
            let class = if index % 2 == 0 { " class=\"odd\"" } else { "" };
            let _ = write!(out, "<text x=\"{percent}%\" y=\"13\"{class}>{text}</text>");
        }
        out.push_str("</svg>");
    }

    fn lines(&mut self, scale: Scale, frame: Frame) {
        let mut grid = String::new();
        for mark in scale.marks() {
            self.marks.push((frame.y_px(scale, mark), scale.text(mark)));
            let _ = write!(grid, "M0 {}H{WIDTH}", frame.y(scale, mark));
        }
        self.path("grid", &grid);
    }

    /// Marks on the floor where readings were not usable.
    fn bad(&mut self, times: impl Iterator<Item = Timestamp>, frame: Frame) {
        let mut marks = String::new();
        let mut last = None;
        for time in times {
            let x = frame.middle(time);
            if last != Some(x) {
                let _ = write!(marks, "M{x} {}v{}", (frame.height_px - 5) * FINE, 5 * FINE);
            }
            last = Some(x);
        }
        self.path("unusable", &marks);
    }

    fn path(&mut self, class: &str, d: &str) {
        if !d.is_empty() {
            let _ = write!(self.body, "<path class=\"{class}\" d=\"{d}\"/>");
        }
    }
}

fn trace(path: &mut String, points: impl Iterator<Item = (i32, i32)>) {
    for (index, (x, y)) in points.enumerate() {
        let letter = if index == 0 { 'M' } else { 'L' };
        let _ = write!(path, "{letter}{x} {y}");
    }
}

/// Steps that follow each other, as stretches of the picture.
fn stretches<'a>(rows: impl Iterator<Item = &'a StateRow>, frame: Frame) -> Vec<(i32, i32)> {
    let mut found: Vec<(Timestamp, Timestamp)> = Vec::new();
    for row in rows {
        let end = row.t.plus_ms(frame.step_ms);
        match found.last_mut() {
            Some(last) if last.1 == row.t => last.1 = end,
            _ => found.push((row.t, end)),
        }
    }
    found
        .into_iter()
        .map(|(start, end)| (frame.x(start), frame.x(end).max(frame.x(start) + 1)))
        .collect()
}

/// What fits beside a lane.
fn short(text: &str) -> String {
    if text.chars().count() <= LANE_TEXT {
        return text.to_owned();
    }
    let kept: String = text.chars().take(LANE_TEXT - 1).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tm_types::Value;

    const FRAME: Frame = Frame {
        from: Timestamp::EPOCH,
        to: Timestamp::EPOCH,
        step_ms: 1000,
        height_px: 114,
    };

    fn frame(steps: i64) -> Frame {
        Frame {
            to: t(steps),
            ..FRAME
        }
    }

    fn t(step: i64) -> Timestamp {
        Timestamp::of_unix_ms(step * 1000)
    }

    fn level(step: i64, values: Option<[f64; 3]>) -> GaugeRow {
        GaugeRow {
            t: t(step),
            min: values.map(|values| values[0]),
            mean: values.map(|values| values[1]),
            max: values.map(|values| values[2]),
            count: u32::from(values.is_some()),
            bad: u32::from(values.is_none()),
        }
    }

    fn d<'a>(plot: &'a Plot, class: &str) -> Vec<&'a str> {
        let start = format!("<path class=\"{class}\" d=\"");
        let parts = plot.body.split(&start).skip(1);
        parts.map(|part| part.split('"').next().unwrap()).collect()
    }

    #[test]
    fn a_level_is_a_line_in_a_band_and_a_gap_is_a_gap() {
        let rows = [
            level(0, Some([0.0, 10.0, 20.0])),
            level(1, Some([10.0, 20.0, 30.0])),
            level(2, None),
            level(3, Some([10.0, 10.0, 10.0])),
        ];
        let reports: Vec<Timestamp> = rows.iter().map(|row| row.t).collect();
        let plot = Plot::gauge(&rows, &reports, frame(4), "W", 1.0).unwrap();
        // 0 to 30 over 100 px of 4 units, 7 px of room; steps of 180 units, drawn at their middle.
        assert_eq!(d(&plot, "line"), ["M90 295L270 161"]);
        assert_eq!(
            d(&plot, "band"),
            ["M90 161L270 28L270 295L90 428zM629 295V295h2V295z"]
        );
        assert_eq!(d(&plot, "dots"), ["M630 295h0"]);
        assert_eq!(d(&plot, "unusable"), ["M450 436v20"]);
        let marks: Vec<&str> = plot.marks.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(marks, ["0", "10", "20", "30"]);
        assert!(Plot::gauge(&rows[2..3], &reports, frame(4), "W", 1.0).is_none());
        assert!(Plot::gauge(&[], &[], frame(0), "W", 1.0).is_none());
    }

    #[test]
    fn a_total_is_columns_of_growth_and_zero_is_known() {
        let row = |step: i64, delta: f64, count: u32| CounterRow {
            t: t(step),
            first: None,
            last: None,
            delta,
            resets: 0,
            count,
            bad: u32::from(count == 0),
        };
        let rows = [row(0, 3.0, 1), row(1, 0.0, 1), row(2, 0.0, 0)];
        let plot = Plot::counter(&rows, frame(4), 1.0).unwrap();
        assert_eq!(d(&plot, "hold"), ["M0 428V28H178V428z"]);
        assert_eq!(d(&plot, "line"), ["M0 428H180M180 428H360"]);
        assert_eq!(d(&plot, "unusable"), ["M450 436v20"]);
        assert!(Plot::counter(&rows[2..], frame(4), 1.0).is_none());
    }

    fn condition(step: i64, held: &[(&str, u64)]) -> StateRow {
        StateRow {
            t: t(step),
            last: held.last().map(|(name, _)| Value::text(name).unwrap()),
            changes: 0,
            time_in_ms: held
                .iter()
                .map(|(name, ms)| ((*name).to_owned(), *ms))
                .collect(),
            count: 1,
            bad: 0,
        }
    }

    #[test]
    fn a_condition_fills_its_lane_while_it_holds() {
        let rows = [
            condition(0, &[("shut", 1000)]),
            condition(1, &[("open", 3), ("shut", 997)]),
            condition(3, &[("shut", 1000)]),
        ];
        let plot = Plot::state(&rows, frame(4), str::to_owned).unwrap();
        let lanes: Vec<&str> = plot.marks.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(lanes, ["shut", "open"]);
        let filled = "M0 104H360V152H0zM540 104H720V152H540zM180 304H360V352H180z";
        assert_eq!(d(&plot, "hold"), [filled]);
        assert!(Plot::state(&[], frame(4), str::to_owned).is_none());
    }

    #[test]
    fn many_conditions_share_a_lane_and_long_words_are_cut() {
        let names: Vec<String> = (0..9).map(|n| format!("condition-number-{n}")).collect();
        let rows: Vec<StateRow> = names
            .iter()
            .zip(0i64..)
            .map(|(name, step)| condition(step, &[(name, 1000 - step.unsigned_abs())]))
            .collect();
        let plot = Plot::state(&rows, frame(9), str::to_owned).unwrap();
        let lanes: Vec<&str> = plot.marks.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(lanes.len(), LANES + 1);
        assert_eq!((lanes[0], lanes[LANES]), ("condition-n…", "…"));
    }

    #[test]
    fn a_picture_holds_only_numbers_and_escaped_words() {
        let rows = [condition(0, &[("<b>&\"'", 1000)])];
        let plot = Plot::state(&rows, frame(1), str::to_owned).unwrap();
        let mut out = String::new();
        let times = [Mark {
            percent: 50.0,
            text: "12:00".into(),
        }];
        plot.put(&mut out, frame(1), &times);
        assert!(
            out.contains("&lt;b&gt;&amp;&quot;&#39;") && !out.contains("<b>"),
            "{out}"
        );
        assert!(
            out.contains("<text x=\"50%\" y=\"13\" class=\"odd\">12:00</text>"),
            "{out}"
        );
    }
}
