//! Runs services side by side in one process, each on a thread of its own.
//!
//! As the container engine does: a service that fails is started again; a stop drops its future.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tm_service::Host;
use tokio::sync::oneshot;
use tracing::{info, warn};

/// Pause before a failed service is started again.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// A running service. Dropping it stops the service and waits for its end.
pub struct Running {
    name: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Starts `run(config, host)` on a thread of its own, again after each failure.
    ///
    /// # Errors
    /// When the thread or its runtime cannot be made.
    pub fn start<C, F, E>(host: Host, config: C, run: F) -> io::Result<Self>
    where
        C: Clone + Send + 'static,
        F: AsyncFn(C, Host) -> Result<Infallible, E> + Send + 'static,
        E: fmt::Display,
    {
        let name = host.instance.to_string();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stopped) = oneshot::channel();
        let label = name.clone();
        let thread = thread::Builder::new().name(name.clone()).spawn(move || {
            let restarting = async {
                loop {
                    let Err(error) = run(config.clone(), host.clone()).await;
                    warn!(service = %label, error = format_args!("{error:#}"), "the service failed and is started again");
                    tokio::time::sleep(RESTART_PAUSE).await;
                }
            };
            runtime.block_on(async {
                tokio::select! {
                    () = restarting => {}
                    // Also when the handle is gone without a word.
                    _ = stopped => {}
                }
            });
            info!(service = %label, "the service was stopped");
        })?;
        Ok(Self {
            name,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// The service's instance name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether its thread still turns; a panic ends it.
    pub fn is_alive(&self) -> bool {
        self.thread
            .as_ref()
            .is_some_and(|thread| !thread.is_finished())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic was already printed by the thread itself.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Running({})", self.name)
    }
}
