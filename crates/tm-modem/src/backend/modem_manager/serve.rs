//! What happens during one run of ModemManager, and what follows from it.

use std::time::Duration;

use futures_util::StreamExt;
use tm_types::{SimStatus, code};
use tokio::time::{Instant, sleep_until};
use zbus::Connection;
use zbus::names::OwnedUniqueName;

use super::ACTIONS;
use super::actions::{self, Target};
use super::care::{self, Cared};
use super::failure::Failure;
use super::gnss::Cache;
use super::messages::{self, Listing};
use super::presence::PATIENCE;
use super::properties::Read;
use super::raw::Levels;
use super::reconnect::Device;
use super::round::{self, Reading, Wanted};
use super::run::{Busy, Ended, Ours, Run};
use super::session::Worker;
use super::snapshot::Snapshot;
use super::watch::{Heard, Notices, Owner};
use crate::backend::{Action, Outcome, Report, Round, Ticket};

/// Messages that were told; a card has 10 to 50 places.
const TOLD_MAX: usize = 512;

impl Worker {
    /// One run of ModemManager; who owns its name afterwards.
    pub(super) async fn serve(
        &mut self,
        connection: &Connection,
        owner: OwnedUniqueName,
        notices: &Notices,
    ) -> Option<OwnedUniqueName> {
        tracing::info!(owner = owner.as_str(), "ModemManager is there");
        let mut run = Run::new(connection.clone(), owner, self.presence.is_some());
        loop {
            self.start(&mut run);
            let deadline = run.deadline();
            tokio::select! {
                () = notices.wait() => {
                    let heard = notices.take();
                    if let Some(Owner(owner)) = heard.owner {
                        tracing::info!("ModemManager is gone");
                        self.leave(&mut run).await;
                        return owner;
                    }
                    self.on_heard(&mut run, heard).await;
                }
                Some(ended) = run.jobs.next() => self.on_ended(&mut run, ended).await,
                Some((ticket, action)) = self.asked.recv() => self.on_asked(&mut run, ticket, action).await,
                () = sleep_until(deadline) => self.on_due(&mut run).await,
            }
        }
    }

    /// Starts what is due and not under way.
    fn start(&mut self, run: &mut Run) {
        let now = Instant::now();
        let is_full = now >= run.next_full;
        if !run.busy.reading && (is_full || run.next_change.is_some_and(|at| now >= at)) {
            if is_full {
                run.next_full = grid(run.next_full, self.settings.poll, now);
                run.has_news |= std::mem::take(&mut run.owes_list);
            }
            run.next_change = None;
            run.busy.reading = true;
            let wanted = Wanted {
                service: run.service.clone(),
                settings: self.settings.clone(),
                known_imei: self.imei.clone(),
                is_simtech: self.is_simtech,
                permission: run.permission,
                full: is_full.then(|| self.clock.stamp()),
                asks_time: run.modem.as_ref().is_none_or(|ours| ours.asks_time(now)),
                card: run.modem.as_ref().and_then(|ours| ours.card.clone()),
            };
            let reading = async { Ended::Read(Box::new(round::read(wanted).await)) };
            run.jobs.push(Box::pin(reading));
        }
        let Some(ours) = &mut run.modem else {
            return;
        };
        if run.has_news && !run.busy.listing && ours.has_messages {
            (run.has_news, run.busy.listing) = (false, true);
            let (service, told) = (run.service.clone(), ours.told.clone());
            let path = ours.target.path.clone();
            let listing =
                async move { Ended::Listed(messages::list(&service, &path, &told).await) };
            run.jobs.push(Box::pin(listing));
        }
        if run.acting.is_none()
            && let Some((ticket, action)) = run.queue.pop_front()
        {
            let target = ours.target.clone();
            ours.cared.is_ours_to_enable |= action == Action::CycleRadio;
            run.acting = Some((ticket, action.clone()));
            let acting = async { Ended::Acted(actions::perform(target, action).await) };
            run.jobs.push(Box::pin(acting));
        }
    }

    async fn on_heard(&mut self, run: &mut Run, heard: Heard) {
        let now = Instant::now();
        run.has_news |= heard.is_messaging;
        if let Some(ours) = &mut run.modem {
            if let Some(published) = heard.published {
                ours.cache.on_published(published, now);
            }
            if heard.removed.contains(&ours.target.path) {
                self.on_vanished(run).await;
            }
        }
        if heard.is_changed {
            run.change(now);
        }
    }

    async fn on_vanished(&mut self, run: &mut Run) {
        let port = run.modem.as_ref().map(|ours| ours.target.port.clone());
        let port = port.unwrap_or_default();
        tracing::info!(port, "modem is gone");
        let mut presence = run.waiting.on_vanished(&port);
        presence.is_on_usb = self.is_on_usb();
        self.leave(run).await;
        self.report(Report::Interrupted).await;
        self.say(presence).await;
        run.change(Instant::now());
    }

    /// The modem is gone, or ModemManager is: nothing of it goes on.
    async fn leave(&mut self, run: &mut Run) {
        run.jobs.clear();
        run.busy = Busy::default();
        let port = run.modem.as_ref().map(|ours| ours.target.port.clone());
        if let Some(ours) = run.modem.take() {
            run.former = Some(ours.target.path);
            run.hold = Instant::now() + PATIENCE;
        }
        let gone = code::MODEM_ABSENT.with("port", port.unwrap_or_default());
        if let Some((ticket, action)) = run.acting.take() {
            // That it goes is what a reset is asked for.
            let result = match action {
                Action::Reset => Ok(Outcome::Done),
                _ => Err(gone.clone()),
            };
            self.report(Report::Done(ticket, result)).await;
        }
        for (ticket, _) in std::mem::take(&mut run.queue) {
            self.report(Report::Done(ticket, Err(gone.clone()))).await;
        }
    }

    async fn on_asked(&mut self, run: &mut Run, ticket: Ticket, action: Action) {
        if run.modem.is_none() {
            self.refuse(ticket).await;
        } else if run.queue.len() < ACTIONS {
            run.queue.push_back((ticket, action));
        } else {
            let busy = code::MODEM_BUSY.with("what", "other requests");
            self.report(Report::Done(ticket, Err(busy))).await;
        }
    }

    async fn on_due(&mut self, run: &mut Run) {
        let now = Instant::now();
        if run
            .waiting
            .deadline()
            .is_some_and(|deadline| deadline <= now)
        {
            run.change(now);
        }
        if let Some(ours) = &mut run.modem
            && let Some(sentences) = ours.cache.due(now)
        {
            self.report(Report::Sentences(sentences)).await;
        }
    }

    async fn on_ended(&mut self, run: &mut Run, ended: Ended) {
        match ended {
            Ended::Read(reading) => {
                run.busy.reading = false;
                run.last_read = Some(Instant::now());
                self.on_reading(run, *reading).await;
            }
            Ended::Listed(listed) => {
                run.busy.listing = false;
                self.on_listed(run, listed).await;
            }
            Ended::Cared(results) => {
                run.busy.caring = false;
                let now = Instant::now();
                if let Some(ours) = &mut run.modem {
                    ours.cared.on_done(results, now);
                }
                run.change(now);
            }
            Ended::Acted(result) => {
                if let Some((ticket, action)) = run.acting.take() {
                    if let Some(ours) = &mut run.modem {
                        ours.cared.is_ours_to_enable |=
                            action == Action::CycleRadio && result.is_err();
                    }
                    self.report(Report::Done(ticket, result)).await;
                }
                run.change(Instant::now());
            }
        }
    }

    async fn on_listed(&mut self, run: &mut Run, listed: Result<Listing, Failure>) {
        let listing = match listed {
            Ok(listing) => listing,
            Err(error) => {
                tracing::debug!(?error, "text messages not listed");
                run.owes_list = true;
                return;
            }
        };
        let Some(ours) = &mut run.modem else {
            return;
        };
        ours.told.retain(|path| listing.paths.contains(path));
        ours.told.extend(listing.told);
        let excess = ours.told.len().saturating_sub(TOLD_MAX);
        ours.told.drain(..excess);
        for report in listing.reports {
            self.report(report).await;
        }
    }

    async fn on_reading(&mut self, run: &mut Run, mut reading: Reading) {
        let now = Instant::now();
        run.permission = reading.permission;
        if self.is_stranger(&reading) && now < run.hold {
            // Ours is restarting, perhaps, or was not looked at yet.
            run.read_at(run.hold);
            reading.snapshot = Ok(None);
        }
        let judged = run.waiting.judge(&reading, now);
        let gnss = reading.gnss();
        let snapshot = match reading.snapshot {
            Ok(Some(snapshot)) => snapshot,
            other => {
                if other.is_ok() && run.modem.is_some() {
                    self.on_vanished(run).await;
                } else if let Some(presence) = judged {
                    self.say(presence).await;
                }
                return;
            }
        };
        let is_other = |ours: &Ours| ours.target.path != snapshot.object.path;
        if run.modem.as_ref().is_some_and(is_other) {
            self.leave(run).await;
        }
        if run.modem.is_none() {
            self.on_found(run, &snapshot).await;
        }
        let Some(ours) = &mut run.modem else {
            return;
        };
        // Those of an earlier round are not told as if they were of this one.
        if reading.full.is_some() {
            ours.levels = reading.levels.unwrap_or_default();
        }
        ours.has_messages = care::has_messages(&snapshot);
        ours.target.device = device(&snapshot);
        ours.card.clone_from(&snapshot.sim);
        if reading.network_time.is_some() {
            ours.on_time(now);
        }
        let conditions = (run.permission, reading.nmea_port.as_ref());
        // What an action has switched off is not switched on in the middle of it, and that it was on before it was
        // switched off says nothing.
        let is_switching = matches!(&run.acting, Some((_, Action::CycleRadio | Action::Reset)));
        let wants = if is_switching {
            Vec::new()
        } else {
            ours.cared.wants(&snapshot, &self.settings, conditions, now)
        };
        let mut known = snapshot.knowledge(&ours.levels);
        known.gnss = gnss;
        known.device = Some(ours.target.device.clone());
        let asks_pin = known.sim.status == SimStatus::PinRequired;
        known.is_pin_withheld = asks_pin && ours.cared.is_pin_withheld;
        if !wants.is_empty() && !run.busy.caring {
            run.busy.caring = true;
            let ways = (run.connection.clone(), run.service.clone());
            let (path, settings) = (ours.target.path.clone(), self.settings.clone());
            let caring = async { Ended::Cared(care::perform(ways, path, settings, wants).await) };
            run.jobs.push(Box::pin(caring));
        }
        if let Some(presence) = judged {
            self.say(presence).await;
        }
        if let Some(unix_s) = reading.network_time {
            self.report(Report::NetworkTime { unix_s }).await;
        }
        let round = reading.full.map_or(Round::Service, Round::Full);
        self.report(Report::Known(Box::new(known), round)).await;
    }

    /// Another modem than the one that was ours.
    fn is_stranger(&self, reading: &Reading) -> bool {
        let Ok(Some(snapshot)) = &reading.snapshot else {
            return false;
        };
        let imei = snapshot.object.imei();
        imei.is_some() && self.imei.is_some() && imei != self.imei
    }

    /// Our modem, for the first time or again.
    async fn on_found(&mut self, run: &mut Run, snapshot: &Snapshot) {
        let path = snapshot.object.path.clone();
        let port = snapshot.object.port().unwrap_or_default();
        tracing::info!(port, path = path.as_str(), "modem is there");
        let imei = snapshot.object.imei();
        let is_same = imei.is_some() && imei == self.imei;
        let has_restarted = is_same && run.former.take().is_some_and(|former| former != path);
        if imei.is_some() {
            (self.imei, self.is_simtech) = (imei, snapshot.object.is_simtech());
        }
        run.has_news = true;
        run.modem = Some(Ours {
            target: Target {
                connection: run.connection.clone(),
                service: run.service.clone(),
                path,
                port,
                device: Device::default(),
            },
            levels: Levels::default(),
            cared: Cared::default(),
            cache: Cache::default(),
            has_messages: false,
            told: Vec::new(),
            card: None,
            times: (0, Instant::now()),
        });
        if has_restarted {
            self.report(Report::Restarted).await;
        }
    }
}

/// From due time to due time, so that the readings stand on a grid.
fn grid(due: Instant, period: Duration, now: Instant) -> Instant {
    let next = due + period;
    if next > now { next } else { now + period }
}

/// What names the modem to NetworkManager.
fn device(snapshot: &Snapshot) -> Device {
    let modem = snapshot.object.modem();
    let mut interfaces = snapshot.bearers.iter();
    Device {
        object: Some(snapshot.object.path.as_str().to_owned()),
        udi: modem.text("Device"),
        control_port: modem.text("PrimaryPort"),
        interface: interfaces.find_map(|(_, bearer)| bearer.text("Interface")),
    }
}
