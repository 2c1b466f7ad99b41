//! The judgement: one cause out of what was seen.

use std::net::IpAddr;

use tm_types::{Cause, code};

use super::{Finding, Findings, Look, Wrong};

/// Why the way to the cloud is not open, or that it is: a `link.*` code with its arguments.
///
/// A certificate that is valid for the broker's name proves the whole way, whatever else was odd.
/// Else the first thing on the way that is broken is named: what comes after it proves nothing.
pub fn verdict(findings: &Findings) -> Cause {
    if findings.is_good(Look::Tls) {
        return code::LINK_OPEN.plain();
    }
    // Without certificates of our own to judge by, an encrypted broker proves as little as a plain one.
    let is_unjudged = matches!(findings.wrong(Look::Tls), Some(Wrong::OwnFiles(_)));
    let plain_and_open = (!findings.broker.tls || is_unjudged) && findings.is_good(Look::Broker);
    let broker = || code::LINK_CLOUD_UNREACHABLE.with("broker", findings.broker_name());
    if findings.wrong(Look::Route).is_some() && !findings.is_good(Look::Broker) {
        return code::LINK_NO_ROUTE.plain();
    }
    if findings.wrong(Look::Name) == Some(&Wrong::NoServer) {
        return code::LINK_DNS_DEAD.plain();
    }
    if let Some(Wrong::Portal(url)) = findings.wrong(Look::Web) {
        return code::LINK_CAPTIVE_PORTAL.with("url", url);
    }
    if let Some(address) = false_address(findings, plain_and_open) {
        let cause = code::LINK_DNS_HIJACKED.with("host", &findings.broker.host);
        return cause.and("address", address);
    }
    match findings.wrong(Look::Tls) {
        Some(Wrong::Dates) if findings.clock_suspect => return code::LINK_CLOCK_SUSPECT.plain(),
        Some(Wrong::Foreign(issuer)) => {
            let cause = code::LINK_TLS_INTERCEPTED.with("host", &findings.broker.host);
            return cause.and("issuer", issuer);
        }
        Some(_) if !is_unjudged => return broker(),
        _ => {}
    }
    if plain_and_open {
        return code::LINK_OPEN.plain();
    }
    if findings.is_good(Look::OtherPort) {
        let cause = code::LINK_PORT_BLOCKED.with("port", findings.broker.port);
        return cause.and("open", findings.other_port);
    }
    let internet = findings.is_good(Look::OtherHost) || findings.is_good(Look::Web);
    // A name server may answer out of its memory: with no connection anywhere, nothing gets through.
    if internet || findings.of(Look::Name) == Some(&Finding::NoName) {
        return broker();
    }
    code::LINK_NO_ROUTE.plain()
}

/// The address that the name server made up, if it did.
///
/// A name that cannot exist has one, or the broker's public name leads into a private network. The
/// latter is right where the operator's own network leads to the broker: then a plain broker answers,
/// and an encrypted one has proved itself above.
fn false_address(findings: &Findings, is_open: bool) -> Option<IpAddr> {
    if let Some(Finding::Addresses(made_up)) = findings.of(Look::FalseName) {
        let given = match findings.of(Look::Name) {
            Some(Finding::Addresses(addresses)) => addresses.first(),
            _ => None,
        };
        return given.or(made_up.first()).copied();
    }
    let Some(Finding::Addresses(addresses)) = findings.of(Look::Name) else {
        return None;
    };
    let first = addresses.first().copied()?;
    let is_wrong = is_public_name(&findings.broker.host) && is_private(first) && !is_open;
    is_wrong.then_some(first)
}

/// Names that everybody resolves alike: not a bare word, not one of the reserved endings.
fn is_public_name(host: &str) -> bool {
    // RFC 6761, RFC 6762, RFC 8375, and ICANN's reservation of `internal`.
    const LOCAL: [&str; 8] = [
        "local",
        "localhost",
        "lan",
        "home",
        "internal",
        "arpa",
        "test",
        "example",
    ];
    let host = host.trim_end_matches('.');
    match host.rsplit_once('.') {
        None => false,
        Some((_, last)) => !LOCAL.iter().any(|local| last.eq_ignore_ascii_case(local)),
    }
}

/// Addresses that no public name has: RFC 1918, loopback, link-local, unspecified, unique local.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified()
        }
        IpAddr::V6(v6) => {
            v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_unique_local()
                || v6.is_unicast_link_local()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tm_types::text::{Language, sentence};

    use super::*;
    use crate::probe::{Skipped, Step};

    const TRUE: &str = "1.2.3.4";

    fn at(text: &str) -> Finding {
        Finding::Addresses(vec![text.parse().unwrap()])
    }

    fn wrong(wrong: Wrong) -> Finding {
        Finding::Wrong(wrong)
    }

    /// The verdict on a network where all is well but for what is named.
    fn check(broker: &str, clock_suspect: bool, odd: &[(Look, Finding)], expected: &str) {
        let broker: crate::session::Address = broker.parse().unwrap();
        let tls = if broker.tls {
            Finding::Good
        } else {
            Finding::Skipped(Skipped::Plain)
        };
        let mut findings = vec![
            (Look::Route, Finding::Via("eth0".to_owned())),
            (Look::Name, at(TRUE)),
            (Look::FalseName, Finding::NoName),
            (Look::Web, Finding::Good),
            (Look::Broker, Finding::Good),
            (Look::OtherPort, Finding::Skipped(Skipped::NotNeeded)),
            (Look::OtherHost, Finding::Skipped(Skipped::NotNeeded)),
            (Look::Tls, tls),
        ];
        for (look, finding) in odd {
            let place = findings.iter_mut().find(|(known, _)| known == look);
            place.unwrap().1 = finding.clone();
        }
        let findings = Findings {
            broker,
            clock_suspect,
            other_port: 443,
            steps: findings
                .into_iter()
                .map(|(look, finding)| Step {
                    look,
                    finding,
                    took: Duration::ZERO,
                })
                .collect(),
            sent_bytes: 0,
            received_bytes: 0,
        };
        let cause = verdict(&findings);
        let told = sentence(Language::En, &cause);
        assert!(!told.contains('?'), "an argument is missing: {told}");
        let args: Vec<&str> = cause.args.values().map(String::as_str).collect();
        let found = format!("{} {}", cause.code, args.join(" "));
        assert_eq!(found.trim_end(), expected, "{odd:?}");
    }

    #[test]
    fn each_fault_has_its_verdict() {
        use Look::{Broker, FalseName, Name, OtherHost, OtherPort, Route, Tls, Web};
        let mqtts = "mqtts://mqtt.acme.ua";
        let mqtt = "mqtt://mqtt.acme.ua";
        let no_tls = || (Tls, Finding::Skipped(Skipped::NoConnection));
        let portal = || (Web, wrong(Wrong::Portal("http://pay.ua/".to_owned())));
        let foreign = || (Tls, wrong(Wrong::Foreign("Acme Proxy".to_owned())));
        let shut = || (Broker, wrong(Wrong::Timeout));
        let away = "link.cloud_unreachable mqtt.acme.ua:8883";

        check(mqtts, false, &[], "link.open");
        check(mqtt, false, &[], "link.open");
        // A valid certificate proves the way.
        check(
            mqtts,
            true,
            &[portal(), (FalseName, at("9.9.9.9"))],
            "link.open",
        );
        check(mqtts, false, &[(Name, at("10.0.0.1"))], "link.open");
        check(mqtt, false, &[(Name, at("10.0.0.1"))], "link.open");

        let no_route = (Route, wrong(Wrong::NoRoute));
        check(mqtts, false, &[no_route, shut(), no_tls()], "link.no_route");
        let dead = (Name, wrong(Wrong::NoServer));
        check(mqtts, false, &[dead, shut(), no_tls()], "link.dns_dead");
        check(
            mqtt,
            false,
            &[portal()],
            "link.captive_portal http://pay.ua/",
        );
        // A portal is told before the false names and certificates that belong to it.
        let all = [portal(), (FalseName, at("10.1.1.1")), foreign()];
        check(mqtts, false, &all, "link.captive_portal http://pay.ua/");
        let false_names = [(FalseName, at("9.9.9.9")), foreign()];
        check(
            mqtts,
            false,
            &false_names,
            "link.dns_hijacked 1.2.3.4 mqtt.acme.ua",
        );
        let private = [(Name, at("10.1.1.1")), shut(), no_tls()];
        check(
            mqtts,
            false,
            &private,
            "link.dns_hijacked 10.1.1.1 mqtt.acme.ua",
        );
        let cabinet = [(Name, at("10.1.1.1")), shut(), no_tls()];
        let told = "link.cloud_unreachable broker.lan:8883";
        check("mqtts://broker.lan", false, &cabinet, told);

        check(
            mqtts,
            false,
            &[foreign()],
            "link.tls_intercepted mqtt.acme.ua Acme Proxy",
        );
        check(
            mqtts,
            true,
            &[(Tls, wrong(Wrong::Dates))],
            "link.clock_suspect",
        );
        check(mqtts, false, &[(Tls, wrong(Wrong::Dates))], away);
        check(mqtts, false, &[(Tls, wrong(Wrong::Closed))], away);

        let no_file = (Tls, wrong(Wrong::OwnFiles("ca.pem".to_owned())));
        check(mqtts, false, &[no_file], "link.open");

        let open = |look| (look, Finding::Good);
        let blocked = [shut(), no_tls(), open(OtherPort), open(OtherHost)];
        check(mqtts, false, &blocked, "link.port_blocked 443 8883");
        let refused = [(Broker, wrong(Wrong::Refused)), no_tls(), open(OtherHost)];
        check(mqtts, false, &refused, away);
        let nothing = [
            shut(),
            no_tls(),
            (Web, wrong(Wrong::Timeout)),
            (OtherPort, wrong(Wrong::Timeout)),
            (OtherHost, wrong(Wrong::Unreachable)),
        ];
        check(mqtts, false, &nothing, "link.no_route");
        let no_name = [(Name, Finding::NoName), shut(), no_tls()];
        check(mqtts, false, &no_name, away);
    }
}
