//! The journal as its users see it: in order, in damage, and without power.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

mod basics;
mod damage;
mod path;
mod power_cut;
mod rows;
mod rules;
