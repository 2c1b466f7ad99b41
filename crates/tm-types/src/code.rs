//! Stable machine codes, and a code with its arguments: the unit of explanation.
//!
//! A code never changes its meaning and is never translated; `text` holds its sentence in three
//! languages. Services name codes by these constants, so that a code without a text cannot exist.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A code known at compile time, such as `gnss.no_fix`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Code(&'static str);

impl Code {
    /// The code as text.
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// The code without arguments.
    pub fn plain(self) -> Cause {
        Cause {
            code: self.0.to_owned(),
            args: BTreeMap::new(),
        }
    }

    /// The code with one argument; chain [`Cause::and`] for more.
    pub fn with(self, name: &str, value: impl fmt::Display) -> Cause {
        self.plain().and(name, value)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// A code with the arguments of its sentence. Never carries a secret.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Cause {
    /// The stable code, such as `gnss.no_fix`.
    pub code: String,
    /// What the sentence names: ports, counts, names.
    #[serde(default)]
    pub args: BTreeMap<String, String>,
}

impl Cause {
    /// The same cause with one more argument.
    #[must_use]
    pub fn and(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.args.insert(name.to_owned(), value.to_string());
        self
    }

    /// Whether this is that code.
    pub fn is(&self, code: Code) -> bool {
        self.code == code.0
    }

    /// Whether this is one of those codes.
    pub fn is_any(&self, codes: &[Code]) -> bool {
        codes.iter().any(|code| self.is(*code))
    }
}

/// The cloud broker was reached, and refuses the connection.
pub const UPLINK_REFUSALS: [Code; 5] = [
    UPLINK_REFUSED,
    UPLINK_AUTH_REFUSED,
    UPLINK_CLIENT_ID_REFUSED,
    UPLINK_BROKER_UNAVAILABLE,
    UPLINK_PROTOCOL_REFUSED,
];

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
        $($(#[$doc])* pub const $name: Code = Code($code);)*
        /// Every code of this version, for the tests that hold the texts complete.
        pub const ALL: &[Code] = &[$($name),*];
    };
}

codes! {
    /// Everything works.
    STATUS_OK = "status.ok";
    /// The cabinet works; some parts are not configured.
    STATUS_PARTS_NOT_CONFIGURED = "status.parts_not_configured";
    /// One or more services are degraded.
    STATUS_DEGRADED = "status.degraded";
    /// One or more services are down or silent.
    STATUS_DOWN = "status.down";
    /// The API has just started and has not heard the services yet.
    STATUS_STARTING = "status.starting";
    /// Alarms are active.
    STATUS_ALARM = "status.alarm";

    /// The local broker cannot be reached.
    BUS_UNREACHABLE = "bus.unreachable";
    /// The local broker refuses the credentials.
    BUS_REFUSED = "bus.refused";
    /// Measurements were dropped because the local broker was away too long.
    BUS_OUTBOX_OVERFLOW = "bus.outbox_overflow";
    /// Messages of a source never arrived: a gap in its numbers.
    BUS_MESSAGES_LOST = "bus.messages_lost";
    /// The broker forgot the persistent session.
    BUS_SESSION_LOST = "bus.session_lost";

    /// A service answers no more: its last will arrived.
    SERVICE_CONNECTION_LOST = "service.connection_lost";
    /// A service was stopped on purpose.
    SERVICE_STOPPED = "service.stopped";
    /// A service did not report for three periods.
    SERVICE_SILENT = "service.silent";
    /// A service does not answer a command.
    SERVICE_UNAVAILABLE = "service.unavailable";
    /// A service is starting.
    SERVICE_STARTING = "service.starting";

    /// An unknown `TM_` variable was ignored.
    CONFIG_UNKNOWN_VARIABLE = "config.unknown_variable";
    /// A malformed value was replaced by its default.
    CONFIG_MALFORMED_VALUE = "config.malformed_value";
    /// The configuration in force is not the one that a change was meant for.
    CONFIG_REVISION_MISMATCH = "config.revision_mismatch";
    /// There is no earlier configuration to go back to.
    CONFIG_NO_PREVIOUS = "config.no_previous";
    /// A file of the service's store could not be read and was set aside.
    STORE_UNREADABLE = "store.unreadable";
    /// A file of the service's store could not be written.
    STORE_UNWRITABLE = "store.unwritable";

    /// The operation is not known to this service.
    OPERATION_UNKNOWN = "operation.unknown";
    /// The arguments of an operation are wrong.
    OPERATION_BAD_ARGUMENTS = "operation.bad_arguments";
    /// The service was restarted while the operation ran.
    OPERATION_INTERRUPTED = "operation.interrupted";
    /// The operation came later than its time to live.
    OPERATION_EXPIRED = "operation.expired";
    /// The service is busy with another operation that must end first.
    OPERATION_BUSY = "operation.busy";
    /// The operation failed.
    OPERATION_FAILED = "operation.failed";

    /// No modem was ever seen, and none is expected.
    MODEM_NOT_CONFIGURED = "modem.not_configured";
    /// The modem is gone although it was there or is expected.
    MODEM_ABSENT = "modem.absent";
    /// The modem's port is open, but nothing answers.
    MODEM_MUTE = "modem.mute";
    /// The port could not be opened.
    MODEM_PORT_UNUSABLE = "modem.port_unusable";
    /// No SIM card.
    MODEM_SIM_ABSENT = "modem.sim_absent";
    /// The SIM asks for its PIN.
    MODEM_SIM_PIN_REQUIRED = "modem.sim_pin_required";
    /// The SIM asks for its PUK.
    MODEM_SIM_PUK_REQUIRED = "modem.sim_puk_required";
    /// The SIM failed.
    MODEM_SIM_FAILURE = "modem.sim_failure";
    /// Looking for a network.
    MODEM_SEARCHING = "modem.searching";
    /// The operator refuses the SIM.
    MODEM_DENIED = "modem.denied";
    /// Only emergency calls are possible.
    MODEM_EMERGENCY_ONLY = "modem.emergency_only";
    /// Not registered and not searching.
    MODEM_NOT_REGISTERED = "modem.not_registered";
    /// Registered in the home network.
    MODEM_REGISTERED = "modem.registered";
    /// Registered in a foreign network.
    MODEM_ROAMING = "modem.roaming";
    /// The modem or its SIM is starting.
    MODEM_STARTING = "modem.starting";
    /// The SIM asks for its PIN, and the configured one was refused or is not spent.
    MODEM_SIM_PIN_WITHHELD = "modem.sim_pin_withheld";
    /// Registered, but without a context for data.
    MODEM_NO_DATA_CONTEXT = "modem.no_data_context";
    /// Registered, but the access point is refused, or is none that is known for the operator.
    MODEM_WRONG_APN = "modem.wrong_apn";
    /// The modem's USB shows another composition than the one with the ports we need.
    MODEM_WRONG_COMPOSITION = "modem.wrong_composition";
    /// ModemManager holds the port.
    MODEM_PORT_HELD = "modem.port_held";
    /// ModemManager does not answer on the system bus.
    MODEM_MANAGER_ABSENT = "modem.manager_absent";
    /// ModemManager has given the modem up; the reason in its words.
    MODEM_MANAGER_FAILED = "modem.manager_failed";
    /// The radio is switched off.
    MODEM_FLIGHT_MODE = "modem.flight_mode";
    /// The module is hotter than it may be.
    MODEM_OVER_TEMPERATURE = "modem.over_temperature";
    /// The module's supply is too low.
    MODEM_UNDER_VOLTAGE = "modem.under_voltage";
    /// No cell at all is heard, or the mains supply is away as well: the area seems to be without power.
    MODEM_AREA_OUTAGE = "modem.area_outage";
    /// The configured limit of data is used up.
    MODEM_DATA_LIMIT = "modem.data_limit";
    /// Something else was asked of the modem and is not done yet.
    MODEM_BUSY = "modem.busy";
    /// The modem refused what was asked of it.
    MODEM_REFUSED = "modem.refused";
    /// The modem did not do in time what was asked of it.
    MODEM_TIMEOUT = "modem.timeout";
    /// The present backend cannot do what was asked.
    MODEM_UNSUPPORTED = "modem.unsupported";

    /// The way to the internet is open.
    LINK_OPEN = "link.open";
    /// There is no route to the internet.
    LINK_NO_ROUTE = "link.no_route";
    /// No name server answers.
    LINK_DNS_DEAD = "link.dns_dead";
    /// A name server answers with addresses that are not the true ones.
    LINK_DNS_HIJACKED = "link.dns_hijacked";
    /// A portal answers instead of the internet.
    LINK_CAPTIVE_PORTAL = "link.captive_portal";
    /// Somebody between here and the cloud answers with a certificate of his own.
    LINK_TLS_INTERCEPTED = "link.tls_intercepted";
    /// One port is blocked while others are open.
    LINK_PORT_BLOCKED = "link.port_blocked";
    /// The cloud broker cannot be reached although the internet can.
    LINK_CLOUD_UNREACHABLE = "link.cloud_unreachable";
    /// The cloud broker refuses the connection.
    LINK_CLOUD_REFUSES = "link.cloud_refuses";
    /// The data connection stands, but nothing comes back.
    LINK_STALLED = "link.stalled";
    /// The clock is too wrong for encrypted connections.
    LINK_CLOCK_SUSPECT = "link.clock_suspect";

    /// A step of the recovery was begun.
    RECOVERY_STEP = "recovery.step";
    /// The evidence says that the step helped.
    RECOVERY_STEP_HELPED = "recovery.step_helped";
    /// The step did not help within its time.
    RECOVERY_STEP_FAILED = "recovery.step_failed";
    /// A step needs a privilege that is not granted; it was skipped.
    RECOVERY_RUNG_UNAVAILABLE = "recovery.rung_unavailable";
    /// A step was taken as often as it may be; it was skipped.
    RECOVERY_CAP_REACHED = "recovery.cap_reached";
    /// No step can help against this: a person has to.
    RECOVERY_STOPPED = "recovery.stopped";
    /// A round of steps did not help; the next begins later.
    RECOVERY_BACKING_OFF = "recovery.backing_off";
    /// The link is back.
    RECOVERY_RESTORED = "recovery.restored";
    /// An operator holds the recovery.
    RECOVERY_HELD = "recovery.held";
    /// The recovery goes on.
    RECOVERY_RESUMED = "recovery.resumed";
    /// Nothing is done automatically until then: a crew is on site.
    RECOVERY_HANDS_OFF = "recovery.hands_off";

    /// A text message came.
    SMS_RECEIVED = "sms.received";
    /// A text message was sent.
    SMS_SENT = "sms.sent";
    /// A text message could not be sent.
    SMS_NOT_SENT = "sms.not_sent";
    /// A text message has reached its receiver.
    SMS_DELIVERED = "sms.delivered";
    /// A text message will not reach its receiver.
    SMS_NOT_DELIVERED = "sms.not_delivered";
    /// The card has no room for another text message.
    SMS_STORE_FULL = "sms.store_full";
    /// A text message asked for something, and it is being done.
    SMS_COMMAND_ACCEPTED = "sms.command_accepted";
    /// A text message asked for something, and it is not done.
    SMS_COMMAND_REFUSED = "sms.command_refused";

    /// The network answered a service code (USSD) with an error.
    USSD_FAILED = "ussd.failed";
    /// The prepaid balance was read.
    USSD_BALANCE = "ussd.balance";

    /// No source of positions is configured or found.
    GNSS_NOT_CONFIGURED = "gnss.not_configured";
    /// The source is there, but sends nothing.
    GNSS_SILENT = "gnss.silent";
    /// The source cannot be opened.
    GNSS_SOURCE_UNUSABLE = "gnss.source_unusable";
    /// Sentences come, but no position yet.
    GNSS_NO_FIX = "gnss.no_fix";
    /// A position.
    GNSS_FIX = "gnss.fix";
    /// Position, time and satellites jumped together, as no true sky does; nothing is fed from them.
    GNSS_SPOOFING_SUSPECTED = "gnss.spoofing_suspected";
    /// The satellites are believed again.
    GNSS_SPOOFING_OVER = "gnss.spoofing_over";
    /// The cabinet is away from where it stood.
    GNSS_MOVED = "gnss.moved";
    /// The cabinet is back where it stood.
    GNSS_MOVED_BACK = "gnss.moved_back";
    /// The cabinet has stood at another place for a day: that is its place from now on.
    GNSS_PLACE_CHANGED = "gnss.place_changed";
    /// The cabinet left the configured circle.
    GNSS_GEOFENCE_LEFT = "gnss.geofence_left";
    /// The cabinet entered the configured circle.
    GNSS_GEOFENCE_ENTERED = "gnss.geofence_entered";
    /// Satellites are heard, all of them too weakly: the antenna is covered, wet or badly connected.
    GNSS_WEAK_SIGNALS = "gnss.weak_signals";
    /// All satellites became weak or were lost at once, as under a jammer.
    GNSS_JAMMING_SUSPECTED = "gnss.jamming_suspected";
    /// Satellites are not heard at all: the antenna or its supply is probably broken.
    GNSS_ANTENNA_SUSPECT = "gnss.antenna_suspect";

    /// No sensor beyond the machine itself is configured or found.
    SENSORS_NOT_CONFIGURED = "sensors.not_configured";
    /// A sensor does not answer or is gone.
    SENSORS_DEVICE_FAILED = "sensors.device_failed";
    /// The register map is not valid; none of its devices is read.
    SENSORS_MAP_INVALID = "sensors.map_invalid";
    /// The file with the register map cannot be read.
    SENSORS_MAP_UNREADABLE = "sensors.map_unreadable";
    /// A new register map is not valid; the one before stays in force.
    SENSORS_MAP_REFUSED = "sensors.map_refused";
    /// Another register map is in force.
    SENSORS_MAP_ACTIVATED = "sensors.map_activated";
    /// The port that was to be probed or scanned cannot be opened.
    SENSORS_PORT_UNUSABLE = "sensors.port_unusable";
    /// The device that was to be probed does not answer.
    SENSORS_NO_ANSWER = "sensors.no_answer";
    /// The list of contacts and counters is not valid; none of them is read.
    SENSORS_GPIO_INVALID = "sensors.gpio_invalid";
    /// A counter went back: it was reset, or it began again from 0.
    SENSORS_COUNTER_RESET = "sensors.counter_reset";
    /// Another device answers in the place of the one before.
    SENSORS_METER_SWAPPED = "sensors.meter_swapped";
    /// A register was not written, or did not keep what was written.
    SENSORS_WRITE_FAILED = "sensors.write_failed";

    /// No cloud broker is configured.
    UPLINK_NOT_CONFIGURED = "uplink.not_configured";
    /// The cloud broker's address is not a valid URL.
    UPLINK_BAD_URL = "uplink.bad_url";
    /// Connecting to the cloud broker.
    UPLINK_CONNECTING = "uplink.connecting";
    /// Connected to the cloud broker.
    UPLINK_CONNECTED = "uplink.connected";
    /// The cloud broker cannot be reached.
    UPLINK_UNREACHABLE = "uplink.unreachable";
    /// The cloud broker's name cannot be resolved.
    UPLINK_DNS_FAILED = "uplink.dns_failed";
    /// The cloud broker refuses the connection for another reason than the following ones.
    UPLINK_REFUSED = "uplink.refused";
    /// The cloud broker refuses user and password, or this device as a whole.
    UPLINK_AUTH_REFUSED = "uplink.auth_refused";
    /// The cloud broker refuses the client id.
    UPLINK_CLIENT_ID_REFUSED = "uplink.client_id_refused";
    /// The cloud broker answers, and has no service at the moment.
    UPLINK_BROKER_UNAVAILABLE = "uplink.broker_unavailable";
    /// The cloud broker does not speak MQTT 3.1.1.
    UPLINK_PROTOCOL_REFUSED = "uplink.protocol_refused";
    /// The encrypted connection cannot be made.
    UPLINK_TLS_FAILED = "uplink.tls_failed";
    /// The certificate shown for the cloud broker was issued by nobody who is trusted here.
    UPLINK_TLS_INTERCEPTED = "uplink.tls_intercepted";
    /// The cloud broker's certificate is not valid at the time this clock shows.
    UPLINK_TLS_CLOCK_SUSPECT = "uplink.tls_clock_suspect";
    /// The cloud broker acknowledges nothing.
    UPLINK_STALLED = "uplink.stalled";
    /// A message on the bus could not be read and was passed over.
    UPLINK_UNREADABLE_MESSAGE = "uplink.unreadable_message";
    /// A message was too large and was passed over.
    UPLINK_OVERSIZED_MESSAGE = "uplink.oversized_message";
    /// The cloud broker closes one connection after another: somebody else has the same client id.
    UPLINK_CLIENT_ID_TAKEN = "uplink.client_id_taken";
    /// The cloud broker closes one connection after another, and acknowledges nothing: a topic is not allowed.
    UPLINK_TOPIC_DENIED = "uplink.topic_denied";
    /// The cloud broker does not let this device receive commands.
    UPLINK_COMMANDS_FORBIDDEN = "uplink.commands_forbidden";
    /// What the cloud sends does not arrive any more, although measurements are acknowledged.
    UPLINK_COMMANDS_DEAD = "uplink.commands_dead";
    /// Sparkplug's primary host is not there; everything is kept until it is.
    UPLINK_WAITS_FOR_HOST = "uplink.waits_for_host";
    /// A Sparkplug node does not connect before the clock is set.
    UPLINK_WAITS_FOR_CLOCK = "uplink.waits_for_clock";
    /// A command from the cloud was not passed on.
    UPLINK_COMMAND_REFUSED = "uplink.command_refused";
    /// Commands came faster than they are passed on, and some were dropped.
    UPLINK_COMMANDS_FLOODED = "uplink.commands_flooded";
    /// A data budget will not last for its period at this pace.
    UPLINK_BUDGET_LOW = "uplink.budget_low";
    /// A data budget is used up: measurements wait for the next period.
    UPLINK_BUDGET_SPENT = "uplink.budget_spent";
    /// The data budgets last again.
    UPLINK_BUDGET_LASTS = "uplink.budget_lasts";

    /// The disk is full.
    JOURNAL_DISK_FULL = "journal.disk_full";
    /// The disk can only be read.
    JOURNAL_READ_ONLY = "journal.read_only";
    /// The disk fails.
    JOURNAL_DISK_FAILING = "journal.disk_failing";
    /// Another process holds the journal.
    JOURNAL_LOCKED = "journal.locked";
    /// Damaged records were passed over.
    JOURNAL_RECORDS_DAMAGED = "journal.records_damaged";
    /// The oldest records were dropped for room.
    JOURNAL_RECORDS_DROPPED = "journal.records_dropped";

    /// The balena supervisor is not there (not running on balenaOS).
    AGENT_NOT_ON_BALENA = "agent.not_on_balena";
    /// The balena supervisor does not answer.
    AGENT_SUPERVISOR_UNREACHABLE = "agent.supervisor_unreachable";
    /// The balena supervisor answers, but not with what was asked for.
    AGENT_SUPERVISOR_REFUSED = "agent.supervisor_refused";
    /// The cabinet was rebooted too often within a day to be rebooted again.
    AGENT_REBOOT_LIMIT = "agent.reboot_limit";

    /// The cabinet's door is open.
    CONTACT_DOOR_OPEN = "contact.door_open";
    /// The mains supply is away.
    CONTACT_MAINS_LOST = "contact.mains_lost";
    /// The cabinet is away from where it stood.
    CONTACT_CABINET_MOVED = "contact.cabinet_moved";

    /// No token is configured, so nothing can be changed.
    API_NO_TOKEN_CONFIGURED = "api.no_token_configured";
    /// The request carries no token, or an unknown one.
    API_UNAUTHORIZED = "api.unauthorized";
    /// The token's scope does not allow this.
    API_FORBIDDEN = "api.forbidden";
    /// Nothing is at this path.
    API_NOT_FOUND = "api.not_found";
    /// The path does not take this method.
    API_METHOD_NOT_ALLOWED = "api.method_not_allowed";
    /// The request cannot be read.
    API_BAD_REQUEST = "api.bad_request";
    /// The request's body is too large.
    API_BODY_TOO_LARGE = "api.body_too_large";
    /// The request took too long.
    API_TIMEOUT = "api.timeout";
    /// Too many wrong tokens came from this address.
    API_TOO_MANY_ATTEMPTS = "api.too_many_attempts";
    /// An `Idempotency-Key` was used before for something else.
    API_IDEMPOTENCY_KEY_REUSED = "api.idempotency_key_reused";
    /// Too many streams are open.
    API_BUSY = "api.busy";
    /// The history query would cost too much.
    HISTORY_TOO_MANY_POINTS = "history.too_many_points";
    /// No such series.
    HISTORY_UNKNOWN_SERIES = "history.unknown_series";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_well_formed() {
        let mut seen = std::collections::HashSet::new();
        for code in ALL {
            assert!(seen.insert(code.as_str()), "{code} appears twice");
            let well_formed = |b: u8| b.is_ascii_lowercase() || matches!(b, b'.' | b'_');
            assert!(code.as_str().bytes().all(well_formed), "{code}");
            assert_eq!(code.as_str().matches('.').count(), 1, "{code}");
        }
    }
}
