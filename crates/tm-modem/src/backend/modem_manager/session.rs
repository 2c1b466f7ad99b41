//! The work itself: connects, follows ModemManager and the modem, reads, acts. Everything that waits is one of a
//! handful of jobs beside each other, so that a slow answer holds up nothing else.

use std::convert::Infallible;
use std::sync::Arc;

use tm_service::Clock;
use tm_service::port::Backoff;
use tm_types::code;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use zbus::Connection;
use zbus::names::OwnedUniqueName;

use super::Settings;
use super::bus::SystemBus;
use super::manager::{NAME, owner_of};
use super::presence::no_manager;
use super::run::COALESCE;
use super::watch::{Ears, Notices, Owner};
use crate::backend::{Action, Presence, Report, Ticket};
use crate::usb;

/// What all of it shares.
pub(super) struct Worker {
    pub(super) settings: Arc<Settings>,
    pub(super) clock: Clock,
    pub(super) reports: mpsc::Sender<Report>,
    pub(super) asked: mpsc::Receiver<(Ticket, Action)>,
    pub(super) presence: Option<Presence>,
    /// The modem that is ours.
    pub(super) imei: Option<String>,
    /// It is of SIMCom. Of one that is only remembered that is supposed.
    pub(super) is_simtech: bool,
}

impl Worker {
    pub(super) fn new(
        settings: Arc<Settings>,
        clock: Clock,
        reports: mpsc::Sender<Report>,
        asked: mpsc::Receiver<(Ticket, Action)>,
    ) -> Self {
        let imei = settings.known_imei.clone();
        Self {
            settings,
            clock,
            reports,
            asked,
            presence: None,
            imei,
            is_simtech: true,
        }
    }

    /// Goes on for ever.
    pub(super) async fn run(mut self, bus: SystemBus) -> Infallible {
        let mut backoff = Backoff::default();
        loop {
            let why = match bus.connection().await {
                Ok(connection) => {
                    let from = Instant::now();
                    let why = self.attend(&connection).await;
                    if from.elapsed() > COALESCE {
                        backoff.reset();
                    }
                    why
                }
                Err(why) => why,
            };
            self.say(self.absence(&why)).await;
            self.rest(Instant::now() + backoff.next_wait()).await;
        }
    }

    /// Follows ModemManager on this connection until the connection ends.
    async fn attend(&mut self, connection: &Connection) -> String {
        let notices = Notices::default();
        let ears = match Ears::open(connection).await {
            Ok(ears) => ears,
            Err(error) => return error.to_string(),
        };
        let ended = || "the system bus has ended".to_owned();
        tokio::select! {
            () = ears.listen(&notices) => ended(),
            () = connection.closed() => ended(),
            why = self.follow(connection, &notices) => why,
        }
    }

    async fn follow(&mut self, connection: &Connection, notices: &Notices) -> String {
        let mut owner = match owner_of(connection, NAME).await {
            Ok(owner) => owner,
            Err(error) => return error.to_string(),
        };
        loop {
            owner = if let Some(owner) = owner {
                self.serve(connection, owner, notices).await
            } else {
                let nobody = self.absence("it is not running");
                self.say(nobody).await;
                self.await_owner(notices).await
            };
        }
    }

    async fn await_owner(&mut self, notices: &Notices) -> Option<OwnedUniqueName> {
        loop {
            tokio::select! {
                () = notices.wait() => {
                    if let Some(Owner(owner)) = notices.take().owner {
                        return owner;
                    }
                }
                Some((ticket, _)) = self.asked.recv() => self.refuse(ticket).await,
            }
        }
    }

    /// Nothing can be done before then but to say so.
    async fn rest(&mut self, until: Instant) {
        loop {
            tokio::select! {
                () = sleep_until(until) => return,
                Some((ticket, _)) = self.asked.recv() => self.refuse(ticket).await,
            }
        }
    }

    pub(super) async fn refuse(&mut self, ticket: Ticket) {
        let trouble = self
            .presence
            .as_ref()
            .and_then(|presence| presence.trouble.clone());
        let why = trouble.unwrap_or_else(|| code::MODEM_STARTING.plain());
        self.report(Report::Done(ticket, Err(why))).await;
    }

    pub(super) fn is_on_usb(&self) -> Option<bool> {
        let modems = usb::directories(&self.settings.roots.sys);
        modems.ok().map(|modems| !modems.is_empty())
    }

    fn absence(&self, why: &str) -> Presence {
        no_manager(why, self.is_on_usb())
    }

    /// Tells whether the modem is there, if that is news.
    pub(super) async fn say(&mut self, presence: Presence) {
        if self.presence.as_ref() != Some(&presence) {
            self.presence = Some(presence.clone());
            self.report(Report::Presence(presence)).await;
        }
    }

    pub(super) async fn report(&self, report: Report) {
        // The receiver lives as long as this.
        let _ = self.reports.send(report).await;
    }
}
