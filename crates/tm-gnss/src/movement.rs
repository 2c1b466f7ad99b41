//! Whether the cabinet has moved: farther than asked for, and than the receiver errs, twice in a row.

use tm_proto::nmea0183::{Epoch, Position};

use crate::geometry::offset_m;

/// Error of a position per unit of HDOP, one sigma, without correction signals (GPS SPS Performance Standard,
/// 5th edition, gives about 4 m at the median; jammed and urban skies are worse).
const METRES_PER_HDOP: f64 = 5.0;
/// A receiver errs by more than so many of its own standard deviations once in hundreds of epochs.
const SIGMAS: f64 = 3.0;

/// Compares positions with the last one that was published.
#[derive(Debug, Default)]
pub(crate) struct Movement {
    anchor: Option<Position>,
    was_away: bool,
}

impl Movement {
    /// This position was published.
    pub(crate) fn published(&mut self, position: Option<Position>) {
        self.anchor = position.or(self.anchor);
        self.was_away = false;
    }

    /// Whether this epoch, as the one before it, lies farther from the published position than `move_m`.
    pub(crate) fn on_epoch(&mut self, epoch: &Epoch, move_m: f64) -> bool {
        let (Some(position), Some(anchor)) = (epoch.position, self.anchor) else {
            return false;
        };
        let is_away = distance_m(anchor, position) > move_m.max(error_m(epoch) * SIGMAS);
        std::mem::replace(&mut self.was_away, is_away) && is_away
    }
}

/// What the receiver errs by, one sigma: as it says, else by its geometry.
pub(crate) fn error_m(epoch: &Epoch) -> f64 {
    epoch
        .horizontal_error_m
        .or(epoch.hdop.map(|hdop| hdop * METRES_PER_HDOP))
        .unwrap_or(METRES_PER_HDOP)
}

/// Along the surface.
pub(crate) fn distance_m(from: Position, to: Position) -> f64 {
    let place = |position: Position| [position.latitude_deg(), position.longitude_deg()];
    let [north, east] = offset_m(place(from), place(to));
    north.hypot(east)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(latitude_e7: i32, longitude_e7: i32, hdop: f64) -> Epoch {
        Epoch {
            position: Some(Position {
                latitude_e7,
                longitude_e7,
            }),
            hdop: Some(hdop),
            ..Epoch::default()
        }
    }

    #[test]
    fn distances() {
        let kyiv = Position {
            latitude_e7: 504_501_000,
            longitude_e7: 305_234_000,
        };
        let cases = [
            ((504_501_000, 305_234_000), 0.0),
            ((504_510_000, 305_234_000), 100.08),
            ((504_501_000, 305_248_130), 100.04),
            ((494_501_000, 305_234_000), 111_195.0),
        ];
        for ((latitude_e7, longitude_e7), expected) in cases {
            let got = distance_m(
                kyiv,
                Position {
                    latitude_e7,
                    longitude_e7,
                },
            );
            assert!(
                (got - expected).abs() <= expected * 0.001 + 1e-6,
                "{got} m, not {expected}"
            );
        }
        let (west, east) = (
            Position {
                latitude_e7: 0,
                longitude_e7: -1_799_999_000,
            },
            Position {
                latitude_e7: 0,
                longitude_e7: 1_799_999_000,
            },
        );
        assert!((distance_m(west, east) - 22.24).abs() < 0.1);
    }

    #[test]
    fn away_twice_and_farther_than_the_error() {
        let mut movement = Movement::default();
        assert!(
            !movement.on_epoch(&at(504_501_000, 305_234_000, 1.0), 50.0),
            "nothing was published"
        );
        movement.published(at(504_501_000, 305_234_000, 1.0).position);
        // 100 m north.
        let away = |hdop| at(504_510_000, 305_234_000, hdop);
        assert!(!movement.on_epoch(&away(1.0), 50.0), "once is an outlier");
        assert!(movement.on_epoch(&away(1.0), 50.0));
        assert!(
            !movement.on_epoch(&away(8.0), 50.0),
            "with such an error it may be standing"
        );
        assert!(!movement.on_epoch(&away(1.0), 500.0));
        movement.published(away(1.0).position);
        assert!(!movement.on_epoch(&away(1.0), 50.0));
        movement.published(None);
        assert!(
            !movement.on_epoch(&away(1.0), 50.0),
            "a message without a position moves nothing"
        );
    }
}
