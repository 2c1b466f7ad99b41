//! The format, frozen: payloads before gzip, letter by letter. If a test here fails, do not
//! change the test: a changed payload is a new version.

#![expect(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

use tm_columns::{Batch, Encoder, Header, decode_json};
use tm_types::{
    BootId, Clock, Point, PointName, Poll, Reading, Reason, RunId, Sequence, Source, Stamp,
    Timestamp, Unit, Value,
};

fn check(device: Option<&str>, first: u64, rows: &[(&str, Poll)], json: &str) {
    let header = Header {
        device: device.map(str::to_owned),
        class: "data".into(),
        stream: "7-9f31c2d4".into(),
    };
    let mut batch = Batch::new();
    for (seq, (source, poll)) in (first..).zip(rows) {
        let source = Source::new(source).unwrap();
        batch.push_poll(seq, &source, poll).unwrap();
    }
    let mut encoder = Encoder::new();
    let text = str::from_utf8(encoder.json(&header, &batch)).unwrap();
    assert_eq!(text, json);
    let decoded = decode_json(json.as_bytes()).unwrap();
    assert_eq!((decoded.header, decoded.first_seq), (header, first));
    let records = (first..).zip(rows).map(|(seq, (s, poll))| (seq, *s, poll));
    let decoded = decoded.records.iter();
    assert!(
        decoded
            .map(|record| (record.seq, record.source.as_str(), &record.poll))
            .eq(records)
    );
}

fn poll(at_ms: i64, n: u64, points: Vec<Point>) -> Poll {
    Poll {
        sequence: Some(Sequence {
            run: RunId(0x5f1c_20aa),
            n,
        }),
        stamp: Stamp {
            time: Timestamp::of_unix_ms(1_790_000_000_000 + at_ms),
            mono_ms: at_ms.cast_unsigned() + 5000,
            boot: BootId(0x00c0_ffee),
            clock: Clock::Ntp,
            err_ms: Some(12),
        },
        points,
    }
}

fn gauge(name: &str, unit: &str, reading: impl Into<Reading>) -> Point {
    Point::gauge(
        PointName::new(name).unwrap(),
        Unit::new(unit).unwrap(),
        reading,
    )
}

fn decimal(units: i64, scale: u8) -> Value {
    Value::decimal(units, scale).unwrap()
}

const HEAD: &str = r#"{"v":1,"class":"data","stream":"7-9f31c2d4","#;

#[test]
fn nothing() {
    check(
        None,
        0,
        &[],
        &format!(r#"{HEAD}"seq":0,"n":0,"sources":[]}}"#),
    );
}

#[test]
fn a_regular_source() {
    let volts = [2304, 2307, 2301, 2303, 2304, 2302];
    let rows: Vec<_> = (0..)
        .zip(volts)
        .map(|(i, volts)| {
            let mains = gauge("mains", "V", decimal(volts, 1)).with_scale(1);
            let energy = Point::counter(
                PointName::new("energy").unwrap(),
                Unit::new("kWh").unwrap(),
                decimal(100_000 + 25 * i, 2),
            );
            let door = Point::state(PointName::new("door").unwrap(), i == 3);
            let n = i.cast_unsigned();
            ("meter", poll(i * 1000, n, vec![mains, energy, door]))
        })
        .collect();
    check(
        Some("d1"),
        41,
        &rows,
        concat!(
            r#"{"v":1,"device":"d1","class":"data","stream":"7-9f31c2d4","seq":41,"n":6,"#,
            r#""sources":[{"source":"meter","polls":6,"run":"5f1c20aa","n":[0,1],"#,
            r#""time":[1790000000000,1000],"mono_zero":1789999995000,"boot":"00c0ffee","clock":"ntp","err_ms":12,"#,
            r#""names":"mains energy door","units":"V kWh ","kinds":"gcs","scales":"1--","#,
            r#""values":[["03ca0b",2304],[100000,25],{"list":[false,false,false,true,false,false]}],"#,
            r#""places":"120"}]}"#,
        ),
    );
}

#[test]
fn every_form_of_a_column() {
    let level = [5, 5, 6, 4, 5, 5, 4, 6, 5, 5, 4, 5];
    let walk = [0, 3, 1, 4, 6, 9, 7, 8, 12, 11, 14, 12];
    let fall: Vec<i64> = (0..12).map(|i| 400 - 5 * i * i).collect();
    let late = [0, 3, 0, 0, 2, 0, -4].into_iter().cycle();
    let jitter: Vec<i64> = (0..12).zip(late).map(|(i, late)| i * 100 + late).collect();
    let count: Vec<i64> = (0..12).map(|i| i * 70 + i * i / 7).collect();
    let rows: Vec<_> = (0..12usize)
        .zip(0i64..)
        .map(|(i, at)| {
            let series = [
                ("constant", decimal(215, 1)),
                ("grid", decimal(at * 5, 1)),
                ("level", level[i].into()),
                ("walk", walk[i].into()),
                ("slope", fall[i].into()),
                ("line", jitter[i].into()),
                ("drift", count[i].into()),
                ("wide", (level[i] * 10_000 + walk[i]).into()),
                ("runs", (i < 9).into()),
                (
                    "list",
                    Value::text(["idle", "ok", "йде"][i % 5 % 3]).unwrap(),
                ),
                (
                    "float",
                    Value::of_f64([0.1 + 0.2, -0.0, 1e15][i % 3]).unwrap(),
                ),
                ("large", (i64::MAX - at % 3).into()),
            ];
            let points = series.map(|(name, value)| gauge(name, "", value));
            ("x", poll(at * 1000, at.cast_unsigned(), points.into()))
        })
        .collect();
    check(
        None,
        1,
        &rows,
        concat!(
            r#"{"v":1,"class":"data","stream":"7-9f31c2d4","seq":1,"n":12,"#,
            r#""sources":[{"source":"x","polls":12,"run":"5f1c20aa","n":[0,1],"#,
            r#""time":[1790000000000,1000],"mono_zero":1789999995000,"boot":"00c0ffee","clock":"ntp","err_ms":12,"#,
            r#""names":"constant grid level walk slope line drift wide runs list float large","#,
            r#""units":"           ","kinds":"gggggggggggg","scales":"------------","#,
            r#""values":[21.5,"#,
            "[0,5],",
            r#"["001a00a100a0",5],"#,
            r#"[0,"3b323b14a3b"],"#,
            r#"[400,-5,"jjjjjjjjjj"],"#,
            r#"["030020d03002",0,100],"#,
            r#"[0,70,"0100100010"],"#,
            r#"["a991a9949992k995a9970000k998999900030002j0050003",50009],"#,
            r#"{"runs":[true,9,false,3]},"#,
            r#"{"list":["idle","ok","йде","idle","ok","idle","ok","йде","idle","ok","idle","ok"]},"#,
            r#"{"list":[0.30000000000000004,-0.0,1000000000000000.0,0.30000000000000004,-0.0,1000000000000000.0,0.30000000000000004,-0.0,1000000000000000.0,0.30000000000000004,-0.0,1000000000000000.0]},"#,
            r#"{"list":["9223372036854775807","9223372036854775806","9223372036854775805","9223372036854775807","9223372036854775806","9223372036854775805","9223372036854775807","9223372036854775806","9223372036854775805","9223372036854775807","9223372036854775806","9223372036854775805"]}],"#,
            r#""places":"010000000000"}]}"#,
        ),
    );
}

#[test]
fn readings_that_are_not_good() {
    let readings = [
        Reading::from(7),
        Reading::Missing(Reason::Timeout),
        Reading::Uncertain(8.into(), Reason::WarmingUp),
        Reading::Bad(decimal(85, 0), Reason::Implausible),
        Reading::from(9),
    ];
    let rows: Vec<_> = (0..)
        .zip(readings)
        .map(|(i, reading)| {
            let points = vec![gauge("a", "Cel", reading), gauge("b", "Cel", 1)];
            ("x", poll(i * 1000, i.cast_unsigned(), points))
        })
        .collect();
    check(
        None,
        1,
        &rows,
        concat!(
            r#"{"v":1,"class":"data","stream":"7-9f31c2d4","seq":1,"n":5,"#,
            r#""sources":[{"source":"x","polls":5,"run":"5f1c20aa","n":[0,1],"#,
            r#""time":[1790000000000,1000],"mono_zero":1789999995000,"boot":"00c0ffee","clock":"ntp","err_ms":12,"#,
            r#""names":"a b","units":"Cel Cel","kinds":"gg","scales":"--","#,
            r#""values":[["a8a97600",9],1],"#,
            r#""quality":[{"list":[null,"missing timeout","uncertain warming_up","bad implausible",null]},null]}]}"#,
        ),
    );
}

#[test]
fn polls_of_every_shape() {
    let (a, b) = (|| gauge("a", "", 1), || gauge("b", "", 2));
    let rows = [
        ("x", poll(0, 0, vec![a(), b()])),
        ("x", poll(1000, 1, vec![b()])),
        ("x", poll(2000, 2, vec![])),
        ("x", poll(3000, 3, vec![b(), a(), b()])),
        ("empty", poll(4000, 0, vec![])),
    ];
    check(
        None,
        1,
        &rows,
        concat!(
            r#"{"v":1,"class":"data","stream":"7-9f31c2d4","seq":1,"n":5,"#,
            r#""sources":[{"source":"x","polls":4,"run":"5f1c20aa","n":[0,1],"#,
            r#""time":[1790000000000,1000],"mono_zero":1789999995000,"boot":"00c0ffee","clock":"ntp","err_ms":12,"#,
            r#""names":"a b","units":" ","kinds":"gg","scales":"--","#,
            r#""shapes":[[0,1],[1],[],[1,0,1]],"shape":[0,1],"#,
            r#""values":[1,2]},"#,
            r#"{"source":"empty","polls":1,"run":"5f1c20aa","n":0,"#,
            r#""time":1790000004000,"mono_zero":1789999995000,"boot":"00c0ffee","clock":"ntp","err_ms":12,"#,
            r#""names":"","units":"","kinds":"","scales":"","#,
            r#""values":[]}]}"#,
        ),
    );
}

#[test]
fn sources_out_of_step_boots_and_no_sequence() {
    let point = || vec![gauge("a", "", 1)];
    let foreign = Poll {
        sequence: None,
        ..poll(2000, 0, point())
    };
    let mut restored = poll(-60_000, 9, point());
    restored.stamp = Stamp {
        mono_ms: 17,
        boot: BootId(1),
        clock: Clock::Restored,
        err_ms: None,
        ..restored.stamp
    };
    let rows = [
        ("late", poll(5000, u64::MAX, point())),
        ("early", poll(1000, 1, point())),
        ("early", foreign),
        ("late", restored),
    ];
    check(
        None,
        (1 << 53) + 1,
        &rows,
        concat!(
            r#"{"v":1,"class":"data","stream":"7-9f31c2d4","seq":"9007199254740993","n":4,"#,
            r#""order":["a00a",1],"#,
            r#""sources":[{"source":"late","polls":2,"run":"5f1c20aa","n":{"list":["18446744073709551615",9]},"#,
            r#""time":[1790000005000,-65000],"mono_zero":[1789999995000,-55017],"boot":{"list":["00c0ffee","00000001"]},"clock":{"list":["ntp","restored"]},"err_ms":{"list":[12,null]},"#,
            r#""names":"a","units":"","kinds":"g","scales":"-","#,
            r#""values":[1]},"#,
            r#"{"source":"early","polls":2,"run":{"list":["5f1c20aa",null]},"n":{"list":[1,null]},"#,
            r#""time":[1790000001000,1000],"mono_zero":1789999995000,"boot":"00c0ffee","clock":"ntp","err_ms":12,"#,
            r#""names":"a","units":"","kinds":"g","scales":"-","#,
            r#""values":[1]}]}"#,
        ),
    );
}
