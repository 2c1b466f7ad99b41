//! Ends a stuck process, and answers the container's health check: both by the service's progress.

use std::io::{self, Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::time::Duration;

use tm_types::Instance;

use crate::Progress;

/// Without progress for this long the process ends itself: nothing restarts an unhealthy container,
/// but one that has ended is restarted.
const STUCK_AFTER: Duration = Duration::from_mins(2);
/// The health check fails earlier, for people to see.
const UNHEALTHY_AFTER: Duration = Duration::from_mins(1);
/// How often the watchdog looks.
const LOOK: Duration = Duration::from_secs(5);
/// How long the health check waits for an answer.
const ANSWER: Duration = Duration::from_secs(3);
/// The exit code of a process that ended itself (`EX_TEMPFAIL`, sysexits.h).
const EXIT_STUCK: i32 = 75;

/// Starts the watchdog and the answering of health checks.
///
/// Threads of their own, because they must work when the runtime does not.
pub(crate) fn start(instance: &Instance, progress: &Progress) -> io::Result<()> {
    let watched = progress.clone();
    std::thread::Builder::new()
        .name("watchdog".to_owned())
        .spawn(move || watch(&watched))?;
    let listener = UnixListener::bind_addr(&address(instance)?)?;
    let progress = progress.clone();
    std::thread::Builder::new()
        .name("health".to_owned())
        .spawn(move || serve(&listener, &progress))?;
    Ok(())
}

/// Asks a running service how long ago its loop turned; an error when nobody answers.
pub(crate) fn ask(instance: &Instance) -> io::Result<Duration> {
    let mut stream = UnixStream::connect_addr(&address(instance)?)?;
    stream.set_read_timeout(Some(ANSWER))?;
    let mut answer = [0; 8];
    stream.read_exact(&mut answer)?;
    Ok(Duration::from_millis(u64::from_le_bytes(answer)))
}

/// Whether a service whose loop turned that long ago counts as healthy.
pub(crate) fn is_healthy(age: Duration) -> bool {
    age < UNHEALTHY_AFTER
}

/// A name in the abstract namespace: no file to leave behind, and private to the container's
/// network namespace.
fn address(instance: &Instance) -> io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(format!("tm-health-{instance}"))
}

fn watch(progress: &Progress) {
    loop {
        std::thread::sleep(LOOK);
        let age = progress.age();
        if age >= STUCK_AFTER {
            tracing::error!(
                age_s = age.as_secs(),
                "the service is stuck and ends itself"
            );
            std::process::exit(EXIT_STUCK);
        }
    }
}

fn serve(listener: &UnixListener, progress: &Progress) {
    for stream in listener.incoming() {
        let age = u64::try_from(progress.age().as_millis()).unwrap_or(u64::MAX);
        // Whoever asks and does not listen has only himself to blame.
        let _ = stream.and_then(|mut stream| stream.write_all(&age.to_le_bytes()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_is_asked_over_a_socket() {
        let name = format!("t-{:08x}", fastrand::u32(..));
        let instance = Instance::new(&name).unwrap();
        assert!(ask(&instance).is_err(), "nobody listens yet");
        let progress = Progress::new();
        let listener = UnixListener::bind_addr(&address(&instance).unwrap()).unwrap();
        std::thread::spawn(move || serve(&listener, &progress));
        assert!(is_healthy(ask(&instance).unwrap()));
        assert!(!is_healthy(UNHEALTHY_AFTER));
    }
}
