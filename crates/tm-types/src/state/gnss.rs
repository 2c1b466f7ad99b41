use serde::{Deserialize, Serialize};

use crate::{Cause, Clock, Stamp, Timestamp};

/// The state on `tm/v1/state/gnss`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GnssState {
    /// Whether a source is there and sends.
    pub presence: GnssPresence,
    /// The present situation as one code, such as `gnss.no_fix`.
    pub cause: Cause,
    /// Where sentences come from, such as `bus` or `tcp://10.0.0.4:2947`; null while there is none.
    pub source: Option<String>,
    /// The last fix; null before the first one. Its `mode` says whether it still holds.
    pub fix: Option<Fix>,
    /// Satellites in view at the last epoch.
    pub satellites: Vec<Satellite>,
    /// Sentences passed over since start: bad checksum, unknown, too long.
    pub sentences_skipped: u64,
    /// Why position and time are not to be trusted; absent while they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspicion: Option<SpoofingSuspicion>,
    /// Where the cabinet stands, averaged; absent until it stood for a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// Whether it is inside the configured circle; absent without one, and before that is clear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inside_geofence: Option<bool>,
}

/// Where a cabinet stands, averaged over hours.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Place {
    /// Latitude, degrees, WGS 84, north positive.
    pub latitude_deg: f64,
    /// Longitude, degrees, WGS 84, east positive.
    pub longitude_deg: f64,
    /// Height above mean sea level, m.
    pub altitude_m: f64,
    /// The true place is within this with a probability of 95 %, m.
    pub accuracy_m: f64,
    /// Hours of standing still behind it, at most 168.
    pub hours: f64,
    /// Whether it is away from where it was at home; absent until it stood for a quarter of an hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved: Option<bool>,
}

/// What jumped together, as it does not under the true sky.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SpoofingSuspicion {
    /// When it was noticed.
    pub since: Stamp,
    /// How far the position jumped, m; null when it did not.
    pub distance_m: Option<f64>,
    /// How far the time jumped against this machine's monotonic clock, or is off the witness's, milliseconds, ahead
    /// positive; null when it did not and is not.
    pub time_ms: Option<i64>,
    /// Who contradicts the time: NTP, the mobile network or the clock chip; null when nothing but jumps gave it away.
    #[serde(default)]
    pub witness: Option<Clock>,
    /// How many satellites changed at once; null when they did not.
    pub satellites: Option<u32>,
    /// The last latitude that was trusted, degrees, WGS 84.
    pub trusted_latitude_deg: f64,
    /// The last longitude that was trusted, degrees, WGS 84.
    pub trusted_longitude_deg: f64,
}

/// Whether a source of positions is there.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum GnssPresence {
    /// None was ever seen, and none is expected.
    NotConfigured,
    /// Was there, or is expected, and sends nothing.
    Silent,
    /// Sends sentences.
    Present,
}

/// A position.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Fix {
    /// When it was received, by this machine's clocks.
    pub stamp: Stamp,
    /// When it was true, by the satellites; null before they told the date.
    pub gnss_time: Option<Timestamp>,
    /// None, two-dimensional or three-dimensional.
    pub mode: FixMode,
    /// Latitude, degrees, WGS 84, north positive.
    pub latitude_deg: Option<f64>,
    /// Longitude, degrees, WGS 84, east positive.
    pub longitude_deg: Option<f64>,
    /// Height above mean sea level, m.
    pub altitude_m: Option<f64>,
    /// Speed over ground, m/s.
    pub speed_mps: Option<f64>,
    /// Course over ground, degrees from true north; null when too slow to tell.
    pub course_deg: Option<f64>,
    /// Horizontal dilution of precision.
    pub hdop: Option<f64>,
    /// Satellites used.
    pub satellites_used: Option<u32>,
}

/// Kind of a fix.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum FixMode {
    /// No position.
    #[default]
    #[serde(rename = "none")]
    None,
    /// Position without height.
    #[serde(rename = "2d")]
    TwoD,
    /// Position with height.
    #[serde(rename = "3d")]
    ThreeD,
}

/// A satellite in view.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Satellite {
    /// `gps`, `sbas`, `galileo`, `beidou`, `qzss`, `glonass`, `navic`.
    pub system: String,
    /// Its number within the system.
    pub id: u16,
    /// Height above the horizon, degrees.
    pub elevation_deg: Option<i16>,
    /// Direction from true north, degrees.
    pub azimuth_deg: Option<u16>,
    /// Carrier to noise density, dBHz, of the signal that is heard best; null when not tracked.
    pub cn0_dbhz: Option<u8>,
    /// Whether it is used in the fix.
    pub used: bool,
    /// Its signals, where the receiver tells them apart (NMEA 4.10 and later); absent where it does not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signals: Vec<SatelliteSignal>,
}

/// One signal of a satellite.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SatelliteSignal {
    /// Its number within the system, as NMEA 4.11 counts: 1 is GPS L1 C/A and GLONASS L1, 7 Galileo E1 and GPS L5.
    pub id: u8,
    /// Carrier to noise density, dBHz; null when not tracked.
    pub cn0_dbhz: Option<u8>,
}
