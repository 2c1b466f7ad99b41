//! Two messages byte by byte, read by hand with the schema beside them.

#![expect(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

mod rig;

use rig::{Rig, config, point};
use tm_sparkplug::Event;
use tm_types::{Kind, Point, PointName, Reading, Reason, Unit, Value};

/// Bytes as two hex digits each; what stands behind `|` is for people.
fn bytes(lines: &[&str]) -> Vec<u8> {
    let digits = lines.iter().map(|line| line.split('|').next().unwrap());
    let digits = digits.flat_map(str::split_whitespace);
    digits
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect()
}

fn check(got: &[u8], expected: &[&str]) {
    let expected = bytes(expected);
    assert_eq!(format!("{got:02x?}"), format!("{expected:02x?}"));
}

fn temperature(reading: impl Into<Reading>) -> Point {
    Point {
        name: PointName::new("temp").unwrap(),
        kind: Kind::Gauge,
        unit: Unit::new("Cel").unwrap(),
        reading: reading.into(),
        scale: Some(1),
    }
}

/// 1790000000000 as a varint: 52·2^35 + 12·2^28 + 34·2^21 + 65·2^14 + 88·2^7 + 0.
const TIME: &str = "80 d8 c1 a2 8c 34";
/// A quarter of a second later: 1790000000250.
const LATER: &str = "fa d9 c1 a2 8c 34";

#[test]
fn births_and_data() {
    let mut rig = Rig::new(config());
    let points = vec![temperature(Value::decimal(215, 1).unwrap()), point("n", -2)];
    rig.remember("tank", points);
    let will = rig.begin(0).will;
    let births = rig.on(Event::Connected).sent;
    rig.wait(250);
    let lost = point("n", Reading::Missing(Reason::Timeout));
    let data = rig.live(1, "tank", vec![temperature(Value::from(22)), lost]);

    let bd_seq = [
        "12 12          | metrics, 18 bytes",
        "0a 05          | name",
        "62 64 53 65 71 | bdSeq",
        "18",
        TIME,
        "20 04          | datatype Int64",
        "58 07          | long_value 7",
    ];
    check(&will.payload, &[&["08", TIME][..], &bd_seq].concat());

    let nbirth = [
        "12 21          | metrics, 33 bytes",
        "0a 14          | name",
        "4e 6f 64 65 20 43 6f 6e 74 72 6f 6c 2f 52 65 62 69 72 74 68",
        "18             | timestamp",
        TIME,
        "20 0b          | datatype Boolean",
        "70 00          | boolean_value false",
        "18 00          | seq",
    ];
    let expected = [&["08", TIME][..], &bd_seq, &nbirth].concat();
    check(&births[0].0.payload, &expected);

    check(
        &births[1].0.payload,
        &[
            "08             | timestamp",
            TIME,
            "12 4c          | metrics, 76 bytes",
            "0a 04 74 65 6d 70 | name temp",
            "10 01          | alias",
            "18             | timestamp",
            TIME,
            "20 0a          | datatype Double",
            "4a 30          | properties, 48 bytes",
            "0a 07 51 75 61 6c 69 74 79 | key Quality",
            "0a 06 72 65 61 73 6f 6e    | key reason",
            "0a 07 65 6e 67 55 6e 69 74 | key engUnit",
            "12 05 08 03 18 c0 01       | Int32, int_value 192",
            "12 04 08 0c 10 01          | String, is_null",
            "12 07 08 0c 42 03 43 65 6c | String, string_value Cel",
            "69 00 00 00 00 00 80 35 40 | double_value 21.5",
            "12 39          | metrics, 57 bytes",
            "0a 01 6e       | name n",
            "10 02          | alias",
            "18             | timestamp",
            TIME,
            "20 04          | datatype Int64",
            "4a 1e          | properties, 30 bytes",
            "0a 07 51 75 61 6c 69 74 79 | key Quality",
            "0a 06 72 65 61 73 6f 6e    | key reason",
            "12 05 08 03 18 c0 01       | Int32, int_value 192",
            "12 04 08 0c 10 01          | String, is_null",
            "58 fe ff ff ff ff ff ff ff ff 01 | long_value -2",
            "18 01          | seq",
        ],
    );

    check(
        &data.only().0.payload,
        &[
            "08             | timestamp",
            LATER,
            "12 12          | metrics, 18 bytes",
            "10 01          | alias of temp",
            "18             | timestamp",
            LATER,
            "69 00 00 00 00 00 00 36 40 | double_value 22, for the birth said Double",
            "12 31          | metrics, 49 bytes",
            "10 02          | alias of n",
            "18             | timestamp",
            LATER,
            "38 01          | is_null",
            "4a 24          | properties, 36 bytes",
            "0a 07 51 75 61 6c 69 74 79 | key Quality",
            "0a 06 72 65 61 73 6f 6e    | key reason",
            "12 04 08 03 18 00          | Int32, int_value 0",
            "12 0b 08 0c 42 07 74 69 6d 65 6f 75 74 | String, string_value timeout",
            "18 02          | seq",
        ],
    );
}
