//! A NetworkManager that has one modem and does what it is asked, as far as a reconnection needs.

#![expect(
    clippy::unused_self,
    reason = "the interface decides about the arguments"
)]

use std::sync::{Arc, Mutex};

use zbus::zvariant::{ObjectPath, OwnedObjectPath};
use zbus::{Connection, connection, interface};

const ROOT: &str = "/org/freedesktop/NetworkManager";
const DEVICE: &str = "/org/freedesktop/NetworkManager/Devices/3";
const PROFILE: &str = "/org/freedesktop/NetworkManager/Settings/2";

fn path(text: &str) -> OwnedObjectPath {
    ObjectPath::try_from(text).unwrap().to_owned().into()
}

/// What it was asked for, in order, and how its device stands.
#[derive(Debug)]
pub(super) struct World {
    pub(super) asked: Vec<String>,
    pub(super) active: Option<u32>,
    /// ModemManager's object.
    pub(super) udi: String,
    n: u32,
}

impl World {
    fn active_path(&self) -> String {
        let active = |n| format!("{ROOT}/ActiveConnection/{n}");
        self.active.map_or_else(|| "/".to_owned(), active)
    }
}

pub(super) type Shared = Arc<Mutex<World>>;

struct Manager(Shared);
struct Device(Shared);
struct Active;

#[interface(name = "org.freedesktop.NetworkManager")]
impl Manager {
    fn get_devices(&self) -> Vec<OwnedObjectPath> {
        vec![path(DEVICE)]
    }

    async fn activate_connection(
        &self,
        #[zbus(connection)] connection: &Connection,
        profile: OwnedObjectPath,
        device: OwnedObjectPath,
        specific: OwnedObjectPath,
    ) -> OwnedObjectPath {
        assert_eq!(specific.as_str(), "/");
        let active = {
            let mut world = self.0.lock().unwrap();
            world
                .asked
                .push(format!("activate {} {}", profile.as_str(), device.as_str()));
            world.n += 1;
            world.active = Some(world.n);
            world.active_path()
        };
        let server = connection.object_server();
        server.at(active.as_str(), Active).await.unwrap();
        path(&active)
    }

    #[zbus(property)]
    fn devices(&self) -> Vec<OwnedObjectPath> {
        vec![path(DEVICE)]
    }

    #[zbus(property)]
    fn primary_connection(&self) -> OwnedObjectPath {
        path(&self.0.lock().unwrap().active_path())
    }

    #[zbus(property)]
    fn primary_connection_type(&self) -> String {
        "gsm".to_owned()
    }
}

#[interface(name = "org.freedesktop.NetworkManager.Device")]
impl Device {
    #[zbus(property)]
    fn udi(&self) -> String {
        self.0.lock().unwrap().udi.clone()
    }

    #[zbus(property)]
    fn device_type(&self) -> u32 {
        8
    }

    #[zbus(property)]
    fn ip_interface(&self) -> String {
        "wwan0".to_owned()
    }

    #[zbus(property)]
    fn state(&self) -> u32 {
        if self.0.lock().unwrap().active.is_some() {
            100
        } else {
            30
        }
    }

    #[zbus(property)]
    fn ip4_connectivity(&self) -> u32 {
        4
    }

    #[zbus(property)]
    fn active_connection(&self) -> OwnedObjectPath {
        path(&self.0.lock().unwrap().active_path())
    }
}

#[interface(name = "org.freedesktop.NetworkManager.Connection.Active")]
impl Active {
    #[zbus(property)]
    fn connection(&self) -> OwnedObjectPath {
        path(PROFILE)
    }

    #[zbus(property)]
    fn state(&self) -> u32 {
        2
    }
}

/// Takes the name on this bus while the connection lives.
pub(super) async fn start(address: &str, udi: &str) -> (Connection, Shared) {
    let world = World {
        asked: Vec::new(),
        active: Some(1),
        udi: udi.to_owned(),
        n: 1,
    };
    let first = world.active_path();
    let shared = Arc::new(Mutex::new(world));
    let connection = connection::Builder::address(address)
        .unwrap()
        .serve_at(ROOT, Manager(shared.clone()))
        .unwrap()
        .serve_at(DEVICE, Device(shared.clone()))
        .unwrap()
        .serve_at(first.as_str(), Active)
        .unwrap()
        .name("org.freedesktop.NetworkManager")
        .unwrap()
        .build()
        .await
        .unwrap();
    (connection, shared)
}
