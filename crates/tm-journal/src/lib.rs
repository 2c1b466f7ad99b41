//! A durable log on flash: what it has accepted survives a power cut, and it writes little.
