//! Whatever arrives, the decoder answers with records or an error, soon and in little memory.

#![expect(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use tm_columns::cabinet::Cabinet;
use tm_columns::{Batch, Encoder, Error, Header, decode, decode_json};

const SOUND: &str = concat!(
    r#"{"v":1,"class":"data","stream":"s","seq":7,"n":3,"order":[0,0],"sources":[{"source":"x","#,
    r#""polls":3,"run":"5f1c20aa","n":[0,1],"time":[1000,1000],"mono_zero":0,"boot":"00c0ffee","#,
    r#""clock":"ntp","err_ms":{"runs":[1,2,null,1]},"names":"a b","units":"V ","kinds":"gs","#,
    r#""scales":"1-","shapes":[[0,1],[1,0]],"shape":["010",0],"values":[["0a0",2304],1],"#,
    r#""quality":[null,{"list":["bad rate",null,null]}]}]}"#,
);

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(data).unwrap();
    gzip.finish().unwrap()
}

fn standard() -> Vec<u8> {
    let mut batch = Batch::new();
    for (seq, (source, poll)) in (0..).zip(Cabinet::new(1, true).take(42)) {
        batch.push_poll(seq, &source, &poll).unwrap();
    }
    Encoder::new().json(&Header::default(), &batch).to_vec()
}

#[test]
fn each_contradiction_has_its_name() {
    assert_eq!(decode_json(SOUND.as_bytes()).unwrap().records.len(), 3);
    for (part, instead, field) in [
        (r#""seq":7"#, r#""seq":-7"#, "seq"),
        (r#""seq":7"#, r#""seq":"18446744073709551614""#, "seq"),
        (r#""seq":7"#, r#""seq":1.5"#, "seq"),
        (r#""n":3"#, r#""n":4"#, "n"),
        (r#""polls":3"#, r#""polls":4"#, "n"),
        (r#""order":[0,0]"#, r#""order":[0,1]"#, "order"),
        (r#""order":[0,0]"#, r#""order":-1"#, "order"),
        (r#""run":"5f1c20aa""#, r#""run":"5f1c20a""#, "run"),
        (r#""n":[0,1]"#, r#""n":[0,-1]"#, "n"),
        (r#""n":[0,1]"#, r#""n":null"#, "run"),
        ("[1000,1000]", "[1000,9000000000000000000]", "time"),
        ("[1000,1000]", "[1000,200000000000000]", "time"),
        ("[1000,1000]", r#"["zz",1000]"#, "time"),
        (r#""mono_zero":0"#, r#""mono_zero":2500"#, "mono_zero"),
        (r#""00c0ffee""#, "7", "boot"),
        (r#""ntp""#, r#""sundial""#, "clock"),
        ("[1,2,null,1]", "[1,2,-1,1]", "err_ms"),
        ("[1,2,null,1]", "[1,2,null,2]", "err_ms"),
        ("[1,2,null,1]", "[1,18446744073709551615]", "err_ms"),
        (r#""a b""#, r#""a b c""#, "names"),
        (r#""a b""#, r#""a B""#, "names"),
        (r#""V ""#, r#""V""#, "units"),
        (r#""gs""#, r#""gx""#, "kinds"),
        (r#""1-""#, r#""G-""#, "scales"),
        ("[1,0]]", "[1,2]]", "shapes"),
        (r#"["010",0]"#, r#"["020",0]"#, "shapes"),
        (r#""0a0""#, r#""0a0b""#, "values"),
        ("2304]", "9223372036854775807]", "values"),
        ("2304],1],", "2304],null],", "values"),
        (r#""bad rate""#, r#""awful rate""#, "quality"),
        (r#""bad rate""#, r#""bad""#, "quality"),
        (
            r#"[null,{"list":["bad rate",null,null]}]"#,
            "[null]",
            "quality",
        ),
    ] {
        let json = SOUND.replacen(part, instead, 1);
        assert_ne!(json, SOUND, "{part}");
        match decode_json(json.as_bytes()) {
            Err(Error::Invalid(named)) => assert_eq!(named, field, "{instead}"),
            other => panic!("{instead}: {other:?}"),
        }
    }
}

#[test]
fn other_versions_and_other_things() {
    for (json, version) in [
        (SOUND.replacen("\"v\":1", "\"v\":2", 1), 2),
        (r#"{"v":9}"#.into(), 9),
    ] {
        assert!(matches!(decode_json(json.as_bytes()), Err(Error::Version(v)) if v == version));
    }
    for json in [
        "",
        "null",
        "[]",
        "{}",
        r#"{"v":1}"#,
        &SOUND[..SOUND.len() - 1],
    ] {
        assert!(
            matches!(decode_json(json.as_bytes()), Err(Error::Json(_))),
            "{json}"
        );
    }
    for column in [
        "[]",
        "[1]",
        "[1,2,3]",
        "[\"0\",\"0\"]",
        "[1,2,\"0\",3]",
        "{}",
        "{\"sum\":[1]}",
        "{\"list\":[1],\"runs\":[]}",
    ] {
        let json = SOUND.replacen("[1000,1000]", column, 1);
        assert!(
            matches!(decode_json(json.as_bytes()), Err(Error::Json(_))),
            "{column}"
        );
    }
    assert!(matches!(decode(SOUND.as_bytes()), Err(Error::Packed(_))));
    assert_eq!(decode(&gzip(SOUND.as_bytes())).unwrap().records.len(), 3);
}

#[test]
fn bombs() {
    let zeros = gzip(&vec![b' '; 17 << 20]);
    assert!(matches!(decode(&zeros), Err(Error::TooLarge)));
    let many = SOUND.replace(":3,", ":4000000000,");
    assert!(matches!(decode_json(many.as_bytes()), Err(Error::TooLarge)));
    // 65 536 polls of 6 000 points each, in a few kilobytes.
    let json = SOUND
        .replace(":3,", ":65536,")
        .replace("[[0,1],[1,0]]", &format!("[[0{}]]", ",0".repeat(6000)))
        .replace(r#"["010",0]"#, "0");
    assert!(matches!(decode_json(json.as_bytes()), Err(Error::TooLarge)));
}

proptest! {
    #[test]
    fn garbage(bytes: Vec<u8>) {
        let _ = decode(&bytes);
        let _ = decode(&gzip(&bytes));
        let _ = decode_json(&bytes);
    }

    #[test]
    fn mutated_payloads(at in any::<prop::sample::Index>(), byte: u8, length in 0usize..3) {
        for sound in [SOUND.as_bytes(), &standard()] {
            let mut json = sound.to_vec();
            let at = at.index(json.len());
            let end = (at + length).min(json.len());
            json.splice(at..end, [byte]);
            let _ = decode_json(&json);
            let mut packed = gzip(sound);
            let at = at % packed.len();
            packed[at] ^= byte;
            let _ = decode(&packed);
        }
    }

    #[test]
    fn fields_of_another(at in any::<prop::sample::Index>(), from in any::<prop::sample::Index>()) {
        let sound = String::from_utf8(standard()).unwrap();
        let parts: Vec<&str> = sound.split(',').collect();
        let mut mixed = parts.clone();
        mixed[at.index(parts.len())] = parts[from.index(parts.len())];
        let _ = decode_json(mixed.join(",").as_bytes());
    }
}
