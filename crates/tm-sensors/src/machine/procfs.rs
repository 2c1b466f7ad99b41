//! The texts of `/proc`, as proc(5) describes them, to numbers. Nothing is read here.

use tm_types::Value;

/// The load of the last minute from `/proc/loadavg`: `0.97 0.87 0.51 1/94 22531`.
pub(super) fn load_1m(loadavg: &str) -> Option<Value> {
    let load: f64 = loadavg.split_ascii_whitespace().next()?.parse().ok()?;
    (load >= 0.0).then(|| Value::of_f64(load).ok())?
}

/// Whole seconds since boot from `/proc/uptime`: `350735.47 234388.90`.
pub(super) fn uptime_s(uptime: &str) -> Option<i64> {
    uptime.split(['.', ' ']).next()?.parse().ok()
}

/// Memory of the machine in bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Memory {
    /// What cannot be had without swapping.
    pub(super) used: i64,
    /// What a new program could have (`MemAvailable`).
    pub(super) available: i64,
}

/// Memory from `/proc/meminfo`, whose lines read `MemTotal:        8052420 kB`.
pub(super) fn memory(meminfo: &str) -> Option<Memory> {
    let bytes_of = |key: &str| {
        let line = meminfo
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
        let kib: i64 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
        kib.checked_mul(1024)
    };
    let (total, available) = (bytes_of("MemTotal")?, bytes_of("MemAvailable")?);
    (0..=total).contains(&available).then(|| Memory {
        used: total - available,
        available,
    })
}

/// Time the processors have spent since boot, in clock ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CpuTimes {
    total: u64,
    idle: u64,
}

impl CpuTimes {
    /// From the first line of `/proc/stat`: `cpu  user nice system idle iowait irq softirq steal …`.
    ///
    /// Guest time is already in user time, so that it is left out.
    pub(super) fn of_stat(stat: &str) -> Option<Self> {
        let fields = stat.lines().next()?.strip_prefix("cpu ")?;
        let mut times = [0_u64; 8];
        let mut given = fields.split_ascii_whitespace();
        for (index, time) in times.iter_mut().enumerate() {
            match given.next() {
                Some(text) => *time = text.parse().ok()?,
                None if index < 4 => return None,
                None => break,
            }
        }
        let total = times.iter().try_fold(0_u64, |sum, t| sum.checked_add(*t))?;
        Some(Self {
            total,
            idle: times[3].checked_add(times[4])?,
        })
    }

    /// How busy the processors were since `earlier`, in tenths of a percent.
    ///
    /// `None` when no time has passed, or the counters went backwards (idle time may: proc(5)).
    pub(super) fn busy_permille_since(self, earlier: Self) -> Option<i64> {
        let total = self.total.checked_sub(earlier.total)?;
        let idle = self.idle.checked_sub(earlier.idle)?;
        let busy = total.checked_sub(idle)?;
        let permille = u128::from(busy) * 1000 / u128::from(total.max(1));
        (total > 0).then(|| i64::try_from(permille).ok())?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn load() {
        let cases = [
            ("0.97 0.87 0.51 1/94 22531\n", Some("0.97")),
            ("12.00 1 1 1/1 1", Some("12")),
            ("", None),
            ("\n", None),
            ("garbage", None),
            ("-1.0 0 0", None),
            ("NaN 0 0", None),
            ("inf 0 0", None),
        ];
        for (text, expected) in cases {
            let got = load_1m(text).map(|value| value.to_string());
            assert_eq!(got.as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn uptime() {
        let cases = [
            ("350735.47 234388.90\n", Some(350_735)),
            ("7 1", Some(7)),
            ("", None),
            ("x.1 2", None),
            ("99999999999999999999.0 1", None),
        ];
        for (text, expected) in cases {
            assert_eq!(uptime_s(text), expected, "{text:?}");
        }
    }

    #[test]
    fn meminfo() {
        let good = "MemTotal:        8052420 kB\nMemFree:  1 kB\nMemAvailable:    7052420 kB\n";
        let expected = Memory {
            used: 1_000_000 * 1024,
            available: 7_052_420 * 1024,
        };
        assert_eq!(memory(good), Some(expected));
        for bad in [
            "",
            "MemTotal: 1 kB",
            "MemTotal: 1 kB\nMemAvailable: 2 kB",
            "MemTotal: 1 MB\nMemAvailable: 1 MB",
            "MemTotal: 9223372036854775807 kB\nMemAvailable: 1 kB",
            "MemTotal: 5 kB\nMemAvailable: -1 kB",
        ] {
            assert_eq!(memory(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn processor_time() {
        let times = |text: &str| CpuTimes::of_stat(text);
        let start = times("cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 1 1 1 1\n").unwrap();
        let cases = [
            ("cpu  150 0 150 1600 100 0 0 0 0 0", Some(100)),
            ("cpu  200 0 100 800", Some(1000)),
            ("cpu  100 0 100 900", Some(0)),
            ("cpu  100 0 100 800", None),
            ("cpu  200 0 200 700 0", None),
        ];
        for (text, expected) in cases {
            let now = times(text).unwrap();
            assert_eq!(now.busy_permille_since(start), expected, "{text:?}");
        }
        for bad in [
            "",
            "cpu",
            "cpu  1 2 3",
            "cpu  1 2 3 x",
            "intr 1 2 3 4",
            "cpu  18446744073709551615 1 1 1",
        ] {
            assert_eq!(times(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "(cpu  |MemTotal:|MemAvailable:)?[ -~\n]{0,80}") {
            let _ = (load_1m(&text), uptime_s(&text), memory(&text), CpuTimes::of_stat(&text));
        }
    }
}
