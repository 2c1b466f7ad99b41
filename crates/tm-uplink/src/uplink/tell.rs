//! How the uplink stands: its health, its state, and what the cloud is told of the services.

use std::io::Write as _;
use std::time::Duration;

use tm_types::{Cause, HealthStatus, LinkStatus, UplinkState};

use super::{DISK_RETRY, UnderWay, Uplink, token};
use crate::config::Payload;
use crate::keeper::{Command, Opened};
use crate::schedule::Event;

impl Uplink<'_> {
    /// When the loop has to look at the clock again.
    pub(super) fn deadline(&self) -> Duration {
        let states = self.states.deadline().filter(|_| self.may_send_state());
        let others = [
            self.scheduler.deadline(),
            states,
            self.disk_at,
            self.downlink.deadline(),
            self.edge.as_ref().and_then(|node| node.edge().deadline()),
            self.profiles.deadline(),
        ];
        others
            .into_iter()
            .flatten()
            .fold(self.report_at, Duration::min)
    }

    /// Everything under way is lost with the connection.
    pub(super) fn lose_cloud(&mut self) {
        self.in_flight.clear();
        self.parts.clear();
        self.edge_is_gone();
        if std::mem::take(&mut self.is_state_sent) {
            self.states.lost(self.host.clock.mono());
        }
        self.downlink.went_down();
        self.keeper.tell(Command::CloudLost);
        self.schedule(Event::Down);
    }

    pub(super) fn give_up_stalled(&mut self) {
        tracing::warn!(
            broker = self.cloud.link.broker,
            "the cloud broker acknowledges nothing"
        );
        self.cloud.restart_stalled(self.host.clock.stamp().time);
        self.lose_cloud();
        self.say_health();
        self.say_state();
    }

    fn may_send_state(&self) -> bool {
        self.cloud.is_up() && !self.is_state_sent && self.spending.allows_states()
    }

    /// Sends the services' states when that is due.
    pub(super) fn send_state(&mut self, now: Duration) {
        if !self.may_send_state() {
            return;
        }
        if let Some(payload) = self.states.take(&self.host.device.id, now) {
            let payload = match self.config.payload {
                Payload::Columns => gzip(&payload),
                Payload::Json | Payload::Series | Payload::Sparkplug => payload,
            };
            let bytes = payload.len();
            let has_records = false;
            self.in_flight
                .insert(token::STATE, UnderWay { bytes, has_records });
            self.is_state_sent = true;
            self.cloud.send(token::STATE, "state", payload.into());
        }
    }

    /// How the uplink is, in one word with its reasons.
    pub(super) fn health(&self) -> (HealthStatus, Vec<Cause>) {
        let link = &self.cloud.link;
        let mut status = HealthStatus::Up;
        let mut reasons = Vec::new();
        match link.status {
            LinkStatus::Connected => {}
            LinkStatus::NotConfigured | LinkStatus::Connecting => reasons.push(link.cause.clone()),
            LinkStatus::Failed => {
                status = HealthStatus::Degraded;
                reasons.push(link.cause.clone());
            }
        }
        if let Some(trouble) = self.cloud.trouble() {
            status = HealthStatus::Degraded;
            reasons.push(trouble);
        }
        let broker = link.broker.as_deref().unwrap_or_default();
        let commands = self.downlink.trouble(broker);
        if let Some(trouble) = commands.filter(|_| link.status == LinkStatus::Connected) {
            status = HealthStatus::Degraded;
            reasons.push(trouble);
        }
        if let Some(trouble) = self.spending.budget.trouble() {
            status = HealthStatus::Degraded;
            reasons.push(trouble.clone());
        }
        if let Some(trouble) = &self.report.trouble {
            status = HealthStatus::Degraded;
            reasons.push(trouble.clone());
        }
        (status, reasons)
    }

    pub(super) fn say_health(&mut self) {
        if self.ingest.was_up() {
            let (status, reasons) = self.health();
            self.bus.health(status, reasons);
        }
    }

    /// Says it to the cloud too; an edge node says it by its births and its death.
    pub(super) fn say_cloud_health(&self) {
        if self.edge.is_none() {
            let (status, reasons) = self.health();
            self.cloud
                .say_health(token::HEALTH, self.host, status, &reasons);
        }
    }

    /// Tells the state, if anything but the age of the last acknowledgement has changed.
    pub(super) fn say_state(&mut self) {
        let link = &self.cloud.link;
        let report = &self.report;
        let now = self.host.clock.mono();
        let age =
            |at: Duration| u64::try_from(now.saturating_sub(at).as_millis()).unwrap_or(u64::MAX);
        let state = UplinkState {
            link: link.status,
            cause: link.cause.clone(),
            broker: link.broker.clone(),
            since: link.since,
            ack_age_ms: self.last_ack.map(age),
            journal: report.journal.clone(),
            messages_received: report.messages_received,
            duplicates_dropped: report.duplicates_dropped,
            lost_on_bus: report.lost_on_bus,
            messages_unreadable: report.messages_unreadable,
            batches_acked: self.batches_acked,
            bytes_acked: self.bytes_acked,
            commands: self.downlink.state(),
            profile: self.profiles.state(now),
            wire: self.cloud.wire(),
            budget: self.budget_state(now),
        };
        let mut lasting = UplinkState {
            ack_age_ms: None,
            ..state.clone()
        };
        lasting.profile.ends_in_s = lasting.profile.ends_in_s.map(|_| 0);
        // These change by themselves while nothing happens.
        for period in [&mut lasting.budget.day, &mut lasting.budget.month] {
            (period.forecast_bytes, period.lasts_hours) = (None, None);
        }
        if self.said_state.as_ref() != Some(&lasting) {
            self.bus.state(&state);
            self.said_state = Some(lasting);
        }
    }

    /// Tries a disk that could not be opened at the start.
    pub(super) async fn is_disk_back(&mut self) -> bool {
        self.disk_at = Some(self.host.clock.mono() + DISK_RETRY);
        let directory = self.host.store.directory().join(&self.config.directory);
        let quota = self.config.quota_bytes();
        let tried = tokio::task::spawn_blocking(move || {
            matches!(Opened::open(&directory, quota), Ok(Opened::Disk(_)))
        });
        tried.await.unwrap_or(false)
    }
}

fn gzip(payload: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    let written = encoder.write_all(payload).and_then(|()| encoder.finish());
    written.expect("a Vec takes everything")
}
