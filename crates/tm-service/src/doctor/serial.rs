//! The modem asked itself, on the bench: a few questions on its AT port that change nothing.
//!
//! Nobody else may hold the port meanwhile. The full dialogue is the modem service's; this one knows just
//! enough for the checks: `+CPIN?`, `+CEREG?`, `+CGREG?`, `+CREG?`, `+COPS?`, `+CGDCONT?` and `+CGACT?` of 3GPP TS 27.007.

use std::time::Duration;

use tm_types::{ModemPresence, RegistrationStatus, SimStatus, code};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::modem::{Known, judge};
use super::{Check, Machine, own};
use crate::port::{PortUrl, Ports};

/// For one answer: what `docs/modem.md`'s dialogue grants `+CPIN?`, the slowest of these.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of one answer that are looked at.
const MOST: usize = 4096;

pub(super) async fn checks(machine: &Machine, url: &PortUrl) -> Vec<Check> {
    let ports = Ports {
        sys: machine.sys.clone(),
        ..Ports::default()
    };
    let failed = |check: Check| {
        let mut checks = vec![check];
        let later = ["sim", "registration", "access_point"];
        checks.extend(later.map(|name| Check::skipped(name, own("skipped_no_answer"))));
        checks
    };
    let mut opened = match ports.open(url).await {
        Ok(opened) => opened,
        Err(error) => {
            let cause = code::MODEM_PORT_UNUSABLE.with("port", url);
            return failed(Check::fail("modem", cause.and("error", error)));
        }
    };
    let now = machine.clock.stamp();
    let Some(found) = look(&mut opened.port).await else {
        let cause = code::MODEM_MUTE.with("port", &opened.name);
        return failed(Check::fail("modem", cause));
    };
    judge(&found, now)
}

/// What the modem says of itself; `None` when it does not answer.
async fn look<S>(port: &mut S) -> Option<Known>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // The first answer may follow what stood in the port's buffers.
    ask(port, "AT").await?;
    let model = ask(port, "AT+CGMM").await?;
    let model = model.lines().map(str::trim).find(|line| {
        let is_word = line
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        is_word && line.len() > 2 && !line.starts_with("AT")
    });
    let sim = sim(&ask(port, "AT+CPIN?").await?);
    let mut registration = RegistrationStatus::default();
    for (question, prefix) in [
        ("AT+CEREG?", "+CEREG: "),
        ("AT+CGREG?", "+CGREG: "),
        ("AT+CREG?", "+CREG: "),
    ] {
        let answer = ask(port, question).await?;
        let status = value(&answer, prefix).map(status).unwrap_or_default();
        let is_better = matches!(
            registration,
            RegistrationStatus::Unknown | RegistrationStatus::Idle
        );
        if is_better {
            registration = status;
        }
    }
    let operator = ask(port, "AT+COPS?").await?;
    let operator = value(&operator, "+COPS: ").and_then(|text| quoted(text, 0));
    let contexts = ask(port, "AT+CGDCONT?").await?;
    let activity = ask(port, "AT+CGACT?").await?;
    let active: Vec<&str> = activity
        .lines()
        .filter_map(|line| line.trim().strip_prefix("+CGACT: "))
        .filter_map(|text| text.trim().strip_suffix(",1"))
        .collect();
    let defined: Vec<(&str, Option<String>)> = contexts
        .lines()
        .filter_map(|line| line.trim().strip_prefix("+CGDCONT: "))
        .filter_map(|text| Some((text.split(',').next()?, quoted(text, 1))))
        .collect();
    let (telephony, data): (Vec<_>, Vec<_>) = defined
        .into_iter()
        .partition(|(_, apn)| apn.as_deref().is_some_and(is_of_telephony));
    // A context that nobody defined here was dialled by somebody else: it is for data, too.
    let is_active = active
        .iter()
        .any(|id| telephony.iter().all(|(other, _)| other != id));
    let context = data.iter().find(|(id, _)| active.contains(id));
    let context = context.or(data.first());
    Some(Known {
        presence: ModemPresence::Present,
        cause: code::MODEM_REGISTERED.plain(),
        read_at: None,
        name: model.map(str::to_owned),
        sim,
        registration,
        operator,
        is_active: Some(is_active),
        apn: context.and_then(|(_, apn)| apn.clone()),
    })
}

/// Telephony, emergency calls and their settings: names that operators agreed upon (GSMA IR.88).
fn is_of_telephony(apn: &str) -> bool {
    let first = apn.split('.').next().unwrap_or_default();
    let names = ["ims", "sos", "xcap"];
    names.iter().any(|name| first.eq_ignore_ascii_case(name))
}

/// The answer up to its final result code; `None` when none came in time, or too much.
async fn ask<S>(port: &mut S, question: &str) -> Option<String>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let answering = async {
        port.write_all(format!("{question}\r").as_bytes())
            .await
            .ok()?;
        let mut answer = Vec::new();
        while answer.len() < MOST {
            if port.read_buf(&mut answer).await.ok()? == 0 {
                return None;
            }
            let text = String::from_utf8_lossy(&answer);
            if text.ends_with('\n') && text.lines().any(is_final) {
                return Some(text.into_owned());
            }
        }
        None
    };
    timeout(PATIENCE, answering).await.ok().flatten()
}

fn is_final(line: &str) -> bool {
    let line = line.trim();
    line == "OK" || line == "ERROR" || line.starts_with("+CME ERROR:")
}

/// What follows the prefix on its last line: an earlier one may be a report that nobody asked for.
fn value<'a>(answer: &'a str, prefix: &str) -> Option<&'a str> {
    let mut lines = answer.lines().rev();
    lines.find_map(|line| line.trim().strip_prefix(prefix))
}

/// The text in quotes, counted from 0.
fn quoted(text: &str, at: usize) -> Option<String> {
    let inner = text.split('"').nth(2 * at + 1)?;
    (!inner.is_empty()).then(|| inner.chars().take(100).collect())
}

fn sim(answer: &str) -> SimStatus {
    match value(answer, "+CPIN: ") {
        Some("READY") => return SimStatus::Ready,
        Some("SIM PIN") => return SimStatus::PinRequired,
        Some("SIM PUK") => return SimStatus::PukRequired,
        Some(_) => return SimStatus::Failure,
        None => {}
    }
    // 3GPP TS 27.007, 9.2.1: 10 SIM not inserted, 13 SIM failure, 14 SIM busy; 15 SIM wrong.
    match value(answer, "+CME ERROR: ").map(str::to_ascii_lowercase) {
        Some(words) if words == "14" || words == "sim busy" => SimStatus::Busy,
        Some(words) if ["13", "15", "sim failure", "sim wrong"].contains(&words.as_str()) => {
            SimStatus::Failure
        }
        Some(words) if words == "10" || words.contains("not inserted") => SimStatus::Absent,
        // Without `+CMEE` every error is only that; with no card it is the usual one.
        _ if answer.lines().any(|line| line.trim() == "ERROR") => SimStatus::Absent,
        _ => SimStatus::Unknown,
    }
}

/// `<n>,<stat>…` (3GPP TS 27.007, 10.1.22).
fn status(value: &str) -> RegistrationStatus {
    match value.split(',').nth(1).map(str::trim) {
        Some("0") => RegistrationStatus::Idle,
        Some("1") => RegistrationStatus::Home,
        Some("2") => RegistrationStatus::Searching,
        Some("3") => RegistrationStatus::Denied,
        Some("5") => RegistrationStatus::Roaming,
        Some("8" | "11") => RegistrationStatus::EmergencyOnly,
        _ => RegistrationStatus::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use tm_types::{BootId, Clock, Stamp, Timestamp};

    use super::*;
    use crate::doctor::Status;

    const NOW: Stamp = Stamp {
        time: Timestamp::EPOCH,
        mono_ms: 0,
        boot: BootId(1),
        clock: Clock::Ntp,
        err_ms: None,
    };

    /// A modem that echoes, as they do after power-on, and answers from a list.
    async fn looked(answers: &[(&str, &str)]) -> Option<Known> {
        let (mut ours, mut theirs) = tokio::io::duplex(4096);
        let answering = async {
            let mut question = Vec::new();
            while let Ok(byte) = theirs.read_u8().await {
                question.push(byte);
                if byte != b'\r' {
                    continue;
                }
                let asked = String::from_utf8_lossy(&question).trim().to_owned();
                let answer = answers.iter().find(|(known, _)| *known == asked);
                let text = answer.map_or("OK", |(_, text)| *text);
                let text = format!("{asked}\r\r\n{text}\r\n");
                theirs.write_all(text.as_bytes()).await.unwrap();
                question.clear();
            }
        };
        tokio::select! {
            found = look(&mut ours) => found,
            () = answering => None,
        }
    }

    fn told(found: &Known) -> Vec<String> {
        let checks = judge(found, NOW).into_iter();
        let faults = checks.filter(|check| check.status != Status::Skipped);
        faults.map(|check| check.cause.code).collect()
    }

    #[tokio::test]
    async fn a_modem_on_the_bench_is_asked() {
        let well = [
            ("AT+CGMM", "SIMCOM_SIM7600G-H\r\n\r\nOK"),
            ("AT+CPIN?", "+CPIN: READY\r\n\r\nOK"),
            ("AT+CEREG?", "+CEREG: 0,1\r\n\r\nOK"),
            ("AT+COPS?", "+COPS: 0,0,\"Kyivstar\",7\r\n\r\nOK"),
            (
                "AT+CGDCONT?",
                "+CGDCONT: 1,\"IP\",\"internet\",\"0.0.0.0\",0\r\n+CGDCONT: 2,\"IP\",\"ims\"\r\n\r\nOK",
            ),
            ("AT+CGACT?", "+CGACT: 1,1\r\n\r\nOK"),
        ];
        let found = looked(&well).await.unwrap();
        assert_eq!(found.name.as_deref(), Some("SIMCOM_SIM7600G-H"));
        assert_eq!(found.operator.as_deref(), Some("Kyivstar"));
        assert_eq!(found.apn.as_deref(), Some("internet"));
        let all = [
            "doctor.modem_answers",
            "doctor.sim_ready",
            "modem.registered",
            "doctor.data_context",
        ];
        assert_eq!(told(&found), all);
        for (question, answer, expected) in [
            (
                "AT+CPIN?",
                "+CME ERROR: SIM not inserted",
                "modem.sim_absent",
            ),
            ("AT+CPIN?", "ERROR", "modem.sim_absent"),
            (
                "AT+CPIN?",
                "+CPIN: SIM PIN\r\n\r\nOK",
                "modem.sim_pin_required",
            ),
            ("AT+CPIN?", "+CME ERROR: 13", "modem.sim_failure"),
            ("AT+CEREG?", "+CEREG: 0,3\r\n\r\nOK", "modem.denied"),
            ("AT+CEREG?", "+CEREG: 0,2\r\n\r\nOK", "modem.searching"),
            (
                "AT+CGACT?",
                "+CGACT: 1,0\r\n+CGACT: 2,1\r\n\r\nOK",
                "doctor.no_data_context",
            ),
        ] {
            let mut answers = well;
            let place = answers.iter_mut().find(|(known, _)| *known == question);
            place.unwrap().1 = answer;
            let found = looked(&answers).await.unwrap();
            assert_eq!(
                told(&found).last().map(String::as_str),
                Some(expected),
                "{answer}"
            );
        }
    }

    /// Paused time passes at once when nothing else happens.
    #[tokio::test(start_paused = true)]
    async fn a_mute_or_babbling_modem_is_given_up() {
        let (mut ours, mut theirs) = tokio::io::duplex(4096);
        assert_eq!(ask(&mut ours, "AT").await, None);
        let babble = vec![b'x'; 4 * MOST];
        let babbling = async {
            let _ = theirs.write_all(&babble).await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            answer = ask(&mut ours, "AT") => assert_eq!(answer, None),
            () = babbling => {}
        }
    }
}
