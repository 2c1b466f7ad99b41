//! Reads a receiver's output from stdin and prints one JSON object per epoch:
//! `cargo run -p tm-proto --example nmea_replay < log`.

use std::io::{self, Read as _, Write as _};

use serde_json::json;
use tm_proto::{
    calendar::Date,
    nmea0183::{Epoch, Epochs, Position},
};

fn main() -> io::Result<()> {
    let mut bytes = Vec::new();
    io::stdin().read_to_end(&mut bytes)?;
    // Recordings are as old as they say: no rollover repair.
    let mut epochs =
        Epochs::new(Date::from_unix_days(0).unwrap_or_else(|| unreachable!("1970-01-01 exists")));
    let mut found = epochs.feed(&bytes);
    found.extend(epochs.finish());
    let mut out = io::stdout().lock();
    for epoch in found {
        writeln!(out, "{}", line(&epoch))?;
    }
    Ok(())
}

fn line(epoch: &Epoch) -> serde_json::Value {
    json!({
        "time": time(epoch),
        "lat": epoch.position.map(Position::latitude_deg),
        "lon": epoch.position.map(Position::longitude_deg),
        "alt": epoch.altitude_m,
        "speed": epoch.speed_mps,
        "track": epoch.course_deg,
        "mode": epoch.mode as u8 + 1,
        "satellites_used": epoch.n_used_shown,
    })
}

fn time(epoch: &Epoch) -> Option<String> {
    let (date, ms) = (epoch.date?, epoch.time_of_day_ms?);
    let (s, ms) = (ms / 1000, ms % 1000);
    let (year, month, day) = (date.year(), date.month(), date.day());
    Some(format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{ms:03}Z",
        s / 3600,
        s / 60 % 60,
        s % 60
    ))
}
