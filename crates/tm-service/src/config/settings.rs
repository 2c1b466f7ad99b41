use std::collections::HashMap;

use super::report::Origin;
use super::{Environment, Report, Setting};

/// One variable of a settings struct.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name in the struct: the variable's name after the prefix, in lower case.
    pub name: &'static str,
    /// Meaning, unit and range, as in the struct's documentation.
    pub doc: &'static str,
    /// The kind of value, in a word.
    pub type_name: &'static str,
    /// The allowed range, as written; empty when any value of the type will do.
    pub range: &'static str,
    /// The default as a person would write it; empty for none.
    pub default: fn() -> String,
    /// What a malformed value is replaced by: the default, or something safer.
    pub when_malformed: fn() -> String,
    /// Whether the value is never shown.
    pub secret: bool,
}

impl Field {
    /// The full name of the variable: `TM_GNSS_` + `source` is `TM_GNSS_SOURCE`.
    pub fn variable(&self, prefix: &str) -> String {
        format!("{prefix}{}", self.name.to_ascii_uppercase())
    }
}

/// A struct whose fields are variables with one prefix; made by [`settings!`](crate::settings).
pub trait Settings: Sized + Clone + std::fmt::Debug + Send + Sync + 'static {
    /// The fields in order.
    const FIELDS: &'static [Field];

    /// Reads every field; what is malformed takes its fallback and goes into the report.
    fn load(prefix: &str, environment: &Environment, report: &mut Report) -> Self;
}

/// Reads one field. Called by [`settings!`](crate::settings).
pub fn read_field<T: Setting>(
    field: &Field,
    in_range: fn(&T) -> bool,
    prefix: &str,
    environment: &Environment,
    report: &mut Report,
) -> T {
    report.note_prefix(prefix);
    let variable = field.variable(prefix);
    let (text, origin) = match text_of(&variable, environment) {
        None => ((field.default)(), Origin::Default),
        Some(text) => {
            if let Some(value) = T::parse(&text).filter(in_range) {
                report.note(field, &variable, text, Origin::Environment);
                return value;
            }
            let expected = match field.range {
                "" => T::EXPECTED.to_owned(),
                range => format!("{}, {range}", T::EXPECTED),
            };
            report.note_malformed(&variable, &expected);
            ((field.when_malformed)(), Origin::Fallback)
        }
    };
    report.note(field, &variable, text.clone(), origin);
    T::parse(&text)
        .unwrap_or_else(|| panic!("the default of {variable} in settings! must be well-formed"))
}

/// The variable's text as it stands, through `config` so that a further source can join later.
fn text_of(variable: &str, environment: &Environment) -> Option<String> {
    let value = environment.get(variable)?;
    let one = HashMap::from([(variable.to_owned(), value.to_owned())]);
    let source = config::Environment::default()
        .source(Some(one))
        .ignore_empty(true);
    let built = config::Config::builder().add_source(source).build().ok()?;
    built.get_string(&variable.to_ascii_lowercase()).ok()
}

/// Declares a settings struct: fields with documentation, type, optional range and default.
///
/// ```
/// use tm_service::config::{Environment, Report, Secret, Settings};
///
/// tm_service::settings! {
///     /// `TM_GNSS_*`.
///     pub struct Config {
///         /// Where sentences come from.
///         pub source: String = "auto",
///         /// Seconds without data after which the source counts as silent (1 to 3600).
///         pub silent_after_s: u32 [1..=3600] = 5,
///         /// PIN of the SIM.
///         pub pin: Option<Secret> = None,
///         /// Who may connect. The value after `=>` holds when the variable is malformed.
///         pub allow_from: String = "10.0.0.0/8" => "127.0.0.1",
///     }
/// }
///
/// let environment = Environment::default().with("TM_GNSS_SILENT_AFTER_S", "none");
/// let mut report = Report::new();
/// let config = Config::load("TM_GNSS_", &environment, &mut report);
/// assert_eq!(config.silent_after_s, 5);
/// assert_eq!(report.findings().len(), 1);
/// ```
#[macro_export]
macro_rules! settings {
    (
        $(#[doc = $struct_doc:expr])*
        $vis:vis struct $name:ident {
            $(
                $(#[doc = $doc:expr])*
                $field_vis:vis $field:ident : $type:ty $([$range:expr])? = $default:expr $(=> $closed:expr)?
            ),* $(,)?
        }
    ) => {
        $(#[doc = $struct_doc])*
        #[derive(Clone, Debug)]
        $vis struct $name {
            $( $(#[doc = $doc])* $field_vis $field: $type, )*
        }

        impl $crate::config::Settings for $name {
            const FIELDS: &'static [$crate::config::Field] = &[
                $( $crate::config::Field {
                    name: stringify!($field),
                    doc: concat!($($doc, "\n"),*),
                    type_name: <$type as $crate::config::Setting>::TYPE,
                    range: concat!($(stringify!($range))?),
                    default: || $crate::config::DefaultText::default_text(&$default),
                    when_malformed: || $crate::settings!(@closed $default $(=> $closed)?),
                    secret: <$type as $crate::config::Setting>::SECRET,
                }, )*
            ];

            fn load(
                prefix: &str,
                environment: &$crate::config::Environment,
                report: &mut $crate::config::Report,
            ) -> Self {
                let mut fields = Self::FIELDS.iter();
                let mut next = || fields.next().expect("one entry per field");
                Self {
                    $( $field: $crate::config::read_field(
                        next(),
                        $crate::settings!(@range $type $(, $range)?),
                        prefix,
                        environment,
                        report,
                    ), )*
                }
            }
        }

        impl Default for $name {
            fn default() -> Self {
                <Self as $crate::config::Settings>::load(
                    "",
                    &$crate::config::Environment::default(),
                    &mut $crate::config::Report::new(),
                )
            }
        }
    };
    (@closed $default:expr) => { $crate::config::DefaultText::default_text(&$default) };
    (@closed $default:expr => $closed:expr) => { $crate::config::DefaultText::default_text(&$closed) };
    (@range $type:ty) => { |_: &$type| true };
    (@range $type:ty, $range:expr) => { |value: &$type| ($range).contains(value) };
}
