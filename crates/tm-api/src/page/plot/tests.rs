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
fn yes_and_no_both_have_a_lane() {
    let plot = Plot::state(&[condition(0, &[("false", 1000)])], frame(1), str::to_owned).unwrap();
    let lanes: Vec<&str> = plot.marks.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(lanes, ["true", "false"]);
    assert_eq!(d(&plot, "hold").len(), 1);
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
