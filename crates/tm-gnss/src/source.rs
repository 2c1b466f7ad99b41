//! Where sentences come from: a relay on the bus, a port, a gpsd, a recording, or whatever is found.

mod file;
mod search;
#[cfg(test)]
mod tests;

use std::future::pending;
use std::sync::Arc;

use tm_service::port::{Link, Opener, PortEvent, PortUrl};

use crate::config::SourceSetting;

use file::Recording;
use search::Search;

/// What a gpsd is asked for: the receiver's sentences as they are (gpsd_json(5), WATCH).
const WATCH: &[u8] = b"?WATCH={\"enable\":true,\"nmea\":true};\r\n";

/// A source beside the bus.
pub(crate) enum Source {
    /// None: a relay on the bus is listened to.
    Bus,
    /// One port or gpsd.
    Receiver(Receiver),
    /// A recording.
    Recording(Recording),
    /// Whatever is found where no relay is heard.
    Search(Box<Search>),
}

impl Source {
    /// The source that is configured.
    ///
    /// `is_serving`: this service is a gpsd for others.
    pub(crate) fn new(setting: &SourceSetting, ports: Arc<dyn Opener>, is_serving: bool) -> Self {
        match setting {
            SourceSetting::Bus => Self::Bus,
            SourceSetting::Auto => Self::Search(Box::new(Search::new(ports, is_serving))),
            SourceSetting::Port(url) => Self::Receiver(Receiver::port(url.clone(), ports)),
            SourceSetting::Gpsd(url) => Self::Receiver(Receiver::gpsd(url.clone(), ports)),
            SourceSetting::File(path) => Self::Recording(Recording::new(path.clone())),
        }
    }

    /// The next thing that happens; never for the bus. May be dropped at any time without losing anything.
    pub(crate) async fn next(&mut self) -> PortEvent {
        match self {
            Self::Bus => pending().await,
            Self::Receiver(receiver) => receiver.next().await,
            Self::Recording(recording) => recording.next().await,
            Self::Search(search) => search.next().await,
        }
    }

    /// It is silent: open it again, or look for another one.
    pub(crate) fn reopen(&mut self) {
        match self {
            Self::Bus | Self::Recording(_) => {}
            Self::Receiver(receiver) => receiver.link.reopen(),
            Self::Search(search) => search.give_up(),
        }
    }

    /// A relay on the bus is heard: nothing else needs to be looked for.
    pub(crate) fn on_relayed(&mut self) {
        if let Self::Search(search) = self {
            search.on_relayed();
        }
    }
}

/// A port that sends sentences, at once or when asked.
pub(crate) struct Receiver {
    link: Link,
    is_gpsd: bool,
}

impl Receiver {
    pub(super) fn port(url: PortUrl, ports: Arc<dyn Opener>) -> Self {
        Self {
            link: Link::new(url, ports),
            is_gpsd: false,
        }
    }

    pub(super) fn gpsd(url: PortUrl, ports: Arc<dyn Opener>) -> Self {
        Self {
            link: Link::new(url, ports),
            is_gpsd: true,
        }
    }

    pub(super) async fn next(&mut self) -> PortEvent {
        match self.link.next().await {
            PortEvent::Opened(name) if self.is_gpsd => {
                self.link.send(WATCH);
                PortEvent::Opened(name.replacen("tcp://", "gpsd://", 1))
            }
            event => event,
        }
    }
}
