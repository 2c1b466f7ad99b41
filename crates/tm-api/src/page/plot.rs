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
        // Yes and no are read against each other, also while only one of them held.
        if !names.is_empty() && names.iter().all(|name| matches!(*name, "true" | "false")) {
            names = vec!["true", "false"];
        }
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
mod tests;
