//! The objects on the bus: paths, interfaces and properties, and who is told when they change.

use std::collections::{BTreeMap, HashMap};

use zbus::{
    Connection,
    zvariant::{ObjectPath, OwnedValue, Value},
};

use super::{
    schema::{self, Interfaces},
    show,
};

/// Properties of one interface.
pub(super) type Properties = BTreeMap<&'static str, Value<'static>>;
/// The interfaces of one object.
pub(super) type Object = BTreeMap<&'static str, Properties>;

const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
const MANAGER: &str = "org.freedesktop.DBus.ObjectManager";

/// Whether an object manager tells of this object. ModemManager's tells of modems alone: cards, bearers and messages are
/// found through the modem's properties (seen with 1.20.4).
pub(super) fn is_managed(path: &str) -> bool {
    !path.starts_with(show::ROOT) || path.starts_with("/org/freedesktop/ModemManager1/Modem/")
}

/// Everything that is shown, on every connection.
#[derive(Debug)]
pub(super) struct Objects {
    pub(super) connections: Vec<Connection>,
    pub(super) interfaces: Interfaces,
    shown: BTreeMap<String, Object>,
}

impl Objects {
    pub(super) fn new() -> Self {
        Self {
            connections: Vec::new(),
            interfaces: schema::recorded().clone(),
            shown: BTreeMap::new(),
        }
    }

    pub(super) fn get(&self, path: &str) -> Option<&Object> {
        self.shown.get(path)
    }

    pub(super) fn below<'a>(
        &'a self,
        root: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a Object)> {
        let is_below = move |path: &str| {
            path.strip_prefix(root)
                .is_some_and(|rest| rest.starts_with('/'))
        };
        let all = self
            .shown
            .iter()
            .map(|(path, object)| (path.as_str(), object));
        all.filter(move |(path, _)| is_below(path))
    }

    /// Names of the next level below a path.
    pub(super) fn children(&self, path: &str) -> Vec<String> {
        let mut names: Vec<String> = self
            .below(path)
            .filter_map(|(below, _)| below[path.len() + 1..].split('/').next())
            .map(str::to_owned)
            .collect();
        names.dedup();
        names
    }

    /// Shows exactly these objects at and below `root`, and tells of what was added, changed and removed at `manager`.
    pub(super) async fn show(
        &mut self,
        root: &str,
        manager: &str,
        mut wanted: BTreeMap<String, Object>,
    ) {
        for object in wanted.values_mut() {
            for (interface, properties) in object.iter_mut() {
                let known = self.interfaces.get(*interface);
                properties.retain(|name, _| {
                    known.is_some_and(|known| known.properties.contains_key(*name))
                });
            }
        }
        let gone: Vec<String> = self.below(root).map(|(path, _)| path.to_owned()).collect();
        for path in gone.iter().filter(|path| !wanted.contains_key(*path)) {
            if let Some(object) = self.shown.remove(path) {
                self.tell_removed(manager, path, object.keys().copied().collect())
                    .await;
            }
        }
        for (path, object) in wanted {
            let before = self.shown.insert(path.clone(), copy(&object));
            let is_told = path != manager && is_managed(&path);
            let Some(before) = before else {
                if is_told {
                    self.tell_added(manager, &path, &object).await;
                }
                continue;
            };
            let gone: Vec<&str> = before
                .keys()
                .filter(|name| !object.contains_key(*name))
                .copied()
                .collect();
            if !gone.is_empty() {
                self.tell_removed(manager, &path, gone).await;
            }
            let mut fresh = copy(&object);
            fresh.retain(|name, _| !before.contains_key(name));
            if !fresh.is_empty() {
                self.tell_added(manager, &path, &fresh).await;
            }
            self.tell_changes(&path, &before, &object).await;
        }
    }

    async fn tell_added(&self, manager: &str, path: &str, object: &Object) {
        let body = (object_path(path), variants(object));
        self.emit(manager, MANAGER, "InterfacesAdded", &body).await;
    }

    async fn tell_removed(&self, manager: &str, path: &str, interfaces: Vec<&str>) {
        if !is_managed(path) {
            return;
        }
        let body = (object_path(path), interfaces);
        self.emit(manager, MANAGER, "InterfacesRemoved", &body)
            .await;
    }

    /// Forgets everything below a root without a word, as when a service dies.
    pub(super) fn forget(&mut self, root: &str) {
        self.shown
            .retain(|path, _| path != root && !path.starts_with(&format!("{root}/")));
    }

    async fn tell_changes(&self, path: &str, before: &Object, now: &Object) {
        for (interface, properties) in now {
            let Some(old) = before.get(interface) else {
                continue;
            };
            let changed: HashMap<&str, &Value<'_>> = properties
                .iter()
                .filter(|(name, value)| old.get(*name) != Some(*value))
                .map(|(name, value)| (*name, value))
                .collect();
            if !changed.is_empty() {
                let body = (*interface, changed, Vec::<&str>::new());
                self.emit(path, PROPERTIES, "PropertiesChanged", &body)
                    .await;
            }
        }
    }

    /// A signal to everybody; one whose connection is gone misses it.
    pub(super) async fn emit<B>(&self, path: &str, interface: &str, member: &str, body: &B)
    where
        B: serde::Serialize + zbus::zvariant::DynamicType + Sync,
    {
        for connection in &self.connections {
            let _ = connection
                .emit_signal(None::<&str>, path, interface, member, body)
                .await;
        }
    }
}

/// Every interface of an object, as `InterfacesAdded` and `GetManagedObjects` tell it.
pub(super) fn variants(object: &Object) -> HashMap<&str, HashMap<&str, &Value<'static>>> {
    let interfaces = object.iter();
    interfaces
        .map(|(name, properties)| {
            (
                *name,
                properties
                    .iter()
                    .map(|(name, value)| (*name, value))
                    .collect(),
            )
        })
        .collect()
}

fn copy(object: &Object) -> Object {
    let copy = |value: &Value<'static>| {
        value
            .try_clone()
            .expect("no file descriptors among the values")
    };
    let properties = |all: &Properties| {
        all.iter()
            .map(|(name, value)| (*name, copy(value)))
            .collect()
    };
    object
        .iter()
        .map(|(name, all)| (*name, properties(all)))
        .collect()
}

/// For what is made here and is a path by construction.
pub(super) fn object_path(path: &str) -> ObjectPath<'static> {
    ObjectPath::try_from(path.to_owned())
        .unwrap_or_else(|_| ObjectPath::from_static_str_unchecked("/"))
}

/// `a{sv}`.
pub(super) fn dictionary<const N: usize>(entries: [(&str, Value<'static>); N]) -> Value<'static> {
    let entries: HashMap<String, OwnedValue> = entries
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), OwnedValue::try_from(value).ok()?)))
        .collect();
    Value::from(entries)
}
