//! Where the cabinet stands: averaged over hours, and watched for being carried away.

mod average;
mod fence;
mod home;
mod looks;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod town;

pub(crate) use average::Spot;
pub(crate) use fence::FenceWatch;
pub use fence::{Fence, NotAFence};
pub(crate) use home::{Home, Kept, News};
