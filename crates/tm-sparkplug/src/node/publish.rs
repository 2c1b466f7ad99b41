//! What the node publishes: births, data, deaths, and their numbers.

use std::sync::Arc;

use tm_types::{Poll, Source, Stamp};

use super::{EdgeNode, Phase};
use crate::device::{Absorbed, Device, unix_ms};
use crate::event::{Effect, Message, Qos, Record};
use crate::topic::DeviceTopics;
use crate::write;

/// Records behind which a fence is put without waiting for the time.
const FENCE_RECORDS: usize = 256;
/// Points of a message that several records share: about 10 KiB, 4 s on an EDGE link of 20 kbit/s.
const MESSAGE_POINTS: usize = 512;
/// The most sources that are kept; anybody on the bus may invent one.
const DEVICES_MAX: usize = 256;

impl EdgeNode {
    /// The device of a source, made known if it was not, and whether the poll is its present;
    /// `None` for one too many.
    pub(super) fn device(
        &mut self,
        source: &Source,
        poll: &Poll,
        now: &Stamp,
    ) -> Option<(usize, bool)> {
        let known = self
            .devices
            .iter()
            .position(|device| device.source == *source);
        if known.is_none() && self.devices.len() == DEVICES_MAX {
            return None;
        }
        let at = known.unwrap_or_else(|| {
            let is_home = self.config.home.as_ref() == Some(source);
            let topics = (!is_home)
                .then(|| DeviceTopics::new(&self.config.group, &self.config.node, source));
            self.devices.push(Device::new(source.clone(), topics));
            self.devices.len() - 1
        });
        Some((at, self.devices[at].is_present(&poll.stamp, now)))
    }

    pub(super) fn absorb(&mut self, at: usize, poll: &Poll, is_present: bool) -> Absorbed {
        let absorbed = self.devices[at].absorb(poll, is_present, &mut self.aliases);
        self.counts.points_refused += absorbed.refused;
        absorbed
    }

    pub(super) fn records(&mut self, records: &[Record<'_>], now: &Stamp, out: &mut Vec<Effect>) {
        let mut rest = records;
        while let Some((first, others)) = rest.split_first() {
            let mut points = first.poll.points.len();
            let shares = |record: &&Record<'_>| {
                points += record.poll.points.len();
                let is_alike = record.source == first.source && record.is_backlog;
                first.is_backlog && is_alike && points <= MESSAGE_POINTS
            };
            let room = self.config.records_max - self.flights.len();
            let others = others.iter().take(room.saturating_sub(1));
            let n = 1 + others.take_while(shares).count();
            let (message, after) = rest.split_at(n);
            self.send(message, now, out);
            rest = after;
        }
    }

    /// Sends one record, or several of one source that waited, as one message.
    fn send(&mut self, records: &[Record<'_>], now: &Stamp, out: &mut Vec<Effect>) {
        let Some(first) = records.first() else {
            return;
        };
        let Some((at, is_present)) = self.device(first.source, first.poll, now) else {
            for record in records {
                self.counts.points_refused += record.poll.points.len() as u64;
                out.push(Effect::Delivered(record.key));
            }
            return;
        };
        let is_live = is_present && !first.is_backlog;
        if !self.is_ready() {
            // They come again as backlog; until then a live one is the present all the same.
            if is_live {
                self.absorb(at, first.poll, true);
            }
            out.extend(records.iter().map(|record| Effect::Returned(record.key)));
            return;
        }
        let mut has_repeats = false;
        let mut sent = 0;
        for record in records {
            let absorbed = self.absorb(at, record.poll, is_live);
            has_repeats |= absorbed.has_repeats;
            if absorbed.taken > 0 {
                self.flights.push(record.key, now.mono_ms);
                sent += 1;
            } else {
                // Nothing of it can ever be sent.
                out.push(Effect::Delivered(record.key));
            }
        }
        if sent == 0 {
            return;
        }
        let device = &self.devices[at];
        let is_born_now = device.needs_birth || !device.is_born;
        if is_born_now && device.topics.is_none() {
            self.birth(now, out);
        } else if is_born_now {
            self.device_birth(at, now, out);
        }
        // A birth has told the present readings already; the first of two with one name is the past.
        if !(is_born_now && is_live) || has_repeats {
            self.data(at, records, !is_live || is_born_now, now, out);
        }
        if self.flights.open() >= FENCE_RECORDS {
            out.push(Effect::Fence(self.flights.fence()));
        }
    }

    /// The whole sequence: NBIRTH with seq 0, then every device that is alive.
    pub(super) fn birth(&mut self, now: &Stamp, out: &mut Vec<Effect>) {
        self.phase = Phase::Born { at_ms: now.mono_ms };
        self.is_rebirth_due = false;
        self.counts.births += 1;
        let home = self
            .devices
            .iter_mut()
            .find(|device| device.topics.is_none());
        let payload = write::node_birth(unix_ms(now), self.bd_seq, &self.properties, home);
        self.seq = 1;
        out.push(publish(&self.topics.birth, payload));
        for at in 0..self.devices.len() {
            let device = &mut self.devices[at];
            if device.topics.is_none() {
                continue;
            }
            // The birth of the node has ended them all.
            device.is_born = false;
            if !device.is_lost && !device.metrics.is_empty() {
                self.device_birth(at, now, out);
            }
        }
    }

    fn device_birth(&mut self, at: usize, now: &Stamp, out: &mut Vec<Effect>) {
        let seq = self.take_seq();
        let device = &mut self.devices[at];
        let Some(topics) = &device.topics else {
            return;
        };
        let topic = topics.birth.clone();
        let payload = write::device_birth(unix_ms(now), seq, device);
        self.counts.device_births += 1;
        out.push(publish(&topic, payload));
    }

    fn data(
        &mut self,
        at: usize,
        records: &[Record<'_>],
        is_historical: bool,
        now: &Stamp,
        out: &mut Vec<Effect>,
    ) {
        let seq = self.take_seq();
        let device = &mut self.devices[at];
        let topic = match &device.topics {
            Some(topics) => topics.data.clone(),
            None => self.topics.data.clone(),
        };
        let polls = records.iter().map(|record| record.poll);
        let payload = write::data(unix_ms(now), seq, device, polls, is_historical);
        out.push(publish(&topic, payload));
    }

    pub(super) fn device_lost(&mut self, source: &Source, now: &Stamp, out: &mut Vec<Effect>) {
        let devices = &mut self.devices;
        let Some(device) = devices.iter_mut().find(|device| device.source == *source) else {
            return;
        };
        // The node itself dies with its connection only.
        let Some(topics) = &device.topics else {
            return;
        };
        let topic = topics.death.clone();
        device.is_lost = true;
        if std::mem::take(&mut device.is_born) {
            let payload = write::device_death(unix_ms(now), self.take_seq());
            out.push(publish(&topic, payload));
        }
    }

    /// NDEATH: as the will, and before a connection is ended on purpose.
    pub(super) fn death(&self, now: &Stamp) -> Message {
        Message {
            topic: self.topics.death.clone(),
            payload: write::node_death(unix_ms(now), self.bd_seq),
            qos: Qos::AtLeastOnce,
            retain: false,
        }
    }

    /// The number of the next message; 0 comes after 255.
    fn take_seq(&mut self) -> u8 {
        let seq = self.seq;
        self.seq = seq.wrapping_add(1);
        seq
    }
}

/// Births, data and deaths of devices: QoS 0, not retained.
fn publish(topic: &Arc<str>, payload: Vec<u8>) -> Effect {
    Effect::Publish(Message {
        topic: topic.clone(),
        payload,
        qos: Qos::AtMostOnce,
        retain: false,
    })
}
