use std::collections::BTreeMap;

use tm_types::{Clock, Quality, Timestamp, Value};

/// The rows of an answer; their columns depend on the kind of the series.
#[derive(Clone, PartialEq, Debug)]
pub enum Rows {
    /// Every point as it was measured.
    Raw(Vec<RawRow>),
    /// Levels.
    Gauge(Vec<GaugeRow>),
    /// Totals.
    Counter(Vec<CounterRow>),
    /// Conditions.
    State(Vec<StateRow>),
}

/// One point.
#[derive(Clone, PartialEq, Debug)]
pub struct RawRow {
    /// When it was measured; corrected where the clock was wrong and is known better now.
    pub t: Timestamp,
    /// What the time rests on; `estimated` when it was corrected.
    pub clock: Clock,
    /// How far the value can be trusted.
    pub quality: Quality,
    /// The value; none where nothing was measured.
    pub value: Option<Value>,
}

/// A step of a level. Only good and uncertain values count.
#[derive(Clone, PartialEq, Debug)]
pub struct GaugeRow {
    /// Start of the step.
    pub t: Timestamp,
    /// Smallest value; none when the step has no usable value.
    pub min: Option<f64>,
    /// Mean of the values.
    pub mean: Option<f64>,
    /// Largest value.
    pub max: Option<f64>,
    /// Usable values in the step.
    pub count: u32,
    /// Readings without a usable value.
    pub bad: u32,
}

/// A step of a total. Only good and uncertain values count.
#[derive(Clone, PartialEq, Debug)]
pub struct CounterRow {
    /// Start of the step.
    pub t: Timestamp,
    /// First value.
    pub first: Option<f64>,
    /// Last value.
    pub last: Option<f64>,
    /// Growth since the value before the step; a counter that fell began again at zero.
    pub delta: f64,
    /// How often it fell.
    pub resets: u32,
    /// Usable values in the step.
    pub count: u32,
    /// Readings without a usable value.
    pub bad: u32,
}

/// A step of a condition.
#[derive(Clone, PartialEq, Debug)]
pub struct StateRow {
    /// Start of the step.
    pub t: Timestamp,
    /// The condition at the end of the step; none when unknown.
    pub last: Option<Value>,
    /// Changes from one condition to another.
    pub changes: u32,
    /// Milliseconds spent in each condition; what is missing was unknown.
    pub time_in_ms: BTreeMap<String, u64>,
    /// Usable values in the step.
    pub count: u32,
    /// Readings without a usable value.
    pub bad: u32,
}
