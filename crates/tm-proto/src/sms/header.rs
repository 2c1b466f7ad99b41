//! The user data header (3GPP TS 23.040, 9.2.3.24): elements of identifier, length and data.

use super::octets::Octets;

/// Which part of a longer text a message is (9.2.3.24.1 and 9.2.3.24.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Part {
    /// What the sender numbers its longer texts by: 0 to 255 or 0 to 65535.
    pub reference: u16,
    /// How many parts there are, at least 1.
    pub total: u8,
    /// Which one this is, 1 to `total`.
    pub number: u8,
}

impl Part {
    fn new(reference: u16, total: u8, number: u8) -> Option<Self> {
        // An element with impossible numbers is to be ignored as a whole.
        (1..=total).contains(&number).then_some(Self {
            reference,
            total,
            number,
        })
    }

    /// The header of this part with an 8-bit reference, with its length in front.
    pub(super) fn header(self) -> [u8; 6] {
        let [reference, _] = self.reference.to_le_bytes();
        [0x05, 0x00, 0x03, reference, self.total, self.number]
    }
}

/// Reads the elements of a header without its length octet; what cannot be read is skipped.
/// Of several such elements the last one counts (9.2.3.24).
pub(super) fn part(header: &[u8]) -> Option<Part> {
    let mut octets = Octets(header);
    let mut part = None;
    while let Some(identifier) = octets.one() {
        let Some(data) = octets.one().and_then(|length| octets.take(length.into())) else {
            break;
        };
        part = match (identifier, data) {
            (0x00, &[reference, total, number]) => Part::new(reference.into(), total, number),
            (0x08, &[high, low, total, number]) => {
                Part::new(u16::from_be_bytes([high, low]), total, number)
            }
            _ => None,
        }
        .or(part);
    }
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements() {
        let three_of_four = Some(Part {
            reference: 0x1234,
            total: 4,
            number: 3,
        });
        let table: [(&[u8], Option<Part>); 8] = [
            (&[], None),
            (&[0x00, 3, 0x12], None),
            (&[0x00, 3, 7, 0, 0], None),
            (&[0x00, 3, 7, 2, 3], None),
            (&[0x08, 4, 0x12, 0x34, 4, 3], three_of_four),
            // Port numbers before it, a text format behind it.
            (
                &[0x04, 2, 1, 2, 0x08, 4, 0x12, 0x34, 4, 3, 0x0a, 1, 0],
                three_of_four,
            ),
            (&[0x08, 4, 0x12, 0x34, 4, 3, 0x70], three_of_four),
            (
                &[0x00, 3, 7, 2, 1, 0x08, 4, 0x12, 0x34, 4, 3],
                three_of_four,
            ),
        ];
        for (header, expected) in table {
            assert_eq!(part(header), expected, "{header:?}");
        }
        let part = Part {
            reference: 7,
            total: 2,
            number: 1,
        };
        assert_eq!(self::part(&part.header()[1..]), Some(part));
    }
}
