use std::fmt;

/// A type that a variable's text can be read as.
pub trait Setting: Sized {
    /// The type in the documentation's table: `text`, `number`…
    const TYPE: &'static str;
    /// What a correct value looks like, for the report on a malformed one.
    const EXPECTED: &'static str;
    /// Whether its value is never shown.
    const SECRET: bool = false;

    /// Reads the text; `None` when it is malformed. Empty text comes only from an empty default.
    fn parse(text: &str) -> Option<Self>;
}

/// Makes a type with [`FromStr`](std::str::FromStr) a [`Setting`]: `setting!(Port, "a port", "a tty or tcp://host:port")`.
#[macro_export]
macro_rules! setting {
    ($type:ty, $name:literal, $expected:literal) => {
        impl $crate::config::Setting for $type {
            const TYPE: &'static str = $name;
            const EXPECTED: &'static str = $expected;
            fn parse(text: &str) -> Option<Self> {
                text.trim().parse().ok()
            }
        }
    };
}

macro_rules! whole_numbers {
    ($($type:ty)*) => { $( setting!($type, "number", "a whole number"); )* };
}

whole_numbers!(u8 u16 u32 u64 usize i32 i64);

impl Setting for f64 {
    const TYPE: &'static str = "number";
    const EXPECTED: &'static str = "a decimal number";
    fn parse(text: &str) -> Option<Self> {
        text.trim()
            .parse()
            .ok()
            .filter(|number: &Self| number.is_finite())
    }
}

impl Setting for bool {
    const TYPE: &'static str = "true or false";
    const EXPECTED: &'static str = "true or false";
    fn parse(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Some(true),
            "false" | "0" | "no" | "off" => Some(false),
            _ => None,
        }
    }
}

impl Setting for String {
    const TYPE: &'static str = "text";
    const EXPECTED: &'static str = "a text";
    fn parse(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

impl<T: Setting> Setting for Option<T> {
    const TYPE: &'static str = T::TYPE;
    const EXPECTED: &'static str = T::EXPECTED;
    const SECRET: bool = T::SECRET;
    fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            Some(None)
        } else {
            T::parse(text).map(Some)
        }
    }
}

/// A password, PIN or token: shown as `***`, never serialised.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Setting for Secret {
    const TYPE: &'static str = "secret";
    const EXPECTED: &'static str = "a text";
    const SECRET: bool = true;
    fn parse(text: &str) -> Option<Self> {
        Some(Self(text.to_owned()))
    }
}

/// Values separated by commas; one malformed value makes the whole list malformed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct List<T>(pub Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> std::ops::Deref for List<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: Setting> Setting for List<T> {
    const TYPE: &'static str = "list";
    const EXPECTED: &'static str = "values separated by commas";
    const SECRET: bool = T::SECRET;
    fn parse(text: &str) -> Option<Self> {
        let items = text.split(',').map(str::trim);
        items
            .filter(|item| !item.is_empty())
            .map(T::parse)
            .collect::<Option<_>>()
            .map(Self)
    }
}

/// A default as written in `settings!`: a literal, `true`, or `None` for empty.
pub trait DefaultText {
    /// The text a person would set to get this default.
    fn default_text(&self) -> String;
}

macro_rules! default_by_display {
    ($($type:ty)*) => { $( impl DefaultText for $type {
        fn default_text(&self) -> String { self.to_string() }
    } )* };
}

default_by_display!(&str String i64 f64 bool);

/// Stands for "no default" in [`DefaultText`]; has no values.
#[derive(Debug)]
pub enum Nothing {}

impl DefaultText for Option<Nothing> {
    fn default_text(&self) -> String {
        String::new()
    }
}
