//! The modem manager: a SIM7600G-H explained and kept alive.
