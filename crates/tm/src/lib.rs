//! What the `tm` binary does, as a library, so that the end-to-end tests run the same thing.

#[cfg(feature = "bench")]
pub mod bench;
#[cfg(feature = "demo")]
pub mod demo;
pub mod supervise;

pub mod decode;
pub mod doctor;
pub mod gnss;
pub mod profile;
pub mod run;
pub mod token;

mod world;
