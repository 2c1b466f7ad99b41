//! The power key on the HAT (rung 5).
//!
//! BCM GPIO6 drives a transistor: **high is pressed**. The key toggles: a press of 2.5 s or more switches a running
//! module off (SIM7600 hardware design, table 9), so the bus is looked at first. The flight line (GPIO4) is not touched.
//! Polarity and wiring of the bought HAT are UNVERIFIED until a person has checked them, and then says so with
//! `TM_MODEM_PWRKEY_VERIFIED`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gpiocdev::Request;
use gpiocdev::chip::Chip;
use gpiocdev::line::{Bias, Value};
use tm_types::{Cause, code};
use tokio::time::{Instant, sleep};

use super::usb::Usb;
use super::{failed, within};
use crate::config::Config;

/// Switches on: at least 100 ms, typically 500 ms (table 8), and more for a cold one.
const PRESS_ON: Duration = Duration::from_millis(1_200);
/// Switches off: at least 2.5 s (table 9).
const PRESS_OFF: Duration = Duration::from_secs(3);
/// The module leaves USB 27 to 28 s after the key was let go (table 9); one that is given up on too early is left off.
const OFF_WITHIN: Duration = Duration::from_secs(45);
/// How often the bus is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(500);
/// Between off and on.
const REST: Duration = Duration::from_secs(1);
/// Everything together.
const DEADLINE: Duration = Duration::from_secs(75);
/// Who holds the line, as other programs see it.
const CONSUMER: &str = "tm-modem";

/// A line that is held as an output, low at first. A call takes microseconds.
pub(crate) trait Line: Send {
    /// Drives it high or low.
    fn set(&mut self, is_high: bool) -> Result<(), String>;
}

/// Where the line comes from: a chip, or a test.
pub(crate) trait Lines: Send + Sync {
    /// Takes the line as an output, low.
    fn request(&self) -> Result<Box<dyn Line>, String>;
    /// Why it could not be taken at the moment.
    fn trouble(&self) -> Option<String>;
}

/// The power key.
pub(crate) struct PowerKey {
    lines: Box<dyn Lines>,
    is_verified: bool,
    usb: Usb,
}

impl PowerKey {
    /// The key of that configuration.
    pub(crate) fn new(config: &Config, usb: Usb) -> Self {
        let lines = Gpio {
            chip: PathBuf::from(&config.pwrkey_chip),
            offset: config.pwrkey_line,
        };
        Self::with(Box::new(lines), config.pwrkey_verified, usb)
    }

    fn with(lines: Box<dyn Lines>, is_verified: bool, usb: Usb) -> Self {
        Self {
            lines,
            is_verified,
            usb,
        }
    }

    /// Nothing when the key can be pressed now; else why not, for `recovery.rung_unavailable`.
    pub(crate) async fn availability(&self) -> Result<(), String> {
        if !self.is_verified {
            return Err("TM_MODEM_PWRKEY_VERIFIED is not true".to_owned());
        }
        if let Some(trouble) = self.lines.trouble() {
            return Err(trouble);
        }
        if self.usb.is_present().await.is_none() {
            // Without it nobody knows whether a press switches on or off.
            return Err("the USB bus is not shown".to_owned());
        }
        Ok(())
    }

    /// Switches the module off, if it is on, and on.
    ///
    /// When this future is dropped the key is let go at once; a module that was off by then stays off until the next
    /// call, which finds it absent and presses once.
    pub(crate) async fn cycle(&self) -> Result<(), Cause> {
        within(DEADLINE, async {
            self.availability().await.map_err(failed)?;
            let mut key = Key::take(&*self.lines)?;
            if self.is_on_usb().await? {
                tracing::info!("power key pressed to switch the modem off");
                key.press(PRESS_OFF).await?;
                self.wait_until_gone().await?;
                sleep(REST).await;
            }
            tracing::info!("power key pressed to switch the modem on");
            key.press(PRESS_ON).await
        })
        .await
    }

    async fn wait_until_gone(&self) -> Result<(), Cause> {
        let until = Instant::now() + OFF_WITHIN;
        while self.is_on_usb().await? {
            if Instant::now() >= until {
                return Err(code::MODEM_TIMEOUT.with("seconds", OFF_WITHIN.as_secs()));
            }
            sleep(LOOK).await;
        }
        Ok(())
    }

    async fn is_on_usb(&self) -> Result<bool, Cause> {
        let is_present = self.usb.is_present().await;
        is_present.ok_or_else(|| failed("the USB bus is not shown"))
    }
}

/// The key while it is held; let go whatever happens.
struct Key(Box<dyn Line>);

impl Key {
    fn take(lines: &dyn Lines) -> Result<Self, Cause> {
        lines.request().map(Self).map_err(failed)
    }

    async fn press(&mut self, time: Duration) -> Result<(), Cause> {
        self.0.set(true).map_err(failed)?;
        sleep(time).await;
        self.0.set(false).map_err(failed)
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        // The kernel may leave a released line as it was: low first.
        if let Err(error) = self.0.set(false) {
            tracing::warn!(error, "power key not let go");
        }
    }
}

/// A line of a GPIO chip.
#[derive(Debug)]
struct Gpio {
    chip: PathBuf,
    offset: u32,
}

impl Gpio {
    fn missing(chip: &Path) -> String {
        format!("{0} is not there: needs the device {0}", chip.display())
    }
}

impl Lines for Gpio {
    fn request(&self) -> Result<Box<dyn Line>, String> {
        let request = Request::builder()
            .on_chip(&self.chip)
            .with_consumer(CONSUMER)
            .with_line(self.offset)
            .as_output(Value::Inactive)
            // Let go of, the line becomes an input, which the processor pulls up on GPIO0 to 8 (BCM2711 peripherals,
            // 5.1): high is pressed. Whether the pull stays when the line is let go of is UNVERIFIED on the board.
            .with_bias(Bias::PullDown)
            .request()
            .map_err(|error| format!("{}: {error}", self.chip.display()))?;
        Ok(Box::new(Held {
            request,
            offset: self.offset,
        }))
    }

    fn trouble(&self) -> Option<String> {
        if !self.chip.exists() {
            return Some(Self::missing(&self.chip));
        }
        let info = Chip::from_path(&self.chip).and_then(|chip| chip.line_info(self.offset));
        match info {
            Ok(info) if info.used => {
                Some(format!("line {} is held by {}", self.offset, info.consumer))
            }
            Ok(_) => None,
            Err(error) => Some(format!("{}: {error}", self.chip.display())),
        }
    }
}

#[derive(Debug)]
struct Held {
    request: Request,
    offset: u32,
}

impl Line for Held {
    fn set(&mut self, is_high: bool) -> Result<(), String> {
        let value = if is_high {
            Value::Active
        } else {
            Value::Inactive
        };
        self.request
            .set_value(self.offset, value)
            .map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::{Arc, Mutex};

    use tm_service::config::{Environment, Report, Settings as _};

    use super::*;

    /// A module behind the key: switches on after 100 ms of pressing, off after 2.5 s.
    struct Board {
        sys: tempfile::TempDir,
        started: Instant,
        /// When the line went up and down, ms.
        edges: Mutex<Vec<(u64, bool)>>,
        is_held: Mutex<bool>,
        /// From letting go to leaving USB.
        leaves_after: Option<Duration>,
    }

    impl Board {
        fn new(is_on: bool, leaves_after: Option<Duration>) -> Arc<Self> {
            let board = Self {
                sys: tempfile::tempdir().unwrap(),
                started: Instant::now(),
                edges: Mutex::default(),
                is_held: Mutex::new(false),
                leaves_after,
            };
            fs::create_dir_all(board.sys.path().join("bus/usb/devices")).unwrap();
            board.switch(is_on);
            Arc::new(board)
        }

        fn switch(&self, is_on: bool) {
            let device = self.sys.path().join("bus/usb/devices/1-1");
            if is_on {
                fs::create_dir_all(&device).unwrap();
                fs::write(device.join("idVendor"), "1e0e\n").unwrap();
            } else {
                let _ = fs::remove_dir_all(device);
            }
        }

        fn edges(&self) -> Vec<(u64, bool)> {
            self.edges.lock().unwrap().clone()
        }

        /// Lets the module leave USB when its time has come.
        async fn live(&self) {
            loop {
                sleep(Duration::from_millis(100)).await;
                let let_go = self
                    .edges()
                    .get(1)
                    .map(|(ms, _)| Duration::from_millis(*ms));
                if let (Some(let_go), Some(after)) = (let_go, self.leaves_after)
                    && self.started.elapsed() >= let_go + after
                {
                    self.switch(false);
                }
            }
        }
    }

    struct FakeLines(Arc<Board>);
    struct FakeLine(Arc<Board>, bool);

    impl Lines for FakeLines {
        fn request(&self) -> Result<Box<dyn Line>, String> {
            *self.0.is_held.lock().unwrap() = true;
            Ok(Box::new(FakeLine(self.0.clone(), false)))
        }

        fn trouble(&self) -> Option<String> {
            self.0.is_held.lock().unwrap().then(|| "held".to_owned())
        }
    }

    impl Line for FakeLine {
        fn set(&mut self, is_high: bool) -> Result<(), String> {
            if self.1 != is_high {
                let ms = u64::try_from(self.0.started.elapsed().as_millis()).unwrap();
                self.0.edges.lock().unwrap().push((ms, is_high));
            }
            self.1 = is_high;
            Ok(())
        }
    }

    impl Drop for FakeLine {
        fn drop(&mut self) {
            assert!(!self.1, "released low");
            *self.0.is_held.lock().unwrap() = false;
        }
    }

    fn key(board: &Arc<Board>, is_verified: bool) -> PowerKey {
        let lines = Box::new(FakeLines(board.clone()));
        PowerKey::with(lines, is_verified, Usb::new(board.sys.path()))
    }

    async fn cycle(board: &Arc<Board>) -> Result<(), Cause> {
        let key = key(board, true);
        tokio::select! {
            result = key.cycle() => result,
            () = board.live() => unreachable!(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_absent_module_is_switched_on_by_one_press() {
        let board = Board::new(false, None);
        assert_eq!(cycle(&board).await, Ok(()));
        assert_eq!(board.edges(), [(0, true), (1_200, false)]);
        assert!(!*board.is_held.lock().unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn a_present_module_is_switched_off_first() {
        let board = Board::new(true, Some(Duration::from_secs(27)));
        assert_eq!(cycle(&board).await, Ok(()));
        let edges = board.edges();
        assert_eq!(edges[..2], [(0, true), (3_000, false)]);
        let (pressed, let_go) = (edges[2].0, edges[3].0);
        assert!((30_000..32_500).contains(&pressed), "{edges:?}");
        assert_eq!(let_go - pressed, 1_200);
        assert_eq!(edges.len(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_module_that_does_not_leave_is_not_pressed_again() {
        let board = Board::new(true, None);
        let timeout = code::MODEM_TIMEOUT.with("seconds", 45);
        assert_eq!(cycle(&board).await, Err(timeout));
        assert_eq!(board.edges().len(), 2);
        assert!(board.started.elapsed() < DEADLINE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_press_lets_go() {
        let board = Board::new(true, None);
        let key = key(&board, true);
        let press = tokio::time::timeout(Duration::from_secs(1), key.cycle());
        assert!(press.await.is_err());
        assert_eq!(board.edges(), [(0, true), (1_000, false)]);
        assert!(!*board.is_held.lock().unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn an_unverified_held_or_blind_key_is_not_pressed() {
        let board = Board::new(true, None);
        let unverified = key(&board, false);
        let reason = unverified.availability().await.unwrap_err();
        assert_eq!(reason, "TM_MODEM_PWRKEY_VERIFIED is not true");
        assert!(unverified.cycle().await.is_err());
        let verified = key(&board, true);
        assert_eq!(verified.availability().await, Ok(()));
        *board.is_held.lock().unwrap() = true;
        assert_eq!(verified.cycle().await, Err(failed("held")));
        *board.is_held.lock().unwrap() = false;
        fs::remove_dir_all(board.sys.path().join("bus")).unwrap();
        assert_eq!(
            verified.cycle().await,
            Err(failed("the USB bus is not shown"))
        );
        assert!(board.edges().is_empty());
    }

    #[tokio::test]
    async fn the_configured_key_is_unverified() {
        let environment = Environment::default();
        let config = Config::load("TM_MODEM_", &environment, &mut Report::default());
        let key = PowerKey::new(&config, Usb::new("/nonexistent"));
        assert!(key.availability().await.unwrap_err().contains("VERIFIED"));
    }

    #[test]
    fn a_chip_that_is_not_there_is_said() {
        let gpio = Gpio {
            chip: PathBuf::from("/dev/gpiochip-none"),
            offset: 6,
        };
        let reason = gpio.trouble().unwrap();
        assert!(
            reason.starts_with("/dev/gpiochip-none is not there"),
            "{reason}"
        );
        assert!(gpio.request().is_err());
        // A file that is no chip.
        let file = tempfile::NamedTempFile::new().unwrap();
        let gpio = Gpio {
            chip: file.path().to_owned(),
            offset: 6,
        };
        assert!(gpio.trouble().is_some() && gpio.request().is_err());
    }
}
