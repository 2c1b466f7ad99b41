//! Writing a register that the map allows to be written.

use serde::Deserialize;
use serde_json::{Value as Json, json};
use tm_types::{Cause, Reading, Reason, Value, code};
use tokio_modbus::{Request, Response};

use super::connection::{Connection, Trouble};
use super::decode::{self, Encoding, WordOrder};
use super::map::{Device, Register, Table};
use super::plan::plan;
use super::unit::{read_block, reason_of};

/// The operation's name.
pub(crate) const OPERATION: &str = "write";

/// The arguments of the operation.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    device: String,
    register: String,
    value: f64,
}

/// A write that the map allows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Wanted {
    /// The device it goes to.
    pub(crate) device: Device,
    register: Register,
    /// What goes on the wire, the first register first.
    words: Vec<u16>,
}

/// Why nothing was written, or not what was wanted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Refused {
    /// The line or the device would not.
    Failed(Reason),
    /// The connection can no longer be trusted, and whether it was written is not known.
    Lost(Reason),
    /// It was written, and reads back as something else.
    ReadsBack(Reading),
}

impl Wanted {
    /// Reads the arguments `{"device", "register", "value"}` against the map.
    pub(crate) fn read(args: &Json, devices: &[Device]) -> Result<Self, Cause> {
        let bad = |detail: String| code::OPERATION_BAD_ARGUMENTS.with("detail", detail);
        let Arguments {
            device,
            register,
            value,
        } = Deserialize::deserialize(args)
            .map_err(|error: serde_json::Error| bad(error.to_string()))?;
        let found = devices.iter().find(|known| known.name == device);
        let found =
            found.ok_or_else(|| bad(format!("{device} is no device with a writable register")))?;
        let name = format!("{device}/{register}");
        let register = found
            .registers
            .iter()
            .find(|known| known.name.as_str() == name);
        let register = register.ok_or_else(|| bad(format!("there is no register {name}")))?;
        let Some(allowed) = register.writable else {
            return Err(bad(format!("{name} is not writable in the map")));
        };
        if !(allowed.min..=allowed.max).contains(&value) {
            let detail = format!("{name} may be set to {} to {}", allowed.min, allowed.max);
            return Err(bad(detail));
        }
        let words =
            encode(register, value).ok_or_else(|| bad(format!("{name} cannot hold {value}")))?;
        let mut device = found.clone();
        device.registers.clear();
        let register = register.clone();
        Ok(Self {
            device,
            register,
            words,
        })
    }

    /// Writes, and reads back.
    pub(super) async fn execute(&self, connection: &mut Connection) -> Result<Reading, Refused> {
        let address = self.register.address;
        let request = match (self.register.table, &*self.words) {
            (Table::Coil, words) => {
                Request::WriteSingleCoil(address, words.iter().any(|word| *word != 0))
            }
            (_, [word]) => Request::WriteSingleRegister(address, *word),
            (_, words) => Request::WriteMultipleRegisters(address, words.into()),
        };
        let response = connection.call(self.device.addressee(), request).await;
        let is_done = matches!(
            response.map_err(refused)?,
            Response::WriteSingleCoil(..)
                | Response::WriteSingleRegister(..)
                | Response::WriteMultipleRegisters(..)
        );
        if !is_done {
            return Err(Refused::Lost(Reason::BadReply));
        }
        let registers = std::slice::from_ref(&self.register);
        let blocks = plan(registers, [0], self.device.max_count, 0, &[]);
        let mut words = Vec::new();
        for block in &blocks {
            let read = read_block(connection, &self.device, block).await;
            words.extend(read.map_err(refused)?);
        }
        let reading = decode::reading(&self.register, &words);
        if words == self.words {
            Ok(reading)
        } else {
            Err(Refused::ReadsBack(reading))
        }
    }

    /// Its line was given up before it was written, or before that is known.
    pub(crate) fn given_up(&self) -> Cause {
        self.failed("the line was given up for another map or a look at its port")
    }

    fn failed(&self, reason: &str) -> Cause {
        let cause = code::SENSORS_WRITE_FAILED.with("register", &self.register.name);
        cause.and("reason", reason)
    }

    /// The result of the operation, or why it failed.
    pub(crate) fn outcome(&self, written: Result<Reading, Refused>) -> Result<Json, Cause> {
        match written {
            Ok(reading) => Ok(json!({
                "register": self.register.name,
                "value": reading.value(),
                "unit": self.register.unit,
            })),
            Err(Refused::Failed(reason) | Refused::Lost(reason)) => {
                Err(self.failed(reason.as_str()))
            }
            Err(Refused::ReadsBack(reading)) => {
                let value = reading
                    .value()
                    .map_or_else(|| "nothing".to_owned(), Value::to_string);
                Err(self.failed(&format!("it reads back as {value}")))
            }
        }
    }
}

fn refused(trouble: Trouble) -> Refused {
    match trouble {
        Trouble::Exception(exception) => Refused::Failed(reason_of(exception)),
        Trouble::Lost(reason) => Refused::Lost(reason),
    }
}

/// The words that read as `value`; `None` when the register cannot hold it exactly.
fn encode(register: &Register, value: f64) -> Option<Vec<u16>> {
    let raw = (value - register.offset.to_f64()) / register.factor.to_f64();
    let whole = raw.round();
    // The division leaves dust behind: 21.5 / 0.1 is 215 all the same.
    let is_whole = (raw - whole).abs() <= 1e-9 * whole.abs().max(1.0);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "whole and below 2^53 by the check"
    )]
    let integer = || (is_whole && whole.abs() < 2_f64.powi(53)).then_some(whole as i64);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the nearest f32 is what the register holds"
    )]
    let bytes: Vec<u8> = match register.encoding {
        Encoding::Bool => u16::from(integer().filter(|n| (0..=1).contains(n))? != 0)
            .to_be_bytes()
            .into(),
        Encoding::U16 => u16::try_from(integer()?).ok()?.to_be_bytes().into(),
        Encoding::I16 => i16::try_from(integer()?).ok()?.to_be_bytes().into(),
        Encoding::U32 => u32::try_from(integer()?).ok()?.to_be_bytes().into(),
        Encoding::I32 => i32::try_from(integer()?).ok()?.to_be_bytes().into(),
        Encoding::U64 => u64::try_from(integer()?).ok()?.to_be_bytes().into(),
        Encoding::I64 => integer()?.to_be_bytes().into(),
        Encoding::F32 => Some(raw as f32)
            .filter(|raw| raw.is_finite())?
            .to_be_bytes()
            .into(),
        Encoding::F64 => raw.to_be_bytes().into(),
        Encoding::Bits(..) | Encoding::Text(_) => return None,
    };
    let words = bytes
        .chunks_exact(2)
        .map(|pair| match register.order.bytes {
            WordOrder::Big => u16::from_be_bytes([pair[0], pair[1]]),
            WordOrder::Little => u16::from_le_bytes([pair[0], pair[1]]),
        });
    let mut words: Vec<u16> = words.collect();
    if register.order.words == WordOrder::Little {
        words.reverse();
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::super::document;
    use super::*;

    fn devices() -> Vec<Device> {
        let map = "[[device]]\nname='m'\nport='/dev/t'\n\
            register=[\
            {name='setpoint',function='holding',address=0,type='i16',factor=0.1,writable={min=-20,max=60}},\
            {name='limit',function='holding',address=2,type='f32',word_order='little',writable={min=0,max=1000}},\
            {name='code',function='holding',address=6,byte_order='little',writable={min=0,max=70000}},\
            {name='relay',function='coil',address=0,writable={min=0,max=1}},\
            {name='level',function='holding',address=9}]\n";
        document::parse(map, &"sensors".parse().unwrap())
            .unwrap()
            .devices
    }

    fn check(register: &str, value: f64, expected: Result<&[u16], &str>) {
        let args = json!({"device": "m", "register": register, "value": value});
        let wanted = Wanted::read(&args, &devices());
        match expected {
            Ok(words) => assert_eq!(wanted.unwrap().words, words, "{register} {value}"),
            Err(detail) => {
                let said = wanted.unwrap_err().args["detail"].clone();
                assert!(said.contains(detail), "{register} {value}: {said}");
            }
        }
    }

    #[test]
    fn only_what_the_map_allows() {
        check("setpoint", 21.5, Ok(&[215]));
        check("setpoint", -0.1, Ok(&[0xffff]));
        check("setpoint", 21.55, Err("cannot hold"));
        check("setpoint", 60.1, Err("-20 to 60"));
        check("setpoint", -21.0, Err("-20 to 60"));
        check("limit", 230.5, Ok(&[0x8000, 0x4366]));
        check("code", 4660.0, Ok(&[0x3412]));
        check("code", 65_536.0, Err("cannot hold"));
        check("relay", 1.0, Ok(&[1]));
        check("relay", 0.5, Err("cannot hold"));
        check("level", 1.0, Err("not writable"));
        check("nothing", 1.0, Err("no register"));
        for args in [
            json!(null),
            json!({"device": "x", "register": "level", "value": 1}),
            json!({"device": "m", "register": "relay", "value": "1"}),
            json!({"device": "m", "register": "relay", "value": 1, "force": true}),
        ] {
            assert!(Wanted::read(&args, &devices()).is_err(), "{args}");
        }
    }
}
