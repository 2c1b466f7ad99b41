use std::collections::HashMap;

use serde::Serialize;
use tm_types::{
    Cell, Clock, DataUsage, Messages, Modem, ModemPrivate, Registration, Signal, Timestamp,
};

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

/// Text messages of a modem.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct MessagesView {
    /// What was received, and counts. Texts are null, and numbers of people show their last four digits, to a caller
    /// without `admin`.
    #[serde(flatten)]
    pub(crate) messages: Messages,
    /// Whether this may be outdated because the service does not report.
    pub(crate) stale: bool,
}

/// How much data went through a modem.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct UsageView {
    /// By session, day and billing month; null before the first count.
    pub(crate) usage: Option<DataUsage>,
    /// How much of the limit the month has used, in whole percent, beyond 100 where it is exceeded; null without a
    /// limit or a count.
    pub(crate) limit_percent: Option<u64>,
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
        let private = state.private.filter(|_| shows_identities);
        let view = |modem: &Modem| ModemView::new(look, modem, state.is_stale, private);
        Self {
            modems: modems.iter().map(view).collect(),
            stale: state.is_stale,
            explained: look.explain(&first),
        }
    }
}

impl ModemView {
    /// `private` for a caller with `admin`.
    fn new(look: Look<'_>, modem: &Modem, stale: bool, private: Option<&ModemPrivate>) -> Self {
        let mut modem = modem.clone();
        match private {
            Some(private) => add_texts(&mut modem, private),
            None => mask_modem(&mut modem),
        }
        Self {
            sentence: look.explain(&modem.cause).sentence,
            age_ms: modem.stamp.as_ref().map(|stamp| look.age_ms(stamp)),
            modem,
            stale,
        }
    }
}

/// What the messages say is told apart from the state. One whose text has not come yet stays without.
fn add_texts(modem: &mut Modem, private: &ModemPrivate) {
    let private = private.modems.iter().filter(|one| one.id == modem.id);
    let texts: HashMap<u64, &str> = private
        .flat_map(|one| &one.messages)
        .map(|message| (message.id, message.text.as_str()))
        .collect();
    for message in modem.messages.iter_mut().flat_map(|m| &mut m.inbox) {
        let text = texts.get(&message.id).map(|text| (*text).to_owned());
        message.text = text.or(message.text.take());
    }
}

impl From<ModemView> for MessagesView {
    fn from(view: ModemView) -> Self {
        Self {
            messages: view.modem.messages.unwrap_or_default(),
            stale: view.stale,
        }
    }
}

impl From<ModemView> for UsageView {
    fn from(view: ModemView) -> Self {
        let usage = view.modem.usage;
        Self {
            limit_percent: usage.as_ref().and_then(|usage| {
                let limit = u128::from(usage.limit_mb?) * 1_000_000;
                let percent = u128::from(month_bytes(usage)) * 100;
                u64::try_from(percent.checked_div(limit)?).ok()
            }),
            usage,
            stale: view.stale,
        }
    }
}

/// Bytes of the month in both directions, as operators count them.
pub(crate) fn month_bytes(usage: &DataUsage) -> u64 {
    usage.month.rx_bytes.saturating_add(usage.month.tx_bytes)
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
