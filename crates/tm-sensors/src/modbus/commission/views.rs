//! Registers as everything they may mean.

use serde_json::{Map, Value as Json, json};

use super::super::map::Table;

/// Numbers beyond this are JSON strings: a reader's double would round them.
const EXACT_MAX: u64 = 1 << 53;

/// One object for each register; what it cannot reasonably be is left out.
///
/// `big` and `little` say which register comes first, as `word_order` does in a map.
pub(super) fn rows(table: Table, address: u16, words: &[u16]) -> Vec<Json> {
    (0..words.len())
        .map(|at| row(table, usize::from(address) + at, &words[at..]))
        .collect()
}

fn row(table: Table, address: usize, words: &[u16]) -> Json {
    let word = words[0];
    if table.is_bits() {
        return json!({"address": address, "bool": word != 0});
    }
    let mut row = Map::new();
    let mut put = |name: &str, value: Option<Json>| {
        if let Some(value) = value {
            row.insert(name.to_owned(), value);
        }
    };
    put("address", Some(json!(address)));
    put("hex", Some(json!(format!("{word:04x}"))));
    put("u16", Some(json!(word)));
    put("i16", (word > 0x7fff).then(|| json!(word.cast_signed())));
    if let Some(pair) = words.get(..2) {
        let both = |meaning: fn(u32) -> Option<Json>| orders(pair, |bits| meaning(low(bits)));
        put("u32", both(|bits| Some(json!(bits))));
        let signed = |bits: u32| (bits >> 31 == 1).then(|| json!(bits.cast_signed()));
        put("i32", both(signed));
        put("f32", both(|bits| float32(f32::from_bits(bits))));
    }
    if let Some(four) = words.get(..4) {
        put("u64", orders(four, |bits| Some(whole64(bits))));
        put("f64", orders(four, |bits| float(f64::from_bits(bits))));
    }
    Json::Object(row)
}

/// The meaning in both orders; none when it has none in either.
fn orders(words: &[u16], meaning: impl Fn(u64) -> Option<Json>) -> Option<Json> {
    let join = |bits: u64, word: &u16| (bits << 16) | u64::from(*word);
    let big = meaning(words.iter().fold(0, join));
    let little = meaning(words.iter().rev().fold(0, join));
    let mut both = Map::new();
    for (name, value) in [("big", big), ("little", little)] {
        if let Some(value) = value {
            both.insert(name.to_owned(), value);
        }
    }
    (!both.is_empty()).then_some(Json::Object(both))
}

fn low(bits: u64) -> u32 {
    let [.., a, b, c, d] = bits.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

fn whole64(bits: u64) -> Json {
    if bits <= EXACT_MAX {
        json!(bits)
    } else {
        json!(bits.to_string())
    }
}

/// The number that its shortest text stands for: 230.1, not 230.10000610351562.
fn float32(number: f32) -> Option<Json> {
    float(number.to_string().parse().ok()?)
}

/// A float that somebody may have measured; random bits rarely are one.
fn float(number: f64) -> Option<Json> {
    let size = number.abs();
    (size == 0.0 || (1e-6..1e10).contains(&size)).then(|| json!(number))
}

/// The text that the registers hold, two characters in each; none when most of it is no text.
pub(super) fn text(words: &[u16]) -> Option<String> {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
    let is_text = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ';
    let n_text = bytes.iter().filter(|byte| byte.is_ascii_graphic()).count();
    let n_other = bytes.iter().filter(|b| !is_text(b) && **b != 0).count();
    if n_text < 2 || n_other > 0 {
        return None;
    }
    let text = bytes.iter().filter(|byte| **byte != 0);
    let text: String = text.map(|byte| char::from(*byte)).collect();
    Some(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::args::COUNT_MAX;
    use super::*;

    #[test]
    fn every_meaning() {
        // 230.1 as IEEE 754: 0x4366199A.
        let rows = rows(Table::Input, 10, &[0x4366, 0x199a, 0xffff, 0xfffe]);
        assert_eq!(
            rows[0],
            json!({"address": 10, "hex": "4366", "u16": 17254,
                "u32": {"big": 1_130_764_698, "little": 429_540_198}, "f32": {"big": 230.1},
                "u64": {"big": "4856597401676283902", "little": "18446462594867413862"}})
        );
        assert_eq!(
            rows[2],
            json!({"address": 12, "hex": "ffff", "u16": 65535, "i16": -1,
                "u32": {"big": 4_294_967_294_u32, "little": 4_294_901_759_u32},
                "i32": {"big": -2, "little": -65537}})
        );
        assert_eq!(
            rows[3],
            json!({"address": 13, "hex": "fffe", "u16": 65534, "i16": -2})
        );
        let little = &super::rows(Table::Holding, 0, &[0x199a, 0x4366])[0];
        assert_eq!(little["f32"]["little"], json!(230.1));
    }

    #[test]
    fn bits() {
        assert_eq!(
            rows(Table::Coil, 5, &[1, 0]),
            [
                json!({"address": 5, "bool": true}),
                json!({"address": 6, "bool": false})
            ]
        );
    }

    #[test]
    fn texts() {
        for (words, expected) in [
            (&[0x6945, 0x4d33, 0x3135, 0x3500][..], Some("iEM3155")),
            (&[0x2041, 0x4220], Some("AB")),
            (&[0, 0], None),
            (&[0x0001, 0x4142], None),
            (&[], None),
        ] {
            assert_eq!(text(words).as_deref(), expected, "{words:x?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_there_fits_a_message(words in proptest::collection::vec(any::<u16>(), 0..=usize::from(COUNT_MAX))) {
            let shown = json!(rows(Table::Holding, u16::MAX, &words)).to_string();
            prop_assert!(shown.len() < 16 * 1024, "{}", shown.len());
            let _ = text(&words);
        }
    }
}
