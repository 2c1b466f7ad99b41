//! What a modem needs so that it can be observed, asked for again whenever it is not so: after a reset, and after
//! ModemManager was started again, everything is as it was at first.

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::Instant;
use zbus::Connection;
use zbus::zvariant::OwnedObjectPath;

use super::actions::ENABLE_TIME;
use super::failure::{Failure, within};
use super::gnss::{self, LOCATION, Setup};
use super::manager::{Service, owner_of};
use super::properties::Read;
use super::proxies::{LocationProxy, ModemProxy, SignalProxy, SimProxy};
use super::raw::{self, Permission};
use super::snapshot::{LOCK_PIN, SIGNAL, STATE_DISABLED, STATE_ENABLED, STATE_FAILED, Snapshot};
use super::{Settings, messages::MESSAGING};
use crate::network_manager;

const CALL_TIME: Duration = Duration::from_secs(15);
/// What was refused is not tried again sooner.
const AFTER_REFUSAL: Duration = Duration::from_mins(5);
/// What was done but does not show is not done again sooner.
const AFTER_SUCCESS: Duration = Duration::from_secs(30);
/// The PIN is sent only while all tries are left: never the one before the last. Some cards have more.
const ALL_TRIES: u8 = 3;

/// Something to set up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Want {
    /// The PIN is to be entered.
    Pin(OwnedObjectPath),
    /// The modem is to be switched on, if nobody else does; or by us, who have switched it off.
    Enable {
        /// It was switched off for an action.
        is_ours: bool,
    },
    /// Signal levels are to be read every so many seconds.
    Signal(u32),
    /// The active antenna is to be fed.
    Antenna(u32),
    /// The satellite receiver.
    Gnss(Vec<Setup>),
}

/// What was set up or refused, and when it may be tried again.
#[derive(Debug, Default)]
pub(super) struct Cared {
    rests: Vec<(Want, Instant)>,
    /// The PIN of the configuration was not accepted.
    pub(super) is_pin_withheld: bool,
    is_antenna_fed: bool,
    /// An action has switched it off, and may not have come as far as to switch it on.
    pub(super) is_ours_to_enable: bool,
}

impl Cared {
    /// What is missing now.
    pub(super) fn wants(
        &mut self,
        snapshot: &Snapshot,
        settings: &Settings,
        (permission, nmea_port): (Permission, Option<&PathBuf>),
        now: Instant,
    ) -> Vec<Want> {
        self.rests.retain(|(_, until)| now < *until);
        let mut wants = Vec::new();
        let asks_pin = snapshot.lock() == LOCK_PIN && settings.pin.is_some();
        if asks_pin && snapshot.pin_tries().is_some_and(|tries| tries < ALL_TRIES) {
            self.is_pin_withheld = true;
        }
        if asks_pin
            && !self.is_pin_withheld
            && snapshot.pin_tries().is_some_and(|tries| tries >= ALL_TRIES)
            && let Some(sim) = snapshot.object.modem().path("Sim")
        {
            wants.push(Want::Pin(sim));
        }
        if snapshot.state() == STATE_DISABLED {
            let is_ours = self.is_ours_to_enable;
            wants.push(Want::Enable { is_ours });
        } else if snapshot.state() >= STATE_ENABLED {
            self.is_ours_to_enable = false;
        }
        let period_s = settings.period_s();
        let signal = snapshot.object.interface(SIGNAL);
        if signal.word("Rate").is_some_and(|rate| rate != period_s) {
            wants.push(Want::Signal(period_s));
        }
        // Satellites need no card: from ModemManager 1.24 on they can be heard by a modem that has failed for that.
        let state = snapshot.state();
        if settings.nmea_relay && (state >= STATE_ENABLED || state == STATE_FAILED) {
            let setup = gnss::missing(snapshot.object.interface(LOCATION), nmea_port);
            let millivolts = settings.gnss_antenna_mv;
            if millivolts > 0 && !self.is_antenna_fed && permission == Permission::Granted {
                wants.push(Want::Antenna(millivolts));
            }
            if !setup.is_empty() {
                wants.push(Want::Gnss(setup));
            }
        }
        wants.retain(|want| self.rests.iter().all(|(resting, _)| resting != want));
        wants
    }

    /// What became of it.
    pub(super) fn on_done(&mut self, results: Vec<(Want, Result<(), Failure>)>, now: Instant) {
        for (want, result) in results {
            let rest = match (&want, result) {
                (Want::Antenna(_), Ok(())) => {
                    self.is_antenna_fed = true;
                    AFTER_SUCCESS
                }
                (_, Ok(())) => AFTER_SUCCESS,
                (Want::Pin(_), Err(_)) => {
                    tracing::warn!("the SIM refuses the PIN");
                    self.is_pin_withheld = true;
                    AFTER_REFUSAL
                }
                (_, Err(error)) => {
                    tracing::debug!(?want, ?error, "not set up");
                    AFTER_REFUSAL
                }
            };
            self.rests.push((want, now + rest));
        }
    }
}

/// Does what is wanted, one after the other.
pub(super) async fn perform(
    (connection, service): (Connection, Service),
    path: OwnedObjectPath,
    settings: std::sync::Arc<Settings>,
    wants: Vec<Want>,
) -> Vec<(Want, Result<(), Failure>)> {
    let mut results = Vec::with_capacity(wants.len());
    for want in wants {
        let result = one(&connection, &service, &path, &settings, &want).await;
        results.push((want, result));
    }
    results
}

async fn one(
    connection: &Connection,
    service: &Service,
    path: &OwnedObjectPath,
    settings: &Settings,
    want: &Want,
) -> Result<(), Failure> {
    match want {
        Want::Pin(sim) => {
            let Some(pin) = &settings.pin else {
                return Ok(());
            };
            let sim: SimProxy<'_> = service.proxy(sim).await?;
            within(CALL_TIME, sim.send_pin(pin.expose())).await
        }
        Want::Enable { is_ours } => {
            // Where there is a NetworkManager it switches modems on as its own settings say.
            if !is_ours && owner_of(connection, network_manager::NAME).await?.is_some() {
                return Ok(());
            }
            tracing::info!("modem is disabled, enabling it");
            let modem: ModemProxy<'_> = service.proxy(path).await?;
            within(ENABLE_TIME, modem.enable(true)).await
        }
        Want::Signal(period_s) => {
            let signal: SignalProxy<'_> = service.proxy(path).await?;
            within(CALL_TIME, signal.setup(*period_s)).await
        }
        Want::Antenna(millivolts) => {
            let modem: ModemProxy<'_> = service.proxy(path).await?;
            let mut permission = Permission::Granted;
            let is_fed = raw::feed_antenna(&modem, &mut permission, *millivolts).await;
            let refused = || Failure::Refused("the antenna cannot be fed".to_owned());
            is_fed.then_some(()).ok_or_else(refused)
        }
        Want::Gnss(setup) => {
            let location: LocationProxy<'_> = service.proxy(path).await?;
            for step in setup {
                match step {
                    Setup::Refresh => within(CALL_TIME, location.set_gps_refresh_rate(0)).await?,
                    Setup::Sources(sources, signals) => {
                        tracing::info!(sources, "switching the satellite receiver on");
                        within(CALL_TIME, location.setup(*sources, *signals)).await?;
                    }
                }
            }
            Ok(())
        }
    }
}

/// Whether it has text messages at all.
pub(super) fn has_messages(snapshot: &Snapshot) -> bool {
    snapshot.object.interface(MESSAGING).is_some()
}

#[cfg(test)]
#[path = "tests/cares.rs"]
mod tests;
