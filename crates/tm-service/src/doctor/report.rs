//! The diagnosis as text for a person, and as JSON for a ticket.

use std::fmt::Write;

use serde_json::{Value, json};
use tm_types::Cause;
use tm_types::text::Language;

use super::texts::{remedy, sentence, word};
use super::{Diagnosis, Status};
use crate::probe::{Finding, Findings};

/// Version of the machine form; grows when a field changes its meaning, not when one is added.
const FORM: u32 = 1;

/// The diagnosis for a person.
pub fn text(diagnosis: &Diagnosis, language: Language) -> String {
    let mut text = String::new();
    // Writing to a String never fails.
    let stamp = &diagnosis.stamp;
    let (version, device) = (&diagnosis.version, &diagnosis.device);
    let _ = writeln!(text, "tm doctor {version}  {device}  {}\n", stamp.time);
    let width = |words: &mut dyn Iterator<Item = &str>| {
        words.map(|word| word.chars().count()).max().unwrap_or(0)
    };
    let statuses = [Status::Ok, Status::Skipped, Status::Warn, Status::Fail];
    let first = width(
        &mut statuses
            .iter()
            .map(|status| word(language, status.as_str())),
    );
    let second = width(&mut diagnosis.checks.iter().map(|it| word(language, it.name)));
    for check in &diagnosis.checks {
        let status = word(language, check.status.as_str());
        let name = word(language, check.name);
        let told = sentence(language, &check.cause);
        let _ = writeln!(text, "{status:<first$}  {name:<second$}  {told}");
        if matches!(check.status, Status::Warn | Status::Fail)
            && let Some(remedy) = remedy(language, &check.cause)
        {
            let indent = first + second + 4;
            let _ = writeln!(text, "{:indent$}→ {remedy}", "");
        }
    }
    text.push('\n');
    if let Some(verdict) = &diagnosis.verdict {
        let heading = word(language, "verdict");
        let _ = writeln!(text, "{heading}: {}", sentence(language, verdict));
    }
    if let Some(findings) = &diagnosis.findings {
        let heading = word(language, "bytes");
        let (sent, received) = (findings.sent_bytes, findings.received_bytes);
        let _ = writeln!(text, "{heading}: {sent} + {received}");
    }
    let count = |status| {
        let checks = diagnosis.checks.iter();
        checks.filter(|check| check.status == status).count()
    };
    let counts = statuses.map(|status| {
        let name = word(language, status.as_str());
        format!("{name} {}", count(status))
    });
    let _ = writeln!(text, "{}", counts.join(", "));
    text
}

/// The diagnosis for a machine: `docs/doctor.md` has its shape.
pub fn json(diagnosis: &Diagnosis, language: Language) -> Value {
    let told = |cause: &Cause| {
        json!({
            "code": cause.code,
            "args": cause.args,
            "text": sentence(language, cause),
            "remedy": remedy(language, cause),
        })
    };
    let checks = diagnosis.checks.iter().map(|check| {
        let mut entry = told(&check.cause);
        entry["check"] = check.name.into();
        entry["status"] = check.status.as_str().into();
        if !matches!(check.status, Status::Warn | Status::Fail) {
            entry["remedy"] = Value::Null;
        }
        entry
    });
    json!({
        "doctor": FORM,
        "version": diagnosis.version,
        "device": diagnosis.device,
        "time": diagnosis.stamp.time,
        "clock": diagnosis.stamp.clock,
        "status": diagnosis.status().as_str(),
        "verdict": diagnosis.verdict.as_ref().map(told),
        "checks": checks.collect::<Vec<_>>(),
        "probe": diagnosis.findings.as_ref().map(probe),
    })
}

fn probe(findings: &Findings) -> Value {
    let steps = findings.steps.iter().map(|step| {
        let result = match &step.finding {
            Finding::Good | Finding::Via(_) | Finding::Addresses(_) => "good",
            Finding::NoName => "no_name",
            Finding::Skipped(_) => "skipped",
            Finding::Wrong(_) => "wrong",
        };
        let words = match &step.finding {
            Finding::Wrong(wrong) => Some(super::network::words(wrong)),
            _ => None,
        };
        let took_ms = u64::try_from(step.took.as_millis()).unwrap_or(u64::MAX);
        json!({
            "look": step.look.as_str(),
            "result": result,
            "detail": words,
            "took_ms": took_ms,
        })
    });
    json!({
        "broker": findings.broker_name(),
        "sent_bytes": findings.sent_bytes,
        "received_bytes": findings.received_bytes,
        "steps": steps.collect::<Vec<_>>(),
    })
}
