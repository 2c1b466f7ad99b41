//! What a batch says about itself.

/// Whose records these are: with the seq of each, the key by which consumers drop repeats.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Header {
    /// The device's id; absent where the topic already names it.
    pub device: Option<String>,
    /// The journal class, such as `data` or `urgent`.
    pub class: String,
    /// The journal stream that the seqs count in.
    pub stream: String,
}
