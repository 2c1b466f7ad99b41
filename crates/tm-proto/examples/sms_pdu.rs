//! Writes and reads messages for another program to compare: one JSON request a line in, one JSON answer a line out.
//!
//! ```text
//! {"submit": {"to": "+380…", "text": "…", "report": true, "reference": 7}}   {"parts": [{"pdu": "00…", "length": 23}]}
//! {"decode": "0004…"}                       {"deliver": {…}}, {"report": {…}}, {"other": null} or {"error": "…"}
//! {"join": ["0044…", "0044…"]}              {"texts": [{"from": "…", "text": "…", "missing": [], "places": [0, 1]}]}
//! ```

use std::{
    io::{self, BufRead as _, Write as _},
    time::Duration,
};

use serde_json::{Value, json};
use tm_proto::sms::{self, Assembler, DeliveryStatus, Incoming};

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let request: Value = serde_json::from_str(&line?)?;
        let answer = answer(&request).unwrap_or_else(|| json!({"error": "no such request"}));
        writeln!(out, "{answer}")?;
    }
    Ok(())
}

fn answer(request: &Value) -> Option<Value> {
    if let Some(request) = request.get("submit") {
        return submit(request);
    }
    if let Some(pdu) = request.get("decode") {
        return Some(decode(pdu.as_str()?));
    }
    join(request.get("join")?.as_array()?)
}

fn submit(request: &Value) -> Option<Value> {
    let reference = u8::try_from(request.get("reference")?.as_u64()?).ok()?;
    let parts = sms::submit(
        request.get("to")?.as_str()?,
        request.get("text")?.as_str()?,
        request.get("report")?.as_bool()?,
        reference,
    );
    Some(match parts {
        Ok(parts) => {
            let parts: Vec<Value> = parts
                .iter()
                .map(|part| json!({"pdu": part.pdu_hex, "length": part.tpdu_length}))
                .collect();
            json!({ "parts": parts })
        }
        Err(error) => json!({ "error": error.to_string() }),
    })
}

fn decode(pdu: &str) -> Value {
    match sms::decode(pdu) {
        Ok(Incoming::Deliver(message)) => json!({"deliver": {
            "from": message.from,
            "text": message.text,
            "sent": message.sent_unix_s,
            "part": message.part.map(|part| json!([part.reference, part.total, part.number])),
        }}),
        Ok(Incoming::StatusReport(report)) => json!({"report": {
            "reference": report.reference,
            "recipient": report.recipient,
            "accepted": report.accepted_unix_s,
            "discharged": report.discharged_unix_s,
            "status": match report.status {
                DeliveryStatus::Delivered => json!("delivered"),
                DeliveryStatus::Trying(code) => json!({"trying": code}),
                DeliveryStatus::Failed(code) => json!({"failed": code}),
            },
        }}),
        Ok(Incoming::Other) => json!({"other": null}),
        Err(error) => json!({"error": error.to_string()}),
    }
}

fn join(pdus: &[Value]) -> Option<Value> {
    let mut assembler = Assembler::new(8);
    let mut texts = Vec::new();
    for (place, pdu) in pdus.iter().enumerate() {
        if let Ok(Incoming::Deliver(part)) = sms::decode(pdu.as_str()?) {
            texts.extend(assembler.push(part, place, Duration::ZERO));
        }
    }
    texts.extend(assembler.take_incomplete(Duration::ZERO, Duration::ZERO));
    let texts: Vec<Value> = texts
        .iter()
        .map(|text| {
            json!({
                "from": text.from, "text": text.text, "missing": text.missing, "places": text.parts,
            })
        })
        .collect();
    Some(json!({ "texts": texts }))
}
