//! The TOML document that describes contacts and counters, checked once, with the line of every mistake.
//!
//! The format is described in `docs/sensors.md`. Keys are only ever added.

use std::collections::HashSet;
use std::time::Duration;

use serde::Deserialize;
use tm_types::{Decimal, PointName, SeriesId, Source};
use toml::Spanned;

use super::Spec;
use super::contact::ContactSpec;
use super::line::{Bias, Edges, LineName, Wire};
use super::pulse::PulseSpec;
use super::total::Scale;
use crate::document::{DocumentError, Page};

/// The longest document that is looked at.
const DOCUMENT_MAX: usize = 64 * 1024;
/// The most inputs: a Raspberry Pi has 28 lines on its header, and there are expanders.
const INPUTS_MAX: usize = 64;
/// What the processor's own lines are called on a Raspberry Pi 4.
const CHIP: &str = "gpiochip0";
/// The SIM7600G-H HAT's flight-mode line and power key (its schematic; jumpers FLIGHT-D4 and PWR-D6): an input with
/// a pull-up would switch the radio off.
const OF_THE_HAT: [u32; 2] = [4, 6];
/// Reeds and relays bounce for a few milliseconds, hands for more.
const CONTACT_DEBOUNCE_MS: u32 = 50;
/// An S0 pulse lasts 30 ms at least (EN 62053-31, 4.1).
const PULSE_DEBOUNCE_MS: u32 = 5;

/// Reads a document whose points will be published by `source`; `taken` are names of other devices.
pub(crate) fn parse(
    document: &str,
    source: &Source,
    taken: &[String],
) -> Result<Vec<Spec>, DocumentError> {
    let (page, written) = Page::read::<Document>(document, DOCUMENT_MAX)?;
    let reader = Reader { page, source };
    let mut specs = Vec::new();
    let mut names: HashSet<String> = taken.iter().cloned().collect();
    let mut lines = HashSet::new();
    let mut keep = |name: &Spanned<String>, line: &Spanned<LineText>, spec: Spec| {
        let wire = match &spec {
            Spec::Contact(spec) => &spec.wire,
            Spec::Pulse(spec) => &spec.wire,
        };
        if !names.insert(spec.name().to_string()) {
            return Err(reader
                .page
                .at(name, format!("a second device is called {}", spec.name())));
        }
        if !lines.insert((wire.chip.clone(), wire.line.clone())) {
            return Err(reader.page.at(line, "this line is another input already"));
        }
        if specs.len() >= INPUTS_MAX {
            return Err(reader
                .page
                .at(name, format!("more than {INPUTS_MAX} inputs in all")));
        }
        specs.push(spec);
        Ok(())
    };
    for contact in &written.contact {
        keep(&contact.name, &contact.line, reader.contact(contact)?)?;
    }
    for pulse in &written.pulse {
        keep(&pulse.name, &pulse.line, reader.pulse(pulse)?)?;
    }
    Ok(specs)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    contact: Vec<ContactText>,
    #[serde(default)]
    pulse: Vec<PulseText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ContactText {
    name: Spanned<String>,
    chip: Option<Spanned<String>>,
    line: Spanned<LineText>,
    #[serde(default)]
    inverted: bool,
    #[serde(default)]
    bias: Bias,
    debounce_ms: Option<Spanned<i64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PulseText {
    name: Spanned<String>,
    chip: Option<Spanned<String>>,
    line: Spanned<LineText>,
    #[serde(default)]
    inverted: bool,
    #[serde(default)]
    bias: Bias,
    debounce_ms: Option<Spanned<i64>>,
    pulses_per_unit: Spanned<f64>,
    unit: Option<Spanned<String>>,
    start: Option<Spanned<f64>>,
    period_s: Option<Spanned<i64>>,
    max_hz: Option<Spanned<i64>>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a line is a number or a name in quotes")]
enum LineText {
    Number(i64),
    Name(String),
}

struct Reader<'a> {
    page: Page<'a>,
    source: &'a Source,
}

impl Reader<'_> {
    fn contact(&self, written: &ContactText) -> Result<Spec, DocumentError> {
        let debounce = self.debounce(written.debounce_ms.as_ref(), CONTACT_DEBOUNCE_MS)?;
        Ok(Spec::Contact(ContactSpec {
            name: self.name(&written.name)?,
            wire: Wire {
                chip: self.chip(written.chip.as_ref())?,
                line: self.line(&written.line, written.chip.as_ref())?,
                inverted: written.inverted,
                bias: written.bias,
                debounce,
                edges: Edges::Both,
            },
        }))
    }

    fn pulse(&self, written: &PulseText) -> Result<Spec, DocumentError> {
        let debounce = self.debounce(written.debounce_ms.as_ref(), PULSE_DEBOUNCE_MS)?;
        let period_s =
            self.page
                .number("period_s", written.period_s.as_ref(), 1..=86_400_u32, 60)?;
        Ok(Spec::Pulse(PulseSpec {
            name: self.name(&written.name)?,
            wire: Wire {
                chip: self.chip(written.chip.as_ref())?,
                line: self.line(&written.line, written.chip.as_ref())?,
                inverted: written.inverted,
                bias: written.bias,
                debounce,
                edges: Edges::Active,
            },
            scale: self.scale(written)?,
            unit: self.page.unit(written.unit.as_ref())?,
            period: Duration::from_secs(period_s.into()),
            max_hz: self
                .page
                .number("max_hz", written.max_hz.as_ref(), 1..=1000, 100)?,
        }))
    }

    fn name(&self, written: &Spanned<String>) -> Result<PointName, DocumentError> {
        let text = written.get_ref();
        let name = PointName::new(text).ok().filter(|_| !text.contains('/'));
        let name = name.ok_or_else(|| {
            self.page
                .at(written, "the name of an input is made of a-z, 0-9 and -")
        })?;
        SeriesId::of(self.source, &name)
            .map_err(|error| self.page.at(written, error.to_string()))?;
        Ok(name)
    }

    fn chip(&self, written: Option<&Spanned<String>>) -> Result<String, DocumentError> {
        let Some(written) = written else {
            return Ok(CHIP.to_owned());
        };
        let text = written.get_ref();
        let is_name = !text.is_empty()
            && (text.bytes()).all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if is_name || text.starts_with("/dev/") {
            return Ok(text.clone());
        }
        Err(self
            .page
            .at(written, "a chip is written as \"gpiochip0\" or \"/dev/…\""))
    }

    fn line(
        &self,
        written: &Spanned<LineText>,
        chip: Option<&Spanned<String>>,
    ) -> Result<LineName, DocumentError> {
        let is_header = chip.is_none_or(|chip| chip.get_ref().trim_start_matches("/dev/") == CHIP);
        let is_of_the_hat = |line: &u32| match written.get_ref() {
            LineText::Number(number) => is_header && *number == i64::from(*line),
            LineText::Name(name) => *name == format!("GPIO{line}"),
        };
        if let Some(line) = OF_THE_HAT.iter().find(|line| is_of_the_hat(line)) {
            let what = if *line == OF_THE_HAT[0] {
                "flight-mode line"
            } else {
                "power key"
            };
            return Err(self.page.at(
                written,
                format!("GPIO{line} is the HAT's {what}: take another line"),
            ));
        }
        match written.get_ref() {
            LineText::Number(number) => {
                let number = u32::try_from(*number).ok().filter(|number| *number < 1024);
                let number =
                    number.ok_or_else(|| self.page.at(written, "a line's number is 0 to 1023"));
                number.map(LineName::Number)
            }
            LineText::Name(name) if !name.is_empty() && name.len() < 32 => {
                Ok(LineName::Name(name.clone()))
            }
            // `GPIO_MAX_NAME_SIZE` of the kernel's interface is 32 with its end.
            LineText::Name(_) => Err(self
                .page
                .at(written, "a line's name has 1 to 31 characters")),
        }
    }

    fn debounce(
        &self,
        written: Option<&Spanned<i64>>,
        default: u32,
    ) -> Result<Duration, DocumentError> {
        let ms = self
            .page
            .number("debounce_ms", written, 0..=10_000, default)?;
        Ok(Duration::from_millis(ms.into()))
    }

    fn scale(&self, written: &PulseText) -> Result<Scale, DocumentError> {
        let decimal = |place: &Spanned<f64>, what: &str, is_good: fn(i64) -> bool| {
            let decimal = Decimal::of_f64(*place.get_ref());
            let decimal = decimal.filter(|number| is_good(number.units()) && number.scale() <= 9);
            decimal.ok_or_else(|| {
                let reason = format!("{what}, of at most 15 digits, 9 of them after the point");
                self.page.at(place, reason)
            })
        };
        let per_unit = &written.pulses_per_unit;
        let zero = Decimal::integer(0);
        Ok(Scale {
            per_unit: decimal(per_unit, "pulses_per_unit is more than 0", |units| {
                units > 0
            })?,
            start: match &written.start {
                None => zero,
                Some(start) => decimal(start, "start is not negative", |units| units >= 0)?,
            },
        })
    }
}

#[cfg(test)]
mod tests;
