//! The batch codec: many polls of many series as one small, readable, exact object.
