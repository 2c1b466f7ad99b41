//! NMEA 0183 from 2.3 to 4.11: framed sentences, their fields, and epochs merged from them.
//!
//! The readers of the fields are our own and not the `nmea` crate's, which serves as the second opinion in the tests:
//! positions stay exact decimals here (not binary floats), an odd field costs that field and not its sentence (a
//! date such as `2208-1` was seen after a week rollover), and the `PQ` talker of Qualcomm engines keeps its satellites.

mod cycle;
mod dates;
mod epoch;
mod errors;
mod field;
mod fix;
mod frame;
mod garmin;
mod hear;
mod live;
mod message;
mod reader;
mod satellite;
mod sky;
mod view;

pub use epoch::{Epoch, FixMode};
pub use errors::{Gbs, Gst, Pqxfi};
pub use field::{Position, TimeOfDay};
pub(crate) use field::{course, date, knots, position, time};
pub use fix::{Gga, Gll, Gns, Rmc, Vtg, Zda};
pub use frame::{Counters, Framer, Sentence, checksum};
pub use garmin::Pgrmz;
pub use message::Message;
pub use reader::Epochs;
pub use satellite::{Constellation, Satellite};
pub use sky::{Gsa, Gsv};
