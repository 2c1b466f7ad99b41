//! A TCP proxy that is the network: it forwards, refuses, cuts, stalls, throttles, delays and counts.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep_until},
};

use crate::{port::Port, task::Task};

/// What the network does with connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum GateMode {
    /// Forwards.
    #[default]
    Forward,
    /// Refuses new connections; open ones go on (add a [`GateHandle::cut`]).
    Refuse,
    /// Half-open: takes connections and bytes and delivers nothing. What was taken is delivered on the return to
    /// [`GateMode::Forward`], as after an outage that TCP survives.
    Stall,
}

/// What went through so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GateCounts {
    /// Connections taken.
    pub n_connections: u64,
    /// Connections open now.
    pub n_open: u64,
    /// Payload bytes delivered to the target.
    pub to_target: u64,
    /// Payload bytes delivered to the clients.
    pub to_clients: u64,
}

/// A running proxy; dropping it closes everything.
#[derive(Debug)]
pub struct Gate {
    handle: GateHandle,
    _task: Task,
}

/// Steers a [`Gate`].
#[derive(Debug, Clone)]
pub struct GateHandle {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    settings: watch::Sender<Settings>,
    /// When the next byte may leave, in each direction.
    free: [Mutex<Option<Instant>>; 2],
    delivered: [AtomicU64; 2],
    n_connections: AtomicU64,
    n_open: AtomicU64,
}

#[derive(Debug, Clone, Copy)]
struct Settings {
    mode: GateMode,
    target: SocketAddr,
    bytes_per_s: Option<u64>,
    delay: Duration,
    /// Counts the cuts: a connection ends when it changes.
    n_cuts: u64,
}

impl Gate {
    /// Opens a port on the loopback interface that forwards to `target`.
    pub fn open(target: SocketAddr) -> io::Result<Self> {
        Self::open_on(SocketAddr::from(([127, 0, 0, 1], 0)), target)
    }

    /// The same at an address of one's own.
    pub fn open_on(address: SocketAddr, target: SocketAddr) -> io::Result<Self> {
        let port = Port::open_on(address)?;
        let settings = Settings {
            mode: GateMode::Forward,
            target,
            bytes_per_s: None,
            delay: Duration::ZERO,
            n_cuts: 0,
        };
        let shared = Arc::new(Shared {
            settings: watch::Sender::new(settings),
            free: Default::default(),
            delivered: Default::default(),
            n_connections: AtomicU64::new(0),
            n_open: AtomicU64::new(0),
        });
        let handle = GateHandle {
            address: port.address(),
            shared: Arc::clone(&shared),
        };
        Ok(Self {
            handle,
            _task: Task::spawn(run(port, shared)),
        })
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.handle.address
    }

    /// A handle to steer it.
    pub fn handle(&self) -> GateHandle {
        self.handle.clone()
    }
}

impl GateHandle {
    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes what happens from now on.
    pub fn set_mode(&self, mode: GateMode) {
        self.shared
            .settings
            .send_modify(|settings| settings.mode = mode);
    }

    /// Where new connections go from now on.
    pub fn set_target(&self, target: SocketAddr) {
        self.shared
            .settings
            .send_modify(|settings| settings.target = target);
    }

    /// Most bytes a second in each direction, over all connections; nothing for no limit.
    pub fn set_rate(&self, bytes_per_s: Option<u64>) {
        self.shared
            .settings
            .send_modify(|settings| settings.bytes_per_s = bytes_per_s.map(|rate| rate.max(1)));
    }

    /// How long a byte travels in each direction (half of the round trip).
    pub fn set_delay(&self, delay: Duration) {
        self.shared
            .settings
            .send_modify(|settings| settings.delay = delay);
    }

    /// Closes every open connection.
    pub fn cut(&self) {
        self.shared
            .settings
            .send_modify(|settings| settings.n_cuts += 1);
    }

    /// What went through so far.
    pub fn counts(&self) -> GateCounts {
        let shared = &self.shared;
        GateCounts {
            n_connections: shared.n_connections.load(Ordering::Relaxed),
            n_open: shared.n_open.load(Ordering::Relaxed),
            to_target: shared.delivered[Direction::ToTarget as usize].load(Ordering::Relaxed),
            to_clients: shared.delivered[Direction::ToClient as usize].load(Ordering::Relaxed),
        }
    }
}

#[derive(Clone, Copy)]
enum Direction {
    ToTarget,
    ToClient,
}

async fn run(mut port: Port, shared: Arc<Shared>) {
    let mut settings = shared.settings.subscribe();
    let mut connections = JoinSet::new();
    loop {
        if settings.borrow_and_update().mode == GateMode::Refuse {
            port.shut().await;
        } else {
            port.reopen().await;
        }
        tokio::select! {
            client = port.accept() => {
                shared.n_connections.fetch_add(1, Ordering::Relaxed);
                let open = Open::count(&shared);
                // From here on, so that a cut between now and the task's first poll is seen.
                let settings = shared.settings.subscribe();
                connections.spawn(connection(client, open, settings));
            }
            _ = settings.changed() => {}
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Counts a connection as open as long as it lives.
struct Open(Arc<Shared>);

impl Open {
    fn count(shared: &Arc<Shared>) -> Self {
        shared.n_open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(shared))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.n_open.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn connection(client: TcpStream, open: Open, mut settings: watch::Receiver<Settings>) {
    let n_cuts = {
        let now = settings.borrow_and_update();
        // Accepted in the moment of a refusal: the cut that goes with it was not for this one.
        if now.mode == GateMode::Refuse {
            return;
        }
        now.n_cuts
    };
    let mut cuts = settings.clone();
    tokio::select! {
        () = forward(client, &open.0, settings) => {}
        _ = cuts.wait_for(|settings| settings.n_cuts != n_cuts) => {}
    }
}

async fn forward(client: TcpStream, shared: &Shared, mut settings: watch::Receiver<Settings>) {
    if flowing(&mut settings).await.is_none() {
        return;
    }
    let target = settings.borrow().target;
    // No connection to the target closes the one to the client: what a client of a dead broker behind NAT sees.
    let Ok(target) = TcpStream::connect(target).await else {
        return;
    };
    // Batching is the endpoints' business.
    let _ = (client.set_nodelay(true), target.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_target, to_target) = target.into_split();
    tokio::join!(
        pump(
            from_client,
            to_target,
            shared,
            settings.clone(),
            Direction::ToTarget
        ),
        pump(
            from_target,
            to_client,
            shared,
            settings,
            Direction::ToClient
        ),
    );
}

/// Waits until bytes may flow; nothing when the gate is gone.
async fn flowing(settings: &mut watch::Receiver<Settings>) -> Option<()> {
    settings
        .wait_for(|settings| settings.mode != GateMode::Stall)
        .await
        .ok()
        .map(|_| ())
}

/// One direction: a reader that stamps chunks, and a writer that delivers them when their time has come.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    shared: &Shared,
    settings: watch::Receiver<Settings>,
    direction: Direction,
) {
    // Chunks on their way: 64 of 16 KiB cover 60 ms at more than 100 Mbit/s.
    let (sender, mut receiver) = mpsc::channel::<(Instant, Vec<u8>)>(64);
    let mut reader_settings = settings.clone();
    let read = async move {
        loop {
            if flowing(&mut reader_settings).await.is_none() {
                return;
            }
            let mut chunk = vec![0; CHUNK];
            match from.read(&mut chunk).await {
                Ok(0) | Err(_) => return,
                Ok(n) => chunk.truncate(n),
            }
            let due = Instant::now() + reader_settings.borrow().delay;
            if sender.send((due, chunk)).await.is_err() {
                return;
            }
        }
    };
    let mut settings = settings;
    let write = async move {
        while let Some((due, chunk)) = receiver.recv().await {
            sleep_until(due).await;
            let limited = settings.borrow().bytes_per_s.is_some();
            // In slices of a twentieth of a second, so that a change of the rate is felt at once.
            for slice in chunk.chunks(if limited { slice_len(&settings) } else { CHUNK }) {
                if flowing(&mut settings).await.is_none() {
                    return;
                }
                let bytes_per_s = settings.borrow().bytes_per_s;
                let free = &shared.free[direction as usize];
                wait_for_turn(free, bytes_per_s, slice.len(), due).await;
                if to.write_all(slice).await.is_err() {
                    return;
                }
                shared.delivered[direction as usize]
                    .fetch_add(slice.len() as u64, Ordering::Relaxed);
            }
        }
        let _ = to.shutdown().await;
    };
    tokio::join!(read, write);
}

const CHUNK: usize = 16 * 1024;
/// How late a timer may wake on a busy machine without a loss of rate.
const LATE_TIMERS: Duration = Duration::from_millis(20);

fn slice_len(settings: &watch::Receiver<Settings>) -> usize {
    let per_slice = settings
        .borrow()
        .bytes_per_s
        .map_or(CHUNK as u64, |rate| rate / 20);
    usize::try_from(per_slice).unwrap_or(CHUNK).clamp(1, CHUNK)
}

/// Books `len` bytes on the line, which were there at `due`, and waits until they have passed.
async fn wait_for_turn(
    free: &Mutex<Option<Instant>>,
    bytes_per_s: Option<u64>,
    len: usize,
    due: Instant,
) {
    let Some(rate) = bytes_per_s else { return };
    let time = Duration::from_nanos((len as u64).saturating_mul(1_000_000_000) / rate);
    let until = {
        let mut free = free.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        // Timers wake late, and a line that has something to carry does not rest meanwhile.
        let earliest = now.checked_sub(LATE_TIMERS).unwrap_or(now).max(due);
        let until = free.map_or(now, |at| at.max(earliest)) + time;
        *free = Some(until);
        until
    };
    sleep_until(until).await;
}
