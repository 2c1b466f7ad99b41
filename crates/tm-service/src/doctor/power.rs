//! Supply, heat, and a 1-Wire bus on the HAT's flight-mode line.

use std::fs;
use std::path::Path;

use super::usb::{names, short};
use super::{Check, Machine, own};

/// The Raspberry Pi 4 slows down from 80 °C, and more from 85 °C (Raspberry Pi documentation, "Frequency management and
/// thermal control").
const WARM_MILLI: i64 = 80_000;
const HOT_MILLI: i64 = 85_000;
/// The line that puts the SIM7600G-H HAT into flight mode while it is high.
const FLIGHT_LINE: u32 = 4;

pub(super) fn checks(machine: &Machine) -> [Check; 3] {
    let sys = &machine.sys;
    [supply(sys), heat(sys), one_wire(sys)]
}

/// The alarm of the kernel's `raspberrypi-hwmon`, which asks the firmware every 2 s.
fn supply(sys: &Path) -> Check {
    let root = sys.join("class/hwmon");
    let chip = names(&root)
        .into_iter()
        .map(|chip| root.join(chip))
        .find(|chip| short(&chip.join("name")).as_deref() == Some("rpi_volt"));
    let alarm = chip.and_then(|chip| short(&chip.join("in0_lcrit_alarm")));
    match alarm.as_deref() {
        Some("0") => Check::ok("power", own("power_well")),
        Some("1") => Check::fail("power", own("under_voltage")),
        _ => Check::skipped("power", own("skipped_no_voltage")),
    }
}

fn heat(sys: &Path) -> Check {
    let root = sys.join("class/thermal");
    let zones = names(&root).into_iter().filter_map(|zone| {
        let text = short(&root.join(zone).join("temp"))?;
        text.parse::<i64>().ok()
    });
    let Some(hottest) = zones.max() else {
        return Check::skipped("temperature", own("skipped_no_zone"));
    };
    let told = |name| own(name).and("temperature", hottest / 1000);
    match hottest {
        HOT_MILLI.. => Check::fail("temperature", told("hot")),
        WARM_MILLI.. => Check::warn("temperature", told("warm")),
        _ => Check::ok("temperature", told("cool")),
    }
}

/// The device tree names the pin: `gpios` of a `w1-gpio` node is handle, line and flags, big-endian
/// (Documentation/devicetree/bindings/w1/w1-gpio.yaml of Linux). A container sees it only when `/sys/firmware` is
/// not masked; otherwise the name of the device does: the overlay `w1-gpio` calls it by its line, in hexadecimal
/// (`onewire@4`, `onewire@11` is GPIO17: seen on Raspberry Pi 4 and 5).
fn one_wire(sys: &Path) -> Check {
    let masters = names(&sys.join("bus/w1/devices"));
    let has_bus = masters.iter().any(|name| name.starts_with("w1_bus_master"));
    let tree = sys.join("firmware/devicetree/base");
    let mut lines: Vec<u32> = names(&tree)
        .into_iter()
        .filter(|node| node.starts_with("onewire"))
        .filter_map(|node| {
            let gpios = fs::read(tree.join(node).join("gpios")).ok()?;
            let line = gpios.get(4..8)?.try_into().ok()?;
            Some(u32::from_be_bytes(line))
        })
        .collect();
    if lines.is_empty() {
        lines = names(&sys.join("bus/platform/devices"))
            .iter()
            .filter_map(|name| u32::from_str_radix(name.strip_prefix("onewire@")?, 16).ok())
            // Kernels that do not rename the node leave a zero there.
            .filter(|line| *line != 0)
            .collect();
    }
    match (lines.contains(&FLIGHT_LINE), has_bus, lines.is_empty()) {
        (true, _, _) => Check::warn("one_wire", own("one_wire_on_flight_line")),
        (_, true, true) => Check::skipped("one_wire", own("skipped_one_wire_pin")),
        (_, false, _) => Check::skipped("one_wire", own("skipped_no_one_wire")),
        _ => Check::ok("one_wire", own("one_wire_well")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_the_1_wire_bus() {
        let gpios = |line: u8| vec![0, 0, 0, 7, 0, 0, 0, line, 0, 0, 0, 0];
        // (line in the device tree, name of the platform device, what is said)
        let cases = [
            (Some(gpios(4)), "onewire@4", "one_wire_on_flight_line"),
            (Some(gpios(17)), "onewire@11", "one_wire_well"),
            (Some(gpios(4)), "onewire@0", "one_wire_on_flight_line"),
            (None, "onewire@4", "one_wire_on_flight_line"),
            (None, "onewire@11", "one_wire_well"),
            (None, "onewire@0", "skipped_one_wire_pin"),
            (None, "onewire@zz", "skipped_one_wire_pin"),
            (None, "serial@4", "skipped_one_wire_pin"),
            (
                Some(vec![0, 0, 0, 7]),
                "onewire@4",
                "one_wire_on_flight_line",
            ),
        ];
        for (gpios, device, expected) in cases {
            let sys = tempfile::tempdir().unwrap();
            let make = |path: &str| fs::create_dir_all(sys.path().join(path)).unwrap();
            make("bus/w1/devices/w1_bus_master1");
            make(&format!("bus/platform/devices/{device}"));
            if let Some(gpios) = &gpios {
                let node = "firmware/devicetree/base/onewire@0";
                make(node);
                fs::write(sys.path().join(node).join("gpios"), gpios).unwrap();
            }
            let told = one_wire(sys.path()).cause.code;
            assert_eq!(told, format!("doctor.{expected}"), "{gpios:?} {device}");
        }
    }
}
