//! A device on its line: its schedules, its requests, what it refuses, whether it is dead.

use std::collections::VecDeque;
use std::time::Duration;

use tm_types::{Point, Reading, Reason};
use tokio::time::Instant;
use tokio_modbus::ExceptionCode;
use tracing::{debug, info};

use super::connection::{Connection, Trouble};
use super::decode;
use super::map::{Device, Register};
use super::plan::{Block, plan};
use super::quarantine::{QUARANTINE, Quarantine};
use crate::report::Measured;
use crate::schedule::Schedule;

/// So many requests in a row without an answer, from a device that answers others, halve a block.
const SILENCES: u32 = 3;
/// So many polls in a row without any answer make a device a dead one.
const DEAD_AFTER: u32 = 3;
/// The longest wait before a dead device is asked again; it waits twice as long each time.
const DEAD_WAIT_MAX: Duration = Duration::from_mins(1);

/// A device with its schedules and its requests.
pub(super) struct Unit {
    pub(super) device: Device,
    groups: Vec<Group>,
    quarantine: Quarantine,
    /// Whether it answered anything in this poll.
    has_answered: bool,
    /// What silence tore apart is not joined before this.
    apart_until: Option<Instant>,
    /// Polls in a row that brought no answer.
    n_silent: u32,
    /// Not asked before this.
    not_before: Option<Instant>,
}

/// The registers of one period.
struct Group {
    schedule: Schedule,
    members: Vec<usize>,
    blocks: Vec<Block>,
}

impl Unit {
    /// A device whose registers are all due at `start`.
    pub(super) fn new(device: Device, start: Instant) -> Self {
        let mut by_period: Vec<(Duration, Vec<usize>)> = Vec::new();
        for (index, register) in device.registers.iter().enumerate() {
            let period = register.period.unwrap_or(device.period);
            match by_period.iter_mut().find(|(known, _)| *known == period) {
                Some((_, members)) => members.push(index),
                None => by_period.push((period, vec![index])),
            }
        }
        let groups = by_period.into_iter().map(|(period, members)| Group {
            schedule: Schedule::new(start, period),
            members,
            blocks: Vec::new(),
        });
        let mut unit = Self {
            groups: groups.collect(),
            quarantine: Quarantine::default(),
            has_answered: false,
            apart_until: None,
            n_silent: 0,
            not_before: None,
            device,
        };
        unit.plan_anew();
        unit
    }

    /// The line was opened: it may be another device, or another firmware, than before, so that whole blocks are read
    /// again; but silence also costs a connection.
    pub(super) fn on_open(&mut self) {
        if self.apart_until.is_none() && !self.is_doubtful() {
            self.plan_anew();
        }
    }

    /// Begins with whole blocks again.
    fn plan_anew(&mut self) {
        let (device, quarantine) = (&self.device, &self.quarantine);
        let is_apart = |index: &usize| quarantine.knows(*index);
        for group in &mut self.groups {
            let (apart, together): (Vec<usize>, Vec<usize>) =
                group.members.iter().copied().partition(is_apart);
            let plan = |members: &[usize]| {
                let members = members.iter().copied();
                let (max_count, max_hole) = (device.max_count, device.max_hole);
                plan(&device.registers, members, max_count, max_hole, &apart)
            };
            group.blocks = plan(&together);
            let singles = apart.iter().flat_map(|index| plan(&[*index]));
            group.blocks.extend(singles);
        }
    }

    /// When it is to be asked next.
    pub(super) fn due(&self) -> Instant {
        let due = self.schedule_due();
        self.not_before
            .map_or(due, |not_before| due.max(not_before))
    }

    /// Whether it has not answered for so long that the others on its line go first.
    pub(super) fn is_dead(&self) -> bool {
        self.n_silent >= DEAD_AFTER
    }

    fn schedule_due(&self) -> Instant {
        let dues = self.groups.iter().map(|group| group.schedule.due());
        dues.min().expect("a device has registers")
    }

    /// Reads what is due; the second value is why the connection cannot be used any more.
    pub(super) async fn read(
        &mut self,
        connection: &mut Connection,
    ) -> (Vec<(usize, Reading)>, Option<Reason>) {
        let mut readings = Vec::new();
        self.has_answered = false;
        let mut due = self.due_groups();
        // What may not be answered comes last: it costs the connection.
        due.sort_by_key(|index| self.groups[*index].is_doubtful());
        for index in due {
            let mut blocks = std::mem::take(&mut self.groups[index].blocks);
            let lost = self
                .read_blocks(connection, &mut blocks, &mut readings)
                .await;
            self.groups[index].blocks = blocks;
            if self.quarantine.take_growth() {
                // What halving tore apart is joined again, around the register.
                self.plan_anew();
            }
            if let Some(reason) = lost {
                return (self.missing_rest(readings, reason), lost);
            }
        }
        let is_over = |until: Instant| Instant::now() >= until;
        if self.apart_until.is_some_and(is_over) && !self.is_doubtful() {
            self.apart_until = None;
            self.plan_anew();
        }
        (readings, None)
    }

    /// What is due, all of it missing for this reason.
    pub(super) fn all_missing(&self, reason: Reason) -> Vec<(usize, Reading)> {
        self.missing_rest(Vec::new(), reason)
    }

    /// The points of a poll that ended now, by the order of the map, and why the device failed.
    pub(super) fn finish(
        &mut self,
        mut readings: Vec<(usize, Reading)>,
        lost: Option<Reason>,
    ) -> (Vec<Measured>, Option<Reason>) {
        let now = Instant::now();
        for index in self.due_groups() {
            self.groups[index].schedule.advance(now);
        }
        readings.sort_by_key(|(index, _)| *index);
        let none_answered = readings
            .iter()
            .all(|(_, reading)| reading.value().is_none());
        let first_reason = readings.iter().find_map(|(_, reading)| reading.reason());
        // One request that is not answered is no device that fails.
        let lost = lost.filter(|reason| none_answered || !is_silence(*reason));
        let failure = lost.or_else(|| first_reason.filter(|_| none_answered));
        self.count_silence(now, failure.filter(|_| none_answered));
        let points = readings
            .into_iter()
            .map(|(index, reading)| measured(&self.device.registers[index], reading));
        (points.collect(), failure)
    }

    /// A dead device is asked less and less often, so that its timeouts do not cost the others.
    fn count_silence(&mut self, now: Instant, failure: Option<Reason>) {
        if !failure.is_some_and(is_silence) {
            self.n_silent = 0;
            self.not_before = None;
            return;
        }
        self.n_silent = self.n_silent.saturating_add(1);
        if self.is_dead() {
            let doubled = 1 << (self.n_silent - DEAD_AFTER).min(16);
            let most = DEAD_WAIT_MAX.max(self.device.period);
            let wait = self.device.period.saturating_mul(doubled).min(most);
            self.not_before = Some(now + wait);
        }
    }

    fn due_groups(&self) -> Vec<usize> {
        let limit = self.schedule_due().max(Instant::now());
        let groups = self.groups.iter().enumerate();
        let due = groups.filter(|(_, group)| group.schedule.due() <= limit);
        due.map(|(index, _)| index).collect()
    }

    fn missing_rest(
        &self,
        mut readings: Vec<(usize, Reading)>,
        reason: Reason,
    ) -> Vec<(usize, Reading)> {
        let mut is_read = vec![false; self.device.registers.len()];
        for (index, _) in &readings {
            is_read[*index] = true;
        }
        for group in self.due_groups() {
            let rest = self.groups[group]
                .members
                .iter()
                .filter(|index| !is_read[**index]);
            readings.extend(rest.map(|index| (*index, Reading::Missing(reason))));
        }
        readings
    }

    /// Reads every block once; a refused one is halved, for this poll and those after it.
    async fn read_blocks(
        &mut self,
        connection: &mut Connection,
        blocks: &mut Vec<Block>,
        readings: &mut Vec<(usize, Reading)>,
    ) -> Option<Reason> {
        let mut waiting = VecDeque::from(std::mem::take(blocks));
        while let Some(block) = waiting.pop_front() {
            if let [index] = *block.members
                && self.quarantine.holds(index)
            {
                readings.push((index, Reading::Missing(Reason::Quarantined)));
                blocks.push(block);
                continue;
            }
            match read_block(connection, &self.device, &block).await {
                Ok(words) => {
                    self.has_answered = true;
                    for index in &block.members {
                        let register = &self.device.registers[*index];
                        let start = usize::from(register.address - block.start);
                        let end = start + usize::from(register.encoding.n_words());
                        readings.push((*index, decode::reading(register, &words[start..end])));
                        self.quarantine.release(*index);
                    }
                    blocks.push(Block {
                        n_silent: 0,
                        ..block
                    });
                }
                Err(Trouble::Exception(exception)) => {
                    self.has_answered = true;
                    debug!(device = %self.device.name, start = block.start, count = block.count, ?exception, "modbus exception");
                    let halves = Some(exception)
                        .filter(|exception| may_be_one_address(*exception))
                        .and_then(|_| block.halves(&self.device.registers));
                    if let Some((first, second)) = halves {
                        waiting.push_front(second);
                        waiting.push_front(first);
                    } else {
                        for index in &block.members {
                            readings.push((*index, Reading::Missing(reason_of(exception))));
                        }
                        if let ([index], true) = (&*block.members, may_be_one_address(exception)) {
                            let is_new = self.quarantine.refused(*index);
                            self.tell_set_aside(*index, is_new);
                        }
                        blocks.push(block);
                    }
                }
                Err(Trouble::Lost(reason)) => {
                    if is_silence(reason) {
                        // It is asked last from now on, so that it hides nothing else.
                        waiting.extend(self.after_silence(block));
                    } else {
                        waiting.push_front(block);
                    }
                    blocks.extend(waiting);
                    return Some(reason);
                }
            }
        }
        None
    }

    /// What is asked for instead of a block that was not answered: its halves, once the device has answered other
    /// requests and not this one for long enough, or has answered nothing at all. Some devices say nothing about an
    /// address that they do not have.
    fn after_silence(&mut self, mut block: Block) -> Vec<Block> {
        block.n_silent = block.n_silent.saturating_add(1);
        if let ([index], true) = (&*block.members, self.has_answered)
            && (block.n_silent >= SILENCES || self.quarantine.knows(*index))
        {
            let is_new = self.quarantine.set_aside(*index);
            self.tell_set_aside(*index, is_new);
            block.n_silent = 0;
            return vec![block];
        }
        if block.n_silent < SILENCES || !(self.has_answered || self.is_dead()) {
            return vec![block];
        }
        if let Some((first, second)) = block.halves(&self.device.registers) {
            debug!(device = %self.device.name, start = block.start, count = block.count, "modbus block not answered, halved");
            self.apart_until = Some(Instant::now() + QUARANTINE);
            return vec![first, second];
        }
        vec![block]
    }

    /// Whether it has requests that were not answered lately.
    fn is_doubtful(&self) -> bool {
        self.groups.iter().any(Group::is_doubtful)
    }

    fn tell_set_aside(&self, index: usize, is_new: bool) {
        if is_new {
            let register = &self.device.registers[index].name;
            info!(%register, "register set aside");
        }
    }
}

impl Group {
    /// Whether it has requests that were not answered lately.
    fn is_doubtful(&self) -> bool {
        self.blocks.iter().any(|block| block.n_silent > 0)
    }
}

/// Whether nothing came that was an answer, over a line that is there.
fn is_silence(reason: Reason) -> bool {
    matches!(reason, Reason::Timeout | Reason::BadReply)
}

fn measured(register: &Register, reading: Reading) -> Measured {
    Measured {
        point: Point {
            name: register.name.clone(),
            kind: register.kind,
            unit: register.unit.clone(),
            reading,
            scale: register.scale,
        },
        deadband: register.deadband,
    }
}

/// One request for a block.
pub(super) async fn read_block(
    connection: &mut Connection,
    device: &Device,
    block: &Block,
) -> Result<Vec<u16>, Trouble> {
    connection
        .read(device.addressee(), block.table, block.start, block.count)
        .await
}

/// Whether a smaller request may succeed (MODBUS Application Protocol V1.1b3, section 7; some
/// devices answer 4 for an address in the middle that they do not have).
fn may_be_one_address(exception: ExceptionCode) -> bool {
    matches!(
        exception,
        ExceptionCode::IllegalDataAddress
            | ExceptionCode::IllegalDataValue
            | ExceptionCode::ServerDeviceFailure
    )
}

/// What an exception means for a reading.
pub(super) fn reason_of(exception: ExceptionCode) -> Reason {
    match exception {
        ExceptionCode::ServerDeviceFailure | ExceptionCode::MemoryParityError => {
            Reason::DeviceError
        }
        // The gateway waited for the device in vain.
        ExceptionCode::GatewayTargetDevice => Reason::Timeout,
        _ => Reason::Refused,
    }
}
