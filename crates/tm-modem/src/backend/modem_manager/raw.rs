//! The module's own answers by way of ModemManager, where it lets them through.
//!
//! It does when it was built so (balenaOS, but not every release) or runs with `--debug`. Elsewhere it refuses,
//! and is not asked again until it is another run of it.

use std::time::Duration;

use tm_proto::sim7600::{self, ServingCell};
use tm_types::Reason;

use super::failure::{Failure, within};
use super::proxies::ModemProxy;
use crate::knowledge::Level;

/// `AT+CPSI?` answers in less than a second.
const ANSWER_S: u32 = 3;
/// ModemManager queues it behind its own questions, which may take as long.
const CALL_TIME: Duration = Duration::from_secs(15);

/// Whether ModemManager lets commands through; in one run of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Permission {
    /// Not tried yet.
    #[default]
    Untried,
    /// It has.
    Granted,
    /// It refuses.
    Refused,
}

/// What the module's own answers said in the last round of everything.
///
/// Not `AT+CSQ`: ModemManager takes its answer for an unsolicited line and hands on nothing (run with 1.20.4).
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Levels {
    pub(super) cells: Option<Level<Vec<ServingCell>>>,
    pub(super) temperature: Option<Level>,
    pub(super) supply: Option<Level>,
}

impl Levels {
    /// Received power over the whole channel, dBm, as the serving cell has it.
    pub(super) fn rssi_dbm(&self) -> Option<f64> {
        match self.cells.as_ref()?.as_ref().ok()?.first()? {
            ServingCell::Lte(cell) => cell.levels.rssi_dbm,
            ServingCell::Wcdma(cell) => cell.rssi_dbm,
            ServingCell::Gsm(cell) => cell.rssi_dbm,
            ServingCell::NoService { .. } => None,
        }
    }
}

/// Asks for everything that ModemManager itself does not tell.
///
/// A module that does not answer is not asked the rest: ten unanswered commands in a row, and ModemManager gives
/// it up (`DEFAULT_MAX_TIMEOUTS` in its source).
pub(super) async fn read(modem: &ModemProxy<'_>, permission: &mut Permission) -> Levels {
    let mut levels = Levels::default();
    let Some(cells) = ask(modem, permission, "AT+CPSI?").await else {
        return levels;
    };
    let is_mute = cells == Err(Reason::Timeout);
    levels.cells = Some(cells.and_then(|lines| level(&lines, sim7600::serving_cells)));
    if is_mute {
        levels.temperature = Some(Err(Reason::Timeout));
        levels.supply = Some(Err(Reason::Timeout));
        return levels;
    }
    if let Some(temperature) = ask(modem, permission, "AT+CPMUTEMP").await {
        levels.temperature =
            Some(temperature.and_then(|lines| level(&lines, sim7600::temperature_celsius)));
    }
    if let Some(supply) = ask(modem, permission, "AT+CBC").await {
        levels.supply = Some(supply.and_then(|lines| level(&lines, sim7600::supply_voltage_v)));
    }
    levels
}

/// One command for its effect.
pub(super) async fn order(
    modem: &ModemProxy<'_>,
    command: &str,
    time_s: u32,
) -> Result<(), Failure> {
    let time = CALL_TIME + Duration::from_secs(time_s.into());
    within(time, modem.command(command, time_s)).await.map(drop)
}

/// Switches on the supply of the active antenna; the module forgets it with every restart.
pub(super) async fn feed_antenna(
    modem: &ModemProxy<'_>,
    permission: &mut Permission,
    millivolts: u32,
) -> bool {
    for command in [format!("AT+CVAUXV={millivolts}"), "AT+CVAUXS=1".to_owned()] {
        if !matches!(ask(modem, permission, &command).await, Some(Ok(_))) {
            return false;
        }
    }
    true
}

/// The lines of an answer, or why there are none; nothing where commands are not let through.
async fn ask(
    modem: &ModemProxy<'_>,
    permission: &mut Permission,
    command: &str,
) -> Option<Level<Vec<String>>> {
    if *permission == Permission::Refused {
        return None;
    }
    let answer = within(CALL_TIME, modem.command(command, ANSWER_S)).await;
    if is_refusal(&answer) {
        tracing::info!(
            "ModemManager lets no commands through: band, noise, temperature and supply stay unknown"
        );
        *permission = Permission::Refused;
        return None;
    }
    Some(match answer {
        Ok(text) => {
            *permission = Permission::Granted;
            Ok(lines(&text))
        }
        Err(Failure::Timeout(_)) => Err(Reason::Timeout),
        Err(Failure::Refused(detail)) if detail.to_ascii_lowercase().contains("timed out") => {
            Err(Reason::Timeout)
        }
        Err(_) => Err(Reason::Refused),
    })
}

/// "Operation only allowed in debug mode" comes as Unauthorized; a modem without an AT port as Unsupported.
fn is_refusal(answer: &Result<String, Failure>) -> bool {
    match answer {
        Err(Failure::Forbidden(_) | Failure::Unsupported(_)) => true,
        Err(Failure::Refused(detail)) => detail.contains("debug mode"),
        _ => false,
    }
}

fn lines(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(str::to_owned).collect()
}

fn level<T>(lines: &[String], reader: impl Fn(&[String]) -> Option<T>) -> Level<T> {
    reader(lines).ok_or(Reason::BadReply)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_from_a_failure() {
        let check = |answer, expected| assert_eq!(is_refusal(&answer), expected, "{answer:?}");
        let debug = "Cannot send AT command to modem: operation only allowed in debug mode";
        check(Err(Failure::Forbidden(debug.to_owned())), true);
        check(Err(Failure::Refused(debug.to_owned())), true);
        check(Err(Failure::Refused("Unknown error".to_owned())), false);
        check(Err(Failure::Timeout(CALL_TIME)), false);
        check(Ok("+CBC: 3.9V".to_owned()), false);
    }

    #[test]
    fn an_answer_is_its_lines() {
        let text =
            "+CPSI: LTE,Online,255-01,0x8502,1,2,EUTRAN-BAND3,1650,5,5,-98,-892,-591,12\r\n\r\n+X";
        assert_eq!(lines(text).len(), 2);
        assert!(level(&lines(text), sim7600::serving_cells).is_ok());
        assert_eq!(
            level(&lines("?"), sim7600::supply_voltage_v),
            Err(Reason::BadReply)
        );
    }
}
