//! Property maps as they come from the bus, read without a word about what is missing or of another type.

use std::collections::HashMap;

use zbus::zvariant::{OwnedObjectPath, OwnedValue, Value};

/// The properties of one interface.
pub(crate) type Properties = HashMap<String, OwnedValue>;
/// The interfaces of one object.
pub(crate) type Interfaces = HashMap<String, Properties>;
/// The objects of one service.
pub(crate) type Objects = HashMap<OwnedObjectPath, Interfaces>;

/// Reads single properties. Everything is absent that is missing, of another type, or an empty text.
pub(crate) trait Read {
    /// The value itself.
    fn value(&self, name: &str) -> Option<&Value<'static>>;

    /// A text that says something.
    fn text(&self, name: &str) -> Option<String> {
        let text: &str = self.value(name)?.downcast_ref().ok()?;
        (!text.trim().is_empty()).then(|| text.trim().to_owned())
    }

    /// A number without a sign, of whatever width.
    fn number(&self, name: &str) -> Option<u64> {
        number(self.value(name)?)
    }

    /// A number without a sign that fits 32 bits, as all of ModemManager's enumerations do.
    fn word(&self, name: &str) -> Option<u32> {
        u32::try_from(self.number(name)?).ok()
    }

    /// A number with a sign.
    fn signed(&self, name: &str) -> Option<i32> {
        self.value(name)?.downcast_ref().ok()
    }

    /// A floating-point number that is one.
    fn decimal(&self, name: &str) -> Option<f64> {
        let value: f64 = self.value(name)?.downcast_ref().ok()?;
        value.is_finite().then_some(value)
    }

    /// Yes or no.
    fn flag(&self, name: &str) -> Option<bool> {
        self.value(name)?.downcast_ref().ok()
    }

    /// The path of another object; `/` means none.
    fn path(&self, name: &str) -> Option<OwnedObjectPath> {
        let Value::ObjectPath(path) = self.value(name)? else {
            return None;
        };
        (path.as_str() != "/").then(|| path.to_owned().into())
    }

    /// The paths of other objects.
    fn paths(&self, name: &str) -> Vec<OwnedObjectPath> {
        let Some(Value::Array(array)) = self.value(name) else {
            return Vec::new();
        };
        let path = |value: &Value<'static>| match value {
            Value::ObjectPath(path) => Some(path.to_owned().into()),
            _ => None,
        };
        array.inner().iter().filter_map(path).collect()
    }

    /// Numbers without a sign.
    fn words(&self, name: &str) -> Vec<u32> {
        let Some(Value::Array(array)) = self.value(name) else {
            return Vec::new();
        };
        let word = |value: &Value<'static>| u32::try_from(number(value)?).ok();
        array.inner().iter().filter_map(word).collect()
    }

    /// A map from texts to anything.
    fn table(&self, name: &str) -> Option<Properties> {
        let value = self.value(name)?.try_to_owned().ok()?;
        HashMap::try_from(value).ok()
    }

    /// A map from numbers to numbers.
    fn numbers(&self, name: &str) -> HashMap<u32, u32> {
        let value = self.value(name).and_then(|value| value.try_to_owned().ok());
        value
            .and_then(|value| HashMap::try_from(value).ok())
            .unwrap_or_default()
    }
}

impl Read for Properties {
    fn value(&self, name: &str) -> Option<&Value<'static>> {
        match &**self.get(name)? {
            Value::Value(inner) => Some(inner),
            value => Some(value),
        }
    }
}

/// Nothing is known of an interface that is not there.
impl Read for Option<&Properties> {
    fn value(&self, name: &str) -> Option<&Value<'static>> {
        (*self)?.value(name)
    }
}

fn number(value: &Value<'_>) -> Option<u64> {
    match value {
        Value::U8(number) => Some((*number).into()),
        Value::U16(number) => Some((*number).into()),
        Value::U32(number) => Some((*number).into()),
        Value::U64(number) => Some(*number),
        Value::I32(number) => u64::try_from(*number).ok(),
        Value::I64(number) => u64::try_from(*number).ok(),
        _ => None,
    }
}

#[cfg(test)]
pub(crate) fn properties<const N: usize>(entries: [(&str, Value<'_>); N]) -> Properties {
    let owned = |(name, value): (&str, Value<'_>)| (name.to_owned(), value.try_to_owned().unwrap());
    entries.into_iter().map(owned).collect()
}

#[cfg(test)]
mod tests {
    use zbus::zvariant::ObjectPath;

    use super::*;

    #[test]
    fn what_is_missing_or_wrong_is_absent() {
        let map = properties([
            ("Empty", Value::from(" ")),
            ("Text", Value::from("vodafone UA ")),
            ("Number", Value::from(7u64)),
            ("State", Value::from(-1i32)),
            ("None", ObjectPath::from_static_str_unchecked("/").into()),
            (
                "Sim",
                ObjectPath::from_static_str_unchecked("/a/Sim/3").into(),
            ),
            ("Bands", Value::from(vec![33u32, 7])),
            ("Tries", Value::from(HashMap::from([(2u32, 3u32), (4, 10)]))),
            ("Nan", Value::from(f64::NAN)),
        ]);
        assert_eq!(map.text("Text").as_deref(), Some("vodafone UA"));
        for name in ["Empty", "Number", "Missing", "Sim"] {
            assert_eq!(map.text(name), None, "{name}");
        }
        assert_eq!(
            (map.word("Number"), map.word("State"), map.signed("State")),
            (Some(7), None, Some(-1))
        );
        assert_eq!(map.path("None"), None);
        assert_eq!(map.path("Sim").unwrap().as_str(), "/a/Sim/3");
        assert_eq!(
            (map.words("Bands"), map.words("Text")),
            (vec![33, 7], vec![])
        );
        assert_eq!(map.numbers("Tries")[&4], 10);
        assert_eq!(map.decimal("Nan"), None);
        assert_eq!(Some(&map).word("Number"), Some(7));
        assert_eq!(None::<&Properties>.word("Number"), None);
    }
}
