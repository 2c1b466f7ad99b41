//! The meter and a master, on real sockets.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::time::Duration;

use tm_sim::{
    ModbusDevice,
    modbus::{ModbusMode, N_REGISTERS},
};
use tokio::time::{sleep, timeout};
use tokio_modbus::{
    ExceptionCode, Slave,
    client::{Context, tcp},
    prelude::{Reader as _, Writer as _},
};

const DEADLINE: Duration = Duration::from_secs(10);

async fn master(device: &ModbusDevice) -> Context {
    tcp::connect_slave(device.address(), Slave(1))
        .await
        .unwrap()
}

#[tokio::test]
async fn registers_and_coils() {
    let device = ModbusDevice::start(1).await.unwrap();
    let mut master = master(&device).await;
    let words = timeout(DEADLINE, master.read_holding_registers(0, N_REGISTERS))
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert!((2200..2400).contains(&words[0]), "{words:?}");
    let power = u32::from(words[2]) << 16 | u32::from(words[3]);
    assert!((250..450).contains(&power), "{words:?}");
    let energy = u32::from(words[4]) << 16 | u32::from(words[5]);
    assert!((1_234_567..1_234_600).contains(&energy), "{words:?}");
    let voltage = f32::from_bits(u32::from(words[8]) << 16 | u32::from(words[9]));
    assert!(
        (voltage - f32::from(words[0]) / 10.0).abs() <= 0.051,
        "{voltage} {words:?}"
    );
    assert_eq!(
        master
            .read_input_registers(0, 2)
            .await
            .unwrap()
            .unwrap()
            .len(),
        2
    );
    assert!(!master.read_coils(0, 1).await.unwrap().unwrap()[0]);
    device.handle().set_door(true);
    assert!(master.read_discrete_inputs(0, 1).await.unwrap().unwrap()[0]);
    master.write_single_coil(1, true).await.unwrap().unwrap();
    assert!(device.handle().is_relay_on());
    let beyond = master.read_holding_registers(N_REGISTERS, 1).await.unwrap();
    assert_eq!(beyond, Err(ExceptionCode::IllegalDataAddress));
}

#[tokio::test]
async fn without_mains_the_contact_falls_and_nothing_is_measured() {
    let device = ModbusDevice::start(1).await.unwrap();
    let mut master = master(&device).await;
    let energy = device.handle().registers()[4..6].to_vec();
    device.handle().set_mains(false);
    let inputs = master.read_discrete_inputs(0, 2).await.unwrap().unwrap();
    assert_eq!(inputs, [false, false]);
    let words = master
        .read_input_registers(0, N_REGISTERS)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(words[..4], [0; 4]);
    assert_eq!(words[4..6], energy, "the energy stands still");
    assert_eq!(words[6..], [0; 4]);
    device.handle().set_mains(true);
    let inputs = master.read_discrete_inputs(0, 2).await.unwrap().unwrap();
    assert_eq!(inputs, [false, true]);
    assert!(device.handle().registers()[0] > 2000);
}

#[tokio::test(start_paused = true)]
async fn values_drift_and_energy_only_grows() {
    let device = ModbusDevice::start(7).await.unwrap();
    let handle = device.handle();
    let (mut voltages, mut energy) = (Vec::new(), 0);
    for _ in 0..50 {
        let words = handle.registers();
        voltages.push(words[0]);
        let now = u32::from(words[4]) << 16 | u32::from(words[5]);
        assert!(now >= energy);
        energy = now;
        sleep(Duration::from_mins(1)).await;
    }
    voltages.dedup();
    assert!(voltages.len() > 20, "{voltages:?}");
}

#[tokio::test]
async fn an_exception_where_it_is_told_and_silence() {
    let device = ModbusDevice::start(1).await.unwrap();
    let mut master = master(&device).await;
    device
        .handle()
        .set_mode(ModbusMode::Exception { address: 4 });
    let broken = timeout(DEADLINE, master.read_holding_registers(0, 5))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(broken, Err(ExceptionCode::ServerDeviceFailure));
    assert!(master.read_holding_registers(0, 4).await.unwrap().is_ok());
    device.handle().set_mode(ModbusMode::Silent);
    let n_requests = device.handle().n_requests();
    assert!(
        timeout(
            Duration::from_millis(200),
            master.read_holding_registers(0, 1)
        )
        .await
        .is_err()
    );
    assert_eq!(device.handle().n_requests(), n_requests + 1, "it was heard");
}

#[tokio::test]
async fn another_unit_is_not_there() {
    let device = ModbusDevice::start(1).await.unwrap();
    let mut master = tcp::connect_slave(device.address(), Slave(9))
        .await
        .unwrap();
    let answer = timeout(DEADLINE, master.read_coils(0, 1))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(answer, Err(ExceptionCode::GatewayTargetDevice));
}

#[tokio::test]
async fn gone_and_back_on_the_same_port() {
    let device = ModbusDevice::start(1).await.unwrap();
    let mut old = master(&device).await;
    assert!(old.read_coils(0, 1).await.unwrap().is_ok());
    device.handle().set_mode(ModbusMode::Gone);
    assert!(
        timeout(DEADLINE, old.read_coils(0, 1))
            .await
            .unwrap()
            .is_err()
    );
    let refused = async {
        while tcp::connect(device.address()).await.is_ok() {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(DEADLINE, refused).await.unwrap();
    device.handle().set_mode(ModbusMode::Normal);
    let back = async {
        loop {
            if let Ok(mut master) = tcp::connect_slave(device.address(), Slave(1)).await
                && master.read_coils(0, 1).await.is_ok()
            {
                return;
            }
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(DEADLINE, back).await.unwrap();
}
