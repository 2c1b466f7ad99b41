//! The seam to the hardware: a line that is held, its level, its edges.

use std::time::Duration;

use tm_types::{Reason, Stamp};

/// How a line is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wire {
    /// `gpiochip0`, or a path.
    pub(crate) chip: String,
    pub(crate) line: LineName,
    /// Whether low is active.
    pub(crate) inverted: bool,
    pub(crate) bias: Bias,
    /// Shorter changes are not told; the kernel does this. Zero: every change is.
    pub(crate) debounce: Duration,
    /// Which edges are told.
    pub(crate) edges: Edges,
}

/// A line by its number on the chip or by the name that the device tree gives it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum LineName {
    Number(u32),
    Name(String),
}

/// The resistor inside the processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Bias {
    /// As the firmware left it.
    #[default]
    AsIs,
    PullUp,
    PullDown,
    None,
}

/// Which edges of a line are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edges {
    Both,
    /// To active alone.
    Active,
}

/// A change of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edge {
    /// What it has become.
    pub(crate) is_active: bool,
    /// How long ago the kernel saw it.
    pub(crate) age: Duration,
    /// Counts the edges of this line from 1 since it was taken, those included that were dropped on the way here.
    pub(crate) number: u32,
}

impl Edge {
    /// The stamp of the edge, from a stamp of now.
    pub(crate) fn stamp(&self, now: Stamp) -> Stamp {
        let age_ms = u64::try_from(self.age.as_millis()).unwrap_or(u64::MAX);
        // Not before this boot.
        let age_ms = age_ms.min(now.mono_ms);
        Stamp {
            time: now.time.plus_ms(-i64::try_from(age_ms).unwrap_or(0)),
            mono_ms: now.mono_ms - age_ms,
            ..now
        }
    }
}

/// Where lines come from: the chips of the machine, or a test.
pub(crate) trait Lines: Send {
    type Line: Line;

    /// Takes a line; it is let go when dropped. Does not wait.
    fn take(&mut self, wire: &Wire) -> Result<Self::Line, Reason>;
}

/// A line that is held.
pub(crate) trait Line: Send {
    /// Whether it is active now.
    fn is_active(&self) -> Result<bool, Reason>;

    /// Waits for at least one edge; gives what there is, a few dozen at most. Dropping the future loses none.
    fn edges(&mut self) -> impl Future<Output = Result<Vec<Edge>, Reason>> + Send;
}

/// Lines and edges of a test's making.
#[cfg(test)]
pub(crate) mod fake {
    use std::sync::{Arc, Mutex};

    use tokio::sync::Notify;

    use super::{Duration, Edge, Line, Lines, Reason, Wire};

    /// One line of a chip, moved by a test.
    #[derive(Debug, Clone, Default)]
    pub(crate) struct Bench(Arc<(Mutex<State>, Notify)>);

    #[derive(Debug, Default)]
    struct State {
        is_active: bool,
        trouble: Option<Reason>,
        waiting: Vec<Edge>,
        number: u32,
        n_taken: u32,
        is_held: bool,
    }

    impl Bench {
        fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
            let told = change(&mut self.0.0.lock().unwrap());
            self.0.1.notify_waiters();
            told
        }

        /// The line changes; nobody is told while nobody holds it.
        pub(crate) fn edge(&self, is_active: bool, age: Duration) {
            self.with(|state| {
                state.is_active = is_active;
                if state.is_held {
                    state.number += 1;
                    let number = state.number;
                    state.waiting.push(Edge {
                        is_active,
                        age,
                        number,
                    });
                }
            });
        }

        /// So many edges are lost on the way, as when the kernel's buffer is full.
        pub(crate) fn lose(&self, n: u32) {
            self.with(|state| state.number += n);
        }

        /// The chip is gone, or there again.
        pub(crate) fn trouble(&self, trouble: Option<Reason>) {
            self.with(|state| state.trouble = trouble);
        }

        /// How often the line was taken.
        pub(crate) fn n_taken(&self) -> u32 {
            self.with(|state| state.n_taken)
        }

        pub(crate) fn is_held(&self) -> bool {
            self.with(|state| state.is_held)
        }
    }

    impl Lines for Bench {
        type Line = Held;

        fn take(&mut self, _: &Wire) -> Result<Held, Reason> {
            self.with(|state| {
                state.trouble.map_or(Ok(()), Err)?;
                state.n_taken += 1;
                (state.is_held, state.number) = (true, 0);
                Ok(())
            })?;
            Ok(Held(self.clone()))
        }
    }

    pub(crate) struct Held(Bench);

    impl Drop for Held {
        fn drop(&mut self) {
            self.0.with(|state| {
                state.is_held = false;
                state.waiting.clear();
            });
        }
    }

    impl Line for Held {
        fn is_active(&self) -> Result<bool, Reason> {
            self.0
                .with(|state| state.trouble.map_or(Ok(state.is_active), Err))
        }

        async fn edges(&mut self) -> Result<Vec<Edge>, Reason> {
            loop {
                let (lock, news) = &*self.0.0;
                let news = news.notified();
                {
                    let mut state = lock.lock().unwrap();
                    if let Some(reason) = state.trouble {
                        return Err(reason);
                    }
                    if !state.waiting.is_empty() {
                        return Ok(std::mem::take(&mut state.waiting));
                    }
                }
                news.await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tm_types::{BootId, Clock, Timestamp};

    #[test]
    fn an_edge_is_stamped_with_its_own_time_and_never_before_boot() {
        let now = Stamp {
            time: Timestamp::of_unix_ms(1_000_000),
            mono_ms: 5_000,
            boot: BootId(1),
            clock: Clock::Ntp,
            err_ms: Some(3),
        };
        for (age_us, time, mono_ms) in [
            (0, 1_000_000, 5_000),
            (1_999, 999_999, 4_999),
            (250_000, 999_750, 4_750),
            (9_000_000, 995_000, 0),
        ] {
            let edge = Edge {
                is_active: true,
                age: Duration::from_micros(age_us),
                number: 1,
            };
            let told = edge.stamp(now);
            assert_eq!(
                (told.time.unix_ms(), told.mono_ms),
                (time, mono_ms),
                "{age_us}"
            );
        }
    }
}
