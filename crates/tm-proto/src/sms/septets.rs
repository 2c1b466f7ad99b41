//! Seven-bit characters in eight-bit octets (3GPP TS 23.038, 6.1.2.1), behind fill bits after a header
//! (3GPP TS 23.040, 9.2.3.24).
//!
//! ```text
//! octet      0        1        2
//! bits   7……0     7……0     7……0
//!        2aaaaaaa 33bbbbbb 444ccccc      septet 1 = a, septet 2 = b + 2, septet 3 = c + 33 …
//! ```

/// Packs septets behind `fill` zero bits (0 to 7).
pub(crate) fn pack(septets: &[u8], fill: usize) -> Vec<u8> {
    let n_bits = fill + septets.len() * 7;
    let mut octets = vec![0_u8; n_bits.div_ceil(8)];
    for (index, septet) in septets.iter().enumerate() {
        let bit = fill + index * 7;
        let [low, high] = (u16::from(septet & 0x7f) << (bit % 8)).to_le_bytes();
        if let Some(octet) = octets.get_mut(bit / 8) {
            *octet |= low;
        }
        if let Some(octet) = octets.get_mut(bit / 8 + 1) {
            *octet |= high;
        }
    }
    octets
}

/// Unpacks `count` septets behind `fill` bits; nothing when the octets do not hold so many.
pub(crate) fn unpack(octets: &[u8], fill: usize, count: usize) -> Option<Vec<u8>> {
    if count.checked_mul(7)?.checked_add(fill)? > octets.len() * 8 {
        return None;
    }
    let septets = (0..count).map(|index| {
        let bit = fill + index * 7;
        let octet = |at: usize| octets.get(at).copied().unwrap_or(0);
        let pair = u16::from_le_bytes([octet(bit / 8), octet(bit / 8 + 1)]);
        let [low, _] = (pair >> (bit % 8)).to_le_bytes();
        low & 0x7f
    });
    Some(septets.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_known_example() {
        // "hellohello", packed by hand in many textbooks.
        let octets = [0xe8, 0x32, 0x9b, 0xfd, 0x46, 0x97, 0xd9, 0xec, 0x37];
        assert_eq!(pack(b"hellohello", 0), octets);
        assert_eq!(unpack(&octets, 0, 10).as_deref(), Some(&b"hellohello"[..]));
        assert_eq!(unpack(&octets, 0, 11), None);
        assert_eq!(unpack(&[], 0, usize::MAX), None);
    }

    proptest! {
        #[test]
        fn there_and_back(septets in proptest::collection::vec(0_u8..128, 0..200), fill in 0_usize..8) {
            let octets = pack(&septets, fill);
            prop_assert_eq!(octets.len(), (septets.len() * 7 + fill).div_ceil(8));
            prop_assert_eq!(unpack(&octets, fill, septets.len()), Some(septets));
        }
    }
}
