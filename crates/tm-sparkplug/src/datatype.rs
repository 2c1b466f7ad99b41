//! The Sparkplug data types that this node sends.

/// What kind of value a metric or a property has.
///
/// The numbers are the schema's; those of data sets, templates and files are not used here.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DataType {
    /// A signed integer of 32 bits, in two's complement in `int_value`: the property `Quality`.
    Int32,
    /// A signed integer of 64 bits, in two's complement in `long_value`.
    Int64,
    /// A float of 64 bits.
    Double,
    /// Yes or no.
    Boolean,
    /// A text in UTF-8.
    String,
}

impl DataType {
    /// Every type, in the order of the schema's numbers.
    pub const ALL: [Self; 5] = [
        Self::Int32,
        Self::Int64,
        Self::Double,
        Self::Boolean,
        Self::String,
    ];

    /// The number on the wire.
    pub fn code(self) -> u32 {
        match self {
            Self::Int32 => 3,
            Self::Int64 => 4,
            Self::Double => 10,
            Self::Boolean => 11,
            Self::String => 12,
        }
    }

    /// The type of that number; `None` for one that this node never sends.
    pub fn of_code(code: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}
