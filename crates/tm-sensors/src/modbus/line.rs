//! One TCP connection and the devices behind it.

use std::collections::VecDeque;
use std::time::Duration;

use tm_types::{Point, Reading, Reason};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_modbus::client::{Client, Context, tcp};
use tokio_modbus::slave::{Slave, SlaveContext};
use tokio_modbus::{ExceptionCode, Request, Response};
use tracing::debug;

use super::decode;
use super::map::{Device, Table};
use super::plan::{Block, plan};
use crate::report::Measured;
use crate::schedule::Schedule;

/// For the connection itself: SYNs at 0 and 1 s, and a slow network behind a gateway.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// What a poll of one device brought.
#[derive(Debug)]
pub(crate) struct DeviceReading {
    /// The device's name.
    pub(crate) device: String,
    /// Between two polls of it.
    pub(crate) period: Duration,
    /// Every register, with a value or the reason why not.
    pub(crate) points: Vec<Measured>,
    /// Why the device as a whole counts as failed; `None` when it answered.
    pub(crate) failure: Option<Reason>,
}

/// A connection that is polled in turn for all its devices: many gateways take only one.
pub(crate) struct Line {
    host: String,
    port: u16,
    context: Option<Context>,
    units: Vec<Unit>,
}

/// A device with its schedule and its requests.
struct Unit {
    device: Device,
    schedule: Schedule,
    blocks: Vec<Block>,
}

/// Sorts devices onto the connections they share; all are due at `start`.
pub(crate) fn lines(devices: Vec<Device>, start: Instant) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for device in devices {
        let unit = Unit {
            schedule: Schedule::new(start, device.period),
            blocks: plan(&device.registers, device.max_count),
            device,
        };
        let (host, port) = (&unit.device.host, unit.device.port);
        match lines
            .iter_mut()
            .find(|line| line.host == *host && line.port == port)
        {
            Some(line) => line.units.push(unit),
            None => lines.push(Line {
                host: host.clone(),
                port,
                context: None,
                units: vec![unit],
            }),
        }
    }
    lines
}

impl Line {
    /// Its devices, in the order of the document.
    pub(crate) fn devices(&self) -> impl Iterator<Item = &Device> {
        self.units.iter().map(|unit| &unit.device)
    }

    /// When the next device is due.
    pub(crate) fn due(&self) -> Instant {
        let dues = self.units.iter().map(|unit| unit.schedule.due());
        dues.min().expect("a line is made for a device")
    }

    /// Reads the device that is due first.
    pub(crate) async fn poll(&mut self) -> DeviceReading {
        let units = self.units.iter_mut();
        let unit = units
            .min_by_key(|unit| unit.schedule.due())
            .expect("a line is made for a device");
        let address = (self.host.as_str(), self.port);
        let mut answer = None;
        if let Some(context) = self.context.take() {
            let over_old = read_over(context, unit).await;
            // Devices close idle connections; that is no reason to miss a poll.
            answer = (over_old.lost != Some(Reason::NotPresent)).then_some(over_old);
        }
        let answer = match answer {
            Some(answer) => answer,
            None => read_anew(address, unit).await,
        };
        self.context = answer.context;
        let (readings, lost) = (answer.readings, answer.lost);
        unit.schedule.advance(Instant::now());
        let none_answered = readings.iter().all(|reading| reading.value().is_none());
        let first_reason = readings.iter().find_map(Reading::reason);
        let points = unit.device.registers.iter().zip(readings);
        DeviceReading {
            device: unit.device.name.clone(),
            period: unit.device.period,
            failure: lost.or_else(|| first_reason.filter(|_| none_answered)),
            points: points
                .map(|(register, reading)| Measured {
                    point: Point {
                        name: register.name.clone(),
                        kind: register.kind,
                        unit: register.unit.clone(),
                        reading,
                        scale: register.scale,
                    },
                    deadband: register.deadband,
                })
                .collect(),
        }
    }
}

/// What a device answered, and the connection where it can be used again.
struct Answer {
    readings: Vec<Reading>,
    lost: Option<Reason>,
    context: Option<Context>,
}

/// Connects, and reads every register of the device, beginning with whole blocks: it may be
/// another device, or another firmware, than before.
async fn read_anew((host, port): (&str, u16), unit: &mut Unit) -> Answer {
    unit.blocks = plan(&unit.device.registers, unit.device.max_count);
    match connect(host, port, unit.device.unit_id).await {
        Ok(context) => read_over(context, unit).await,
        Err(reason) => Answer {
            readings: vec![Reading::Missing(reason); unit.device.registers.len()],
            lost: Some(reason),
            context: None,
        },
    }
}

/// Reads every register of the device over this connection.
async fn read_over(mut context: Context, unit: &mut Unit) -> Answer {
    context.set_slave(Slave(unit.device.unit_id));
    let (readings, lost) = read_device(&mut context, &unit.device, &mut unit.blocks).await;
    Answer {
        readings,
        lost,
        // A late answer would be taken for the next one's: a context that failed once is never
        // used again.
        context: lost.is_none().then_some(context),
    }
}

async fn connect(host: &str, port: u16, unit_id: u8) -> Result<Context, Reason> {
    match timeout(CONNECT_TIMEOUT, TcpStream::connect((host, port))).await {
        Ok(Ok(stream)) => {
            // Requests are single small packets: they must not wait for one another.
            if let Err(error) = stream.set_nodelay(true) {
                debug!(%error, "failed to set TCP_NODELAY");
            }
            Ok(tcp::attach_slave(stream, Slave(unit_id)))
        }
        Ok(Err(error)) => {
            debug!(host, port, %error, "modbus connection refused");
            Err(Reason::NotPresent)
        }
        Err(_elapsed) => Err(Reason::Timeout),
    }
}

/// Reads every block once; a refused one is halved, for this poll and those after it.
///
/// The second value is why the connection cannot be used any more.
async fn read_device(
    context: &mut Context,
    device: &Device,
    blocks: &mut Vec<Block>,
) -> (Vec<Reading>, Option<Reason>) {
    let registers = &device.registers;
    let mut readings = vec![Reading::Missing(Reason::NotPresent); registers.len()];
    let mut waiting = VecDeque::from(std::mem::take(blocks));
    while let Some(block) = waiting.pop_front() {
        match read_block(context, &block, device.timeout).await {
            Ok(words) => {
                for index in &block.members {
                    let register = &registers[*index];
                    let start = usize::from(register.address - block.start);
                    let end = start + usize::from(register.encoding.n_words());
                    readings[*index] = decode::reading(register, &words[start..end]);
                }
                blocks.push(block);
            }
            Err(Trouble::Exception(exception)) => {
                debug!(device = %device.name, start = block.start, count = block.count, ?exception, "modbus exception");
                let halves = if may_be_one_address(exception) {
                    block.halves(registers)
                } else {
                    None
                };
                if let Some((first, second)) = halves {
                    waiting.push_front(second);
                    waiting.push_front(first);
                } else {
                    for index in &block.members {
                        readings[*index] = Reading::Missing(reason_of(exception));
                    }
                    blocks.push(block);
                }
            }
            Err(Trouble::Lost(reason)) => {
                waiting.push_front(block);
                for index in waiting.iter().flat_map(|block| &block.members) {
                    readings[*index] = Reading::Missing(reason);
                }
                blocks.extend(waiting);
                return (readings, Some(reason));
            }
        }
    }
    (readings, None)
}

/// Why a block was not read.
enum Trouble {
    /// The device answered that it will not.
    Exception(ExceptionCode),
    /// The connection can no longer be trusted.
    Lost(Reason),
}

/// One request; bits become words of 0 and 1. The answer has exactly `block.count` of them.
async fn read_block(
    context: &mut Context,
    block: &Block,
    patience: Duration,
) -> Result<Vec<u16>, Trouble> {
    let (start, count) = (block.start, block.count);
    let request = match block.table {
        Table::Coil => Request::ReadCoils(start, count),
        Table::Discrete => Request::ReadDiscreteInputs(start, count),
        Table::Holding => Request::ReadHoldingRegisters(start, count),
        Table::Input => Request::ReadInputRegisters(start, count),
    };
    // `call`, not `read_…`: those assert the length of the answer in debug builds.
    let words = match timeout(patience, context.call(request)).await {
        Err(_elapsed) => return Err(Trouble::Lost(Reason::Timeout)),
        Ok(Err(error)) => {
            debug!(%error, "modbus answer not understood");
            return Err(Trouble::Lost(reason_of_error(&error)));
        }
        Ok(Ok(Err(exception))) => return Err(Trouble::Exception(exception)),
        Ok(Ok(Ok(response))) => match response {
            Response::ReadCoils(bits) | Response::ReadDiscreteInputs(bits) => {
                // Bits come in whole bytes.
                let padded = usize::from(count).div_ceil(8) * 8;
                let exact = if bits.len() == padded {
                    usize::from(count)
                } else {
                    bits.len()
                };
                bits.into_iter().take(exact).map(u16::from).collect()
            }
            Response::ReadHoldingRegisters(words) | Response::ReadInputRegisters(words) => words,
            _ => Vec::new(),
        },
    };
    if words.len() == usize::from(count) {
        Ok(words)
    } else {
        Err(Trouble::Lost(Reason::BadReply))
    }
}

/// A connection that ends is a device that is gone; anything else is an answer that cannot be one.
fn reason_of_error(error: &tokio_modbus::Error) -> Reason {
    use std::io::ErrorKind::{InvalidData, UnexpectedEof};
    match error {
        tokio_modbus::Error::Protocol(_) => Reason::BadReply,
        tokio_modbus::Error::Transport(error) => match error.kind() {
            InvalidData | UnexpectedEof => Reason::BadReply,
            _ => Reason::NotPresent,
        },
    }
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

fn reason_of(exception: ExceptionCode) -> Reason {
    match exception {
        ExceptionCode::ServerDeviceFailure | ExceptionCode::MemoryParityError => {
            Reason::DeviceError
        }
        // The gateway waited for the device in vain.
        ExceptionCode::GatewayTargetDevice => Reason::Timeout,
        _ => Reason::Refused,
    }
}

#[cfg(test)]
mod tests;
