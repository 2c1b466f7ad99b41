//! A good document, and every way to spoil it.

use super::*;
use proptest::prelude::*;

const GOOD: &str = r#"
[[contact]]
name = "door-open"
line = 17
bias = "pull-up"

[[contact]]
name = "mains"
chip = "gpiochip4"
line = "GPIO22"
inverted = true
debounce_ms = 200

[[pulse]]
name = "energy"
line = 27
inverted = true
bias = "pull-up"
pulses_per_unit = 1000
unit = "kWh"
start = 12345.67
period_s = 30

[[pulse]]
name = "water"
line = 5
pulses_per_unit = 0.1
max_hz = 10
"#;

fn read(document: &str) -> Result<Vec<Spec>, DocumentError> {
    parse(document, &"io".parse().unwrap(), &["meter".to_owned()])
}

#[test]
fn a_whole_document() {
    let specs: [Spec; 4] = read(GOOD).unwrap().try_into().unwrap();
    let [
        Spec::Contact(door),
        Spec::Contact(mains),
        Spec::Pulse(energy),
        Spec::Pulse(water),
    ] = specs
    else {
        panic!("{GOOD}");
    };
    assert_eq!(door.name.as_str(), "door-open");
    let expected = Wire {
        chip: "gpiochip0".to_owned(),
        line: LineName::Number(17),
        inverted: false,
        bias: Bias::PullUp,
        debounce: Duration::from_millis(50),
        edges: Edges::Both,
    };
    assert_eq!(door.wire, expected);
    let expected = Wire {
        chip: "gpiochip4".to_owned(),
        line: LineName::Name("GPIO22".to_owned()),
        inverted: true,
        bias: Bias::AsIs,
        debounce: Duration::from_millis(200),
        edges: Edges::Both,
    };
    assert_eq!(mains.wire, expected);
    assert_eq!(
        (energy.unit.as_str(), energy.period),
        ("kWh", Duration::from_secs(30))
    );
    assert_eq!(
        (energy.scale.per_unit, energy.scale.start),
        (Decimal::integer(1000), Decimal::new(1_234_567, 2).unwrap())
    );
    assert_eq!(
        (energy.wire.edges, energy.wire.debounce, energy.max_hz),
        (Edges::Active, Duration::from_millis(5), 100)
    );
    assert_eq!(
        (water.scale.per_unit, water.max_hz),
        (Decimal::new(1, 1).unwrap(), 10)
    );
    assert_eq!(
        (water.unit.as_str(), water.period),
        ("", Duration::from_mins(1))
    );
    assert_eq!(read("").unwrap(), []);
    // An expander has lines of its own by these numbers.
    let expander = "[[contact]]\nname = 'x'\nchip = 'gpiochip2'\nline = 4\n";
    assert_eq!(read(expander).unwrap().len(), 1);
}

#[test]
fn the_example_in_the_documentation() {
    let page = include_str!("../../../../../docs/sensors.md");
    let section = page
        .split("## Contacts and counters on GPIO")
        .nth(1)
        .unwrap();
    let example = section.split("```toml").nth(1).unwrap();
    let example = example.split("```").next().unwrap();
    let specs = read(example).unwrap();
    let names: Vec<&str> = specs.iter().map(|spec| spec.name().as_str()).collect();
    assert_eq!(names, ["door-open", "mains-present", "tank-low", "energy"]);
}

/// `from` replaced by `to` in the good document is refused at `line`, and the reason says `words`.
fn refused(from: &str, to: &str, line: usize, words: &str) {
    assert!(GOOD.contains(from), "{from}");
    let error = read(&GOOD.replacen(from, to, 1)).unwrap_err();
    assert!(
        error.line == line && error.reason.contains(words),
        "{to}: {error}"
    );
}

#[test]
fn mistakes() {
    refused("\"door-open\"", "\"Door\"", 3, "a-z, 0-9 and -");
    refused("\"door-open\"", "\"a/b\"", 3, "a-z, 0-9 and -");
    refused("\"door-open\"", &format!("\"{}\"", "x".repeat(62)), 3, "64");
    refused(
        "\"door-open\"",
        "\"mains\"",
        8,
        "a second device is called mains",
    );
    refused(
        "\"door-open\"",
        "\"meter\"",
        3,
        "a second device is called meter",
    );
    refused(
        "\"water\"",
        "\"energy\"",
        25,
        "a second device is called energy",
    );
    refused("line = 17", "line = -1", 4, "0 to 1023");
    refused("line = 17", "line = 1024", 4, "0 to 1023");
    refused("line = 17", "line = \"\"", 4, "1 to 31");
    refused("line = 17", "line = 4", 4, "flight-mode line");
    refused("line = 5", "line = 6", 26, "power key");
    refused("\"GPIO22\"", "\"GPIO4\"", 10, "flight-mode line");
    refused("line = 17", "line = true", 4, "a number or a name");
    refused("line = 17", "line = 27", 16, "another input already");
    refused("line = 17\n", "", 2, "line");
    refused("\"gpiochip4\"", "\"../../etc/passwd\"", 9, "gpiochip0");
    refused("\"gpiochip4\"", "\"\"", 9, "gpiochip0");
    refused("\"pull-up\"", "\"up\"", 5, "pull-up");
    refused("debounce_ms = 200", "debounce_ms = 10001", 12, "0 to 10000");
    refused("debounce_ms = 200", "debounce = 200", 12, "debounce");
    refused("inverted = true", "inverted = \"yes\"", 11, "boolean");
    refused(
        "pulses_per_unit = 1000",
        "pulses_per_unit = 0",
        19,
        "more than 0",
    );
    refused(
        "pulses_per_unit = 1000",
        "pulses_per_unit = -5",
        19,
        "more than 0",
    );
    refused(
        "pulses_per_unit = 1000",
        "pulses_per_unit = nan",
        19,
        "more than 0",
    );
    refused("pulses_per_unit = 1000\n", "", 14, "pulses_per_unit");
    refused("\"kWh\"", "\"KWH\"", 20, "write \"kWh\"");
    refused("start = 12345.67", "start = -1", 21, "not negative");
    refused("start = 12345.67", "start = 1e300", 21, "15 digits");
    refused("period_s = 30", "period_s = 0", 22, "1 to 86400");
    refused("max_hz = 10", "max_hz = 1001", 28, "1 to 1000");
    refused("[[pulse]]", "[[pulses]]", 14, "pulses");
    refused("[[contact]]", "[[contact]", 2, "");
    let long = read(&"#".repeat(DOCUMENT_MAX + 1)).unwrap_err();
    assert!(long.reason.contains("longer"), "{long}");
    let many = (0..=INPUTS_MAX).map(|i| format!("[[contact]]\nname = \"c{i}\"\nline = 1{i}\n"));
    let many = many.collect::<Vec<_>>().concat();
    let many = read(&many).unwrap_err();
    assert!(many.reason.contains("more than 64"), "{many}");
}

proptest! {
    #[test]
    fn nothing_panics(text in "(\\[\\[(contact|pulse)\\]\\]\n)?((name|line|chip|start|bias) = [ -~]{0,12}\n){0,4}") {
        let _ = read(&text);
    }
}
