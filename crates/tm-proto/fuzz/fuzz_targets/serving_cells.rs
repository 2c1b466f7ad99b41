//! `AT+CPSI?`: any lines.
//!
//! Held: nothing panics, and every level that is given is one that physics knows.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tm_proto::sim7600::{self, ServingCell};

fn within(level: Option<f64>, low: f64, high: f64) {
    if let Some(level) = level {
        assert!((low..=high).contains(&level), "{level}");
    }
}

fn is_network(plmn: &str) -> bool {
    plmn.split_once('-').is_some_and(|(country, network)| {
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        country.len() == 3 && (2..=3).contains(&network.len()) && digits(country) && digits(network)
    })
}

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.extend(text.lines().map(|line| format!("+CPSI: {line}")));
    lines.extend(
        text.lines()
            .map(|line| format!("+CPSI: LTE,Online,255-01,{line}")),
    );
    sim7600::signal_quality(&lines);
    let Some(cells) = sim7600::serving_cells(&lines) else {
        return;
    };
    assert!(cells.len() <= lines.len());
    for cell in cells {
        match cell {
            ServingCell::NoService { .. } => {}
            ServingCell::Lte(cell) => {
                assert!(is_network(&cell.plmn));
                assert!(cell.physical_cell_id.is_none_or(|id| id <= 503));
                assert_ne!(cell.earfcn, Some(u32::MAX));
                within(cell.downlink_mhz, 1.4, 20.0);
                within(cell.uplink_mhz, 1.4, 20.0);
                within(cell.levels.rsrp_dbm, -156.0, -20.0);
                within(cell.levels.rsrq_db, -45.0, 20.0);
                within(cell.levels.rssi_dbm, -130.0, 0.0);
                within(cell.levels.sinr_db, -30.0, 50.0);
            }
            ServingCell::Wcdma(cell) => {
                assert!(is_network(&cell.plmn));
                within(cell.rscp_dbm, -130.0, 0.0);
                within(cell.ecio_db, -40.0, 0.0);
                within(cell.rssi_dbm, -130.0, 0.0);
            }
            ServingCell::Gsm(cell) => {
                assert!(is_network(&cell.plmn));
                within(cell.rssi_dbm, -130.0, 0.0);
            }
        }
    }
});
