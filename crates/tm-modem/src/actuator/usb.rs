//! The modem's USB device: whether it is there, and taking it off the bus and back (rung 4).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::Access;
use tm_types::Cause;
use tokio::time::sleep;

use super::{blocking, failed, within};
use crate::usb::{VENDOR, directories};

/// Between taking off and putting back: drivers let go, the module's side notices.
const PAUSE: Duration = Duration::from_secs(2);
/// Putting back is tried this often more.
const TRIES: u32 = 2;
/// Everything together; the kernel takes a second or two for each half.
const DEADLINE: Duration = Duration::from_secs(30);

/// The modem on the USB bus.
#[derive(Clone, Debug)]
pub(crate) struct Usb {
    sys: PathBuf,
}

/// How a device is taken off and put back.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Way {
    /// Written to take it off: a file and a word.
    off: (PathBuf, String),
    /// Written to put it back.
    on: (PathBuf, String),
}

impl Usb {
    /// By that root of sysfs, `/sys` on a device.
    pub(crate) fn new(sys: impl Into<PathBuf>) -> Self {
        Self { sys: sys.into() }
    }

    /// Whether a modem's device is on the bus; nothing where sysfs does not show the bus.
    pub(crate) async fn is_present(&self) -> Option<bool> {
        let sys = self.sys.clone();
        blocking(move || find(&sys).ok().map(|device| device.is_some()))
            .await
            .ok()
            .flatten()
    }

    /// Nothing when the device can be taken off and put back now; else why not, for `recovery.rung_unavailable`.
    pub(crate) async fn availability(&self) -> Result<(), String> {
        let sys = self.sys.clone();
        let way = blocking(move || way(&sys)).await;
        way.unwrap_or_else(|_| Err("stopped".to_owned())).map(drop)
    }

    /// Takes the device off the bus and puts it back after two seconds.
    ///
    /// When this future is dropped in between, the device is put back at once; when the process is killed, by
    /// [`restore`](Self::restore) at its next start.
    pub(crate) async fn rebind(&self) -> Result<(), Cause> {
        within(DEADLINE, async {
            let sys = self.sys.clone();
            let way = blocking(move || way(&sys)).await?.map_err(failed)?;
            let mut guard = PutBack(Some(way.on));
            tracing::info!(file = %way.off.0.display(), "taking the modem off the bus");
            blocking(move || put(&way.off)).await?.map_err(failed)?;
            sleep(PAUSE).await;
            guard.put_back().await
        })
        .await
    }

    /// Puts a device back that an earlier run has taken off and never put back.
    pub(crate) async fn restore(&self) -> Result<(), Cause> {
        let sys = self.sys.clone();
        within(DEADLINE, async {
            blocking(move || {
                // Where sysfs does not show the bus, nothing was ever taken off it.
                let Ok(Some(device)) = find(&sys) else {
                    return Ok(());
                };
                let file = device.join("authorized");
                let is_off = fs::read_to_string(&file).is_ok_and(|word| word.trim() == "0");
                if is_off {
                    tracing::info!(file = %file.display(), "putting the modem back on the bus");
                    put(&(file, "1".to_owned()))
                } else {
                    Ok(())
                }
            })
            .await?
            .map_err(failed)
        })
        .await
    }
}

/// Puts the device back, also when nobody waits for it any more.
struct PutBack(Option<(PathBuf, String)>);

impl PutBack {
    async fn put_back(&mut self) -> Result<(), Cause> {
        let mut n_tries = 0;
        // A write that has begun goes on without us; so nothing is left to do for the guard meanwhile.
        while let Some(on) = self.0.take() {
            let again = on.clone();
            match blocking(move || put(&on)).await? {
                Ok(()) => {}
                Err(error) if n_tries == TRIES => return Err(failed(error)),
                Err(_) => {
                    self.0 = Some(again);
                    n_tries += 1;
                    sleep(PAUSE).await;
                }
            }
        }
        Ok(())
    }
}

impl Drop for PutBack {
    fn drop(&mut self) {
        let Some(on) = self.0.take() else { return };
        let work = move || {
            if let Err(error) = put(&on) {
                tracing::warn!(file = %on.0.display(), %error, "modem not put back on the bus");
            }
        };
        // Nobody waits for it, and the service's loop must not: a driver that hangs holds the write.
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(work)),
            Err(_) => work(),
        }
    }
}

/// The modem's directory; of two, the one in the lower socket.
fn find(sys: &Path) -> io::Result<Option<PathBuf>> {
    Ok(directories(sys)?.into_iter().next())
}

fn way(sys: &Path) -> Result<Way, String> {
    let device = find(sys)
        .map_err(|error| format!("the USB bus is not shown: {error}"))?
        .ok_or_else(|| format!("no USB device of vendor {VENDOR}"))?;
    let authorized = device.join("authorized");
    let error = match rustix::fs::access(&authorized, Access::WRITE_OK) {
        Ok(()) => {
            return Ok(Way {
                off: (authorized.clone(), "0".to_owned()),
                on: (authorized, "1".to_owned()),
            });
        }
        Err(error) => error,
    };
    let driver = sys.join("bus/usb/drivers/usb");
    let (unbind, bind) = (driver.join("unbind"), driver.join("bind"));
    let is_writable = |file: &Path| rustix::fs::access(file, Access::WRITE_OK).is_ok();
    if is_writable(&unbind) && is_writable(&bind) {
        let name = device.file_name().unwrap_or_default();
        let name = name.to_string_lossy().into_owned();
        return Ok(Way {
            off: (unbind, name.clone()),
            on: (bind, name),
        });
    }
    Err(if error == rustix::io::Errno::ROFS {
        "sysfs is read-only: needs the sysfs label".to_owned()
    } else {
        format!("sysfs cannot be written: {}", io::Error::from(error))
    })
}

fn put((file, word): &(PathBuf, String)) -> io::Result<()> {
    // Not `fs::write`: an attribute of the kernel is neither made nor cut.
    let mut file = fs::OpenOptions::new().write(true).open(file)?;
    io::Write::write_all(&mut file, word.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use tm_types::code;

    use super::*;

    /// A sysfs with a modem in that socket.
    fn sys(socket: &str, vendor: &str) -> tempfile::TempDir {
        let sys = tempfile::tempdir().unwrap();
        let device = sys.path().join("devices/usb1").join(socket);
        fs::create_dir_all(&device).unwrap();
        fs::create_dir_all(sys.path().join("bus/usb/devices")).unwrap();
        fs::create_dir_all(sys.path().join("bus/usb/drivers/usb")).unwrap();
        fs::write(device.join("idVendor"), format!("{vendor}\n")).unwrap();
        fs::write(device.join("authorized"), "1").unwrap();
        symlink(&device, sys.path().join("bus/usb/devices").join(socket)).unwrap();
        // An interface has no vendor.
        fs::create_dir_all(sys.path().join("bus/usb/devices/1-1.3:1.0")).unwrap();
        sys
    }

    fn authorized(sys: &tempfile::TempDir) -> String {
        fs::read_to_string(sys.path().join("bus/usb/devices/1-1.3/authorized")).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn the_device_goes_and_comes_back() {
        let sys = sys("1-1.3", "1e0e");
        let usb = Usb::new(sys.path());
        assert_eq!(usb.availability().await, Ok(()));
        assert_eq!(usb.is_present().await, Some(true));
        let started = tokio::time::Instant::now();
        let work = usb.rebind();
        tokio::pin!(work);
        let in_between = async {
            sleep(PAUSE / 2).await;
            authorized(&sys)
        };
        tokio::select! {
            _ = &mut work => panic!("too early"),
            seen = in_between => assert_eq!(seen, "0"),
        }
        assert_eq!(work.await, Ok(()));
        assert_eq!(authorized(&sys), "1");
        assert_eq!(started.elapsed(), PAUSE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_or_killed_run_leaves_no_modem_off_the_bus() {
        let sys = sys("1-1.3", "1e0e");
        let usb = Usb::new(sys.path());
        let dropped = tokio::time::timeout(PAUSE / 2, usb.rebind()).await;
        assert!(dropped.is_err());
        // Paused time waits for work on files.
        sleep(Duration::from_millis(1)).await;
        assert_eq!(authorized(&sys), "1");
        fs::write(sys.path().join("bus/usb/devices/1-1.3/authorized"), "0\n").unwrap();
        assert_eq!(usb.restore().await, Ok(()));
        assert_eq!(&authorized(&sys)[..1], "1");
        assert_eq!(usb.restore().await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn without_authorized_the_driver_is_unbound_and_bound() {
        let sys = sys("1-1.3", "1e0e");
        fs::remove_file(sys.path().join("bus/usb/devices/1-1.3/authorized")).unwrap();
        let driver = sys.path().join("bus/usb/drivers/usb");
        let usb = Usb::new(sys.path());
        let missing = usb.availability().await.unwrap_err();
        assert!(missing.starts_with("sysfs cannot be written"), "{missing}");
        for name in ["unbind", "bind"] {
            fs::write(driver.join(name), "").unwrap();
        }
        assert_eq!(usb.rebind().await, Ok(()));
        for name in ["unbind", "bind"] {
            assert_eq!(fs::read_to_string(driver.join(name)).unwrap(), "1-1.3");
        }
    }

    #[tokio::test]
    async fn what_is_not_there_or_not_allowed_is_said() {
        let other = sys("1-1.3", "0bda");
        let usb = Usb::new(other.path());
        assert_eq!(usb.is_present().await, Some(false));
        let reason = usb.availability().await.unwrap_err();
        assert_eq!(reason, "no USB device of vendor 1e0e");
        assert_eq!(
            usb.rebind().await,
            Err(code::OPERATION_FAILED.with("detail", reason))
        );
        let nowhere = Usb::new("/nonexistent");
        assert_eq!(nowhere.is_present().await, None);
        assert!(
            nowhere
                .availability()
                .await
                .unwrap_err()
                .starts_with("the USB bus")
        );
        assert_eq!(nowhere.restore().await, Ok(()));
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_written_is_said() {
        let sys = sys("1-1.3", "1e0e");
        let file = sys.path().join("bus/usb/devices/1-1.3/authorized");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).unwrap();
        // To root every file is writable; there only a read-only mount is not.
        if rustix::process::geteuid().is_root() {
            return;
        }
        let reason = Usb::new(sys.path()).availability().await.unwrap_err();
        assert_eq!(
            reason,
            "sysfs cannot be written: Permission denied (os error 13)"
        );
    }
}
