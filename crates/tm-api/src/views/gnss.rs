use serde::Serialize;
use tm_types::{
    Clock, FixMode, GnssPresence, GnssState, Place, Satellite, SpoofingSuspicion, Timestamp,
};

use super::{Explained, Look, gnss_state};

/// The position receiver: presence, fix and sky.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct GnssView {
    /// Whether a source is there and sends; null while the service has not told.
    pub(crate) presence: Option<GnssPresence>,
    /// The situation in words.
    #[serde(flatten)]
    pub(crate) explained: Explained,
    /// Where sentences come from; null while there is none.
    pub(crate) source: Option<String>,
    /// The last fix.
    pub(crate) fix: FixView,
    /// Satellites in view at the last epoch.
    pub(crate) satellites: Vec<Satellite>,
    /// Sentences passed over since start: bad checksum, unknown, too long.
    pub(crate) sentences_skipped: Option<u64>,
    /// Why position and time are not to be trusted; null while they are.
    pub(crate) suspicion: Option<SpoofingSuspicion>,
    /// Where the cabinet stands, averaged over hours; null until it stood for a minute.
    pub(crate) place: Option<Place>,
    /// Whether it is inside the configured circle; null without one, and before that is clear.
    pub(crate) inside_geofence: Option<bool>,
    /// Whether this may be outdated because the service does not report.
    pub(crate) stale: bool,
}

/// A position, or why there is none.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct FixView {
    /// None, two-dimensional or three-dimensional; `none` also when the position is an old one.
    pub(crate) mode: FixMode,
    /// Latitude, degrees, WGS 84, north positive.
    pub(crate) latitude_deg: Option<f64>,
    /// Longitude, degrees, WGS 84, east positive.
    pub(crate) longitude_deg: Option<f64>,
    /// Height above mean sea level, m.
    pub(crate) altitude_m: Option<f64>,
    /// Speed over ground, m/s.
    pub(crate) speed_mps: Option<f64>,
    /// Course over ground, degrees from true north; null when too slow to tell.
    pub(crate) course_deg: Option<f64>,
    /// Horizontal dilution of precision.
    pub(crate) hdop: Option<f64>,
    /// Satellites used.
    pub(crate) satellites_used: Option<u32>,
    /// When it was received, by this machine's clock; null before the first fix.
    pub(crate) time: Option<Timestamp>,
    /// What the clock was set by then.
    pub(crate) clock: Option<Clock>,
    /// When it was true, by the satellites.
    pub(crate) gnss_time: Option<Timestamp>,
    /// Milliseconds since it was received, by the monotonic clock.
    pub(crate) age_ms: Option<u64>,
    /// The situation in words.
    #[serde(flatten)]
    pub(crate) explained: Explained,
    /// Whether this may be outdated because the service does not report.
    pub(crate) stale: bool,
}

/// The sky.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct SatellitesView {
    /// Satellites in view at the last epoch.
    pub(crate) satellites: Vec<Satellite>,
    /// How many of them are used in the fix.
    pub(crate) n_used: usize,
    /// The situation in words.
    #[serde(flatten)]
    pub(crate) explained: Explained,
    /// Whether this may be outdated because the service does not report.
    pub(crate) stale: bool,
}

impl GnssView {
    pub(crate) fn new(look: Look<'_>) -> Self {
        let found = look.state("gnss", gnss_state);
        let explained = look.explain(&found.cause(|state| state.cause.clone()));
        let state = found.state;
        Self {
            presence: state.map(|state| state.presence),
            source: state.and_then(|state| state.source.clone()),
            fix: FixView::of(look, state, explained.clone(), found.is_stale),
            satellites: state.map_or_else(Vec::new, |state| state.satellites.clone()),
            sentences_skipped: state.map(|state| state.sentences_skipped),
            suspicion: state.and_then(|state| state.suspicion.clone()),
            place: state.and_then(|state| state.place.clone()),
            inside_geofence: state.and_then(|state| state.inside_geofence),
            explained,
            stale: found.is_stale,
        }
    }
}

impl FixView {
    fn of(look: Look<'_>, state: Option<&GnssState>, explained: Explained, is_stale: bool) -> Self {
        let fix = state.and_then(|state| state.fix.as_ref());
        Self {
            mode: fix.map(|fix| fix.mode).unwrap_or_default(),
            latitude_deg: fix.and_then(|fix| fix.latitude_deg),
            longitude_deg: fix.and_then(|fix| fix.longitude_deg),
            altitude_m: fix.and_then(|fix| fix.altitude_m),
            speed_mps: fix.and_then(|fix| fix.speed_mps),
            course_deg: fix.and_then(|fix| fix.course_deg),
            hdop: fix.and_then(|fix| fix.hdop),
            satellites_used: fix.and_then(|fix| fix.satellites_used),
            time: fix.map(|fix| fix.stamp.time),
            clock: fix.map(|fix| fix.stamp.clock),
            gnss_time: fix.and_then(|fix| fix.gnss_time),
            age_ms: fix.map(|fix| look.age_ms(&fix.stamp)),
            explained,
            stale: is_stale,
        }
    }
}

impl From<GnssView> for SatellitesView {
    fn from(view: GnssView) -> Self {
        Self {
            n_used: view
                .satellites
                .iter()
                .filter(|satellite| satellite.used)
                .count(),
            satellites: view.satellites,
            explained: view.explained,
            stale: view.stale,
        }
    }
}
