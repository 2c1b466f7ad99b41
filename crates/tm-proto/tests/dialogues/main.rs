//! The AT channel on dialogues of real modules, whole, byte by byte, with echo, and with noise before, between and after.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod basic;
mod cells;
mod coverage;
mod messages;
mod player;
mod positions;
mod rest;
