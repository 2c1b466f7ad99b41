//! Whole cabinets: a good day, nothing at all, the worst day, and who means harm.

use super::*;

const HOUR_S: i64 = 3600;

/// A wave that is the same at every run.
fn wave(s: i64, period_s: f64, height: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "seconds of an hour")]
    let s = s as f64;
    let ripple = (s * 0.377).sin() * 0.3 + (s * 1.71).sin() * 0.15;
    height * ((s / period_s * std::f64::consts::TAU).sin() + ripple)
}

/// A poll `ago` seconds before the present of the cabinet.
fn poll(cabinet: &Cabinet, source: &str, ago: i64, points: &str) {
    let now = cabinet.app.now();
    let (time, mono_ms) = (
        now.time.plus_ms(-ago * 1000),
        now.mono_ms - ago.unsigned_abs() * 1000,
    );
    say(
        cabinet,
        &format!("data/{source}"),
        &format!(
            r#"{{"time":"{time}","mono_ms":{mono_ms},"boot":"{BOOT}","clock":"ntp","err_ms":12,"points":[{points}]}}"#
        ),
    );
}

fn gauge(name: &str, unit: &str, value: f64, decimals: usize) -> String {
    format!(r#"{{"name":"{name}","unit":"{unit}","value":{value:.decimals$}}}"#)
}

const MISSING: &str = r#","value":null,"quality":"bad","reason":"timeout"}"#;

/// The last hour of a full cabinet: signal, three temperatures, a meter, a door.
fn hour(cabinet: &Cabinet) {
    for ago in (0..HOUR_S).rev() {
        let s = HOUR_S - ago;
        if s % 60 == 0 {
            let points = [
                gauge("1/rsrp", "dBm", -97.0 + wave(s, 1900.0, 4.0), 1),
                gauge("1/rsrq", "dB", -11.0 + wave(s, 1300.0, 1.0), 1),
                gauge("1/sinr", "dB", 12.0 + wave(s, 1700.0, 3.0), 0),
                gauge("1/temperature", "Cel", 41.0 + wave(s, 3000.0, 1.0), 0),
                gauge("1/supply", "V", 3.9 + wave(s, 700.0, 0.02), 3),
                r#"{"name":"1/registration","kind":"state","value":"home"}"#.to_owned(),
            ];
            poll(cabinet, "modem", ago, &points.join(","));
        }
        // The sensors are silent for five minutes; then one of them does not answer for two.
        if s % 10 == 0 && !(1500..1800).contains(&s) {
            let air = if (1800..1920).contains(&s) {
                format!(r#"{{"name":"28-0316a2795c1a/temperature","unit":"Cel"{MISSING}"#)
            } else {
                gauge(
                    "28-0316a2795c1a/temperature",
                    "Cel",
                    21.4 + wave(s, 2600.0, 0.9),
                    2,
                )
            };
            let power =
                412.0 + wave(s, 200.0, 6.0) + if (900..1700).contains(&s) { 180.0 } else { 0.0 };
            let points = [
                air,
                gauge(
                    "28-00000a1b2c3d/temperature",
                    "Cel",
                    8.2 + wave(s, 3400.0, 0.6),
                    2,
                ),
                gauge("bme280/humidity", "%RH", 48.0 + wave(s, 2100.0, 1.5), 1),
                gauge(
                    "bme280/pressure",
                    "Pa",
                    100_120.0 + wave(s, 3600.0, 40.0),
                    0,
                ),
                gauge("cpu-temperature", "Cel", 48.2 + wave(s, 600.0, 1.2), 1),
                gauge("cpu-usage", "%", 14.0 + wave(s, 90.0, 6.0), 1),
                gauge("load-1m", "", 0.34 + wave(s, 800.0, 0.1), 2),
                gauge("memory-used", "B", 412e6 + wave(s, 1200.0, 2e6), 0),
                gauge("meter/voltage", "V", 229.0 + wave(s, 400.0, 1.3), 1),
                gauge("meter/current", "A", 1.8 + wave(s, 200.0, 0.1), 2),
                gauge("meter/power", "W", power, 0),
                format!(
                    r#"{{"name":"meter/energy","kind":"counter","unit":"kWh","value":{}.{:03}}}"#,
                    1234,
                    s / 8
                ),
                format!(
                    r#"{{"name":"meter/door-open","kind":"state","value":{}}}"#,
                    (2500..2680).contains(&s)
                ),
            ];
            poll(cabinet, "sensors", ago, &points.join(","));
        }
        if s % 30 == 0 {
            poll(
                cabinet,
                "pump-house",
                ago,
                &gauge("level", "m", 1.25 + wave(s, 3000.0, 0.3), 2),
            );
        }
    }
}

fn cabinet_named(site: Option<&str>, name: Option<&str>) -> Cabinet {
    let device = Device {
        id: "6f1d0c5a9b3e".into(),
        site: site.map(str::to_owned),
        name: name.map(str::to_owned),
        timezone: "Europe/Kyiv".into(),
    };
    let cabinet = cabinet_of(
        device,
        1_000_000_000,
        Tokens::new(None, None, "cab-1"),
        false,
    );
    cabinet.app.write(World::on_up);
    cabinet
}

/// A full cabinet on a good day.
pub(super) fn good_day() -> Cabinet {
    let cabinet = cabinet_named(Some("KYIV-017"), Some("North substation"));
    states(&cabinet);
    hour(&cabinet);
    cabinet
}

/// A machine without a HAT, sensors or a cloud: everything that is missing is missing on purpose.
pub(super) fn bare() -> Cabinet {
    let cabinet = cabinet_named(None, None);
    for (service, code) in [
        ("modem", "modem.not_configured"),
        ("gnss", "gnss.not_configured"),
        ("sensors", "sensors.not_configured"),
        ("uplink", "uplink.not_configured"),
        ("io", "sensors.not_configured"),
    ] {
        health(
            &cabinet,
            service,
            "up",
            &format!(r#"{{"code":"{code}","args":{{}}}}"#),
        );
    }
    health(&cabinet, "agent", "up", "");
    health(&cabinet, "api", "up", "");
    for ago in (0..900).rev().step_by(10) {
        let points = [
            gauge("cpu-temperature", "Cel", 51.0 + wave(ago, 300.0, 2.0), 1),
            gauge("load-1m", "", 0.2 + wave(ago, 300.0, 0.1), 2),
            gauge("memory-used", "B", 205e6, 0),
        ];
        poll(&cabinet, "sensors", ago, &points.join(","));
    }
    cabinet
}

/// Alarms, a modem that is gone, no signal for half an hour, services that are silent.
pub(super) fn worst_day() -> Cabinet {
    let long = "Підстанція «Північна-Бориспільська» №17, комірка 4, шафа телеметрії біля старого трансформатора";
    let cabinet = cabinet_named(
        Some("DNIPROPETROVSK-OBLAST-SUBSTATION-0017-CABINET-B"),
        Some(long),
    );
    states(&cabinet);
    hour(&cabinet);
    for (id, severity, code, args) in [
        (
            "modem",
            "critical",
            "modem.absent",
            r#""port":"/dev/serial/by-id/usb-SimTech__Incorporated_SimTech__Incorporated_0123456789ABCDEF-if02-port0""#,
        ),
        (
            "sensor",
            "warning",
            "sensors.device_failed",
            r#""device":"meter","reason":"timeout""#,
        ),
        (
            "uplink",
            "warning",
            "uplink.unreachable",
            r#""broker":"mqtt.a-very-long-host-name.of-a-cloud.example.net:8883","error":"connection refused""#,
        ),
    ] {
        let alarm = format!(
            r#"{{"id":"{id}","source":"{id}","code":"{code}","severity":"{severity}","active":true,"acked":false,"since":"2026-11-21T09:31:00.000Z","args":{{{args}}}}}"#
        );
        say(&cabinet, &format!("alarm/{id}"), &alarm);
    }
    health(
        &cabinet,
        "modem",
        "degraded",
        r#"{"code":"modem.absent","args":{"port":"/dev/ttyUSB2"}}"#,
    );
    health(
        &cabinet,
        "uplink",
        "down",
        r#"{"code":"service.connection_lost","args":{}}"#,
    );
    for ago in (0..1800).rev().step_by(60) {
        poll(
            &cabinet,
            "modem",
            ago,
            &format!(r#"{{"name":"1/rsrp","unit":"dBm"{MISSING}"#),
        );
    }
    cabinet
}

/// Names and values as long and as strange as they may be, and very many of them.
pub(super) fn hostile() -> Cabinet {
    let cabinet = cabinet_named(Some("<script>alert(1)</script>\"'&"), None);
    states(&cabinet);
    let words = [
        "<script>x</script>",
        "\\\"><img src=x>",
        "Надзвичайно-довге-слово-без-жодного-пробілу-щоб-зламати-таблицю",
        "&amp;amp;",
    ];
    for n in 0..250 {
        let name = format!("n{n:03}-a-very-long-name-of-a-point/with/many/parts-in-it");
        let point = match n % 4 {
            0 => format!(
                r#"{{"name":"{name}","kind":"state","value":"{}"}}"#,
                words[n / 4 % 4]
            ),
            1 => format!(
                r#"{{"name":"{name}","unit":"<b>\"'&\u007e","value":-1.7976931348623157e308}}"#
            ),
            2 => format!(
                r#"{{"name":"{name}","unit":"kWh","kind":"counter","value":9007199254740993}}"#
            ),
            _ => format!(r#"{{"name":"{name}","unit":"V"{MISSING}"#),
        };
        poll(&cabinet, "a", 5, &point);
    }
    cabinet
}
