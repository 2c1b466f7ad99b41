//! Things that happen at given times: `10s unplug; 30s plug; 60s no-sky`.

use std::{str::FromStr, time::Duration};

use tokio::time::{Instant, sleep_until};

use crate::{
    cabinet::Stage, gate::GateMode, modbus::ModbusMode, modem_manager, sim7600::Scenario,
    sysfs::SensorFault,
};

/// Something that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// To the modem, its SIM, its network or its sky.
    Modem(Scenario),
    /// To ModemManager, NetworkManager and the modem behind them.
    Manager(modem_manager::Scenario),
    /// Garbage on both lines of the modem.
    Garbage,
    /// The modem's power key is pressed that long.
    PowerKey(Duration),
    /// The modem's USB device is taken from its driver and given back.
    UsbRebind,
    /// A text message for the modem arrives.
    Message(&'static str),
    /// The operator takes no messages, or takes them again.
    MessagesRefused(bool),
    /// To the energy meter.
    Meter(ModbusMode),
    /// To the cabinet's door: open or not.
    Door(bool),
    /// To the mains that the meter measures: present or not.
    Mains(bool),
    /// To the supply of the modem and the meter. What else hangs on it is its owner's business.
    Power(bool),
    /// To the first 1-Wire sensor; nothing mends it.
    Sensor(Option<SensorFault>),
    /// To the supply of the Raspberry Pi: under-voltage or not.
    UnderVoltage(bool),
    /// To the way to the cloud.
    Link(GateMode),
    /// Every connection on the way to the cloud is closed.
    LinkCut,
}

impl Event {
    /// The events beside those of [`Scenario::ALL`], and of [`modem_manager::Scenario::ALL`] behind `mm-`, with their names
    /// on a command line.
    pub const OTHERS: [(&'static str, Self); 29] = [
        ("garbage", Self::Garbage),
        (
            "power-key-short",
            Self::PowerKey(Duration::from_millis(1200)),
        ),
        ("power-key-long", Self::PowerKey(Duration::from_secs(3))),
        ("usb-rebind", Self::UsbRebind),
        ("message", Self::Message("Balance 152.40 UAH")),
        (
            "message-long",
            Self::Message(
                "Шановний абоненте! Ваш тариф подовжено до 31.12.2026. Залишок на рахунку 152,40 грн, трафік 812 МБ.",
            ),
        ),
        ("messages-refused", Self::MessagesRefused(true)),
        ("messages-normal", Self::MessagesRefused(false)),
        ("meter-normal", Self::Meter(ModbusMode::Normal)),
        ("meter-silent", Self::Meter(ModbusMode::Silent)),
        (
            "meter-exception",
            Self::Meter(ModbusMode::Exception { address: 0 }),
        ),
        ("meter-gone", Self::Meter(ModbusMode::Gone)),
        ("door-open", Self::Door(true)),
        ("door-closed", Self::Door(false)),
        ("mains-lost", Self::Mains(false)),
        ("mains-back", Self::Mains(true)),
        ("power-cut", Self::Power(false)),
        ("power-back", Self::Power(true)),
        ("sensor-normal", Self::Sensor(None)),
        ("sensor-removed", Self::Sensor(Some(SensorFault::Removed))),
        ("sensor-garbage", Self::Sensor(Some(SensorFault::Garbage))),
        ("sensor-85", Self::Sensor(Some(SensorFault::PowerOn))),
        ("sensor-crc", Self::Sensor(Some(SensorFault::BadCrc))),
        ("under-voltage", Self::UnderVoltage(true)),
        ("voltage-normal", Self::UnderVoltage(false)),
        ("link-normal", Self::Link(GateMode::Forward)),
        ("link-refuse", Self::Link(GateMode::Refuse)),
        ("link-stall", Self::Link(GateMode::Stall)),
        ("link-cut", Self::LinkCut),
    ];

    /// The names of all events, for a help text.
    pub fn names() -> Vec<String> {
        let scenarios = Scenario::ALL.iter().map(|(name, _)| (*name).to_owned());
        let managers = modem_manager::Scenario::ALL.iter();
        scenarios
            .chain(Self::OTHERS.iter().map(|(name, _)| (*name).to_owned()))
            .chain(managers.map(|(name, _)| format!("{MANAGER}{name}")))
            .collect()
    }

    fn named(name: &str) -> Option<Self> {
        if let Some(name) = name.strip_prefix(MANAGER) {
            return name.parse().map(Self::Manager).ok();
        }
        let other = || {
            Self::OTHERS
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, event)| *event)
        };
        name.parse().map(Self::Modem).ok().or_else(other)
    }
}

/// Before the name of what happens to ModemManager's twin, as in `mm-stalled`.
const MANAGER: &str = "mm-";

/// Events with their times from the start, in order of time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Script(Vec<(Duration, Event)>);

/// Why a text is no script.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// A step is not a time and an event.
    #[error("a step is a time and an event, such as `10s unplug`, not {0:?}")]
    Step(String),
    /// A time is not a number with `ms`, `s`, `m` or `h`.
    #[error("a time is a number with ms, s, m or h, not {0:?}")]
    Time(String),
    /// An event is not known.
    #[error("no event is called {0:?}")]
    Event(String),
}

impl Script {
    /// The steps.
    pub fn steps(&self) -> &[(Duration, Event)] {
        &self.0
    }

    /// Plays all of it from now on; ends after the last event.
    pub async fn play(&self, stage: &Stage) {
        let start = Instant::now();
        for (after, event) in &self.0 {
            sleep_until(start + *after).await;
            stage.act(*event);
        }
    }
}

impl FromStr for Script {
    type Err = ScriptError;

    /// Steps are divided by `;` or a new line; an empty text is an empty script.
    fn from_str(text: &str) -> Result<Self, ScriptError> {
        let steps = text
            .split([';', '\n'])
            .map(str::trim)
            .filter(|step| !step.is_empty());
        let mut steps = steps.map(step).collect::<Result<Vec<_>, _>>()?;
        steps.sort_by_key(|(after, _)| *after);
        Ok(Self(steps))
    }
}

fn step(text: &str) -> Result<(Duration, Event), ScriptError> {
    let wrong = || ScriptError::Step(text.to_owned());
    let (after, event) = text.split_once(char::is_whitespace).ok_or_else(wrong)?;
    let event = event.trim();
    let event = Event::named(event).ok_or_else(|| ScriptError::Event(event.to_owned()))?;
    Ok((time(after)?, event))
}

fn time(text: &str) -> Result<Duration, ScriptError> {
    let wrong = || ScriptError::Time(text.to_owned());
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?);
    let number: u32 = number.parse().map_err(|_| wrong())?;
    let unit = match unit {
        "ms" => Duration::from_millis(1),
        "s" => Duration::from_secs(1),
        "m" => Duration::from_mins(1),
        "h" => Duration::from_hours(1),
        _ => return Err(wrong()),
    };
    Ok(unit * number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_read_in_order_of_time() {
        let script: Script = "10s unplug; 500ms no-sim;\n2m link-cut;".parse().unwrap();
        let expected = [
            (Duration::from_millis(500), Event::Modem(Scenario::NoSim)),
            (Duration::from_secs(10), Event::Modem(Scenario::Unplugged)),
            (Duration::from_mins(2), Event::LinkCut),
        ];
        assert_eq!(script.steps(), expected);
        assert_eq!("".parse(), Ok(Script::default()));
    }

    #[test]
    fn every_name_is_known_and_unique() {
        let mut names = Event::names();
        for name in &names {
            assert!(Event::named(name).is_some(), "{name}");
        }
        names.sort_unstable();
        let n_names = names.len();
        names.dedup();
        assert_eq!(names.len(), n_names);
    }

    #[test]
    fn what_is_no_script() {
        for (text, error) in [
            ("unplug", ScriptError::Step("unplug".to_owned())),
            ("10 unplug", ScriptError::Time("10".to_owned())),
            ("s unplug", ScriptError::Time("s".to_owned())),
            (
                "99999999999s unplug",
                ScriptError::Time("99999999999s".to_owned()),
            ),
            ("-1s unplug", ScriptError::Time("-1s".to_owned())),
            ("1s explode", ScriptError::Event("explode".to_owned())),
        ] {
            assert_eq!(text.parse::<Script>(), Err(error), "{text}");
        }
    }
}
