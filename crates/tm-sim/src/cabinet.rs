//! A whole cabinet: modem, energy meter, sensors.

use std::{io, net::SocketAddr, path::PathBuf};

use serde_json::{Value, json};

use crate::{
    gate::GateHandle,
    modbus::{ModbusDevice, ModbusHandle, ModbusMode},
    modem_manager::ManagerHandle,
    script::Event,
    sim7600::{
        Line, MessageService, Scenario, SerialPaths, Sim7600, Sim7600Config, Sim7600Handle,
        TcpPorts, UsbPaths,
    },
    sysfs::{SysfsHandle, SysfsTree, W1_SENSORS},
};

/// What the cabinet is like.
#[derive(Debug, Clone)]
pub struct CabinetConfig {
    /// Where links and trees are made; it must exist.
    pub directory: PathBuf,
    /// Of all randomness; also of the modem's.
    pub seed: u64,
    /// The modem; its own seed is not used.
    pub modem: Sim7600Config,
    /// Whether the modem has PTYs beside its TCP ports.
    pub with_ptys: bool,
}

/// A running cabinet; dropping it stops everything in it.
#[derive(Debug)]
pub struct Cabinet {
    modem: Sim7600,
    meter: ModbusDevice,
    tree: SysfsTree,
    serial: Option<SerialPaths>,
    tcp: TcpPorts,
    directory: PathBuf,
}

/// What the events of a script act upon; what is absent is not acted upon.
#[derive(Debug, Clone, Default)]
pub struct Stage {
    /// The modem.
    pub modem: Option<Sim7600Handle>,
    /// What stands for ModemManager and NetworkManager.
    pub manager: Option<ManagerHandle>,
    /// The energy meter.
    pub meter: Option<ModbusHandle>,
    /// The files of the machine.
    pub tree: Option<SysfsHandle>,
    /// The way to the cloud.
    pub link: Option<GateHandle>,
}

impl Cabinet {
    /// Starts everything.
    ///
    /// # Errors
    /// When a port, a PTY or a file cannot be had.
    pub async fn start(config: CabinetConfig) -> io::Result<Self> {
        let modem = Sim7600::start(Sim7600Config {
            seed: config.seed,
            ..config.modem
        });
        let serial = if config.with_ptys {
            Some(modem.on_ptys(&config.directory).await?)
        } else {
            None
        };
        let tcp = modem.on_tcp()?;
        let meter = ModbusDevice::start(config.seed).await?;
        let tree = SysfsTree::start(&config.directory, config.seed).await?;
        Ok(Self {
            modem,
            meter,
            tree,
            serial,
            tcp,
            directory: config.directory,
        })
    }

    /// What a script may act upon; the link to the cloud and ModemManager's twin are the caller's to add.
    pub fn stage(&self) -> Stage {
        Stage {
            modem: Some(self.modem.handle()),
            meter: Some(self.meter.handle()),
            tree: Some(self.tree.handle()),
            manager: None,
            link: None,
        }
    }

    /// Shows the modem as a USB device under the directory's `sys` and `dev`.
    ///
    /// # Errors
    /// When the tree cannot be written.
    pub async fn on_usb(&self, socket: &str) -> io::Result<UsbPaths> {
        self.modem.on_usb(&self.directory, socket).await
    }

    /// The modem's device files, when it has PTYs.
    pub fn serial(&self) -> Option<&SerialPaths> {
        self.serial.as_ref()
    }

    /// The modem's TCP ports.
    pub fn tcp(&self) -> TcpPorts {
        self.tcp
    }

    /// The energy meter's address.
    pub fn meter(&self) -> SocketAddr {
        self.meter.address()
    }

    /// What stands for `/sys`.
    pub fn sys(&self) -> PathBuf {
        self.tree.sys()
    }

    /// What stands for `/proc`.
    pub fn proc(&self) -> PathBuf {
        self.tree.proc()
    }

    /// Everything a product needs to connect, as JSON.
    pub fn addresses(&self) -> Value {
        json!({
            "at": {
                "serial": self.serial.as_ref().map(|paths| &paths.at),
                "tcp": format!("tcp://{}", self.tcp.at),
            },
            "nmea": {
                "serial": self.serial.as_ref().map(|paths| &paths.nmea),
                "tcp": format!("tcp://{}", self.tcp.nmea),
            },
            "modbus": format!("tcp://{}", self.meter.address()),
            "sys": self.tree.sys(),
            "proc": self.tree.proc(),
        })
    }
}

impl Stage {
    /// Makes the event happen.
    pub fn act(&self, event: Event) {
        match event {
            Event::Modem(scenario) => {
                if let Some(modem) = &self.modem {
                    modem.play(scenario);
                }
            }
            Event::Manager(scenario) => {
                if let Some(manager) = &self.manager {
                    manager.play(scenario);
                }
            }
            Event::Garbage => {
                if let Some(modem) = &self.modem {
                    // Noise, half a sentence, half an answer, and a line without an end.
                    let noise = [
                        &b"\xff\xfe\x00\x80$GPGGA,1204"[..],
                        b"\r\n+CREG: ,\r\n",
                        &[b'U'; 5000],
                    ]
                    .concat();
                    modem.inject_garbage(Line::At, &noise);
                    modem.inject_garbage(Line::Nmea, &noise);
                }
            }
            Event::PowerKey(press) => {
                if let Some(modem) = &self.modem {
                    modem.power_key(press);
                }
            }
            Event::UsbRebind => {
                if let Some(modem) = &self.modem {
                    modem.usb_rebind();
                }
            }
            Event::Message(text) => {
                if let Some(modem) = &self.modem {
                    modem.receive_sms("Vodafone", text);
                }
            }
            Event::MessagesRefused(is_refused) => {
                if let Some(modem) = &self.modem {
                    modem.set_messages(MessageService {
                        // "Network out of order" (3GPP TS 24.011, cause 38).
                        refusal: is_refused.then_some(38),
                        ..MessageService::default()
                    });
                }
            }
            Event::Meter(mode) => {
                if let Some(meter) = &self.meter {
                    meter.set_mode(mode);
                }
            }
            Event::Door(is_open) => {
                if let Some(meter) = &self.meter {
                    meter.set_door(is_open);
                }
            }
            Event::Mains(is_present) => {
                if let Some(meter) = &self.meter {
                    meter.set_mains(is_present);
                }
            }
            Event::Power(is_on) => {
                let (modem, meter) = if is_on {
                    (Scenario::Normal, ModbusMode::Normal)
                } else {
                    (Scenario::Unplugged, ModbusMode::Gone)
                };
                self.act(Event::Modem(modem));
                self.act(Event::Meter(meter));
            }
            Event::Sensor(fault) => {
                if let Some(tree) = &self.tree {
                    tree.set_fault(W1_SENSORS[0].0, fault);
                }
            }
            Event::UnderVoltage(is_under) => {
                if let Some(tree) = &self.tree {
                    tree.set_under_voltage(is_under);
                }
            }
            Event::Link(mode) => {
                if let Some(link) = &self.link {
                    link.set_mode(mode);
                }
            }
            Event::LinkCut => {
                if let Some(link) = &self.link {
                    link.cut();
                }
            }
        }
    }
}
