//! The simulated hardware of the demo, and the variables that point the services at it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use tm_sim::gate::GateHandle;
use tm_sim::script::Script;
use tm_sim::sim7600::{Scenario, Sim7600Config};
use tm_sim::{Cabinet, CabinetConfig, Stage};
use tokio::task::JoinHandle;

/// A real module takes twelve seconds from power to its first answer; nobody waits that long here.
const BOOT_TIME: Duration = Duration::from_millis(400);
/// And minutes to its first position.
const TIME_TO_FIX: Duration = Duration::from_millis(300);

/// What the meter's contacts mean.
const CONTACTS: &str = "sensors/meter/door-open=door,sensors/meter/mains-present=mains";

/// The hardware of one cabinet. Dropping it pulls every plug.
#[derive(Debug)]
pub struct Hardware {
    cabinet: Cabinet,
    /// The way to the cloud.
    link: GateHandle,
    sysfs: PathBuf,
    script: Option<JoinHandle<()>>,
}

impl Hardware {
    /// Starts the hardware; `link` is the way to the cloud.
    pub(super) async fn start(directory: &Path, seed: u64, link: GateHandle) -> Result<Self> {
        fs::create_dir_all(directory)
            .with_context(|| format!("make the directory {}", directory.display()))?;
        let modem = Sim7600Config {
            boot_time: BOOT_TIME,
            time_to_fix: TIME_TO_FIX,
            ..Sim7600Config::default()
        };
        let config = CabinetConfig {
            directory: directory.to_owned(),
            seed,
            modem,
            with_ptys: false,
        };
        let cabinet = Cabinet::start(config)
            .await
            .context("start the simulated hardware")?;
        let sysfs = mixed_sysfs(directory, &cabinet.sys())?;
        Ok(Self {
            cabinet,
            link,
            sysfs,
            script: None,
        })
    }

    /// Plays a script, such as `20s unplug; 40s plug`, from now on.
    pub(super) fn play(&mut self, script: &str) -> Result<()> {
        let script: Script = script.parse().context("read the script")?;
        let stage = self.stage();
        self.script = Some(tokio::spawn(async move { script.play(&stage).await }));
        Ok(())
    }

    /// The variables that point the services at this hardware, at a demo's pace.
    pub(super) fn variables(&self) -> [(&'static str, String); 11] {
        let ports = self.cabinet.tcp();
        [
            ("TM_MODEM_PORT", format!("tcp://{}", ports.at)),
            ("TM_MODEM_NMEA_PORT", format!("tcp://{}", ports.nmea)),
            ("TM_MODEM_POLL_S", "5".into()),
            // Never a real receiver of the machine that the demo runs on.
            ("TM_GNSS_SOURCE", "bus".into()),
            ("TM_GNSS_PUBLISH_S", "1".into()),
            ("TM_SENSORS_PERIOD_S", "1".into()),
            ("TM_SENSORS_DEADBAND_CEL", "0".into()),
            ("TM_SENSORS_HEARTBEAT_S", "0".into()),
            ("TM_SENSORS_SYSFS_ROOT", self.sysfs.display().to_string()),
            ("TM_SENSORS_MODBUS", self.register_map()),
            ("TM_AGENT_CONTACTS", CONTACTS.into()),
        ]
    }

    /// What can be done to the hardware, and to the way to the cloud.
    pub fn stage(&self) -> Stage {
        Stage {
            link: Some(self.link.clone()),
            ..self.cabinet.stage()
        }
    }

    /// Makes the modem behave.
    pub fn modem(&self, scenario: Scenario) {
        if let Some(modem) = self.cabinet.stage().modem {
            modem.play(scenario);
        }
    }

    fn register_map(&self) -> String {
        format!(
            r#"
[[device]]
name = "meter"
port = "tcp://{}"
period_s = 1

[[device.register]]
name = "voltage"
function = "input"
address = 0
type = "u16"
factor = 0.1
scale = 1
unit = "V"

[[device.register]]
name = "current"
function = "input"
address = 1
type = "u16"
factor = 0.01
scale = 2
unit = "A"

[[device.register]]
name = "power"
function = "input"
address = 2
type = "i32"
unit = "W"

[[device.register]]
name = "energy"
function = "input"
address = 4
type = "u32"
factor = 0.001
scale = 3
unit = "kWh"
kind = "counter"

[[device.register]]
name = "door-open"
function = "discrete"
address = 0

[[device.register]]
name = "mains-present"
function = "discrete"
address = 1
"#,
            self.cabinet.meter()
        )
    }
}

impl Drop for Hardware {
    fn drop(&mut self) {
        if let Some(script) = self.script.take() {
            script.abort();
        }
    }
}

/// A sysfs that is this machine's own, but for the simulated 1-Wire bus.
fn mixed_sysfs(directory: &Path, simulated: &Path) -> Result<PathBuf> {
    let root = directory.join("mixed-sys");
    // A demo that keeps its data finds the links of the time before.
    if root.exists() {
        return Ok(root);
    }
    fs::create_dir_all(root.join("bus")).context("make a sysfs")?;
    symlink("/sys/class", root.join("class")).context("link the machine's own sysfs")?;
    symlink(simulated.join("bus/w1"), root.join("bus/w1"))
        .context("link the simulated 1-Wire bus")?;
    Ok(root)
}
