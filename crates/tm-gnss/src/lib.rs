//! The GNSS reader: NMEA to fixes, states and time anchors.
