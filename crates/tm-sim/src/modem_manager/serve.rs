//! What every object answers: properties, introspection, the object manager.

use std::collections::HashMap;

use zbus::{
    Connection, Message,
    zvariant::{StructureBuilder, Value},
};

use super::{
    network,
    objects::{Objects, is_managed, object_path, variants},
    schema, show,
};

/// A refusal: the error's name and a text.
pub(super) type Refusal = (&'static str, String);

/// What is answered to a call.
#[derive(Debug)]
pub(super) enum Answer {
    Values(Vec<Value<'static>>),
    Refusal(Refusal),
    /// The caller waits in vain.
    Never,
}

pub(super) const UNKNOWN_METHOD: &str = "org.freedesktop.DBus.Error.UnknownMethod";
const UNKNOWN_OBJECT: &str = "org.freedesktop.DBus.Error.UnknownObject";
const UNKNOWN_INTERFACE: &str = "org.freedesktop.DBus.Error.UnknownInterface";
const UNKNOWN_PROPERTY: &str = "org.freedesktop.DBus.Error.UnknownProperty";
const SERVICE_UNKNOWN: &str = "org.freedesktop.DBus.Error.ServiceUnknown";
pub(super) const INVALID: &str = "org.freedesktop.DBus.Error.InvalidArgs";
const TWIN: &str = "tm.sim.Error.Twin";

/// Where NetworkManager has its object manager.
pub(super) const NETWORK_MANAGER_ROOT: &str = "/org/freedesktop";

/// What a call is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The object.
    pub path: String,
    /// The interface; empty where the caller named none.
    pub interface: String,
    /// The method.
    pub member: String,
}

impl Call {
    pub(super) fn of(message: &Message) -> Self {
        let header = message.header();
        let text = |value: Option<String>| value.unwrap_or_default();
        Self {
            path: text(header.path().map(ToString::to_string)),
            interface: text(header.interface().map(ToString::to_string)),
            member: text(header.member().map(ToString::to_string)),
        }
    }
}

/// Answers what needs no modem; nothing when a method of the service itself is called.
pub(super) async fn standard(
    objects: &Objects,
    connection: &Connection,
    message: &Message,
    call: &Call,
) -> bool {
    let header = message.header();
    let result = match (call.interface.as_str(), call.member.as_str()) {
        ("org.freedesktop.DBus.Peer", "Ping") => connection.reply(&header, &()).await,
        ("org.freedesktop.DBus.Peer", "GetMachineId") => {
            connection
                .reply(&header, &"00000000000000000000000000000001")
                .await
        }
        ("org.freedesktop.DBus.Introspectable", "Introspect") => {
            connection
                .reply(&header, &introspect(objects, &call.path))
                .await
        }
        ("org.freedesktop.DBus.ObjectManager", "GetManagedObjects") => {
            let root = if call.path == NETWORK_MANAGER_ROOT {
                network::ROOT
            } else {
                show::ROOT
            };
            if call.path != NETWORK_MANAGER_ROOT && objects.get(&call.path).is_none() {
                let text = "no such service".to_owned();
                connection
                    .reply_error(&header, SERVICE_UNKNOWN, &text)
                    .await
            } else {
                let own = objects
                    .get(root)
                    .filter(|_| root == network::ROOT)
                    .map(|own| (root, own));
                let all: HashMap<_, _> = own
                    .into_iter()
                    .chain(objects.below(root))
                    .filter(|(path, _)| is_managed(path))
                    .map(|(path, object)| (object_path(path), variants(object)))
                    .collect();
                connection.reply(&header, &all).await
            }
        }
        ("org.freedesktop.DBus.Properties", _) => {
            properties(objects, connection, message, call).await
        }
        _ => return false,
    };
    // A caller that is gone misses its answer.
    let _ = result;
    true
}

async fn properties(
    objects: &Objects,
    connection: &Connection,
    message: &Message,
    call: &Call,
) -> zbus::Result<()> {
    let header = message.header();
    let body = message.body();
    let refuse = |name, text: &str| {
        let text = text.to_owned();
        let header = message.header();
        async move { connection.reply_error(&header, name, &text).await }
    };
    let Some(object) = objects.get(&call.path) else {
        return refuse(UNKNOWN_OBJECT, "no such object").await;
    };
    match call.member.as_str() {
        "GetAll" => {
            let Ok(interface) = body.deserialize::<&str>() else {
                return refuse(INVALID, "an interface is wanted").await;
            };
            match object.get(interface) {
                Some(properties) => connection.reply(&header, properties).await,
                None => refuse(UNKNOWN_INTERFACE, "no such interface").await,
            }
        }
        "Get" => {
            let Ok((interface, name)) = body.deserialize::<(&str, &str)>() else {
                return refuse(INVALID, "an interface and a property are wanted").await;
            };
            match object
                .get(interface)
                .and_then(|properties| properties.get(name))
            {
                Some(value) => connection.reply(&header, &(value,)).await,
                None => refuse(UNKNOWN_PROPERTY, "no such property").await,
            }
        }
        _ => {
            refuse(
                "org.freedesktop.DBus.Error.PropertyReadOnly",
                "nothing can be set",
            )
            .await
        }
    }
}

/// The interfaces that an object has now, with the standard ones.
fn introspect(objects: &Objects, path: &str) -> String {
    let object = objects.get(path);
    let mut names: Vec<&str> = object
        .into_iter()
        .flat_map(|object| object.keys().copied())
        .collect();
    if object.is_some() {
        names.extend([
            "org.freedesktop.DBus.Properties",
            "org.freedesktop.DBus.Introspectable",
            "org.freedesktop.DBus.Peer",
        ]);
    }
    if path == show::ROOT && object.is_some() {
        names.push("org.freedesktop.DBus.ObjectManager");
    }
    let mut interfaces = objects.interfaces.clone();
    interfaces.retain(|name, _| names.contains(&name.as_str()));
    schema::print(&interfaces, &objects.children(path))
}

/// Why a call is none of the interface; nothing when it is in order.
pub(super) fn wrong(objects: &Objects, message: &Message, call: &Call) -> Option<Refusal> {
    let Some(object) = objects.get(&call.path) else {
        let name = if objects.children(&call.path).is_empty() && objects.get(show::ROOT).is_none() {
            SERVICE_UNKNOWN
        } else {
            UNKNOWN_METHOD
        };
        return Some((name, format!("no object at {}", call.path)));
    };
    if !object.contains_key(call.interface.as_str()) {
        return Some((UNKNOWN_METHOD, format!("no interface {}", call.interface)));
    }
    let known = objects
        .interfaces
        .get(&call.interface)?
        .methods
        .get(&call.member);
    let Some((input, _)) = known else {
        return Some((UNKNOWN_METHOD, format!("no method {}", call.member)));
    };
    let given = message.body().signature().to_string_no_parens();
    (given != *input).then(|| {
        (
            INVALID,
            format!("{} takes {input}, not {given}", call.member),
        )
    })
}

/// Answers in the shape that the interface states; another is a mistake of the twin, which its callers see.
pub(super) async fn answer(
    objects: &Objects,
    connection: &Connection,
    message: &Message,
    call: &Call,
    answer: Answer,
) {
    let header = message.header();
    let result = match answer {
        Answer::Never => return,
        Answer::Refusal((name, text)) => connection.reply_error(&header, name, &text).await,
        Answer::Values(values) => {
            let output = objects.interfaces.get(&call.interface);
            let output = output.and_then(|interface| interface.methods.get(&call.member));
            let output = output
                .map(|(_, output)| output.as_str())
                .unwrap_or_default();
            let given: String = values
                .iter()
                .map(|value| value.value_signature().to_string())
                .collect();
            if given != output {
                let text = format!("{} gives {output}, not {given}", call.member);
                let _ = connection.reply_error(&header, TWIN, &text).await;
                return;
            }
            let mut values = values.into_iter();
            match values.next() {
                None => connection.reply(&header, &()).await,
                Some(first) => {
                    let mut builder = StructureBuilder::new().append_field(first);
                    for value in values {
                        builder = builder.append_field(value);
                    }
                    match builder.build() {
                        Ok(body) => connection.reply(&header, &body).await,
                        Err(error) => {
                            connection
                                .reply_error(&header, TWIN, &error.to_string())
                                .await
                        }
                    }
                }
            }
        }
    };
    // A caller that is gone misses its answer.
    let _ = result;
}
