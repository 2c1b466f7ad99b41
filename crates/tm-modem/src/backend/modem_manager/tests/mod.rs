//! Tests of the whole backend.
