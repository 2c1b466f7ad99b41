//! Registration, operator and access technology (manual, 4.2 and 8.2).

use super::fields;

/// The network's answer to "may I".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RegistrationStatus {
    /// Not registered and not searching.
    Idle,
    /// Registered at home.
    Home,
    /// Searching.
    Searching,
    /// Refused by the network.
    Denied,
    /// Registered abroad or with a partner.
    Roaming,
    /// Registered for short messages only (`stat` 6 and 7).
    SmsOnly,
    /// Emergency calls only (`stat` 8).
    EmergencyOnly,
    /// The module does not know (`stat` 4).
    Unknown,
}

impl RegistrationStatus {
    /// Whether packet data can flow.
    pub fn is_registered(self) -> bool {
        matches!(self, Self::Home | Self::Roaming)
    }

    pub(super) fn from_code(code: &str) -> Option<Self> {
        Some(match code {
            "0" => Self::Idle,
            // 9 and 10: "CSFB not preferred", registered all the same (3GPP TS 27.007, 7.2).
            "1" | "9" => Self::Home,
            "2" => Self::Searching,
            "3" => Self::Denied,
            "4" => Self::Unknown,
            "5" | "10" => Self::Roaming,
            "6" | "7" => Self::SmsOnly,
            "8" | "11" => Self::EmergencyOnly,
            _ => return None,
        })
    }
}

/// How the module talks to the cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AccessTechnology {
    /// 2G without data.
    Gsm,
    /// 2G with GPRS.
    Gprs,
    /// 2G with EDGE.
    Edge,
    /// 3G.
    Wcdma,
    /// 3G with fast downlink.
    Hsdpa,
    /// 3G with fast uplink.
    Hsupa,
    /// 3G with both.
    Hspa,
    /// 4G.
    Lte,
}

impl AccessTechnology {
    /// `<AcT>` of 3GPP TS 27.007, 7.3, as `+COPS` and `+CEREG` print it.
    fn from_3gpp(code: &str) -> Option<Self> {
        Some(match code {
            "0" | "1" => Self::Gsm,
            "2" => Self::Wcdma,
            "3" => Self::Edge,
            "4" => Self::Hsdpa,
            "5" => Self::Hsupa,
            "6" => Self::Hspa,
            "7" => Self::Lte,
            _ => return None,
        })
    }

    /// The module's own numbering of `+CNSMOD` (manual, 4.2.13).
    pub(super) fn from_cnsmod(code: &str) -> Option<Self> {
        Some(match code {
            "1" => Self::Gsm,
            "2" => Self::Gprs,
            "3" => Self::Edge,
            "4" => Self::Wcdma,
            "5" => Self::Hsdpa,
            "6" => Self::Hsupa,
            "7" => Self::Hspa,
            "8" => Self::Lte,
            _ => return None,
        })
    }
}

/// Whether and where the module is registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registration {
    /// The state.
    pub status: RegistrationStatus,
    /// Location area (2G, 3G) or tracking area (LTE); absent unless the module was told to print it.
    pub area_code: Option<u32>,
    /// Cell; absent unless the module was told to print it.
    pub cell_id: Option<u32>,
    /// Access technology; absent unless the module was told to print it.
    pub access: Option<AccessTechnology>,
}

impl Registration {
    /// From the fields after `<n>`: `<stat>[,<lac or tac>,<ci>[,<AcT>]]`, hexadecimal, quoted or not.
    pub(super) fn from_fields(fields: &[&str]) -> Option<Self> {
        Some(Self {
            status: RegistrationStatus::from_code(fields.first()?)?,
            area_code: fields.get(1).and_then(|field| fields::hex(field)),
            cell_id: fields.get(2).and_then(|field| fields::hex(field)),
            access: fields
                .get(3)
                .and_then(|field| AccessTechnology::from_3gpp(field)),
        })
    }
}

/// Reads the answer to `AT+CREG?`, `AT+CGREG?` or `AT+CEREG?`: `+CxREG: <n>,<stat>[,<area>,<cell>[,<AcT>]]`.
///
/// On LTE judge by `CEREG`: with a data-only SIM `CREG` may stay at searching or denied.
pub fn registration(lines: &[String]) -> Option<Registration> {
    let fields = ["+CREG", "+CGREG", "+CEREG"]
        .iter()
        .find_map(|prefix| fields::last(lines, prefix))?;
    Registration::from_fields(fields.get(1..)?)
}

/// How the operator was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperatorMode {
    /// By the module.
    Automatic,
    /// By a command, or by a command with the module's choice as a fallback.
    Manual,
    /// Told to leave the network; stays so over a restart until `AT+COPS=0`.
    Deregistered,
}

/// The operator, when there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// How it was chosen.
    pub mode: OperatorMode,
    /// Its name; absent while searching or when the module prints digits.
    pub name: Option<String>,
    /// Country and network as digits, such as `25501`; absent while searching or when the module prints names.
    pub plmn: Option<String>,
    /// Access technology.
    pub access: Option<AccessTechnology>,
}

/// Reads the answer to `AT+COPS?`: `+COPS: <mode>[,<format>,"<operator>"[,<AcT>]]`.
pub fn operator(lines: &[String]) -> Option<Operator> {
    let fields = fields::last(lines, "+COPS")?;
    let mode = match *fields.first()? {
        "0" => OperatorMode::Automatic,
        "1" | "4" => OperatorMode::Manual,
        "2" => OperatorMode::Deregistered,
        _ => return None,
    };
    let text = fields
        .get(2)
        .filter(|text| !text.is_empty())
        .map(|text| (*text).to_owned());
    let is_plmn = fields.get(1) == Some(&"2");
    let (name, plmn) = if is_plmn { (None, text) } else { (text, None) };
    let access = fields
        .get(3)
        .and_then(|field| AccessTechnology::from_3gpp(field));
    Some(Operator {
        mode,
        name,
        plmn,
        access,
    })
}

/// Reads the answer to `AT+CNSMOD?`: `+CNSMOD: <n>,<stat>`; the inner value is absent without service.
pub fn access_technology(lines: &[String]) -> Option<Option<AccessTechnology>> {
    let fields = fields::last(lines, "+CNSMOD")?;
    match *fields.get(1)? {
        "0" => Some(None),
        code => AccessTechnology::from_cnsmod(code).map(Some),
    }
}
