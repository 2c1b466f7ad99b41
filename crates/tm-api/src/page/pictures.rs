//! Small pictures on the tiles: signal bars, the sky.

use std::fmt::Write as _;

use tm_types::{Satellite, Signal};

/// Bars by RSRP, the usual steps of telephones: -115, -105, -95, -85 dBm.
pub(super) fn full_steps(signal: &Signal) -> Option<usize> {
    let rsrp = signal.rsrp_dbm?;
    let steps = [-115.0, -105.0, -95.0, -85.0];
    Some(steps.into_iter().filter(|step| rsrp >= *step).count())
}

/// Four bars, some of them full.
pub(super) fn bars(full: usize) -> String {
    let mut out = "<svg class=\"bars\" viewBox=\"0 0 22 16\" aria-hidden=\"true\">".to_owned();
    for (bar, index) in (0..4).zip(0usize..) {
        let class = if index < full { "on" } else { "off" };
        let (x, height) = (bar * 6, 4 + bar * 4);
        let _ = write!(
            out,
            "<rect class=\"{class}\" x=\"{x}\" y=\"{}\" width=\"4\" height=\"{height}\" rx=\"1\"/>",
            16 - height
        );
    }
    out.push_str("</svg>");
    out
}

/// The sky from below: north up, the horizon outside, a dot for each satellite.
pub(super) fn sky(out: &mut String, satellites: &[Satellite]) {
    if satellites.is_empty() {
        return;
    }
    out.push_str(
        "<svg class=\"sky\" viewBox=\"-52 -52 104 104\" aria-hidden=\"true\">\
         <circle r=\"48\"/><circle r=\"24\"/><path d=\"M0-48V48M-48 0H48\"/>",
    );
    for satellite in satellites {
        let (Some(elevation), Some(azimuth)) = (satellite.elevation_deg, satellite.azimuth_deg)
        else {
            continue;
        };
        let distance = 48.0 * (90.0 - f64::from(elevation.clamp(0, 90))) / 90.0;
        let angle = f64::from(azimuth).to_radians();
        let class = if satellite.used { "used" } else { "seen" };
        let _ = write!(
            out,
            "<circle class=\"{class}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\"/>",
            distance * angle.sin(),
            -distance * angle.cos()
        );
    }
    out.push_str("</svg>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_by_rsrp() {
        let cases = [
            (None, None),
            (Some(-130.0), Some(0)),
            (Some(-115.0), Some(1)),
            (Some(-96.0), Some(2)),
            (Some(-85.0), Some(4)),
        ];
        for (rsrp_dbm, expected) in cases {
            let signal = Signal {
                rsrp_dbm,
                ..Signal::default()
            };
            assert_eq!(full_steps(&signal), expected, "{rsrp_dbm:?}");
        }
        assert_eq!(bars(3).matches("\"on\"").count(), 3);
    }

    #[test]
    fn the_zenith_is_in_the_middle_and_north_is_up() {
        let satellite = |elevation_deg, azimuth_deg, used| Satellite {
            system: "gps".to_owned(),
            id: 1,
            elevation_deg,
            azimuth_deg,
            cn0_dbhz: None,
            used,
            signals: Vec::new(),
        };
        let mut out = String::new();
        sky(
            &mut out,
            &[
                satellite(Some(90), Some(0), true),
                satellite(Some(0), Some(0), false),
                satellite(Some(0), Some(90), true),
                satellite(None, Some(90), true),
            ],
        );
        for dot in [
            "class=\"used\" cx=\"0.0\" cy=\"-0.0\"",
            "class=\"seen\" cx=\"0.0\" cy=\"-48.0\"",
            "class=\"used\" cx=\"48.0\" cy=\"-0.0\"",
        ] {
            assert!(out.contains(dot), "{dot}: {out}");
        }
        assert_eq!(
            out.matches("r=\"4\"").count(),
            3,
            "what has no place is not drawn"
        );
    }
}
