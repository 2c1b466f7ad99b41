//! The journal as its users see it: in order, in damage, and without power.

mod common;

mod basics;
mod damage;
mod power_cut;
mod rows;
mod rules;
