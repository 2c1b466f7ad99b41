//! Variables: defaults, malformed and misspelt ones, strictness, the table for the documentation.

use tm_service::config::{
    BusSettings, DeviceSettings, Environment, List, LogSettings, Report, Secret, Settings,
    markdown_table,
};
use tm_types::code;

tm_service::settings! {
    /// `TM_METER_*`: a service of this test.
    pub struct Config {
        /// Where it listens.
        pub port: String = "auto",
        /// Seconds of patience (1 to 60).
        pub patience_s: u32 [1..=60] = 5,
        /// PIN of the SIM.
        pub pin: Option<Secret> = None,
        /// Who may connect.
        pub allow_from: List<u8> = "1,2,3" => "",
        /// Whether it is expected.
        pub expected: bool = true,
        /// A factor.
        pub factor: f64 = 0.5,
    }
}

fn load(variables: &[(&str, &str)]) -> (Config, Report) {
    let environment: Environment = variables.iter().copied().collect();
    let mut report = Report::new();
    LogSettings::load("TM_LOG_", &environment, &mut report);
    let config = Config::load("TM_METER_", &environment, &mut report);
    report.check_unknown(&environment, &[]);
    (config, report)
}

/// The finding of these variables: its code, the variable, the nearest name.
fn finding(variables: &[(&str, &str)]) -> Option<(String, String, Option<String>)> {
    let (_, report) = load(variables);
    assert!(report.findings().len() <= 1, "{:?}", report.findings());
    let cause = report.findings().first()?;
    let argument = |name: &str| cause.args.get(name).cloned();
    Some((
        cause.code.clone(),
        argument("name").unwrap_or_default(),
        argument("nearest"),
    ))
}

#[test]
fn defaults_hold_and_variables_override() {
    let (config, report) = load(&[]);
    assert_eq!((config.port.as_str(), config.patience_s), ("auto", 5));
    assert_eq!(
        (&*config.allow_from, config.expected),
        (&[1, 2, 3][..], true)
    );
    assert!(config.pin.is_none() && report.findings().is_empty());
    assert!((Config::default().factor - 0.5).abs() < f64::EPSILON);

    let (config, report) = load(&[
        ("TM_METER_PORT", "usb:1e0e:9001:02"),
        ("TM_METER_PATIENCE_S", " 60 "),
        ("TM_METER_PIN", "0042"),
        ("TM_METER_ALLOW_FROM", "7, 8"),
        ("TM_METER_EXPECTED", "No"),
    ]);
    assert_eq!(config.port, "usb:1e0e:9001:02");
    assert_eq!(config.patience_s, 60);
    assert_eq!(config.pin.unwrap().expose(), "0042", "text stays text");
    assert_eq!(&*config.allow_from, [7, 8]);
    assert!(!config.expected);
    assert!(report.findings().is_empty());
}

#[test]
fn empty_is_unset() {
    let (config, report) = load(&[("TM_METER_PATIENCE_S", ""), ("TM_METER_UNHEARD_OF", "")]);
    assert_eq!(config.patience_s, 5);
    assert!(report.findings().is_empty());
}

#[test]
fn malformed_values_fall_back_and_are_reported_without_their_value() {
    for (name, value) in [
        ("TM_METER_PATIENCE_S", "soon-4711"),
        ("TM_METER_PATIENCE_S", "0"),
        ("TM_METER_PATIENCE_S", "61"),
        ("TM_METER_PATIENCE_S", "-1"),
        ("TM_METER_EXPECTED", "perhaps"),
        ("TM_METER_FACTOR", "NaN"),
        ("TM_METER_ALLOW_FROM", "1,x"),
        ("TM_LOG_FORMAT", "yaml"),
    ] {
        let (code, variable, _) = finding(&[(name, value)]).expect("a finding");
        assert_eq!(code, code::CONFIG_MALFORMED_VALUE.as_str());
        assert_eq!(variable, name);
        let (config, report) = load(&[(name, value)]);
        assert_eq!(config.patience_s, 5);
        let told = format!("{:?} {:?}", report.findings(), report.effective());
        assert!(!told.contains("4711"), "{told}");
    }
}

#[test]
fn a_malformed_security_setting_falls_closed() {
    let (config, _) = load(&[("TM_METER_ALLOW_FROM", "1,everybody")]);
    assert!(config.allow_from.is_empty());
}

#[test]
fn unknown_variables_are_ignored_and_the_nearest_is_named() {
    for (name, nearest) in [
        ("TM_METER_PROT", "TM_METER_PORT"),
        ("TM_METER_PATIENCE", "TM_METER_PATIENCE_S"),
        ("TM_METRE_PORT", "TM_METER_PORT"),
        ("TM_LOG_LEVLE", "TM_LOG_LEVEL"),
        ("TM_INSTANCES", "TM_INSTANCE"),
    ] {
        let expected = (
            code::CONFIG_UNKNOWN_VARIABLE.as_str().to_owned(),
            name.to_owned(),
            Some(nearest.to_owned()),
        );
        assert_eq!(finding(&[(name, "1")]), Some(expected), "{name}");
    }
}

#[test]
fn variables_of_other_services_are_their_business() {
    for name in [
        "TM_MODEM_PROT",
        "TM_API_ALLOW_FROM",
        "TM_IO_X",
        "TM_INSTANCE",
        "PATH",
        "MQTT_ADDRESS",
    ] {
        assert_eq!(finding(&[(name, "1")]), None, "{name}");
    }
    let environment: Environment = [("TM_ROOM_PORT", "1")].into_iter().collect();
    let mut report = Report::new();
    Config::load("TM_METER_", &environment, &mut report);
    report.check_unknown(&environment, &["TM_ROOM_".to_owned()]);
    assert!(report.findings().is_empty());
}

#[test]
fn secrets_are_never_shown() {
    let (config, report) = load(&[("TM_METER_PIN", "0042"), ("TM_LOG_LEVEL", "debug")]);
    let shown = format!("{config:?} {:?} {report:?}", config.pin);
    assert!(!shown.contains("0042") && shown.contains("***"), "{shown}");
    let pin = report.effective().iter();
    let pin: Vec<_> = pin.filter(|e| e.variable == "TM_METER_PIN").collect();
    assert_eq!((pin.len(), pin[0].value.as_str()), (1, "***"));
}

#[test]
fn the_broker_is_found_by_the_first_name_that_is_set() {
    for (variables, expected) in [
        (&[][..], "mqtt://mqtt:1883"),
        (&[("MQTT_ADDRESS", "broker")][..], "broker"),
        (
            &[("MQTT_ADDRESS", "broker"), ("TM_BUS_URL", "mqtt://b:1")][..],
            "mqtt://b:1",
        ),
    ] {
        let environment: Environment = variables.iter().copied().collect();
        let settings = BusSettings::load("TM_BUS_", &environment, &mut Report::new());
        assert_eq!(settings.address(&environment), expected);
    }
}

#[test]
fn the_device_is_named_by_balena_unless_told_otherwise() {
    let device = |variables: &[(&str, &str)]| {
        let environment: Environment = variables.iter().copied().collect();
        DeviceSettings::load_device(&environment, &mut Report::new())
    };
    let balena = [("BALENA_DEVICE_UUID", "abc"), ("TM_DEVICE_SITE", "KY-12")];
    assert_eq!(device(&balena).id, "abc");
    assert_eq!(device(&balena).site.as_deref(), Some("KY-12"));
    let told = device(&[("BALENA_DEVICE_UUID", "abc"), ("TM_DEVICE_ID", "mine")]);
    assert_eq!(
        (told.id.as_str(), told.timezone.as_str()),
        ("mine", "Europe/Kyiv")
    );
}

#[test]
fn the_table_says_everything() {
    let table = markdown_table::<Config>("TM_METER_");
    let expected = "\
| variable | meaning | type | default |
|---|---|---|---|
| `TM_METER_PORT` | Where it listens. | text | `auto` |
| `TM_METER_PATIENCE_S` | Seconds of patience (1 to 60). | number, 1 to 60 | `5` |
| `TM_METER_PIN` | PIN of the SIM. | secret | – |
| `TM_METER_ALLOW_FROM` | Who may connect. | list | `1,2,3` |
| `TM_METER_EXPECTED` | Whether it is expected. | true or false | `true` |
| `TM_METER_FACTOR` | A factor. | number | `0.5` |
";
    assert_eq!(table, expected);
}
