//! What is measured, by the last part of a series name.

/// Names our own services use, and common ones of others; the languages follow this order.
pub(super) const QUANTITIES: [&str; 37] = [
    "temperature",
    "humidity",
    "pressure",
    "voltage",
    "current",
    "power",
    "energy",
    "frequency",
    "supply",
    "under-voltage",
    "rsrp",
    "rsrq",
    "rssi",
    "sinr",
    "cell",
    "registration",
    "cpu-temperature",
    "cpu-usage",
    "load-1m",
    "memory-used",
    "memory-available",
    "disk-used",
    "disk-available",
    "uptime",
    "latitude",
    "longitude",
    "altitude",
    "speed",
    "course",
    "hdop",
    "satellites",
    "mode",
    "door",
    "door-open",
    "level",
    "flow",
    "illuminance",
];

/// The place of a name in [`QUANTITIES`].
pub(super) fn quantity(name: &str) -> Option<usize> {
    QUANTITIES.iter().position(|known| *known == name)
}
