//! A good map, and every way to spoil it.

use std::fmt::Write;

use tm_types::{Decimal, Kind};

use super::super::decode::{Encoding, WordOrder};
use super::super::map::{Table, Writable};
use super::*;
use crate::report::Deadband;
use proptest::prelude::*;

const GOOD: &str = r#"
[[device]]
name = "meter"
port = "tcp://192.0.2.10"
unit_id = 3
period_s = 10
max_count = 20
address_base = 1

[[device.register]]
name = "voltage"
function = "input"
address = 1
type = "f32"
scale = 1
unit = "V"

[[device.register]]
name = "energy"
function = "holding"
address = 343
type = "u32"
word_order = "little"
factor = 0.01
unit = "kWh"
kind = "counter"

[[device.register]]
name = "door"
function = "discrete"
address = 1

[[device]]
name = "psu"
port = "tcp://[::1]:1502"
register = [{ name = "level", function = "holding", address = 0, deadband = 5.0 }]
"#;

fn source() -> Source {
    "sensors".parse().unwrap()
}

#[test]
fn a_whole_map() {
    let [meter, psu] = parse(GOOD, &source()).unwrap().devices.try_into().unwrap();
    assert_eq!(
        meter.place,
        "tcp://192.0.2.10:502".parse::<Place>().unwrap()
    );
    assert_eq!((meter.unit_id, meter.max_hole), (3, MAX_HOLE));
    assert_eq!(
        (meter.period, meter.max_count),
        (Duration::from_secs(10), 20)
    );
    let [voltage, energy, door] = meter.registers.try_into().unwrap();
    assert_eq!(voltage.name.as_str(), "meter/voltage");
    assert_eq!(
        (voltage.address, voltage.encoding, voltage.scale),
        (0, Encoding::F32, Some(1))
    );
    assert_eq!(
        (energy.address, energy.order.words),
        (342, WordOrder::Little)
    );
    assert_eq!(
        (energy.kind, energy.factor),
        (Kind::Counter, Decimal::new(1, 2).unwrap())
    );
    assert_eq!(
        (door.table, door.encoding, door.kind),
        (Table::Discrete, Encoding::Bool, Kind::State)
    );

    assert_eq!(psu.place, "tcp://[::1]:1502".parse::<Place>().unwrap());
    assert_eq!(
        (psu.period, psu.timeout),
        (Duration::from_mins(1), Duration::from_secs(1))
    );
    assert_eq!(psu.registers[0].encoding, Encoding::U16);
    assert_eq!(psu.registers[0].deadband, Deadband::Absolute(5.0));
    assert_eq!(parse("", &source()).unwrap(), Map::default());
}

/// `from` replaced by `to` in the good map is refused at `line`, and the reason says `words`.
fn refused(from: &str, to: &str, line: usize, words: &str) {
    assert!(GOOD.contains(from), "{from}");
    let document = GOOD.replacen(from, to, 1);
    let error = parse(&document, &source()).unwrap_err();
    assert!(
        error.line == line && error.reason.contains(words),
        "{to}: {error}"
    );
}

#[test]
fn mistakes_name_their_line() {
    refused("name = \"meter\"", "name = \"Meter\"", 3, "a-z");
    refused("name = \"meter\"", "name = \"a/b\"", 3, "a-z");
    refused("name = \"psu\"", "name = \"meter\"", 34, "second device");
    refused("tcp://192.0.2.10", "192.0.2.10", 4, "tcp://");
    refused("tcp://192.0.2.10", "/dev/ttyUSB0?baud=1", 4, "baud is");
    refused("tcp://192.0.2.10", "tcp://192.0.2.10:0", 4, "tcp://");
    refused("unit_id = 3", "unit_id = 256", 5, "0 to 255");
    refused("unit_id = 3", "unit_id = -1", 5, "0 to 255");
    refused("unit_id = 3", "unit_id = \"3\"", 5, "invalid type");
    refused("unit_id = 3", "unitid = 3", 5, "unknown field");
    refused("period_s = 10", "period_s = 0", 6, "1 to");
    refused("max_count = 20", "max_count = 126", 7, "1 to 125");
    refused("max_count = 20", "max_count = 1", 11, "max_count = 1");
    refused("address_base = 1", "address_base = 2", 8, "0 to 1");
    refused(
        "function = \"input\"",
        "function = \"analog\"",
        12,
        "unknown variant",
    );
    refused("address = 1\n", "address = 0\n", 13, "address is 1");
    refused(
        "address = 1\n",
        "address = 65536\n",
        13,
        "address is 1 to 65535",
    );
    refused("type = \"f32\"", "type = \"float\"", 14, "unknown variant");
    refused("type = \"f32\"", "type = \"bool\"", 14, "coils");
    refused("scale = 1", "scale = 10", 15, "0 to 9");
    refused("unit = \"V\"", "unit = \"\u{b0}C\"", 16, "write \"Cel\"");
    refused("unit = \"V\"", "unit = \"furlong\"", 16, "not a unit");
    refused(
        "name = \"energy\"",
        "name = \"voltage\"",
        19,
        "second register",
    );
    refused(
        "function = \"holding\"\naddress = 343",
        "function = \"input\"\naddress = 2",
        21,
        "overlaps meter/voltage",
    );
    refused("factor = 0.01", "factor = 0", 24, "not 0");
    refused("factor = 0.01", "factor = 0.0", 24, "not 0");
    refused("factor = 0.01", "factor = nan", 24, "decimal number");
    refused(
        "kind = \"counter\"",
        "kind = \"total\"",
        26,
        "unknown variant",
    );
    refused("deadband = 5.0", "deadband = -1.0", 36, "not negative");
    refused("[[device.register]]", "[[device.register]", 10, "");
    refused(
        "\nregister = [{ name = \"level\", function = \"holding\", address = 0, deadband = 5.0 }]",
        "",
        34,
        "no [[device.register]]",
    );
}

/// A device with this one register is refused because of `words`, or read.
fn one(register: &str) -> Result<Register, DocumentError> {
    let document = format!(
        "[[device]]\nname='m'\nport='/dev/t'\nregister=[{{name='x',function='holding',address=0,{register}}}]\n"
    );
    let [device] = parse(&document, &source())?.devices.try_into().unwrap();
    let [register] = device.registers.try_into().unwrap();
    Ok(register)
}

#[test]
fn every_key_of_a_register() {
    let bit = one("type='bits',bit=3").unwrap();
    assert_eq!(
        (bit.encoding, bit.kind),
        (Encoding::Bits(3, 1), Kind::State)
    );
    let field = one("type='bits',bit=4,width=4").unwrap();
    assert_eq!(
        (field.encoding, field.kind),
        (Encoding::Bits(4, 4), Kind::Gauge)
    );
    let text = one("type='string',length=8,identity=true").unwrap();
    assert_eq!((text.encoding, text.kind), (Encoding::Text(8), Kind::State));
    assert!(text.rules.is_identity);
    let step = one("resolution=0.5,offset=-273.15,byte_order='little'").unwrap();
    assert_eq!((step.step, step.scale), (5, Some(1)));
    assert_eq!(step.offset, Decimal::new(-27_315, 2).unwrap());
    assert_eq!(step.order.bytes, WordOrder::Little);
    let ruled = one("deadband_percent=2,heartbeat_s=60,min=-1,max=5.5,max_rate=0.1,stale_s=300,aggregate_s=600,period_s=5").unwrap();
    assert_eq!(ruled.deadband, Deadband::Percent(2.0));
    assert_eq!(ruled.period, Some(Duration::from_secs(5)));
    let expected = Rules {
        heartbeat: Some(Duration::from_mins(1)),
        min: Some(-1.0),
        max: Some(5.5),
        max_rate: Some(0.1),
        stale: Some(Duration::from_mins(5)),
        aggregate: Some(Duration::from_mins(10)),
        ..Rules::default()
    };
    assert_eq!(ruled.rules, expected);
    let set = one("writable={min=0,max=10}").unwrap().writable;
    let (min, max) = (0.0, 10.0);
    assert_eq!(set, Some(Writable { min, max }));
    for (register, words) in [
        ("bit=3", "bits"),
        ("type='bits'", "bit is"),
        ("type='bits',bit=16", "bit is"),
        ("type='bits',bit=12,width=5", "width"),
        ("type='string'", "length"),
        ("length=4", "length"),
        ("type='string',length=33", "length"),
        ("resolution=0.5,scale=1", "not both"),
        ("resolution=0", "resolution"),
        ("offset=nan", "offset"),
        ("deadband=1,deadband_percent=1", "not both"),
        ("min=5,max=1", "less than"),
        ("max_rate=0", "max_rate"),
        ("writable={min=5,max=1}", "less than"),
        ("type='string',length=2,writable={min=0,max=1}", "number"),
        ("type='bits',bit=2,writable={min=0,max=1}", "number"),
        ("kind='counter',aggregate_s=60", "counter"),
    ] {
        let reason = one(register).unwrap_err().reason;
        assert!(reason.contains(words), "{register}: {reason}");
    }
}

#[test]
fn bits_of_one_register_share_it_when_they_differ() {
    let two = |a: &str, b: &str| {
        let register = |name: &str, keys: &str| {
            format!("{{name='{name}',function='holding',address=7,{keys}}}")
        };
        let (a, b) = (register("a", a), register("b", b));
        parse(
            &format!("[[device]]\nname='m'\nport='tcp://h'\nregister=[{a},{b}]\n"),
            &source(),
        )
    };
    assert!(two("type='bits',bit=0", "type='bits',bit=1").is_ok());
    assert!(two("type='bits',bit=0,width=2", "type='bits',bit=1").is_err());
    assert!(two("type='bits',bit=0", "type='u16'").is_err());
}

#[test]
fn channels_of_other_drivers() {
    let document = "[[channel]]\nname='28-0316a2795c1a/temperature'\noffset=-0.4\nmax_rate=1\n";
    let map = parse(document, &source()).unwrap();
    let of = |map: &Map, name: &str| map.rules.of(&PointName::new(name).unwrap()).cloned();
    let rules = of(&map, "28-0316a2795c1a/temperature").unwrap();
    let offset = Decimal::new(-4, 1).unwrap();
    assert_eq!((rules.offset, rules.max_rate), (Some(offset), Some(1.0)));
    let prefix = "[[channel]]\nname='28-*'\nresolution=0.5\n";
    let map = parse(&format!("{document}{prefix}"), &source()).unwrap();
    let step = Decimal::new(5, 1).unwrap();
    assert_eq!(
        of(&map, "28-04/temperature").unwrap().resolution,
        Some(step)
    );
    let named = of(&map, "28-0316a2795c1a/temperature").unwrap();
    assert_eq!((named.offset, named.resolution), (Some(offset), None));
    for (document, line, words) in [
        (format!("{document}{document}"), 6, "second"),
        ("[[channel]]\nname='A b'\n".to_owned(), 2, ""),
        (format!("{document}limit=3\n"), 5, "unknown field"),
        (
            format!("{GOOD}\n[[channel]]\nname='psu/level'\n"),
            39,
            "register",
        ),
        (
            format!("{GOOD}\n[[channel]]\nname='psu/*'\n"),
            39,
            "is a register",
        ),
        (
            format!("{prefix}{prefix}"),
            5,
            "second channel is called 28-*",
        ),
        ("[[channel]]\nname='A*'\n".to_owned(), 2, ""),
        ("[[channel]]\nname='a*b'\n".to_owned(), 2, ""),
        (
            "[[channel]]\nname='a'\nresolution=0\n".to_owned(),
            3,
            "resolution",
        ),
        (
            "[[channel]]\nname='a'\noffset=inf\n".to_owned(),
            3,
            "offset",
        ),
    ] {
        let error = parse(&document, &source()).unwrap_err();
        assert!(
            error.line == line && error.reason.contains(words),
            "{document}: {error}"
        );
    }
}

#[test]
fn one_bus_is_spoken_in_one_way() {
    let device = |name: &str, port: &str| {
        format!(
            "[[device]]\nname='{name}'\nport='{port}'\nregister=[{{name='x',function='input',address=0}}]\n"
        )
    };
    let two = |a: &str, b: &str| parse(&format!("{}{}", device("a", a), device("b", b)), &source());
    assert!(two("/dev/t?baud=9600", "/dev/t").is_ok());
    let error = two("/dev/t?baud=9600", "/dev/t?baud=19200").unwrap_err();
    assert_eq!(
        (error.line, error.reason.contains("other settings")),
        (7, true)
    );
}

#[test]
fn the_map_in_the_documentation() {
    let page = include_str!("../../../../../docs/sensors.md");
    let (_, rest) = page.split_once("```toml\n").unwrap();
    let (document, _) = rest.split_once("```").unwrap();
    let devices = parse(document, &source()).unwrap().devices;
    assert_eq!(devices[0].registers.len(), 3);
}

#[test]
fn a_series_id_has_its_limit() {
    let long: Source = "s".repeat(32).parse().unwrap();
    let document = GOOD.replace(
        "name = \"voltage\"",
        &format!("name = \"{}\"", "v".repeat(30)),
    );
    let error = parse(&document, &long).unwrap_err();
    assert_eq!(error.line, 11);
    assert!(parse(&document, &"s".parse().unwrap()).is_ok());
}

#[test]
fn absurd_documents() {
    assert_eq!(
        parse(&" ".repeat(DOCUMENT_MAX + 1), &source())
            .unwrap_err()
            .line,
        1
    );
    let mut many = GOOD.to_owned();
    for address in 0..REGISTERS_MAX {
        write!(
            many,
            "\n[[device.register]]\nname='r{address}'\nfunction='input'\naddress={address}\n"
        )
        .unwrap();
    }
    assert!(parse(&many, &source()).is_err());
}

proptest! {
    #[test]
    fn nothing_panics(start in 0..GOOD.len(), length in 0..40_usize, insert in "[ -~\n]{0,10}") {
        let end = (start + length).min(GOOD.len());
        prop_assume!(GOOD.is_char_boundary(start) && GOOD.is_char_boundary(end));
        let document = format!("{}{insert}{}", &GOOD[..start], &GOOD[end..]);
        if let Err(error) = parse(&document, &source()) {
            prop_assert!(error.line >= 1 && error.line <= 1 + document.lines().count());
        }
    }
}
