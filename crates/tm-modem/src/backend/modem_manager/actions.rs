//! What a modem is asked to do, in ModemManager's terms.

use std::time::Duration;

use tm_types::{Cause, code};
use tokio::time::{sleep, timeout};
use zbus::Connection;
use zbus::zvariant::OwnedObjectPath;

use super::failure::{Failure, within};
use super::manager::Service;
use super::messages;
use super::properties::Read;
use super::proxies::{Modem3gppProxy, ModemProxy, UssdProxy};
use super::raw;
use super::reconnect::{self, Device};
use crate::backend::{Action, Outcome, UssdReply};

const USSD: &str = "org.freedesktop.ModemManager1.Modem.Modem3gpp.Ussd";
/// `MM_MODEM_3GPP_USSD_SESSION_STATE_IDLE` and `_USER_RESPONSE`.
const USSD_IDLE: u32 = 1;
const USSD_WAITS: u32 = 3;

/// `MM_MODEM_POWER_STATE_LOW` and `_ON`.
const LOW: u32 = 2;
const ON: u32 = 3;
/// Bringing a modem up takes some 25 commands and a registration.
pub(super) const ENABLE_TIME: Duration = Duration::from_secs(40);
const DISABLE_TIME: Duration = Duration::from_secs(20);
/// `AT+CFUN` may take 10 s.
const POWER_TIME: Duration = Duration::from_secs(12);
/// How long the radio rests: the network should notice.
const OFF_TIME: Duration = Duration::from_secs(2);
/// ModemManager goes on registering when nobody waits for it any more.
const REGISTER_TIME: Duration = Duration::from_secs(5);
const RESET_TIME: Duration = Duration::from_secs(25);
const CANCEL_TIME: Duration = Duration::from_secs(10);

/// One modem as it is now.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) connection: Connection,
    pub(super) service: Service,
    pub(super) path: OwnedObjectPath,
    /// For causes.
    pub(super) port: String,
    pub(super) device: Device,
}

/// Does it, within its time.
pub(super) async fn perform(target: Target, action: Action) -> Result<Outcome, Cause> {
    let time = action.time();
    let late = || code::MODEM_TIMEOUT.with("seconds", time.as_secs());
    // What was begun is ended within the time of the action: the radio does not stay off.
    let doing = async {
        match action {
            Action::Reconnect => reconnect::reconnect(&target).await,
            Action::CycleRadio => explain(cycle(&target).await, &target),
            Action::Reset => explain(reset(&target).await, &target),
            Action::Send {
                to,
                text,
                wants_report,
            } => {
                let message = (to.as_str(), text.as_str(), wants_report);
                let sent = messages::send(&target.service, &target.path, message).await;
                explain(sent, &target)
            }
            Action::Delete(handle) => {
                messages::delete(&target.service, &target.path, &handle, &target.port).await
            }
            Action::Ussd(code) => ussd(&target, &code).await,
        }
    };
    timeout(time, doing).await.unwrap_or_else(|_| Err(late()))
}

fn explain(result: Result<Outcome, Failure>, target: &Target) -> Result<Outcome, Cause> {
    result.map_err(|failure| failure.cause(&target.port))
}

async fn reset(target: &Target) -> Result<Outcome, Failure> {
    let modem: ModemProxy<'_> = target.service.proxy(&target.path).await?;
    let result = match within(RESET_TIME, modem.reset()).await {
        // By way of AT ports ModemManager knows no reset of this family (run with 1.20.4); the module does.
        Err(failure @ Failure::Unsupported(_)) => match raw::order(&modem, "AT+CRESET", 5).await {
            Err(Failure::Forbidden(_) | Failure::Unsupported(_)) => Err(failure),
            result => result,
        },
        result => result,
    };
    match result {
        // The module went down before its answer came up.
        Ok(()) | Err(Failure::Gone) => Ok(Outcome::Done),
        Err(failure) => Err(failure),
    }
}

/// Off and on. ModemManager switches the power only of a disabled modem, and by way of AT ports not of this family
/// (run with 1.20.4): then the module itself is asked, and where that is not let through, disabling has to do.
async fn cycle(target: &Target) -> Result<Outcome, Failure> {
    let modem: ModemProxy<'_> = target.service.proxy(&target.path).await?;
    within(DISABLE_TIME, modem.enable(false)).await?;
    let cycled = match within(POWER_TIME, modem.set_power_state(LOW)).await {
        Ok(()) => {
            sleep(OFF_TIME).await;
            within(POWER_TIME, modem.set_power_state(ON)).await
        }
        // Where there is a NetworkManager, it has switched the modem on again by now, and its power is refused.
        Err(Failure::Unsupported(_) | Failure::Refused(_)) => by_module(&modem).await,
        Err(failure) => Err(failure),
    };
    // Whatever became of it, the modem is not left disabled.
    within(ENABLE_TIME, modem.enable(true)).await?;
    let network: Modem3gppProxy<'_> = target.service.proxy(&target.path).await?;
    // No operator by name is the operator of the network's choice; an operator once chosen by hand would stay.
    let registered = match within(REGISTER_TIME, network.register("")).await {
        Ok(()) => Ok(Outcome::Done),
        // The radio was cycled; whether there is a network shows in the registration.
        Err(error @ (Failure::Refused(_) | Failure::Timeout(_))) => {
            tracing::info!(?error, "no registration after the radio was switched on");
            Ok(Outcome::Done)
        }
        Err(failure) => Err(failure),
    };
    cycled?;
    registered
}

async fn by_module(modem: &ModemProxy<'_>) -> Result<(), Failure> {
    let off = raw::order(modem, "AT+CFUN=4", 10).await;
    if matches!(off, Err(Failure::Forbidden(_) | Failure::Unsupported(_))) {
        return Ok(());
    }
    // Without an answer it may be off all the same.
    sleep(OFF_TIME).await;
    let on = raw::order(modem, "AT+CFUN=1", 10).await;
    off.and(on)
}

async fn ussd(target: &Target, code: &str) -> Result<Outcome, Cause> {
    let failed = |failure: Failure| match failure {
        Failure::Refused(detail) => code::USSD_FAILED.with("detail", detail),
        failure => failure.cause(&target.port),
    };
    let state = || async {
        let session = target.service.properties(&target.path, USSD).await;
        session.map(|session| session.word("State"))
    };
    let talking = async {
        let ussd: UssdProxy<'_> = target.service.proxy(&target.path).await?;
        // Somebody's menu that was never answered.
        if state().await? != Some(USSD_IDLE) {
            let _ = within(CANCEL_TIME, ussd.cancel()).await;
        }
        let text = ussd.initiate(code).await?;
        let is_menu = state().await? == Some(USSD_WAITS);
        if is_menu {
            let _ = within(CANCEL_TIME, ussd.cancel()).await;
        }
        Ok(Outcome::Ussd(UssdReply { text, is_menu }))
    };
    talking.await.map_err(failed)
}
