//! A server that speaks gpsd's protocol, for `cgps`, `gpspipe`, python-gps, chrony and whatever else knows it.
//!
//! Protocol 3.15 as in gpsd_json(5) of gpsd 3.25; written from that page. [`request`] and [`session`] are pure: bytes
//! in, lines out; [`report`] turns an epoch into lines; [`server`] holds the sockets.

mod report;
mod request;
mod server;
mod session;

pub(crate) use server::Server;
