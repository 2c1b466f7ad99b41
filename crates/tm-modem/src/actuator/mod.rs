//! The two last ways to a modem that does not answer: its USB socket and its power key.
//!
//! Both need a privilege that is not granted by default; each says whether it is there, and if not, why not.

pub(crate) mod power_key;
pub(crate) mod usb;

use std::time::Duration;

use tm_types::{Cause, code};
use tokio::time::timeout;

/// Lets `work` take its time, but no more.
async fn within<T>(
    time: Duration,
    work: impl Future<Output = Result<T, Cause>>,
) -> Result<T, Cause> {
    timeout(time, work)
        .await
        .unwrap_or_else(|_| Err(code::MODEM_TIMEOUT.with("seconds", time.as_secs())))
}

/// Blocking work on files of the kernel, which may hang in a driver.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Cause> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| failed("the work was stopped"))
}

fn failed(detail: impl std::fmt::Display) -> Cause {
    code::OPERATION_FAILED.with("detail", detail)
}
