//! Whether the network gives the modem a way to data, and if not, whether the access point is to blame.
//!
//! The AT port shows contexts that the modem or somebody else has activated, but not every firmware shows those
//! that the host dials through QMI, least of all in 2G and 3G. So an absent context is evidence only where this
//! port has shown one before; everything else is unknown, which is no trouble.

use serde::{Deserialize, Serialize};
use tm_proto::at::Reply;
use tm_proto::sim7600::{self, PdpContext, RefusalCause};
use tm_types::{Cause, DataContext, PacketData, Registration, code};

use crate::access_points::Operator;

/// So many polls in a row must show no context: a change of cells or a new connection is shorter.
const POLLS: u32 = 3;

/// Where this port has shown a context for data, and with which access point; kept in the store.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sight {
    /// In LTE.
    #[serde(default)]
    lte: bool,
    /// In 3G.
    #[serde(default)]
    umts: bool,
    /// In 2G.
    #[serde(default)]
    gsm: bool,
    /// The access point that worked last.
    #[serde(default)]
    apn: Option<String>,
}

impl Sight {
    fn of(&mut self, technology: &str) -> Option<&mut bool> {
        match technology {
            "lte" => Some(&mut self.lte),
            "umts" => Some(&mut self.umts),
            "gsm" => Some(&mut self.gsm),
            _ => None,
        }
    }

    fn reaches(&self, technology: Option<&str>) -> bool {
        let mut all = self.clone();
        let is_seen = technology.and_then(|technology| all.of(technology).copied());
        is_seen == Some(true)
    }
}

/// What the answers of one poll said.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Data {
    attached: Option<bool>,
    active: Option<bool>,
    apn: Option<String>,
    /// The context that is used for data, else the first for it.
    context: Option<u8>,
    /// Every context that is defined.
    contexts: Vec<DataContext>,
    /// Some context is active, be it that of telephony: the port shows them.
    shows_contexts: bool,
    refusal: Option<RefusalCause>,
    n_polls_without: u32,
}

impl Data {
    /// The answer to the one question about attachment, contexts and addresses.
    ///
    /// Where one part is refused the ones before it were still answered.
    pub(crate) fn on_contexts(&mut self, reply: &Reply, is_registered: bool) {
        let lines = &reply.lines;
        let contexts = sim7600::pdp_contexts(lines);
        let activity = sim7600::pdp_activity(lines);
        let addresses = sim7600::pdp_addresses(lines);
        let is_up = |id: u8| {
            activity.contains(&(id, true))
                || addresses
                    .iter()
                    .any(|address| address.id == id && !address.addresses.is_empty())
        };
        let is_told_down = |id: u8| activity.contains(&(id, false));
        let (for_data, others): (Vec<&PdpContext>, Vec<&PdpContext>) =
            contexts.iter().partition(|context| context.is_for_data());
        // A context that nobody defined here was dialled by somebody else: it is for data, too.
        let is_for_data = |id: u8| others.iter().all(|context| context.id != id);
        let mut ids = activity
            .iter()
            .map(|(id, _)| *id)
            .chain(addresses.iter().map(|address| address.id));
        let is_active = ids.any(|id| is_for_data(id) && is_up(id));
        self.attached = sim7600::packet_attachment(lines);
        self.active = if is_active {
            Some(true)
        } else {
            let is_told = !for_data.is_empty() && for_data.iter().all(|c| is_told_down(c.id));
            is_told.then_some(false)
        };
        let used = for_data.iter().find(|context| is_up(context.id));
        let used = used.or(for_data.first());
        self.apn = used.and_then(|context| context.access_point.clone());
        self.context = used.map(|context| context.id);
        self.contexts = contexts
            .iter()
            .map(|context| {
                let told = activity.iter().find(|(id, _)| *id == context.id);
                let address = addresses.iter().find(|address| address.id == context.id);
                DataContext {
                    id: context.id,
                    apn: context.access_point.clone(),
                    active: told.map(|(_, is_active)| *is_active),
                    address: address
                        .and_then(|address| address.addresses.first())
                        .map(ToString::to_string),
                }
            })
            .collect();
        self.shows_contexts = activity.iter().any(|(_, is_active)| *is_active);
        self.refusal = None;
        if is_registered && self.is_without() {
            self.n_polls_without = self.n_polls_without.saturating_add(1);
        } else {
            self.n_polls_without = 0;
        }
    }

    /// Whether a context for data is active; nothing where that is not shown.
    pub(crate) fn is_active(&self) -> Option<bool> {
        self.active
    }

    /// Number of the context that is for data; the first, where none is told.
    pub(crate) fn context_for_data(&self) -> u8 {
        self.context.unwrap_or(1)
    }

    /// The address of the context that is used for data.
    fn address(&self) -> Option<String> {
        let context = self.context?;
        let used = self.contexts.iter().find(|other| other.id == context)?;
        used.address.clone()
    }

    /// Attached and told that no context for data is active.
    pub(crate) fn is_without(&self) -> bool {
        self.attached == Some(true) && self.active == Some(false)
    }

    /// The reason of the last refusal, asked for while there is no context.
    pub(crate) fn on_refusal(&mut self, reply: &Reply) {
        self.refusal = RefusalCause::from_reply(reply);
    }

    /// What the port has shown now, added to what it showed before.
    pub(crate) fn extend(&self, sight: &Sight, technology: Option<&str>) -> Sight {
        let mut sight = sight.clone();
        if self.active == Some(true)
            && let Some(is_seen) = technology.and_then(|technology| sight.of(technology))
        {
            *is_seen = true;
            sight.apn = self.apn.clone().or(sight.apn);
        }
        sight
    }

    /// For the state; nothing while nothing is known.
    pub(crate) fn describe(&self) -> Option<PacketData> {
        let data = PacketData {
            attached: self.attached,
            active: self.active,
            apn: self.apn.clone(),
            address: self.address(),
            contexts: self.contexts.clone(),
            interface: None,
        };
        (data != PacketData::default()).then_some(data)
    }

    /// Why a registered modem has no way to data; nothing while it has one or that cannot be told.
    pub(crate) fn trouble(
        &self,
        registration: &Registration,
        imsi: Option<&str>,
        sight: &Sight,
    ) -> Option<Cause> {
        let is_refused = self.refusal.is_some();
        // Of a port that never showed a context for data, only a refusal counts, and only if it shows others:
        // the reason of the last refusal stays when a later attempt succeeds out of sight.
        let is_in_sight = sight.reaches(registration.technology.as_deref())
            || (is_refused && self.shows_contexts);
        if self.n_polls_without < POLLS || !is_in_sight {
            return None;
        }
        // Abroad, too, the access point is that of the card's operator.
        let operator = imsi
            .and_then(Operator::of_subscriber)
            .or_else(|| Operator::of_network(registration.plmn.as_deref()?));
        let name = registration
            .operator
            .as_deref()
            .or(registration.plmn.as_deref())
            .unwrap_or("?");
        let is_foreign = |apn: &str| {
            sight.apn.as_deref() != Some(apn)
                && operator
                    .as_ref()
                    .is_some_and(|operator| !operator.offers(apn))
        };
        let apn = self.apn.as_deref();
        let cause = if is_refused || apn.is_some_and(is_foreign) {
            let known = operator.map_or_else(
                || "?".to_owned(),
                |operator| operator.access_points.join(", "),
            );
            code::MODEM_WRONG_APN.with("known", known)
        } else {
            code::MODEM_NO_DATA_CONTEXT.plain()
        };
        Some(cause.and("operator", name).and("apn", apn.unwrap_or("?")))
    }
}

#[cfg(test)]
mod tests {
    use tm_proto::at::{Channel, Output};
    use tm_types::RegistrationStatus;

    use super::*;
    use crate::backend::serial::Ask;

    /// One poll: what the module prints for contexts and, behind `|`, for the last refusal.
    fn poll(data: &mut Data, text: &str) {
        let (contexts, refusal) = text.split_once('|').unwrap_or((text, ""));
        data.on_contexts(&reply(Ask::PacketData, contexts), true);
        if data.is_without() {
            data.on_refusal(&reply(Ask::LastError, refusal));
        }
    }

    fn reply(ask: Ask, text: &str) -> Reply {
        let mut channel = Channel::default();
        channel.start(ask.command(None).unwrap()).unwrap();
        for line in text.split('/').map(str::trim) {
            channel.feed(format!("\r\n{line}\r\n").as_bytes());
        }
        channel.feed(b"\r\nOK\r\n");
        loop {
            match channel.next() {
                Some(Output::Reply(reply)) => return reply,
                Some(_) => {}
                None => panic!("{text} is no answer"),
            }
        }
    }

    fn registration(plmn: &str, technology: &str) -> Registration {
        Registration {
            status: RegistrationStatus::Home,
            operator: Some("Vodafone UA".to_owned()),
            plmn: Some(plmn.to_owned()),
            technology: Some(technology.to_owned()),
            reject_cause: None,
        }
    }

    const UP: &str = "+CGATT: 1/+CGDCONT: 1,\"IP\",\"staticip\",\"0.0.0.0\",0,0,0,0/+CGACT: 1,1/+CGPADDR: 1,10.64.12.34";
    const DOWN: &str = "+CGATT: 1/+CGDCONT: 1,\"IP\",\"staticip\",\"0.0.0.0\",0,0,0,0/+CGACT: 1,0/+CGPADDR: 1,0.0.0.0";
    const MISTYPED: &str = "+CGATT: 1/+CGDCONT: 1,\"IP\",\"statikip\",\"0.0.0.0\",0,0,0,0/\
        +CGDCONT: 2,\"IPV4V6\",\"ims\",\"0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0\",0,0,0,0/+CGACT: 1,0/+CGACT: 2,1/+CGPADDR: 1,0.0.0.0";
    const REFUSED: &str = "|+CEER: ESM cause: Missing or unknown APN";

    /// Three polls with this answer by a port that has `shown` data before; the cause's code and `apn`.
    fn check(text: &str, shown: &[&str], expected: Option<(&str, &str)>) {
        let registration = registration("255-01", "lte");
        let mut sight = Sight::default();
        for text in shown {
            let mut data = Data::default();
            poll(&mut data, text);
            sight = data.extend(&sight, Some("lte"));
        }
        let mut data = Data::default();
        for n in 1..=3 {
            assert_eq!(
                data.trouble(&registration, None, &sight),
                None,
                "{text} after {n} polls"
            );
            poll(&mut data, text);
        }
        let cause = data.trouble(&registration, Some("255010000000001"), &sight);
        let cause = cause.as_ref();
        let found = cause.map(|cause| (cause.code.as_str(), cause.args["apn"].as_str()));
        assert_eq!(found, expected, "{text} {shown:?}");
    }

    #[test]
    fn what_is_evidence() {
        let wrong = |apn| Some(("modem.wrong_apn", apn));
        let without = Some(("modem.no_data_context", "staticip"));
        // Seen before, gone now.
        check(DOWN, &[UP], without);
        check(MISTYPED, &[UP], wrong("statikip"));
        check(&format!("{DOWN}{REFUSED}"), &[UP], wrong("staticip"));
        check(
            &format!("{DOWN}|+CEER: Requested service option not subscribed"),
            &[UP],
            wrong("staticip"),
        );
        check(
            &format!("{DOWN}|+CEER: No cause information available"),
            &[UP],
            without,
        );
        check(&format!("{DOWN}|ERROR"), &[UP], without);
        // An access point of the network's choice is not to blame.
        let chosen = DOWN.replace("staticip", "");
        check(&chosen, &[UP], Some(("modem.no_data_context", "?")));
        // A private access point that worked is not to blame either.
        let private = |text: &str| text.replace("staticip", "cabinets.example");
        check(
            &private(DOWN),
            &[&private(UP)],
            Some(("modem.no_data_context", "cabinets.example")),
        );
        // Never seen, but the network refuses and the port shows contexts.
        check(&format!("{MISTYPED}{REFUSED}"), &[], wrong("statikip"));
    }

    #[test]
    fn what_is_none() {
        // It works, by one of the two witnesses.
        check(UP, &[UP], None);
        check(&DOWN.replace("CGACT: 1,0", "CGACT: 1,1"), &[UP], None);
        check(&DOWN.replace("1,0.0.0.0", "1,\"10.0.0.1\""), &[UP], None);
        // Somebody dialled a context that is not defined here.
        check(&format!("{DOWN}/+CGPADDR: 6,10.29.127.164"), &[UP], None);
        // This port never showed a context: the host may dial out of its sight.
        check(DOWN, &[], None);
        check(MISTYPED, &[], None);
        check(&format!("{DOWN}{REFUSED}"), &[], None);
        // Nothing told, half told, refused, not attached, only telephony defined.
        for text in [
            "",
            "+CGATT: 1",
            "+CGATT: 1/+CGDCONT: 1,\"IP\",\"staticip\",\"0.0.0.0\",0,0,0,0",
            "+CGATT: 1/+CGACT: 1,0/+CGPADDR: 1,0.0.0.0",
            "+CGATT: 1/+CGDCONT: 1,\"IP\",\"staticip\"/+CGACT: 2,0",
            "+CGATT: 1/+CGDCONT: 2,\"IP\",\"ims\"/+CGACT: 2,0",
            "+CGATT: x/+CGDCONT: 1,\"IP\",\"staticip\"/+CGACT: 1,0",
        ] {
            check(text, &[UP], None);
        }
        check(&DOWN.replace("CGATT: 1", "CGATT: 0"), &[UP], None);
    }

    #[test]
    fn a_port_is_trusted_only_in_the_technology_in_which_it_showed_data() {
        let mut data = Data::default();
        poll(&mut data, UP);
        let sight = data.extend(&Sight::default(), Some("lte"));
        for _ in 0..5 {
            poll(&mut data, DOWN);
        }
        let trouble = |technology| data.trouble(&registration("255-01", technology), None, &sight);
        assert!(trouble("lte").is_some());
        assert_eq!((trouble("umts"), trouble("gsm")), (None, None));
        assert_eq!(data.extend(&sight, Some("umts")), sight);
        let json = serde_json::to_string(&sight).unwrap();
        assert_eq!(serde_json::from_str::<Sight>(&json).unwrap(), sight);
    }

    #[test]
    fn three_polls_in_a_row_and_one_good_one_ends_it() {
        let mut data = Data::default();
        poll(&mut data, UP);
        let sight = data.extend(&Sight::default(), Some("lte"));
        let registration = registration("255-01", "lte");
        for (text, is_trouble) in [
            (DOWN, false),
            (DOWN, false),
            ("", false),
            (DOWN, false),
            (DOWN, false),
            (DOWN, true),
            (DOWN, true),
            (UP, false),
        ] {
            poll(&mut data, text);
            let trouble = data.trouble(&registration, None, &sight);
            assert_eq!(trouble.is_some(), is_trouble, "{text}");
        }
    }

    #[test]
    fn what_was_told_without_a_registration_or_in_an_earlier_poll_is_no_evidence() {
        let mut data = Data::default();
        poll(&mut data, UP);
        let sight = data.extend(&Sight::default(), Some("lte"));
        let registration = registration("255-01", "lte");
        for _ in 0..3 {
            data.on_contexts(&reply(Ask::PacketData, DOWN), false);
        }
        assert_eq!(data.trouble(&registration, None, &sight), None);
        poll(&mut data, &format!("{DOWN}{REFUSED}"));
        for _ in 0..2 {
            // The last refusal is asked for and not answered.
            data.on_contexts(&reply(Ask::PacketData, DOWN), true);
        }
        let cause = data.trouble(&registration, None, &sight).unwrap();
        assert!(cause.is(code::MODEM_NO_DATA_CONTEXT), "{cause:?}");
    }

    #[test]
    fn the_cause_names_what_the_cards_operator_offers() {
        let mut data = Data::default();
        for _ in 0..3 {
            poll(&mut data, &format!("{MISTYPED}{REFUSED}"));
        }
        let sight = Sight::default();
        let abroad = registration("260-02", "lte");
        let known = |imsi| data.trouble(&abroad, imsi, &sight).unwrap().args["known"].clone();
        assert_eq!(known(Some("255010000000001")), "internet, staticip");
        assert_eq!(known(Some("255061234567890")), "internet, speed");
        assert_eq!(known(None), "?");
    }
}
