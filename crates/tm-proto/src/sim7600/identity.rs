//! Who the module and the SIM are (manual, 2.2 and 3.2).

use super::fields;

/// The answer to `ATI`; each part is absent when the module did not print it.
///
/// ```text
/// Manufacturer: SIMCOM INCORPORATED
/// Model: SIMCOM_SIM7600G-H
/// Revision: SIM7600G_V2.0.2
/// IMEI: 860000000000001
/// +GCAP: +CGSM
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// Such as `SIMCOM INCORPORATED`.
    pub manufacturer: Option<String>,
    /// Such as `SIMCOM_SIM7600G-H`.
    pub model: Option<String>,
    /// Firmware revision; a marketing name on some firmware, see [`firmware_revision`].
    pub revision: Option<String>,
    /// The module's 15 digits; absent when it prints something else.
    pub imei: Option<String>,
}

/// Reads the answer to `ATI` or `AT+SIMCOMATI`; nothing when no line is known.
pub fn identity(lines: &[String]) -> Option<Identity> {
    let mut identity = Identity::default();
    for line in lines {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        let value = value.trim();
        let part = match name.trim() {
            "Manufacturer" => &mut identity.manufacturer,
            "Model" => &mut identity.model,
            "Revision" => &mut identity.revision,
            "IMEI" if is_digits(value, 14, 17) => &mut identity.imei,
            _ => continue,
        };
        *part = (!value.is_empty()).then(|| value.to_owned());
    }
    (identity != Identity::default()).then_some(identity)
}

/// Reads the answer to `AT+CGMR`, such as `LE20B04SIM7600G22`; prefixed on this family, bare on others.
pub fn firmware_revision(lines: &[String]) -> Option<String> {
    let line = lines.last()?;
    let text = line.strip_prefix("+CGMR:").unwrap_or(line).trim();
    (!text.is_empty() && !text.starts_with('+')).then(|| text.to_owned())
}

/// Reads the answer to `AT+CGSN`: the IMEI, 15 digits.
pub fn equipment_identity(lines: &[String]) -> Option<String> {
    bare_digits(lines, 14, 17)
}

/// Reads the answer to `AT+CIMI`: the IMSI, up to 15 digits, the first three the country.
pub fn subscriber_identity(lines: &[String]) -> Option<String> {
    bare_digits(lines, 6, 15)
}

/// Reads the answer to `AT+CICCID`: 18 to 20 digits; a filling `F` at the end is removed.
pub fn iccid(lines: &[String]) -> Option<String> {
    let fields = fields::last(lines, "+ICCID")?;
    let digits = fields.first()?.trim_end_matches(['F', 'f']);
    is_digits(digits, 18, 20).then(|| digits.to_owned())
}

fn bare_digits(lines: &[String], min: usize, max: usize) -> Option<String> {
    lines
        .iter()
        .rev()
        .find(|line| is_digits(line, min, max))
        .cloned()
}

fn is_digits(text: &str, min: usize, max: usize) -> bool {
    (min..=max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}
