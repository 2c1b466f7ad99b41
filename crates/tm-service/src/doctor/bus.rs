//! The local bus: whether it takes us, and the retained states of modem and uplink.

use std::time::Duration;

use serde_json::Value;
use tm_types::code;
use tokio::time::{Instant, timeout_at};

use super::{Check, Machine, own};
use crate::session::{Options, Qos, Session, SessionEvent};

/// For name, TCP, CONNACK and the subscription: all within the machine.
const CONNECT: Duration = Duration::from_secs(5);
/// A broker sends what it retains right after the subscription.
const RETAINED: Duration = Duration::from_secs(2);
const MODEM: &str = "tm/v1/state/modem";
const UPLINK: &str = "tm/v1/state/uplink";
/// Messages looked at.
const MOST: usize = 64;

/// What the bus told.
pub(super) struct Heard {
    pub(super) check: Check,
    /// `tm_types::ModemState`, read field by field: its whole reader would be the largest part of the doctor.
    pub(super) modem: Option<Value>,
    /// `tm_types::UplinkState`, likewise.
    pub(super) uplink: Option<Value>,
}

pub(super) async fn listen(machine: &Machine) -> Heard {
    let address = &machine.bus_address;
    let mut heard = Heard {
        check: Check::ok("bus", own("bus_open").and("address", address)),
        modem: None,
        uplink: None,
    };
    let broker = match address.parse() {
        Ok(broker) => broker,
        Err(error) => {
            // The address itself is not told: who put a password into it would find it in a ticket.
            let cause = code::BUS_UNREACHABLE.with("address", "TM_BUS_URL");
            heard.check = Check::fail("bus", cause.and("error", error));
            return heard;
        }
    };
    let mut options = Options::new(format!("tm-doctor-{:08x}", fastrand::u32(..)), broker);
    options.credentials.clone_from(&machine.bus_credentials);
    options
        .credentials_file
        .clone_from(&machine.bus_credentials_file);
    options.connect_timeout = CONNECT;
    options.subscriptions = [MODEM, UPLINK]
        .map(|topic| (topic.to_owned(), Qos::AtMostOnce))
        .to_vec();
    let mut session = Session::open(options);
    let deadline = Instant::now() + CONNECT;
    let failed = match timeout_at(deadline, session.next()).await {
        Ok(SessionEvent::Down(reason)) => Some(reason.cause_for_bus(address)),
        Ok(_) => None,
        Err(_) => {
            let cause = code::BUS_UNREACHABLE.with("address", address);
            Some(cause.and("error", "no answer in time"))
        }
    };
    if let Some(cause) = failed {
        heard.check = Check::fail("bus", cause);
        return heard;
    }
    let deadline = Instant::now() + RETAINED;
    for _ in 0..MOST {
        let Ok(event) = timeout_at(deadline, session.next()).await else {
            break;
        };
        let SessionEvent::Message(message) = event else {
            break;
        };
        match message.topic.as_str() {
            MODEM => heard.modem = serde_json::from_slice(&message.payload).ok(),
            UPLINK => heard.uplink = serde_json::from_slice(&message.payload).ok(),
            _ => {}
        }
        if heard.modem.is_some() && heard.uplink.is_some() {
            break;
        }
    }
    session.close(Duration::from_secs(1)).await;
    heard
}
