//! Bytes for each payload, profile and rate of the cabinet stream, and what they come to in a month.

use anyhow::Result;

use super::wire::{Case, Counted, PING_BYTES, count};
use super::{Bench, per};

/// Seconds of the stream that are sent for each figure.
const SPAN_S: u64 = 1_800;
/// More batches than these tell nothing new.
const BATCHES_MAX: u64 = 15;
/// A connection is made anew so often.
const RECONNECTS_A_MONTH: u64 = 30 * 12;
const SECONDS_A_MONTH: u64 = 30 * 86_400;
/// Silence after which the connection is tested (`TM_UPLINK_KEEP_ALIVE_S`).
const KEEP_ALIVE_S: u64 = 600;

/// Name, and seconds in a batch.
const PROFILES: [(&str, u64); 3] = [("live", 5), ("balanced", 60), ("thrifty", 900)];

pub(super) async fn measure(bench: &Bench) -> Result<()> {
    println!(
        "B per measurement, TLS, headers of TCP and IP included, without connecting; payload alone in brackets:"
    );
    for (payload, profiles, seeds) in [
        ("columns", &PROFILES[..], &[42, 1, 2][..]),
        ("json", &PROFILES[1..2], &[42][..]),
    ] {
        for (profile, batch_s) in profiles {
            for is_moving in [false, true] {
                let mut told = Vec::new();
                for seed in seeds {
                    let case = case(payload, *batch_s, 1, is_moving, *seed);
                    let counted = count(bench, case).await?;
                    let measured = per(counted.measured, 1.0);
                    told.push(format!(
                        "{:.3} ({:.3})",
                        per(counted.batches, measured),
                        per(counted.payload, measured)
                    ));
                }
                println!(
                    "  {payload}, {profile} ({batch_s} s), {}: {}",
                    words(is_moving),
                    told.join(", ")
                );
            }
        }
    }
    println!(
        "MB in a month = (measurements * B of batches + connections * B of a resumed connection + keep-alives * {PING_BYTES} B) / 10^6, \
         with {RECONNECTS_A_MONTH} connections (one every 2 h) and a keep-alive for every {KEEP_ALIVE_S} s without a batch; states, events and commands come on top:"
    );
    for (profile, batch_s) in PROFILES {
        for is_moving in [false, true] {
            let mut told = Vec::new();
            for every_s in [22, 11, 1] {
                let counted =
                    count(bench, case("columns", batch_s, every_s, is_moving, 42)).await?;
                told.push(month(&counted, batch_s, every_s));
            }
            println!(
                "  columns, {profile} ({batch_s} s), {}: {}",
                words(is_moving),
                told.join("; ")
            );
        }
    }
    Ok(())
}

fn case(payload: &'static str, batch_s: u64, every_s: u64, is_moving: bool, seed: u64) -> Case {
    Case {
        payload,
        seed,
        is_moving,
        every_s,
        batch_s,
        batches: (SPAN_S / batch_s).min(BATCHES_MAX),
    }
}

fn month(counted: &Counted, batch_s: u64, every_s: u64) -> String {
    let span_s = (SPAN_S / batch_s).min(BATCHES_MAX) * batch_s;
    let batch_bytes = counted.batches * SECONDS_A_MONTH / span_s;
    let pings = if batch_s.max(every_s) > KEEP_ALIVE_S {
        SECONDS_A_MONTH / KEEP_ALIVE_S
    } else {
        0
    };
    let bytes = batch_bytes + RECONNECTS_A_MONTH * counted.again + pings * PING_BYTES;
    format!(
        "{:.1} measurements/s {:.2} MB ({:.2} batches, {:.2} connections of {} B)",
        per(counted.measured, per(span_s, 1.0)),
        per(bytes, 1e6),
        per(batch_bytes, 1e6),
        per(RECONNECTS_A_MONTH * counted.again, 1e6),
        counted.again
    )
}

fn words(is_moving: bool) -> &'static str {
    if is_moving { "moving" } else { "still" }
}
