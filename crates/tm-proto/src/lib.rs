//! Protocols of the cabinet's hardware as pure parsers: the SIM7600's AT dialogue and NMEA 0183.
