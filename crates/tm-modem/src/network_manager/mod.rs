//! What NetworkManager knows of the modem's way to the internet: evidence for the watchdog, where it is there.
//!
//! Only reads. Probes from a container follow the host's route; they tell of the mobile link only while that is
//! NetworkManager's primary connection.

mod evidence;

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::select_all;
use tm_service::port::Backoff;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use zbus::zvariant::{ObjectPath, OwnedObjectPath};
use zbus::{Connection, MatchRule, MessageStream};

use crate::backend::modem_manager::{
    Device, Failure, Properties, Read, Service, SystemBus, owner_of,
};

pub(crate) use evidence::{NetworkEvidence, is_device};

/// The name on the bus.
pub(crate) const NAME: &str = "org.freedesktop.NetworkManager";
/// Its object.
pub(crate) const ROOT: &str = "/org/freedesktop/NetworkManager";
/// The interface of a network device.
pub(crate) const DEVICE: &str = "org.freedesktop.NetworkManager.Device";
/// The interface of a connection that stands.
pub(crate) const ACTIVE: &str = "org.freedesktop.NetworkManager.Connection.Active";

/// Signals are noted as they come; the bus keeps those that come faster.
const QUEUE: usize = 16;
/// What changes often is no reason to read more often.
const COALESCE: Duration = Duration::from_secs(2);
/// Everything is read again after so long even if nothing was heard.
const REFRESH: Duration = Duration::from_mins(10);
/// After a reading that failed.
const RETRY: Duration = Duration::from_secs(5);
/// A whole reading is some ten calls into memory.
const READ_TIME: Duration = Duration::from_secs(15);

/// Watches NetworkManager. Does something only while [`next`](Self::next) is awaited.
pub(crate) struct NetworkManager {
    worker: Pin<Box<dyn Future<Output = Infallible> + Send>>,
    evidence: mpsc::Receiver<NetworkEvidence>,
    wanted: Arc<Wanted>,
}

/// The device that is watched.
#[derive(Debug, Default)]
struct Wanted {
    device: Mutex<Device>,
    changed: Notify,
}

impl Wanted {
    fn lock(&self) -> MutexGuard<'_, Device> {
        self.device.lock().expect("nobody panics while naming it")
    }
}

impl NetworkManager {
    /// A watcher that knows of no modem yet.
    pub(crate) fn new(bus: SystemBus) -> Self {
        let (telling, evidence) = mpsc::channel(1);
        let wanted = Arc::new(Wanted::default());
        let worker = Worker {
            wanted: wanted.clone(),
            telling,
            told: None,
            found: None,
        };
        Self {
            worker: Box::pin(worker.run(bus)),
            evidence,
            wanted,
        }
    }

    /// Says which modem is meant.
    pub(crate) fn follow(&self, device: Device) {
        let mut wanted = self.wanted.lock();
        if *wanted != device {
            *wanted = device;
            self.wanted.changed.notify_one();
        }
    }

    /// What is known, whenever it is something else, and once as soon as it is clear. Cancel-safe.
    pub(crate) async fn next(&mut self) -> NetworkEvidence {
        tokio::select! {
            biased;
            Some(evidence) = self.evidence.recv() => evidence,
            never = &mut self.worker => match never {},
        }
    }
}

struct Worker {
    wanted: Arc<Wanted>,
    telling: mpsc::Sender<NetworkEvidence>,
    told: Option<NetworkEvidence>,
    /// Where the device was the last time.
    found: Option<OwnedObjectPath>,
}

impl Worker {
    async fn run(mut self, bus: SystemBus) -> Infallible {
        let mut backoff = Backoff::default();
        loop {
            if let Ok(connection) = bus.connection().await {
                let from = Instant::now();
                if let Err(error) = self.attend(&connection).await {
                    tracing::debug!(%error, "NetworkManager cannot be watched");
                }
                if from.elapsed() > COALESCE {
                    backoff.reset();
                }
            }
            self.tell(NetworkEvidence::default()).await;
            sleep(backoff.next_wait()).await;
        }
    }

    /// Reads, and reads again whenever something was heard, until the bus ends.
    async fn attend(&mut self, connection: &Connection) -> zbus::Result<()> {
        let signal = || MatchRule::builder().msg_type(zbus::message::Type::Signal);
        let owner = signal()
            .sender("org.freedesktop.DBus")?
            .member("NameOwnerChanged")?
            .add_arg(NAME)?
            .build();
        // Access points, counters and other devices' kinds change all the time and say nothing of the modem.
        let changes = |interface: &'static str| {
            let rule = signal()
                .sender(NAME)?
                .interface("org.freedesktop.DBus.Properties")?
                .path_namespace(ROOT)?;
            zbus::Result::Ok(rule.add_arg(interface)?.build())
        };
        let mut signals = select_all([
            MessageStream::for_match_rule(owner, connection, Some(4)).await?,
            MessageStream::for_match_rule(changes(NAME)?, connection, Some(QUEUE)).await?,
            MessageStream::for_match_rule(changes(DEVICE)?, connection, Some(QUEUE)).await?,
        ]);
        let heard = Notify::new();
        let listening = async {
            while let Some(Ok(_)) = signals.next().await {
                heard.notify_one();
            }
        };
        let reading = async {
            loop {
                // What cannot be read says nothing: the last word stands, and it is read again soon.
                let until = match self.read(connection).await? {
                    Some(evidence) => {
                        self.tell(evidence).await;
                        Instant::now() + REFRESH
                    }
                    None => Instant::now() + RETRY,
                };
                sleep(COALESCE).await;
                tokio::select! {
                    () = heard.notified() => {}
                    () = self.wanted.changed.notified() => {}
                    () = sleep_until(until) => {}
                }
            }
        };
        tokio::select! {
            () = listening => Ok(()),
            () = connection.closed() => Ok(()),
            ended = reading => ended,
        }
    }

    /// What is known now; nothing where it could not be read.
    async fn read(&mut self, connection: &Connection) -> zbus::Result<Option<NetworkEvidence>> {
        let Some(owner) = owner_of(connection, NAME).await? else {
            return Ok(Some(NetworkEvidence::default()));
        };
        let service = Service::new(connection.clone(), owner);
        let wanted = self.wanted.lock().clone();
        let evidence = timeout(READ_TIME, read(&service, &wanted, &mut self.found)).await;
        Ok(evidence.ok().and_then(Result::ok))
    }

    async fn tell(&mut self, evidence: NetworkEvidence) {
        if self.told.as_ref() != Some(&evidence) {
            self.told = Some(evidence.clone());
            // The receiver lives as long as this.
            let _ = self.telling.send(evidence).await;
        }
    }
}

async fn read(
    service: &Service,
    wanted: &Device,
    found: &mut Option<OwnedObjectPath>,
) -> Result<NetworkEvidence, Failure> {
    let root = ObjectPath::try_from(ROOT).map_err(zbus::Error::from)?;
    let manager: Properties = service.properties(&root, NAME).await?;
    let mut device = None;
    let mut paths = manager.paths("Devices");
    // Where it was it is most likely still.
    paths.sort_by_key(|path| Some(path) != found.as_ref());
    *found = None;
    for path in paths {
        // Devices come and go between the list and the look at each.
        let Ok(candidate) = service.properties(&path, DEVICE).await else {
            continue;
        };
        if is_device(&candidate, wanted) {
            (device, *found) = (Some(candidate), Some(path));
            break;
        }
    }
    Ok(evidence::evidence(&manager, device.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_a_bus_there_is_no_evidence_and_that_is_told_once() {
        let mut watcher = NetworkManager::new(SystemBus::new("unix:path=/nonexistent/bus"));
        let told = timeout(Duration::from_secs(10), watcher.next()).await;
        assert_eq!(told.unwrap(), NetworkEvidence::default());
        let again = timeout(Duration::from_millis(50), watcher.next()).await;
        assert!(again.is_err());
    }
}
