//! The rules of a channel: keys of a register, or a `[[channel]]` of another driver.

use std::time::Duration;

use serde::Deserialize;
use tm_types::PointName;
use toml::Spanned;

use super::Reader;
use crate::channel::{Book, Rules};
use crate::document::DocumentError;
use crate::report::Deadband;

/// A `[[channel]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChannelText {
    name: Spanned<String>,
    offset: Option<Spanned<f64>>,
    resolution: Option<Spanned<f64>>,
    deadband: Option<Spanned<f64>>,
    deadband_percent: Option<Spanned<f64>>,
    heartbeat_s: Option<Spanned<i64>>,
    min: Option<Spanned<f64>>,
    max: Option<Spanned<f64>>,
    max_rate: Option<Spanned<f64>>,
    stale_s: Option<Spanned<i64>>,
    aggregate_s: Option<Spanned<i64>>,
}

/// The keys that a register and a channel have in common.
pub(super) struct RulesText<'a> {
    pub(super) heartbeat_s: Option<&'a Spanned<i64>>,
    pub(super) min: Option<&'a Spanned<f64>>,
    pub(super) max: Option<&'a Spanned<f64>>,
    pub(super) max_rate: Option<&'a Spanned<f64>>,
    pub(super) stale_s: Option<&'a Spanned<i64>>,
    pub(super) aggregate_s: Option<&'a Spanned<i64>>,
}

impl Reader<'_> {
    /// Every `[[channel]]`.
    pub(super) fn channels(&self, written: &[ChannelText]) -> Result<Book, DocumentError> {
        let mut book = Book::default();
        for text in written {
            let name = text.name.get_ref();
            let is_new = if let Some(prefix) = name.strip_suffix('*') {
                self.check_prefix(&text.name, prefix)?;
                book.rule_prefix(prefix, self.channel(text)?)
            } else {
                let name = PointName::new(name)
                    .map_err(|error| self.page.at(&text.name, error.to_string()))?;
                if self.registers.contains(&name) {
                    return Err(self.is_register(&text.name, &name));
                }
                book.rule(name, self.channel(text)?)
            };
            if !is_new {
                let reason = format!("a second channel is called {name}");
                return Err(self.page.at(&text.name, reason));
            }
        }
        Ok(book)
    }

    /// Refuses what no name begins with, and what a register's name begins with.
    fn check_prefix(&self, written: &Spanned<String>, prefix: &str) -> Result<(), DocumentError> {
        // Whatever can be continued by a letter begins a name.
        PointName::new(&format!("{prefix}x"))
            .map_err(|error| self.page.at(written, error.to_string()))?;
        let registers = self.registers.iter();
        let covered = registers.filter(|name| name.as_str().starts_with(prefix));
        match covered.min_by_key(|name| name.as_str()) {
            Some(name) => Err(self.is_register(written, name)),
            None => Ok(()),
        }
    }

    fn is_register(&self, written: &Spanned<String>, name: &PointName) -> DocumentError {
        let reason = format!("{name} is a register: its rules are written there");
        self.page.at(written, reason)
    }

    fn channel(&self, text: &ChannelText) -> Result<Rules, DocumentError> {
        let rules = self.rules(&RulesText {
            heartbeat_s: text.heartbeat_s.as_ref(),
            min: text.min.as_ref(),
            max: text.max.as_ref(),
            max_rate: text.max_rate.as_ref(),
            stale_s: text.stale_s.as_ref(),
            aggregate_s: text.aggregate_s.as_ref(),
        })?;
        let offset = text.offset.as_ref();
        let offset = offset.map(|_| self.decimal("offset", offset, 0, false));
        let resolution = text.resolution.as_ref().map(|step| self.step(step));
        Ok(Rules {
            offset: offset.transpose()?,
            resolution: resolution.transpose()?,
            deadband: self.deadband(text.deadband.as_ref(), text.deadband_percent.as_ref())?,
            ..rules
        })
    }

    /// The rules that are held against every kind of channel.
    pub(super) fn rules(&self, written: &RulesText<'_>) -> Result<Rules, DocumentError> {
        let min = self.finite("min", written.min)?;
        let max = self.finite("max", written.max)?;
        if let (Some(low), Some(high), Some(place)) = (min, max, written.max)
            && low >= high
        {
            return Err(self.page.at(place, "min is less than max"));
        }
        let max_rate = self.finite("max_rate", written.max_rate)?;
        if let (Some(rate), Some(place)) = (max_rate, written.max_rate)
            && rate <= 0.0
        {
            return Err(self.page.at(place, "max_rate is more than 0, per second"));
        }
        Ok(Rules {
            heartbeat: self.seconds("heartbeat_s", written.heartbeat_s)?,
            min,
            max,
            max_rate,
            stale: self.seconds("stale_s", written.stale_s)?,
            aggregate: self.seconds("aggregate_s", written.aggregate_s)?,
            ..Rules::default()
        })
    }

    /// The deadband, if one is written.
    pub(super) fn deadband(
        &self,
        absolute: Option<&Spanned<f64>>,
        percent: Option<&Spanned<f64>>,
    ) -> Result<Option<Deadband>, DocumentError> {
        let (written, deadband): (_, fn(f64) -> Deadband) = match (absolute, percent) {
            (None, None) => return Ok(None),
            (Some(_), Some(place)) => {
                return Err(self
                    .page
                    .at(place, "deadband or deadband_percent, not both"));
            }
            (Some(written), None) => (written, Deadband::Absolute),
            (None, Some(written)) => (written, Deadband::Percent),
        };
        let band = *written.get_ref();
        if band.is_finite() && band >= 0.0 {
            return Ok(Some(deadband(band)));
        }
        Err(self
            .page
            .at(written, "a deadband is a number that is not negative"))
    }

    fn finite(
        &self,
        what: &str,
        written: Option<&Spanned<f64>>,
    ) -> Result<Option<f64>, DocumentError> {
        let Some(written) = written else {
            return Ok(None);
        };
        let number = Some(*written.get_ref()).filter(|number| number.is_finite());
        number
            .map(Some)
            .ok_or_else(|| self.page.at(written, format!("{what} is a number")))
    }

    /// A time of one second to 18 hours.
    pub(super) fn seconds(
        &self,
        what: &str,
        written: Option<&Spanned<i64>>,
    ) -> Result<Option<Duration>, DocumentError> {
        let Some(written) = written else {
            return Ok(None);
        };
        let seconds = self.page.number(what, Some(written), 1..=u16::MAX, 1)?;
        Ok(Some(Duration::from_secs(seconds.into())))
    }
}
