//! The rules of the ladder, one at a time.

mod bench;
mod memory;
mod rules;
mod table;
