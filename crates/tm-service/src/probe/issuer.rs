//! Who issued a certificate: the few bytes of DER (ITU-T X.690) that lead to the issuer's name.
//!
//! RFC 5280, section 4.1: `Certificate { TBSCertificate { [0] version?, serial, algorithm, issuer…`,
//! where a name is `SEQUENCE OF SET OF SEQUENCE { OID, string }`.

use super::web::printable;

const INTEGER: u8 = 0x02;
const OID: u8 = 0x06;
const BMP_STRING: u8 = 0x1e;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const VERSION: u8 = 0xa0;

/// `id-at-commonName` 2.5.4.3 and `id-at-organizationName` 2.5.4.10.
const COMMON_NAME: [u8; 3] = [0x55, 4, 3];
const ORGANISATION: [u8; 3] = [0x55, 4, 10];

/// Longest name told, characters.
const LONGEST: usize = 100;

/// Common name and organisation of the issuer; `?` where the certificate cannot be read.
pub(super) fn issuer(certificate: &[u8]) -> String {
    let told = names(certificate).unwrap_or_default();
    if told.is_empty() {
        return "?".to_owned();
    }
    printable(&told.join(", "), LONGEST)
}

fn names(certificate: &[u8]) -> Option<Vec<String>> {
    let (whole, _) = value(certificate, SEQUENCE)?;
    let (mut rest, _) = value(whole, SEQUENCE)?;
    if let Some((_, after)) = value(rest, VERSION) {
        rest = after;
    }
    let (_, rest) = value(rest, INTEGER)?;
    let (_, rest) = value(rest, SEQUENCE)?;
    let (mut name, _) = value(rest, SEQUENCE)?;
    let (mut common, mut organisation) = (None, None);
    // Each turn takes at least two bytes off.
    while let Some((set, after)) = value(name, SET) {
        name = after;
        let Some((oid, tag, content)) = attribute(set) else {
            continue;
        };
        if oid == COMMON_NAME {
            common = common.or_else(|| Some(string(tag, content)));
        } else if oid == ORGANISATION {
            organisation = organisation.or_else(|| Some(string(tag, content)));
        }
    }
    Some(common.into_iter().chain(organisation).collect())
}

/// Object identifier, and tag and content of the text.
fn attribute(set: &[u8]) -> Option<(&[u8], u8, &[u8])> {
    let (attribute, _) = value(set, SEQUENCE)?;
    let (oid, text) = value(attribute, OID)?;
    let (tag, content, _) = element(text)?;
    Some((oid, tag, content))
}

/// UTF-8 and its subsets as they are; BMPString is big-endian UTF-16.
fn string(tag: u8, content: &[u8]) -> String {
    if tag != BMP_STRING {
        return String::from_utf8_lossy(content).into_owned();
    }
    let units = content
        .chunks_exact(2)
        .map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    char::decode_utf16(units)
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

/// The content of the element at the front, if it has this tag, and what follows it.
fn value(bytes: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    let (tag, content, rest) = element(bytes)?;
    (tag == wanted).then_some((content, rest))
}

/// Tag, content and what follows; lengths of up to three bytes, which is more than a handshake carries.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], rest) = bytes.split_first_chunk::<2>()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x83 => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = length
                .iter()
                .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
            (length, rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, DnValue, KeyPair};

    use super::*;

    fn certificate(names: &[(DnType, DnValue)]) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["a.ua".to_owned()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, name) in names {
            params.distinguished_name.push(kind.clone(), name.clone());
        }
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn the_issuer_is_named() {
        let bmp = rcgen::string::BmpString::try_from("Шафа").unwrap();
        let utf8 = |text: &str| DnValue::Utf8String(text.to_owned());
        let long = "x".repeat(300);
        for (names, expected) in [
            (vec![(DnType::CommonName, utf8("Acme Proxy"))], "Acme Proxy"),
            (
                vec![
                    (DnType::CountryName, utf8("UA")),
                    (DnType::OrganizationName, utf8("Acme\u{7}\n Ltd")),
                    (DnType::CommonName, utf8("Root")),
                ],
                "Root, Acme Ltd",
            ),
            (vec![(DnType::CommonName, DnValue::BmpString(bmp))], "Шафа"),
            (vec![(DnType::CountryName, utf8("UA"))], "?"),
            (vec![(DnType::CommonName, utf8(&long))], &long[..LONGEST]),
        ] {
            assert_eq!(issuer(&certificate(&names)), expected);
        }
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let whole = certificate(&[(DnType::CommonName, DnValue::from("Acme"))]);
        for length in 0..whole.len() {
            let _ = issuer(&whole[..length]);
        }
        for at in 0..whole.len().min(120) {
            for bits in [0x01, 0x80, 0xff] {
                let mut bad = whole.clone();
                bad[at] ^= bits;
                let _ = issuer(&bad);
            }
        }
        assert_eq!(issuer(b"<html>"), "?");
    }
}
