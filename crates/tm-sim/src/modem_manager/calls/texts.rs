//! Text messages and service codes.

use std::collections::HashMap;

use zbus::{
    Message,
    zvariant::{OwnedObjectPath, OwnedValue},
};

use super::{
    CANCELLED, FAILED, NETWORK_TIMEOUT, NO_NETWORK, NOT_FOUND, UNSUPPORTED, WRONG_STATE, done,
    refuse, value,
};
use crate::modem_manager::{
    modem::Sms,
    objects::object_path,
    run::{Later, World},
    serve::{Answer, Call, INVALID},
    show,
};

pub(super) fn messaging(world: &mut World, index: usize, message: &Message, call: &Call) -> Answer {
    let body = message.body();
    match call.member.as_str() {
        "List" => {
            let numbers = world.modems[index].messages.keys();
            let paths: Vec<_> = numbers
                .map(|number| object_path(&show::sms_path(*number)))
                .collect();
            value(paths)
        }
        "Create" => {
            let properties: HashMap<String, OwnedValue> = body.deserialize().unwrap_or_default();
            let text = |name: &str| {
                let found = properties
                    .get(name)
                    .and_then(|value| value.try_clone().ok());
                found
                    .and_then(|value| String::try_from(value).ok())
                    .unwrap_or_default()
            };
            let report = properties.get("delivery-report-request");
            let wants_report =
                report.is_some_and(|value| bool::try_from(value).unwrap_or_default());
            if text("number").is_empty() {
                return refuse(
                    INVALID,
                    "Cannot create SMS: mandatory parameter 'number' is missing",
                );
            }
            let number = world.add_message(
                index,
                Sms {
                    state: 0,
                    kind: 2,
                    number: text("number"),
                    text: text("text"),
                    wants_report,
                    reference: 0,
                    timestamp: String::new(),
                    storage: 0,
                    delivery: 256,
                },
            );
            value(object_path(&show::sms_path(number)))
        }
        "Delete" => {
            let path: OwnedObjectPath = body.deserialize().unwrap_or_default();
            let messages = &mut world.modems[index].messages;
            let found = messages
                .keys()
                .find(|number| show::sms_path(**number) == path.as_str());
            match found.copied() {
                Some(number) => {
                    messages.remove(&number);
                    world.deleted.push((index, number));
                    done()
                }
                None => refuse(NOT_FOUND, "No SMS found with path"),
            }
        }
        _ => refuse(UNSUPPORTED, "not played here"),
    }
}

pub(super) fn sms(world: &mut World, index: usize, call: &Call) -> Answer {
    let modem = &mut world.modems[index];
    let is_registered = modem.is_registered();
    let found = modem
        .messages
        .iter_mut()
        .find(|(number, _)| call.path == show::sms_path(**number));
    let Some((_, message)) = found else {
        return refuse(NOT_FOUND, "no such message");
    };
    match call.member.as_str() {
        "Send" => {
            if message.state == 5 {
                return refuse(FAILED, "This SMS was already sent, cannot send it again");
            }
            if let Some(name) = world.config.message_refusal {
                return refuse(name, "refused");
            }
            if !is_registered {
                return refuse(NO_NETWORK, "No network service");
            }
            message.state = 5;
            world.reference = world.reference.wrapping_add(1);
            message.reference = u32::from(world.reference);
            let sent = message.clone();
            if sent.wants_report && world.config.sends_reports {
                let report = Sms {
                    state: 3,
                    kind: 3,
                    text: String::new(),
                    storage: 1,
                    delivery: 0,
                    ..sent.clone()
                };
                world.later(world.config.action_time, Later::Report(index, report));
            }
            world.sent.add(&sent.number, &sent.text, sent.wants_report);
            done()
        }
        "Store" => {
            message.storage = 1;
            done()
        }
        _ => refuse(UNSUPPORTED, "not played here"),
    }
}

pub(super) fn ussd(world: &mut World, index: usize, message: &Message, call: &Call) -> Answer {
    let modem = &mut world.modems[index];
    if call.member == "Cancel" {
        modem.ussd.cancel();
        modem.ussd_state = 1;
        return done();
    }
    let code: String = message.body().deserialize().unwrap_or_default();
    if !modem.is_registered() {
        return refuse(WRONG_STATE, "Cannot initiate USSD: device not registered");
    }
    if call.member == "Initiate" {
        modem.ussd.cancel();
    } else if modem.ussd_state != 3 {
        return refuse(WRONG_STATE, "Cannot respond USSD: wrong state");
    }
    let answer = modem.ussd.answer(&code);
    let (mode, text) = answer.parts();
    // MMModem3gppUssdSessionState: 1 idle, 2 active, 3 waits for the user.
    modem.ussd_state = if mode == Some(1) { 3 } else { 1 };
    modem.ussd_request = if mode == Some(1) {
        text.to_owned()
    } else {
        String::new()
    };
    // UNVERIFIED: the errors' names (mm-broadband-modem.c, cusd_process_string).
    match mode {
        None => Answer::Never,
        Some(0 | 1) => value(text.to_owned()),
        Some(2) => refuse(CANCELLED, "USSD terminated by network"),
        Some(4) => refuse(UNSUPPORTED, "Operation not supported"),
        Some(_) => refuse(NETWORK_TIMEOUT, "Network timeout"),
    }
}
