//! The uplink: journals every measurement and delivers it to the cloud broker at least once.
