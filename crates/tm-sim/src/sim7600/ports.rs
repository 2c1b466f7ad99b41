//! Lines between the module and its clients: any stream, TCP listeners, PTYs.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    sync::{
        broadcast::{self, error::RecvError},
        mpsc, watch,
    },
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep},
};

use super::pty::{Probe, Pty};
use crate::port::Port;

/// One of the module's ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Line {
    /// Commands and answers (`ttyUSB2` on the real module).
    At,
    /// NMEA sentences (`ttyUSB1` on the real module).
    Nmea,
    /// Commands and answers as well (`ttyUSB3` on the real module).
    Modem,
    /// Diagnostics or audio, which are silent here (`ttyUSB0` and `ttyUSB4` on the real module).
    Silent,
}

/// What a line is connected to on the module's side.
#[derive(Debug)]
pub(super) struct Ends {
    /// What clients write.
    pub(super) typed: mpsc::Sender<Vec<u8>>,
    /// What the module prints; a client that does not read loses lines.
    pub(super) printed: broadcast::Receiver<Vec<u8>>,
    /// Whether the port exists.
    pub(super) present: watch::Receiver<bool>,
    /// Whether each byte is written on its own.
    pub(super) bytewise: Arc<AtomicBool>,
}

impl Clone for Ends {
    fn clone(&self) -> Self {
        let printed = self.printed.resubscribe();
        Self {
            typed: self.typed.clone(),
            printed,
            present: self.present.clone(),
            bytewise: self.bytewise.clone(),
        }
    }
}

impl Ends {
    async fn next_print(&mut self) -> Option<Vec<u8>> {
        loop {
            match self.printed.recv().await {
                Ok(bytes) => return Some(bytes),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

/// Serves one client until it leaves or the port vanishes.
pub(super) async fn stream(stream: impl AsyncRead + AsyncWrite, mut ends: Ends) {
    let mut present = ends.present.clone();
    let (mut read, mut write) = tokio::io::split(stream);
    let serve = async {
        let mut buffer = vec![0; 1024];
        loop {
            tokio::select! {
                printed = ends.next_print() => {
                    let Some(bytes) = printed else { return };
                    let is_bytewise = ends.bytewise.load(Ordering::Relaxed);
                    let size = if is_bytewise { 1 } else { bytes.len().max(1) };
                    for portion in bytes.chunks(size) {
                        if write.write_all(portion).await.is_err() {
                            return;
                        }
                        if is_bytewise {
                            // Somebody who waits for it sees this byte alone.
                            tokio::task::yield_now().await;
                        }
                    }
                }
                n = read.read(&mut buffer) => match n {
                    Ok(0) | Err(_) => return,
                    Ok(n) => {
                        if ends.typed.send(buffer[..n].to_vec()).await.is_err() {
                            return;
                        }
                    }
                }
            }
        }
    };
    tokio::select! {
        () = serve => {}
        _ = present.wait_for(|present| !present) => {}
    }
}

/// Serves TCP clients whenever the port exists; refuses them otherwise.
pub(super) async fn tcp(mut port: Port, ends: Ends) {
    let mut present = ends.present.clone();
    let mut clients = JoinSet::new();
    loop {
        if *present.borrow_and_update() {
            port.reopen().await;
        } else {
            port.shut().await;
        }
        tokio::select! {
            client = port.accept() => {
                clients.spawn(stream(client, ends.clone()));
            }
            changed = present.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            Some(_) = clients.join_next() => {}
        }
    }
}

/// How often a PTY is looked at. Polling, as there is no event for somebody opening it, and as the end of one client
/// stays visible for ever on a registered descriptor.
const LOOK: Duration = Duration::from_millis(5);

/// Serves PTY clients whenever the port exists; its link is gone otherwise. `first` is the PTY that was made already.
pub(super) async fn serial(link: PathBuf, first: Option<Pty>, mut ends: Ends) {
    let mut next = first;
    let mut present = ends.present.clone();
    loop {
        if present.wait_for(|present| *present).await.is_err() {
            return;
        }
        // A new PTY for each client: the exclusive mode that clients set would outlive them on the old one.
        match next.take().map_or_else(|| Pty::open(&link), Ok) {
            Ok(pty) => tokio::select! {
                () = client(&pty, &mut ends) => {}
                _ = present.wait_for(|present| !present) => {}
            },
            Err(_) => sleep(LOOK).await,
        }
    }
}

/// Waits for a client of this PTY and serves it until it closes.
async fn client(pty: &Pty, ends: &mut Ends) {
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut served = false;
    loop {
        tokio::select! {
            _ = look.tick() => match pty.probe() {
                Probe::Closed if served => return,
                Probe::Closed => {}
                Probe::Open(bytes) => {
                    served = true;
                    if !bytes.is_empty() && ends.typed.send(bytes).await.is_err() {
                        return;
                    }
                }
            },
            printed = ends.next_print() => match printed {
                // What is printed while nobody reads is lost, as on the real port.
                Some(bytes) if served => pty.write(&bytes),
                Some(_) => {}
                None => return,
            }
        }
    }
}
