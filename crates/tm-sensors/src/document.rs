//! A TOML document that a person wrote, read with the line of every mistake.

use std::fmt::Display;
use std::ops::RangeInclusive;

use serde::de::DeserializeOwned;
use thiserror::Error;
use tm_types::Unit;
use toml::Spanned;

use crate::units;

/// A document is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}: {reason}")]
pub(crate) struct DocumentError {
    /// The line, from 1.
    pub(crate) line: usize,
    /// What is wrong there.
    pub(crate) reason: String,
}

/// The text, for telling where something stands in it.
#[derive(Clone, Copy)]
pub(crate) struct Page<'a>(&'a str);

impl<'a> Page<'a> {
    /// Reads a text of at most `max` bytes.
    pub(crate) fn read<T: DeserializeOwned>(
        text: &'a str,
        max: usize,
    ) -> Result<(Self, T), DocumentError> {
        let page = Self(text);
        if text.len() > max {
            let reason = format!("the document is longer than {max} bytes");
            return Err(DocumentError { line: 1, reason });
        }
        let written = toml::from_str(text).map_err(|error| DocumentError {
            line: page.line(error.span().map_or(0, |span| span.start)),
            reason: error.message().replace('\n', ", "),
        })?;
        Ok((page, written))
    }

    /// What is wrong with what stands there.
    pub(crate) fn at<T>(&self, place: &Spanned<T>, reason: impl Into<String>) -> DocumentError {
        DocumentError {
            line: self.line(place.span().start),
            reason: reason.into(),
        }
    }

    /// The number within its range, or the default.
    pub(crate) fn number<N: TryFrom<i64> + PartialOrd + Display>(
        &self,
        what: &str,
        written: Option<&Spanned<i64>>,
        range: RangeInclusive<N>,
        default: N,
    ) -> Result<N, DocumentError> {
        let Some(written) = written else {
            return Ok(default);
        };
        let number = N::try_from(*written.get_ref()).ok();
        number
            .filter(|number| range.contains(number))
            .ok_or_else(|| {
                let (low, high) = range.into_inner();
                self.at(written, format!("{what} is {low} to {high}"))
            })
    }

    /// The unit, or none.
    pub(crate) fn unit(&self, written: Option<&Spanned<String>>) -> Result<Unit, DocumentError> {
        let Some(unit) = written else {
            return Ok(Unit::NONE);
        };
        let symbol = unit.get_ref();
        units::check(symbol).map_err(|meant| {
            let hint = meant.map_or_else(String::new, |meant| format!("; write {meant:?}"));
            self.at(unit, format!("{symbol:?} is not a unit of RFC 8428{hint}"))
        })?;
        Unit::new(symbol).map_err(|error| self.at(unit, error.to_string()))
    }

    /// The line of a byte offset, from 1.
    fn line(&self, offset: usize) -> usize {
        let before = self.0.as_bytes().iter().take(offset);
        1 + before.filter(|byte| **byte == b'\n').count()
    }
}
