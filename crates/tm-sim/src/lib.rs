//! Plays the hardware of a cabinet, and the network's bad days (Gate). Never shipped.
