//! End-to-end stories of tm-server live in `e2e/`, the rules of the house in `architecture.rs`.
//! This library holds what the examples share: real processes that do not outlive them.

pub mod process;
