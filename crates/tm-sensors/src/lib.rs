//! The sensor collector: the machine itself, 1-Wire and Modbus TCP.
