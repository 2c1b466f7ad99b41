use serde::Serialize;
use serde_json::Value as Json;
use tm_types::{
    ActiveConfig, AgentState, Cause, GnssState, Health, HealthStatus, Invalid, ModemPrivate,
    ModemState, SensorsState, Stamp, UplinkState, code,
};

use super::read;

/// A service that was heard of.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Service {
    /// What it last said of itself; none when only its state came.
    pub(crate) health: Option<Health>,
    /// Its present state; none when it has not told any.
    pub(crate) state: Option<State>,
    /// What it tells our own services only.
    pub(crate) private: ModemPrivate,
    /// The configuration document it works by; none when it has none to tell of.
    pub(crate) config: Option<ActiveConfig>,
}

/// What a service's health means now.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Condition {
    /// Does its work.
    Up,
    /// Works with limits: see the reasons.
    Degraded,
    /// Stopped, or its connection was lost.
    Down,
    /// Silent for three periods, or not heard of in this boot: its state may be outdated.
    Unknown,
}

/// The state of a service, told apart by its shape: instances may bear any name.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum State {
    Modem(ModemState),
    Gnss(GnssState),
    Sensors(SensorsState),
    Uplink(UplinkState),
    Agent(AgentState),
    /// Of a service this version does not know.
    Other(Json),
}

impl Service {
    /// How the service is now, and why it is not up.
    pub(crate) fn condition(&self, now: &Stamp) -> (Condition, Vec<Cause>) {
        let Some(health) = &self.health else {
            return (Condition::Unknown, vec![code::SERVICE_STARTING.plain()]);
        };
        let was_stopped = health
            .reasons
            .iter()
            .any(|cause| cause.is(code::SERVICE_STOPPED));
        if health.status == HealthStatus::Down && (health.boot == now.boot || was_stopped) {
            return (Condition::Down, health.reasons.clone());
        }
        let age_ms = self.health_age_ms(now);
        if health.boot != now.boot || age_ms > 3 * 1000 * u64::from(health.period_s) {
            let silent = code::SERVICE_SILENT.with("seconds", age_ms / 1000);
            return (Condition::Unknown, vec![silent]);
        }
        let condition = match health.status {
            HealthStatus::Up => Condition::Up,
            HealthStatus::Degraded => Condition::Degraded,
            HealthStatus::Down => Condition::Down,
        };
        (condition, health.reasons.clone())
    }

    /// Whether the state may be outdated because its service does not report.
    pub(crate) fn is_stale(&self, now: &Stamp) -> bool {
        matches!(self.condition(now).0, Condition::Down | Condition::Unknown)
    }

    /// Milliseconds since the service reported; since boot when it has not in this one.
    pub(crate) fn health_age_ms(&self, now: &Stamp) -> u64 {
        let since = self
            .health
            .as_ref()
            .filter(|health| health.boot == now.boot);
        now.mono_ms
            .saturating_sub(since.map_or(0, |health| health.mono_ms))
    }
}

impl State {
    /// Reads a state message by the field that only its kind has.
    pub(crate) fn from_json(payload: &[u8]) -> Result<Self, Invalid> {
        let json: Json = read(payload)?;
        let has = |field: &str| json.get(field).is_some();
        Ok(if has("modems") {
            Self::Modem(read(payload)?)
        } else if has("fix") && has("satellites") {
            Self::Gnss(read(payload)?)
        } else if has("devices") {
            Self::Sensors(read(payload)?)
        } else if has("journal") && has("link") {
            Self::Uplink(read(payload)?)
        } else if has("services") && has("device") {
            Self::Agent(read(payload)?)
        } else {
            Self::Other(json)
        })
    }

    /// The same state without what identifies the modem and its owner.
    pub(crate) fn masked(&self) -> Self {
        match self {
            Self::Modem(state) => {
                let mut state = state.clone();
                state.modems.iter_mut().for_each(mask_modem);
                Self::Modem(state)
            }
            other => other.clone(),
        }
    }
}

impl Serialize for State {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Modem(state) => state.serialize(serializer),
            Self::Gnss(state) => state.serialize(serializer),
            Self::Sensors(state) => state.serialize(serializer),
            Self::Uplink(state) => state.serialize(serializer),
            Self::Agent(state) => state.serialize(serializer),
            Self::Other(state) => state.serialize(serializer),
        }
    }
}

/// Leaves the last four digits of IMEI, ICCID, IMSI and of people's numbers, and nothing of what they wrote.
pub(crate) fn mask_modem(modem: &mut tm_types::Modem) {
    for identity in [
        &mut modem.identity.imei,
        &mut modem.sim.iccid,
        &mut modem.sim.imsi,
    ]
    .into_iter()
    .flatten()
    {
        *identity = mask(identity);
    }
    for message in modem.messages.iter_mut().flat_map(|m| &mut m.inbox) {
        message.text = None;
        if is_personal(&message.from) {
            message.from = mask(&message.from);
        }
    }
}

/// Short numbers and names are services'.
fn is_personal(sender: &str) -> bool {
    sender.bytes().filter(u8::is_ascii_digit).count() >= 7
}

fn mask(digits: &str) -> String {
    let hidden = digits.chars().count().saturating_sub(4);
    digits
        .chars()
        .enumerate()
        .map(|(at, digit)| if at < hidden { '*' } else { digit })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tm_types::{BootId, Clock, Timestamp};

    fn now(mono_ms: u64) -> Stamp {
        Stamp {
            time: Timestamp::EPOCH,
            mono_ms,
            boot: BootId(7),
            clock: Clock::Ntp,
            err_ms: None,
        }
    }

    fn check(health: &str, mono_ms: u64, expected: Condition, code: Option<&str>) {
        let service = Service {
            health: Some(serde_json::from_str(health).unwrap()),
            ..Service::default()
        };
        let (condition, reasons) = service.condition(&now(mono_ms));
        assert_eq!(condition, expected, "{health} at {mono_ms}");
        assert_eq!(
            reasons.first().map(|cause| &*cause.code),
            code,
            "{health} at {mono_ms}"
        );
    }

    #[test]
    fn health_means_something_for_three_periods_of_its_boot() {
        let up = r#"{"status":"up","version":"1","boot":"00000007","mono_ms":1000,"period_s":30}"#;
        check(up, 91_000, Condition::Up, None);
        check(up, 91_001, Condition::Unknown, Some("service.silent"));
        let old = up.replace("00000007", "00000006");
        check(&old, 2_000, Condition::Unknown, Some("service.silent"));
        let lost = r#"{"status":"down","reasons":[{"code":"service.connection_lost"}],"version":"1","boot":"00000007","mono_ms":1000,"period_s":30}"#;
        check(
            lost,
            9_999_999,
            Condition::Down,
            Some("service.connection_lost"),
        );
        let lost_before = lost.replace("00000007", "00000006");
        check(
            &lost_before,
            2_000,
            Condition::Unknown,
            Some("service.silent"),
        );
        let stopped_before = lost_before.replace("connection_lost", "stopped");
        check(
            &stopped_before,
            2_000,
            Condition::Down,
            Some("service.stopped"),
        );
        assert_eq!(Service::default().condition(&now(0)).0, Condition::Unknown);
    }

    #[test]
    fn identities_keep_four_digits() {
        assert_eq!(mask("356938035643809"), "***********3809");
        assert_eq!(mask("123"), "123");
        assert_eq!(mask(""), "");
    }

    #[test]
    fn senders_who_are_people_are_masked_and_nobody_reads_the_text() {
        let stamp = r#""stamp":{"time":"2026-11-22T10:00:00.000Z","mono_ms":1,"boot":"00c0ffee","clock":"ntp","err_ms":null}"#;
        for (from, expected) in [
            ("+380501112233", "*********2233"),
            ("0501112233", "******2233"),
            ("777", "777"),
            ("Kyivstar", "Kyivstar"),
        ] {
            let mut modem = modem_with(&format!(
                r#"{{"inbox":[{{"id":1,"from":"{from}","text":"code 1234","sent_at":null,{stamp},"incomplete":false}}],"dropped":0,"sent":0}}"#
            ));
            mask_modem(&mut modem);
            let message = &modem.messages.unwrap().inbox[0];
            assert_eq!((&*message.from, &message.text), (expected, &None));
        }
    }

    fn modem_with(messages: &str) -> tm_types::Modem {
        serde_json::from_str(&format!(
            r#"{{"id":"1","presence":"present","cause":{{"code":"modem.starting"}},"port":null,"stamp":null,
            "identity":{{"manufacturer":null,"model":null,"revision":null,"imei":null}},
            "sim":{{"status":"ready","iccid":null,"imsi":null}},
            "registration":{{"status":"home","operator":null,"plmn":null,"technology":null}},
            "signal":{{"rssi_dbm":null,"rsrp_dbm":null,"rsrq_db":null,"sinr_db":null}},
            "cell":null,"temperature_cel":null,"supply_v":null,"messages":{messages}}}"#
        ))
        .unwrap()
    }

    #[test]
    fn states_are_told_by_their_shape() {
        assert!(matches!(
            State::from_json(br#"{"modems":[]}"#),
            Ok(State::Modem(_))
        ));
        assert!(matches!(
            State::from_json(br#"{"devices":[]}"#),
            Ok(State::Sensors(_))
        ));
        assert!(matches!(
            State::from_json(br#"{"valves":[1]}"#),
            Ok(State::Other(_))
        ));
        assert!(State::from_json(br#"{"modems":3}"#).is_err());
        assert!(State::from_json(b"{").is_err());
    }
}
