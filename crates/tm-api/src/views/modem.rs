use serde::Serialize;
use tm_types::{Cell, Clock, Modem, Registration, Signal, Timestamp};

use super::{Explained, Look, modem_state};
use crate::world::mask_modem;

/// Every modem of the cabinet.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ModemsView {
    /// One entry per slot, also for a slot whose modem is gone.
    pub(crate) modems: Vec<ModemView>,
    /// Whether this may be outdated because the service does not report.
    pub(crate) stale: bool,
    /// The situation of the first modem, or why there is none.
    #[serde(flatten)]
    pub(crate) explained: Explained,
}

/// A modem, or the place where one should be.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ModemView {
    /// The modem. Identities show their last four digits to a caller without `admin`.
    #[serde(flatten)]
    pub(crate) modem: Modem,
    /// The situation in words, in the language of the request.
    pub(crate) sentence: String,
    /// Milliseconds since it was read; null before the first answer.
    pub(crate) age_ms: Option<u64>,
    /// Whether this may be outdated because the service does not report.
    pub(crate) stale: bool,
}

/// How well a modem hears the network.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct SignalView {
    /// Signal levels.
    #[serde(flatten)]
    pub(crate) signal: Signal,
    /// Its place in the network.
    pub(crate) registration: Registration,
    /// The cell it is in; null when not registered.
    pub(crate) cell: Option<Cell>,
    /// When it was read; null before the first answer.
    pub(crate) time: Option<Timestamp>,
    /// What the clock was set by then.
    pub(crate) clock: Option<Clock>,
    /// Milliseconds since then, by the monotonic clock.
    pub(crate) age_ms: Option<u64>,
    /// Whether this may be outdated because the service does not report.
    pub(crate) stale: bool,
}

impl ModemsView {
    /// `shows_identities` for a caller with `admin`.
    pub(crate) fn new(look: Look<'_>, shows_identities: bool) -> Self {
        let state = look.state("modem", modem_state);
        let first = state.cause(|state| {
            let first = state.modems.first();
            first.map_or_else(
                || tm_types::code::MODEM_NOT_CONFIGURED.plain(),
                |m| m.cause.clone(),
            )
        });
        let modems = state.state.map_or(&[][..], |state| &state.modems);
        let view = |modem: &Modem| ModemView::new(look, modem, state.is_stale, shows_identities);
        Self {
            modems: modems.iter().map(view).collect(),
            stale: state.is_stale,
            explained: look.explain(&first),
        }
    }
}

impl ModemView {
    fn new(look: Look<'_>, modem: &Modem, stale: bool, shows_identities: bool) -> Self {
        let mut modem = modem.clone();
        if !shows_identities {
            mask_modem(&mut modem);
        }
        Self {
            sentence: look.explain(&modem.cause).sentence,
            age_ms: modem.stamp.as_ref().map(|stamp| look.age_ms(stamp)),
            modem,
            stale,
        }
    }
}

impl From<ModemView> for SignalView {
    fn from(view: ModemView) -> Self {
        let stamp = view.modem.stamp;
        Self {
            signal: view.modem.signal,
            registration: view.modem.registration,
            cell: view.modem.cell,
            time: stamp.map(|stamp| stamp.time),
            clock: stamp.map(|stamp| stamp.clock),
            age_ms: view.age_ms,
            stale: view.stale,
        }
    }
}
