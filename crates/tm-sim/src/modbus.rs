//! An energy meter on Modbus TCP, with two contacts. It has a supply of its own.
//!
//! ```text
//! holding and input registers (the same values in both)
//!  0     voltage        0.1 V       u16
//!  1     current        0.01 A      u16
//!  2, 3  active power   W           i32, high word first
//!  4, 5  energy         Wh          u32, high word first
//!  6     frequency      0.01 Hz     u16
//!  7     power factor   0.001       i16
//!  8, 9  voltage        V           f32, high word first
//! discrete inputs
//!  0     door open
//!  1     mains present
//! coils
//!  0     door open
//!  1     relay (may be written)
//! ```
//!
//! Without mains the energy stands still and the other registers are zero.

use std::{
    future::{Ready, ready},
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use fastrand::Rng;
use tokio::{net::TcpListener, time::interval};
use tokio_modbus::{
    ExceptionCode, Request, Response, SlaveRequest,
    server::{
        Service,
        tcp::{Server, accept_tcp_connection},
    },
};

use crate::{
    gate::{Gate, GateHandle, GateMode},
    number::{Walk, round},
    task::Task,
};

/// The unit id that answers; others get exception 11, as from a gateway without such a device.
pub const UNIT_ID: u8 = 1;
/// How many registers there are.
pub const N_REGISTERS: u16 = 10;
/// How many coils there are, and how many discrete inputs.
pub const N_COILS: u16 = 2;

/// How the device behaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ModbusMode {
    /// Answers.
    #[default]
    Normal,
    /// Takes requests and never answers.
    Silent,
    /// Answers exception 4 (device failure) to every request that touches this register.
    Exception {
        /// The register's address.
        address: u16,
    },
    /// Refuses connections and closes those it has.
    Gone,
}

/// A running device; dropping it closes everything.
#[derive(Debug)]
pub struct ModbusDevice {
    handle: ModbusHandle,
    /// Refuses and cuts in [`ModbusMode::Gone`].
    _gate: Gate,
    _tasks: [Task; 2],
}

/// Steers a [`ModbusDevice`].
#[derive(Debug, Clone)]
pub struct ModbusHandle {
    address: SocketAddr,
    gate: GateHandle,
    meter: Arc<Mutex<Meter>>,
}

#[derive(Debug)]
struct Meter {
    random: Rng,
    mode: ModbusMode,
    voltage: Walk,
    current: Walk,
    frequency: Walk,
    /// Watt seconds.
    energy: f64,
    is_door_open: bool,
    is_mains_present: bool,
    is_relay_on: bool,
    registers: [u16; N_REGISTERS as usize],
    n_requests: u64,
}

impl ModbusDevice {
    /// Opens a port on the loopback interface; values drift once a second.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(seed: u64) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let gate = Gate::open(listener.local_addr()?)?;
        let meter = Arc::new(Mutex::new(Meter::new(seed)));
        let handle = ModbusHandle {
            address: gate.address(),
            gate: gate.handle(),
            meter: Arc::clone(&meter),
        };
        let tasks = [
            Task::spawn(serve(listener, Arc::clone(&meter))),
            Task::spawn(drift(meter)),
        ];
        Ok(Self {
            handle,
            _gate: gate,
            _tasks: tasks,
        })
    }

    /// Where masters connect.
    pub fn address(&self) -> SocketAddr {
        self.handle.address
    }

    /// A handle to steer it.
    pub fn handle(&self) -> ModbusHandle {
        self.handle.clone()
    }
}

impl ModbusHandle {
    /// Changes how it behaves.
    pub fn set_mode(&self, mode: ModbusMode) {
        self.meter().mode = mode;
        if mode == ModbusMode::Gone {
            self.gate.set_mode(GateMode::Refuse);
            self.gate.cut();
        } else {
            self.gate.set_mode(GateMode::Forward);
        }
    }

    /// Opens or closes the door.
    pub fn set_door(&self, is_open: bool) {
        self.meter().is_door_open = is_open;
    }

    /// Takes the mains away or gives it back.
    pub fn set_mains(&self, is_present: bool) {
        let mut meter = self.meter();
        meter.is_mains_present = is_present;
        meter.measure();
    }

    /// Whether the relay is on.
    pub fn is_relay_on(&self) -> bool {
        self.meter().is_relay_on
    }

    /// The registers as they are now.
    pub fn registers(&self) -> [u16; N_REGISTERS as usize] {
        self.meter().registers
    }

    /// Requests taken so far, answered or not.
    pub fn n_requests(&self) -> u64 {
        self.meter().n_requests
    }

    fn meter(&self) -> MutexGuard<'_, Meter> {
        lock(&self.meter)
    }
}

impl Meter {
    fn new(seed: u64) -> Self {
        let mut meter = Self {
            random: Rng::with_seed(seed),
            mode: ModbusMode::Normal,
            voltage: Walk::around(230.4, 0.3),
            current: Walk::around(1.53, 0.02),
            frequency: Walk::around(50.0, 0.01),
            energy: 1_234_567.0 * 3600.0,
            is_door_open: false,
            is_mains_present: true,
            is_relay_on: false,
            registers: [0; N_REGISTERS as usize],
            n_requests: 0,
        };
        meter.step();
        meter
    }

    /// A second passes.
    fn step(&mut self) {
        for walk in [&mut self.voltage, &mut self.current, &mut self.frequency] {
            walk.step(&mut self.random);
        }
        self.energy += self.measure();
    }

    /// Puts what is on the line into the registers; the power in watts.
    fn measure(&mut self) -> f64 {
        let present = if self.is_mains_present { 1.0 } else { 0.0 };
        let voltage = present * self.voltage.value().clamp(180.0, 270.0);
        let current = present * self.current.value().clamp(0.0, 16.0);
        let frequency = present * self.frequency.value().clamp(45.0, 55.0);
        let power_factor = present * 0.96;
        let power = voltage * current * power_factor;
        let [power_high, power_low] = words(round(power));
        let [energy_high, energy_low] = words(round(self.energy / 3600.0));
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a voltage needs no double precision"
        )]
        let [float_high, float_low] = words(i64::from((voltage as f32).to_bits()));
        self.registers = [
            word(voltage * 10.0),
            word(current * 100.0),
            power_high,
            power_low,
            energy_high,
            energy_low,
            word(frequency * 100.0),
            word(power_factor * 1000.0),
            float_high,
            float_low,
        ];
        power
    }

    fn answer(&mut self, request: &SlaveRequest<'_>) -> Result<Option<Response>, ExceptionCode> {
        self.n_requests += 1;
        if self.mode == ModbusMode::Silent {
            return Ok(None);
        }
        if request.slave != UNIT_ID {
            return Err(ExceptionCode::GatewayTargetDevice);
        }
        let response = match &request.request {
            Request::ReadHoldingRegisters(address, n) => {
                Response::ReadHoldingRegisters(self.read(*address, *n)?)
            }
            Request::ReadInputRegisters(address, n) => {
                Response::ReadInputRegisters(self.read(*address, *n)?)
            }
            Request::ReadCoils(address, n) => {
                let coils = [self.is_door_open, self.is_relay_on];
                Response::ReadCoils(range(&coils, *address, *n)?)
            }
            Request::ReadDiscreteInputs(address, n) => {
                let inputs = [self.is_door_open, self.is_mains_present];
                Response::ReadDiscreteInputs(range(&inputs, *address, *n)?)
            }
            Request::WriteSingleCoil(1, is_on) => {
                self.is_relay_on = *is_on;
                Response::WriteSingleCoil(1, *is_on)
            }
            Request::WriteSingleCoil(..) => return Err(ExceptionCode::IllegalDataAddress),
            _ => return Err(ExceptionCode::IllegalFunction),
        };
        Ok(Some(response))
    }

    fn read(&self, address: u16, n: u16) -> Result<Vec<u16>, ExceptionCode> {
        if let ModbusMode::Exception { address: broken } = self.mode
            && (address..address.saturating_add(n)).contains(&broken)
        {
            return Err(ExceptionCode::ServerDeviceFailure);
        }
        range(&self.registers, address, n)
    }
}

/// The server's view of the meter.
struct Unit(Arc<Mutex<Meter>>);

impl Service for Unit {
    type Request = SlaveRequest<'static>;
    type Response = Option<Response>;
    type Exception = ExceptionCode;
    type Future = Ready<Result<Option<Response>, ExceptionCode>>;

    fn call(&self, request: Self::Request) -> Self::Future {
        ready(lock(&self.0).answer(&request))
    }
}

async fn serve(listener: TcpListener, meter: Arc<Mutex<Meter>>) {
    let server = Server::new(listener);
    let on_connected = |stream, address| {
        let meter = Arc::clone(&meter);
        async move { accept_tcp_connection(stream, address, |_| Ok(Some(Unit(Arc::clone(&meter))))) }
    };
    loop {
        // Ends only when accepting fails, for want of descriptors: then it is tried again.
        let _ = server.serve(&on_connected, |_| {}).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn drift(meter: Arc<Mutex<Meter>>) {
    let mut second = interval(Duration::from_secs(1));
    loop {
        second.tick().await;
        lock(&meter).step();
    }
}

fn lock(meter: &Mutex<Meter>) -> MutexGuard<'_, Meter> {
    meter.lock().unwrap_or_else(PoisonError::into_inner)
}

fn range<T: Copy>(all: &[T], address: u16, n: u16) -> Result<Vec<T>, ExceptionCode> {
    let range = usize::from(address)..usize::from(address) + usize::from(n);
    all.get(range)
        .map(<[T]>::to_vec)
        .ok_or(ExceptionCode::IllegalDataAddress)
}

/// The lower 32 bits as two registers, the high one first.
fn words(value: i64) -> [u16; 2] {
    let bytes = value.to_be_bytes();
    [
        u16::from_be_bytes([bytes[4], bytes[5]]),
        u16::from_be_bytes([bytes[6], bytes[7]]),
    ]
}

fn word(value: f64) -> u16 {
    words(round(value))[1]
}
