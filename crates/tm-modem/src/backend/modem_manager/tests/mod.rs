//! Tests of the whole backend.

#[cfg(feature = "real-modem-manager")]
mod bench;
#[cfg(feature = "real-modem-manager")]
mod network_manager;
#[cfg(feature = "real-modem-manager")]
mod responder;
#[cfg(feature = "real-modem-manager")]
mod story;

use std::path::Path;
use std::time::Duration;

use tm_types::{ModemPresence, code};
use tokio::time::timeout;

use super::{ModemManager, Roots, Settings, SystemBus};
use crate::backend::{Action, Report, Ticket};

pub(super) fn settings(root: &Path) -> Settings {
    Settings {
        poll: Duration::from_secs(5),
        pin: None,
        nmea_relay: true,
        gnss_antenna_mv: 0,
        known_imei: None,
        roots: Roots {
            sys: root.join("sys"),
            dev: root.join("dev"),
        },
    }
}

#[tokio::test]
async fn without_a_bus_that_is_said_once_and_every_action_ends() {
    let root = tempfile::tempdir().unwrap();
    let bus = SystemBus::new("unix:path=/nonexistent/bus");
    let clock = tm_service::Clock::system();
    let mut backend = ModemManager::new(bus, settings(root.path()), clock);
    let Report::Presence(presence) = backend.next().await else {
        panic!("the first thing to tell is that there is nothing");
    };
    assert_eq!(presence.presence, ModemPresence::Absent);
    assert!(presence.trouble.unwrap().is(code::MODEM_MANAGER_ABSENT));
    assert_eq!(presence.is_on_usb, None);
    for n in 0..20 {
        backend.ask(Ticket(n), Action::Reset);
    }
    let mut ended = Vec::new();
    while ended.len() < 20 {
        match timeout(Duration::from_secs(5), backend.next())
            .await
            .unwrap()
        {
            Report::Done(Ticket(n), Err(_)) => ended.push(n),
            other => panic!("{other:?}"),
        }
    }
    ended.sort_unstable();
    assert_eq!(ended, (0..20).collect::<Vec<_>>());
}
