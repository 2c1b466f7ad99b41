//! Short messages as the module carries them in PDU mode: text out, parts in, and the network's word on both.
//!
//! ```text
//! AT+CMGS=<tpdu_length>   07914477581006500B9134…   <SCA><TPDU>, hexadecimal
//! +CMGL: 1,0,,31          <SCA><TPDU>
//! ```
//! (3GPP TS 23.040, 9.2 for the units; 3GPP TS 23.038 for the alphabets; 3GPP TS 27.005, 3.1 for `<pdu>`.)
//! Not read: compressed text, and the national language tables (TS 23.038, 6.2.1.2; the default one is used instead).

mod address;
pub(crate) mod alphabet;
mod assembler;
mod coding;
mod deliver;
mod header;
mod octets;
mod report;
pub(crate) mod septets;
mod submit;
mod timestamp;

pub use assembler::{Assembled, Assembler};
pub use deliver::{DecodeError, Deliver, Incoming, decode};
pub use header::Part;
pub(crate) use octets::from_hex;
pub use report::{DeliveryStatus, StatusReport};
pub use submit::{MAX_PARTS, Submit, SubmitError, submit};
