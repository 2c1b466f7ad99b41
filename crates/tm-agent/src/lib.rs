//! The device agent: health roll-up and what the balena supervisor says.
