//! The way to the cloud, as the probe sees it.

use tm_types::{Cause, Clock as Quality, LinkStatus, code};

use super::bus::Heard;
use super::modem::part;
use super::{Check, Machine, own};
use crate::Clock;
use crate::config::Environment;
use crate::config::Secret;
use crate::probe::{self, Finding, Findings, Look, Skipped, Targets, Wrong};
use crate::session::{Address, Pem, TlsOptions};

/// The uplink's variables, which reach every container of a fleet.
pub(super) fn targets(environment: &Environment, clock: &Clock) -> Result<Option<Targets>, String> {
    let Some(url) = environment.get("TM_UPLINK_URL") else {
        return Ok(None);
    };
    let broker: Address = url
        .parse()
        .map_err(|error: crate::session::BadAddress| error.to_string())?;
    let pem = |name: &str| {
        let text = environment.get(name).map(Secret::new);
        Pem::of(text.as_ref(), environment.get(&format!("{name}_FILE")))
    };
    let mut targets = Targets::new(broker);
    targets.tls = TlsOptions {
        ca: pem("TM_UPLINK_CA"),
        client_certificate: pem("TM_UPLINK_CLIENT_CERTIFICATE"),
        client_key: pem("TM_UPLINK_CLIENT_KEY"),
        alpn: environment.get("TM_UPLINK_ALPN").map(str::to_owned),
    };
    targets.clock_suspect = clock.stamp().clock == Quality::Restored;
    Ok(Some(targets))
}

/// The checks `route`, `names`, `portal`, `broker` and `tls`, what was seen, and the verdict.
pub(super) async fn checks(machine: &Machine) -> (Vec<Check>, Option<Findings>, Option<Cause>) {
    let all = ["route", "names", "portal", "broker", "tls"];
    let skipped = |cause: Cause| {
        let checks = all.map(|name| Check::skipped(name, cause.clone()));
        (checks.to_vec(), None, None)
    };
    if !machine.network {
        return skipped(own("skipped_on_request"));
    }
    let targets = match &machine.targets {
        Ok(Some(targets)) => targets,
        Ok(None) => return skipped(code::UPLINK_NOT_CONFIGURED.plain()),
        Err(detail) => {
            let (mut checks, ..) = skipped(own("skipped_no_address"));
            let cause = code::UPLINK_BAD_URL.with("detail", detail);
            checks[3] = Check::fail("broker", cause);
            return (checks, None, None);
        }
    };
    let findings = probe::run(targets).await;
    let cause = probe::verdict(&findings);
    let checks = judge(&findings, &cause);
    (checks, Some(findings), Some(cause))
}

fn judge(findings: &Findings, verdict: &Cause) -> Vec<Check> {
    let seen = |look| {
        findings
            .of(look)
            .unwrap_or(&Finding::Skipped(Skipped::NotNeeded))
    };
    vec![
        route(seen(Look::Route)),
        names(seen(Look::Name), seen(Look::FalseName), findings, verdict),
        portal(seen(Look::Web), verdict),
        broker(seen(Look::Broker), findings, verdict),
        tls(seen(Look::Tls), findings),
    ]
}

fn route(seen: &Finding) -> Check {
    match seen {
        Finding::Via(interface) => Check::ok("route", own("route_via").and("interface", interface)),
        _ => Check::fail("route", code::LINK_NO_ROUTE.plain()),
    }
}

fn names(seen: &Finding, false_name: &Finding, findings: &Findings, verdict: &Cause) -> Check {
    let name = "names";
    let host = &findings.broker.host;
    if verdict.is(code::LINK_DNS_HIJACKED) {
        return Check::fail(name, verdict.clone());
    }
    if let Finding::Addresses(addresses) = false_name {
        let address = addresses.first().map(ToString::to_string);
        let cause = own("false_name").and("address", address.unwrap_or_default());
        return Check::warn(name, cause);
    }
    match seen {
        Finding::Addresses(addresses) => {
            let list: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            let cause = own("name_known").and("host", host);
            Check::ok(name, cause.and("address", list.join(", ")))
        }
        Finding::NoName => Check::fail(name, own("no_name").and("host", host)),
        Finding::Wrong(_) => Check::fail(name, code::LINK_DNS_DEAD.plain()),
        Finding::Skipped(why) => Check::skipped(name, skipped(*why)),
        Finding::Good | Finding::Via(_) => Check::ok(name, own("name_known").and("host", host)),
    }
}

fn portal(seen: &Finding, verdict: &Cause) -> Check {
    let name = "portal";
    match seen {
        Finding::Wrong(Wrong::Portal(url)) => {
            let cause = code::LINK_CAPTIVE_PORTAL.with("url", url);
            if verdict.is(code::LINK_OPEN) {
                Check::warn(name, cause)
            } else {
                Check::fail(name, cause)
            }
        }
        Finding::Wrong(wrong) => Check::warn(name, own("page_silent").and("error", words(wrong))),
        Finding::Skipped(why) => Check::skipped(name, skipped(*why)),
        _ => Check::ok(name, own("no_portal")),
    }
}

fn broker(seen: &Finding, findings: &Findings, verdict: &Cause) -> Check {
    let name = "broker";
    let address = findings.broker_name();
    match seen {
        Finding::Wrong(wrong) => {
            let of_port = [code::LINK_PORT_BLOCKED, code::LINK_CLOUD_UNREACHABLE];
            if of_port.iter().any(|code| verdict.is(*code)) {
                return Check::fail(name, verdict.clone());
            }
            let cause = code::UPLINK_UNREACHABLE.with("broker", address);
            Check::fail(name, cause.and("error", words(wrong)))
        }
        Finding::Skipped(why) => Check::skipped(name, skipped(*why)),
        _ => Check::ok(name, own("broker_listens").and("broker", address)),
    }
}

fn tls(seen: &Finding, findings: &Findings) -> Check {
    let name = "tls";
    match seen {
        Finding::Wrong(Wrong::Foreign(issuer)) => {
            let cause = code::LINK_TLS_INTERCEPTED.with("host", &findings.broker.host);
            Check::fail(name, cause.and("issuer", issuer))
        }
        Finding::Wrong(Wrong::Dates) if findings.clock_suspect => {
            Check::fail(name, code::LINK_CLOCK_SUSPECT.plain())
        }
        // A warning: they may be in another container, that of the uplink.
        Finding::Wrong(Wrong::OwnFiles(error)) => {
            Check::warn(name, own("own_files").and("error", error))
        }
        Finding::Wrong(wrong) => {
            let cause = code::UPLINK_TLS_FAILED.with("broker", findings.broker_name());
            Check::fail(name, cause.and("error", words(wrong)))
        }
        Finding::Skipped(why) => Check::skipped(name, skipped(*why)),
        _ => Check::ok(name, own("tls_well").and("host", &findings.broker.host)),
    }
}

/// What the uplink itself says: the broker may refuse whom it lets in by TLS.
pub(super) fn uplink(heard: &Heard) -> Check {
    let name = "uplink";
    let Some(state) = &heard.uplink else {
        let is_bus_away = heard.check.status == super::Status::Fail;
        let why = if is_bus_away {
            "skipped_no_bus"
        } else {
            "skipped_no_state"
        };
        return Check::skipped(name, own(why));
    };
    let (Some(link), Some(cause)) = (part(state, "/link"), part::<Cause>(state, "/cause")) else {
        return Check::skipped(name, own("skipped_no_state"));
    };
    match link {
        LinkStatus::NotConfigured => Check::skipped(name, cause),
        LinkStatus::Connecting => Check::warn(name, cause),
        LinkStatus::Connected => Check::ok(name, cause),
        LinkStatus::Failed if cause.is_any(&code::UPLINK_REFUSALS) => {
            let reason = cause.args.get("error").map_or("-", String::as_str);
            Check::fail(name, code::LINK_CLOUD_REFUSES.with("reason", reason))
        }
        LinkStatus::Failed => Check::fail(name, cause),
    }
}

fn skipped(why: Skipped) -> Cause {
    own(match why {
        Skipped::NoRoute => "skipped_no_route",
        Skipped::NotNeeded => "skipped_not_needed",
        Skipped::NoAddress => "skipped_no_address",
        Skipped::NoConnection => "skipped_no_connection",
        Skipped::Plain => "skipped_plain",
        Skipped::NotConfigured => "skipped_not_configured",
    })
}

/// Technical words, the same in every language, as a system's errors are.
pub(super) fn words(wrong: &Wrong) -> String {
    match wrong {
        Wrong::NoRoute => "no route".to_owned(),
        Wrong::NoServer => "no name server answers".to_owned(),
        Wrong::Portal(url) => format!("portal {url}"),
        Wrong::Refused => "connection refused".to_owned(),
        Wrong::Timeout => "no answer in time".to_owned(),
        Wrong::Unreachable => "unreachable".to_owned(),
        Wrong::Closed => "the connection was closed".to_owned(),
        Wrong::Garbage => "an answer that is not understood".to_owned(),
        Wrong::Foreign(issuer) => format!("certificate issued by {issuer}"),
        Wrong::Dates => "the certificate is not valid at this time".to_owned(),
        Wrong::OwnFiles(words) | Wrong::Handshake(words) => words.clone(),
    }
}
