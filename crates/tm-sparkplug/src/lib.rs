//! A Sparkplug B 3.0 edge node as a state machine: events in, messages out.
//!
//! The caller owns the MQTT client, the clock, the disk and the journal; [`EdgeNode`] says what to
//! subscribe to, what to publish and which records are delivered. No I/O, no clock, no panic on
//! what comes in. Source: Sparkplug 3.0.0 specification; rules are cited by their `tck-id`.
//!
//! # Devices
//! Each source of measurements (`sensors`, `gnss`, `tank`…) is a Sparkplug device. A new metric, or
//! one of another type or unit, then costs the birth of one device and not of everything, a source
//! that falls silent can die alone (DDEATH), and hosts show the tree that people know. The one
//! source named as [`Config::home`] is the machine itself: its points are the node's own metrics.
//!
//! # Values
//! Integers are `Int64`, decimals `Double`, flags `Boolean`, texts `String`. The birth fixes the
//! type: a float metric takes integers too, anything else gives a new birth; a value of the past
//! says its own type instead. A missing reading is null. Properties: [`QUALITY`] is 192 good, 500
//! uncertain, 0 bad; [`REASON`] says why; [`UNIT`] stands in births. After a birth quality and
//! reason are sent only where a reading is not good or the one before was not.
//!
//! # At least once, above QoS 0
//! Sparkplug's data has QoS 0 and a clean session: what was written into a dying connection is gone
//! without notice. So every record stays the caller's until it is [`Effect::Delivered`]:
//! 1. A connection is one ordered stream. Behind what was sent the node puts a *fence*, a question
//!    that the server answers ([`Effect::Fence`]). The answer proves that all before it was read.
//! 2. With a primary host a record is also held for [`Config::hold`]: the host may have been gone
//!    before its server said so.
//! 3. When the connection ends, whatever is on its way is [`Effect::Returned`], and goes out again
//!    as backlog: `is_historical`, after the births, by the aliases of those births.
//!
//! So a host may see a reading twice, and knows it by metric and timestamp. What is not promised: a
//! server may drop QoS 0 for a host that is slow or away without being the primary one. Such a host
//! sees a gap in `seq` and asks for a birth; it gets the present readings, not those between.
//!
//! What is held bounds the pace: at most [`Config::records_max`] records in [`Config::hold`].
//!
//! # A connection
//! ```text
//! begin → CONNECT (will: NDEATH) → SUBSCRIBE → Connected → [STATE online] → NBIRTH, DBIRTH…
//!       → records, fences → Stop or STATE offline: NDEATH, DISCONNECT → Disconnected → begin
//! ```
//! Never connect while the wall clock is `none`: a birth of 1970 cannot be taken back.
//!
//! Of the 164 assertions that the TCK makes of edge nodes 127 are checked in `tests/conformance.rs`;
//! the others are about data sets, templates, outputs and MQTT 5, which are not used, and about the
//! caller's connection.

mod id;
mod topic;

mod datatype;
mod payload;
mod wire;

mod decode;

mod command;
mod host;

mod device;
mod mapping;
mod write;

mod config;
mod event;
mod flight;
mod node;

pub use config::Config;
pub use datatype::DataType;
pub use decode::{Error, METRICS_MAX, PAYLOAD_MAX, PROPERTIES_MAX, decode};
pub use event::{Connect, Counts, Effect, Event, Message, Next, Qos, Record, Subscription};
pub use id::{BadId, Id};
pub use mapping::{QUALITY, QUALITY_BAD, QUALITY_GOOD, QUALITY_STALE, REASON, UNIT};
pub use node::EdgeNode;
pub use payload::{Metric, Payload, Property, WireValue};
