//! One AT port as a state machine: bytes of the module in, replies, unsolicited lines and prompts out.
//!
//! ```text
//! AT+CSQ<CR>                                what we write
//! AT+CSQ<CR><CR><LF>                        its echo, unless ATE0
//! +CSQ: 21,99<CR><LF>                       answer lines, each <CR><LF>text<CR><LF>
//! <CR><LF>+CMTI: "SM",7<CR><LF>             an unsolicited line may sit between and inside answers
//! <CR><LF>OK<CR><LF>                        one final result
//! ```
//! (SIM7500_SIM7600 AT Command Manual V3.00, 1.4.)

mod channel;
mod command;
mod failure;
mod joined;
mod line;

pub use channel::{Busy, Channel, Counters, Output, Reply};
pub use command::{Command, CommandError};
pub use failure::Failure;
