//! The bones of every service: configuration, host, bus session, health, operations, log, stop.
