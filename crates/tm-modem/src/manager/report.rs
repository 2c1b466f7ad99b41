//! What is told: state, health; each only when it changes.

use std::time::Duration;

use tm_types::{
    Cause, GnssEngine, Modem, ModemIdentity, ModemPresence, ModemPrivate, ModemState, PacketData,
    PrivateModem, Signal,
};

use super::{Effect, Manager, Now};
use crate::SLOT;
use crate::situation::{self, PATIENCE};
use crate::usb::UsbModem;

/// What only goes on, such as counts, is told so often.
const STATE_PERIOD: Duration = Duration::from_mins(10);

impl Manager {
    /// Tells what has changed.
    pub(super) fn publish(&mut self, now: Now) {
        let Some(presence) = self.presence else {
            return;
        };
        let is_present = presence == ModemPresence::Present;
        // A modem that has just come is told once it was read.
        if is_present && !self.is_read {
            return;
        }
        let cause = self.cause();
        if is_present && !situation::may_pass(&cause) {
            self.waiting_since = None;
        } else if is_present {
            self.waiting_since.get_or_insert(now.instant);
        }
        let is_overdue = self
            .waiting_since
            .is_some_and(|since| now.instant >= since + PATIENCE);
        let health = situation::health(&cause, is_overdue, self.config.expected, self.seen);
        if self.health.as_ref() != Some(&health) {
            self.effects
                .push(Effect::Health(health.0, health.1.clone()));
            self.health = Some(health);
        }
        self.publish_texts();
        let state = self.describe(presence, cause, now);
        let is_due = self
            .state_at
            .is_none_or(|at| now.instant >= at + STATE_PERIOD);
        let is_news = self
            .state
            .as_ref()
            .is_none_or(|last| !is_same(last, &state) || (is_due && *last != state));
        if is_news {
            self.state_at = Some(now.instant);
            self.effects.push(Effect::State(Box::new(state.clone())));
            self.state = Some(state);
        }
    }

    /// Tells what the messages say, to our own services only: the state is read by everybody.
    fn publish_texts(&mut self) {
        let is_told = self
            .told_texts
            .as_ref()
            .is_some_and(|told| told.iter().copied().eq(self.messages.ids()));
        if is_told {
            return;
        }
        self.told_texts = Some(self.messages.ids().collect());
        let modem = PrivateModem {
            id: SLOT.to_owned(),
            messages: self.messages.texts(),
        };
        let private = ModemPrivate {
            modems: vec![modem],
        };
        self.effects.push(Effect::Private(Box::new(private)));
    }

    /// The present situation: why there is no internet, or what the modem says of itself.
    pub(super) fn cause(&self) -> Cause {
        let own = if self.presence == Some(ModemPresence::Present) {
            situation::cause(&self.known, &self.sight)
        } else {
            self.trouble.clone()
        };
        match &self.care.diagnosis {
            Some(diagnosis) if !diagnosis.standing.is_quiet() => diagnosis.cause.clone(),
            _ => own,
        }
    }

    fn data(&self) -> Option<PacketData> {
        let mut data = self.known.data.describe().unwrap_or_default();
        if let Some(bearer) = &self.known.bearer {
            data.active = Some(bearer.is_connected);
            data.apn = bearer.apn.clone().or(data.apn);
            data.address.clone_from(&bearer.address);
            data.interface.clone_from(&bearer.interface);
        }
        data.attached = data.attached.or(self.known.attached);
        (data != PacketData::default()).then_some(data)
    }

    fn gnss(&self, now: Now) -> Option<GnssEngine> {
        let mut engine = self.known.gnss.clone().unwrap_or_default();
        engine.source = self.nmea_port.clone().or(engine.source);
        engine.cause = self.antenna.cause(now.instant);
        (engine != GnssEngine::default()).then_some(engine)
    }

    fn describe(&self, presence: ModemPresence, cause: Cause, now: Now) -> ModemState {
        let known = self.known.clone();
        let levels = known.levels;
        let is_registered = known.is_registered();
        let is_present = presence == ModemPresence::Present;
        let usb = self.usb.modem();
        let identity = ModemIdentity {
            usb: usb.map(UsbModem::composition).or(known.identity.usb),
            ..known.identity
        };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a temperature; `as` saturates"
        )]
        let temperature_cel = levels
            .temperature
            .ok()
            .map(|celsius| celsius.round() as i32);
        let modem = Modem {
            id: SLOT.to_owned(),
            presence,
            cause,
            port: self.port.clone(),
            stamp: self.stamp,
            identity,
            sim: known.sim,
            registration: known.registration,
            signal: Signal {
                rssi_dbm: levels.rssi.ok().map(f64::from),
                rsrp_dbm: levels.rsrp.ok(),
                rsrq_db: levels.rsrq.ok(),
                sinr_db: levels.sinr.ok(),
            },
            cell: known.cell.filter(|_| is_registered),
            temperature_cel,
            supply_v: levels.supply.ok(),
            data: self.data(),
            backend: self.backend.map(str::to_owned),
            radio_on: known.radio_on,
            network_time: self.told_time.filter(|_| is_present),
            gnss: is_present.then(|| self.gnss(now)).flatten(),
            usage: self.usage.usage(),
            balance: self.codes.balance().cloned(),
            messages: Some(self.messages.state()),
            recovery: self.care.view(now),
        };
        ModemState {
            modems: vec![modem],
        }
    }
}

/// Whether two states say the same, whenever it was read: counts and clocks that only go on are no news.
fn is_same(last: &ModemState, state: &ModemState) -> bool {
    let mut last = last.clone();
    for (old, new) in last.modems.iter_mut().zip(&state.modems) {
        old.stamp = new.stamp;
        old.network_time = new.network_time;
        let is_counted = old.usage.is_some() == new.usage.is_some();
        if is_counted {
            old.usage.clone_from(&new.usage);
        }
        if let (Some(old), Some(new)) = (&mut old.recovery, &new.recovery) {
            old.next_in_s = new.next_in_s;
        }
    }
    last == *state
}
