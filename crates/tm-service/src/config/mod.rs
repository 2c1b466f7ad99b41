//! Configuration: one flat struct per prefix, read from variables that are handed in.
//!
//! A wrong variable never stops a service: it is ignored or replaced by its default, and reported.
//! Values come as text and stay text until the field's own type reads them: PIN `0042` is `0042`.

mod common;
mod environment;
mod expected;
mod report;
mod settings;
mod table;
mod values;

pub use common::{BusSettings, ConfigSettings, DeviceSettings, LogFormat, LogSettings};
pub use environment::Environment;
pub use expected::{Expected, UnknownExpectation};
pub use report::{Effective, Origin, Report};
pub use settings::{Field, Settings, read_field};
pub use table::markdown_table;
pub use values::{DefaultText, List, Secret, Setting};

/// The exit code of strict mode when something is wrong with the variables (`EX_USAGE`, sysexits.h).
pub const EXIT_STRICT: u8 = 64;
