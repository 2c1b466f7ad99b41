use thiserror::Error;

/// Why a text is not a value of the vocabulary.
///
/// The offending text itself is not repeated: it may be a secret or very long.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Invalid {
    /// A name with characters outside its alphabet, empty, or with an empty segment.
    #[error("a {what} is 1 to {max} characters of {alphabet}")]
    Name {
        /// Which kind of name.
        what: &'static str,
        /// The most characters it may have.
        max: usize,
        /// The characters it is made of.
        alphabet: &'static str,
    },
    /// A text value that is too long or could not be told from a number.
    #[error("a text value has at most 64 characters and is not a bare integer beyond 2^53")]
    Text,
    /// A number that is not finite, or a decimal outside its range.
    #[error("a number is finite; a decimal has at most 15 digits and a scale of at most 15")]
    Number,
    /// A time outside the years 1 to 9999, or not RFC 3339.
    #[error("a time is RFC 3339 between the years 1 and 9999")]
    Time,
    /// An id that is not its fixed number of hexadecimal digits.
    #[error("an id of this kind is {digits} lower-case hexadecimal digits")]
    Hex {
        /// How many digits.
        digits: usize,
    },
    /// A message that is not the JSON object its topic asks for.
    #[error("the message does not have the shape of its topic: {0}")]
    Shape(String),
}
