//! The registers of one device, and the ready maps that fit it.

use std::time::Duration;

use serde_json::{Value as Json, json};
use tm_types::{Cause, code};
use tokio::time::{Instant, timeout_at};

use super::args::Probe;
use super::client::{Answer, Open, ask};
use super::{ready, views};

/// For trying the ready maps.
const SUGGEST_TIME: Duration = Duration::from_secs(20);
/// Ready maps that are given in full.
const DOCUMENTS_MAX: usize = 3;

/// Reads, shows, and suggests.
pub(super) async fn run(args: &Probe, open: &Open) -> Result<Json, Cause> {
    let connection = open(args.line()).await?;
    let (to, table) = (args.addressee(), args.function);
    let (answer, connection) = ask(connection, to, table, args.address, args.count).await;
    if !answer.is_alive() {
        let cause = code::SENSORS_NO_ANSWER.with("port", args.place());
        return Err(cause.and("unit", args.unit_id).and("reason", answer.told()));
    }
    let (registers, text) = match &answer {
        Answer::Words(words) => (
            views::rows(table, args.address, words),
            (!table.is_bits()).then(|| views::text(words)).flatten(),
        ),
        _ => (Vec::new(), None),
    };
    let mut suggestions = Vec::new();
    if args.suggest {
        let until = Instant::now() + SUGGEST_TIME;
        let fitting = ready::fitting(connection, || open(args.line()), to);
        // Devices that are slow to refuse cost a suggestion, not the registers.
        let fitting = timeout_at(until, fitting).await.unwrap_or_default();
        suggestions.extend(fitting.into_iter().take(DOCUMENTS_MAX).map(|map| {
            json!({"map": map.name, "device": map.device,
                "document": map.document_for(&args.place(), args.unit_id)})
        }));
    }
    Ok(json!({
        "answer": answer.told(),
        "registers": registers,
        "text": text,
        "suggestions": suggestions,
    }))
}

#[cfg(test)]
mod tests {
    use super::super::client::fake::{exception, opener, words};
    use super::*;

    fn args(args: &Json) -> Probe {
        Probe::read(args).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_meter_is_shown_and_recognised() {
        // 230.1 V at input 0, 50.0 Hz at input 70; nothing else.
        let open = opener(|unit, function, address, count| {
            Some(match (unit, function, address, count) {
                (1, 4, 0, 2) => words(4, &[0x4366, 0x199a]),
                (1, 4, 70, 2) => words(4, &[0x4248, 0]),
                (1, 4, 2, 2) => words(4, &[0, 0]),
                _ => exception(function, 2),
            })
        });
        let asked = json!({"port": "tcp://h", "function": "input", "count": 2});
        let result = run(&args(&asked), &open).await.unwrap();
        assert_eq!(result["registers"][0]["f32"]["big"], json!(230.1));
        let names: Vec<_> = result["suggestions"].as_array().unwrap().iter().collect();
        assert_eq!(names.len(), 2, "{result}");
        assert_eq!(names[0]["map"], "eastron-sdm120");
        assert_eq!(names[1]["map"], "eastron-sdm230");
        let document = names[0]["document"].as_str().unwrap();
        assert!(document.contains("port = \"tcp://h:502\"\n"), "{document}");
        assert!(result.to_string().len() < 32 * 1024);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_refuses_is_there_and_one_that_is_silent_is_not() {
        let open = opener(|unit, function, _, _| (unit == 7).then(|| exception(function, 2)));
        let result = run(&args(&json!({"port": "tcp://h", "unit_id": 7})), &open)
            .await
            .unwrap();
        assert_eq!(result["registers"], json!([]));
        assert!(result["answer"].as_str().unwrap().starts_with("refuses"));
        let started = Instant::now();
        let cause = run(&args(&json!({"port": "tcp://h", "unit_id": 8})), &open)
            .await
            .unwrap_err();
        assert!(cause.is(code::SENSORS_NO_ANSWER), "{cause:?}");
        assert!(started.elapsed() < Duration::from_secs(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_device_that_answers_only_what_it_knows_takes_bounded_time() {
        let open = opener(|_, function, address, _| {
            (address == 0 && function == 3).then(|| words(3, &[1; 8]))
        });
        let started = Instant::now();
        let asked = json!({"port": "tcp://h", "timeout_ms": 5000});
        let result = run(&args(&asked), &open).await.unwrap();
        assert_eq!(result["suggestions"], json!([]));
        assert!(started.elapsed() <= SUGGEST_TIME + Duration::from_secs(6));
    }
}
