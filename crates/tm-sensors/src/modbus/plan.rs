//! Which registers are read together.

use super::map::{BITS_MAX, Register, Table};

/// Neighbouring registers of one table, read by one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    /// The table.
    pub(super) table: Table,
    /// The first address.
    pub(super) start: u16,
    /// How many registers or bits.
    pub(super) count: u16,
    /// Indices into the device's registers, by address.
    pub(super) members: Vec<usize>,
    /// Requests for it in a row that were not answered.
    pub(super) n_silent: u32,
}

/// Joins `wanted` registers of the same table that are at most `max_hole` registers apart, at most
/// `max_words` (bits: 2000) to a block, without reading across a register that is kept `apart`.
pub(super) fn plan(
    registers: &[Register],
    wanted: impl IntoIterator<Item = usize>,
    max_words: u16,
    max_hole: u16,
    apart: &[usize],
) -> Vec<Block> {
    let has_apart = |block: &Block, next: &Register| {
        let mut apart = apart.iter().map(|index| &registers[*index]);
        apart.any(|other| {
            other.table == block.table && other.end() > block.end() && other.address < next.address
        })
    };
    let mut order: Vec<usize> = wanted.into_iter().collect();
    order.sort_by_key(|index| (registers[*index].table, registers[*index].address));
    let mut blocks: Vec<Block> = Vec::new();
    for index in order {
        let register = &registers[index];
        let most = if register.table.is_bits() {
            BITS_MAX
        } else {
            max_words
        };
        if let Some(block) = blocks.last_mut()
            && block.table == register.table
            && u32::from(register.address) <= block.end() + u32::from(max_hole)
            && !has_apart(block, register)
        {
            // Bits of one register follow each other without making the block longer.
            let end = block.end().max(register.end());
            let count = u16::try_from(end - u32::from(block.start));
            if let Some(count) = count.ok().filter(|count| *count <= most) {
                block.count = count;
                block.members.push(index);
                continue;
            }
        }
        blocks.push(Block {
            table: register.table,
            start: register.address,
            count: register.encoding.n_words(),
            members: vec![index],
            n_silent: 0,
        });
    }
    blocks
}

impl Block {
    /// The two halves of a block that the device refused; `None` for a single value.
    ///
    /// One address a device does not have must not hide its neighbours.
    pub(super) fn halves(&self, registers: &[Register]) -> Option<(Self, Self)> {
        if self.members.len() < 2 {
            return None;
        }
        let (first, second) = self.members.split_at(self.members.len() / 2);
        // Each reaches from its first to its last register: a hole between them belongs to none.
        let part = |members: &[usize]| {
            let start = registers[members[0]].address;
            let end = members.iter().map(|index| registers[*index].end()).max();
            let count = end.map_or(0, |end| end - u32::from(start));
            Self {
                table: self.table,
                start,
                count: u16::try_from(count).expect("not longer than the whole"),
                members: members.to_vec(),
                n_silent: 0,
            }
        };
        Some((part(first), part(second)))
    }

    /// One past its last address.
    fn end(&self) -> u32 {
        u32::from(self.start) + u32::from(self.count)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::super::document;
    use super::*;

    /// Blocks as text: `table start+count`.
    fn blocks(registers: &[(&str, u16, &str)], max_count: u16, max_hole: u16) -> Vec<String> {
        let mut document = format!(
            "[[device]]\nname='m'\nport='tcp://h'\nmax_count={max_count}\nmax_hole={max_hole}\n"
        );
        for (index, (function, address, encoding)) in registers.iter().enumerate() {
            let text = format!(
                "[[device.register]]\nname='r{index}'\nfunction='{function}'\naddress={address}\ntype='{encoding}'\n"
            );
            document.push_str(&text);
        }
        let devices = document::parse(&document, &"sensors".parse().unwrap())
            .unwrap()
            .devices;
        let planned = plan(
            &devices[0].registers,
            0..registers.len(),
            max_count,
            max_hole,
            &[],
        );
        planned
            .iter()
            .map(|b| format!("{:?} {}+{}", b.table, b.start, b.count))
            .collect()
    }

    #[test]
    fn neighbours_are_read_together() {
        let registers = [
            ("input", 2, "f32"),
            ("input", 0, "f32"),
            ("input", 4, "u16"),
            ("input", 6, "u16"),
            ("holding", 5, "u16"),
            ("coil", 0, "bool"),
            ("coil", 1, "bool"),
            ("discrete", 65_535, "bool"),
            ("holding", 65_535, "u16"),
        ];
        assert_eq!(
            blocks(&registers, 125, 0),
            [
                "Coil 0+2",
                "Discrete 65535+1",
                "Holding 5+1",
                "Holding 65535+1",
                "Input 0+5",
                "Input 6+1"
            ]
        );
        assert_eq!(blocks(&registers[..3], 4, 0), ["Input 0+4", "Input 4+1"]);
        assert_eq!(
            blocks(&registers[..3], 2, 0),
            ["Input 0+2", "Input 2+2", "Input 4+1"]
        );
    }

    #[test]
    fn holes_are_read_across_when_that_saves_a_request() {
        let registers = [
            ("input", 0, "f32"),
            ("input", 4, "u16"),
            ("input", 10, "u32"),
            ("holding", 12, "u16"),
        ];
        assert_eq!(
            blocks(&registers, 125, 2),
            ["Holding 12+1", "Input 0+5", "Input 10+2"]
        );
        assert_eq!(blocks(&registers, 125, 5), ["Holding 12+1", "Input 0+12"]);
        assert_eq!(
            blocks(&registers, 11, 5),
            ["Holding 12+1", "Input 0+5", "Input 10+2"]
        );
    }

    #[test]
    fn a_refused_block_is_halved_down_to_single_values() {
        let mut document = "[[device]]\nname='m'\nport='tcp://h'\n".to_owned();
        for (index, (address, encoding)) in [
            (65_530, "f32"),
            (65_532, "u16"),
            (65_533, "u16"),
            (65_534, "u32"),
        ]
        .iter()
        .enumerate()
        {
            write!(document, "[[device.register]]\nname='r{index}'\nfunction='input'\naddress={address}\ntype='{encoding}'\n").unwrap();
        }
        let devices = document::parse(&document, &"sensors".parse().unwrap())
            .unwrap()
            .devices;
        let registers = &devices[0].registers;
        let [whole] = plan(registers, 0..4, 125, 0, &[]).try_into().unwrap();
        assert_eq!((whole.start, whole.count), (65_530, 6));
        let (low, high) = whole.halves(registers).unwrap();
        assert_eq!(
            (low.start, low.count, &*low.members),
            (65_530, 3, &[0, 1][..])
        );
        assert_eq!(
            (high.start, high.count, &*high.members),
            (65_533, 3, &[2, 3][..])
        );
        let (first, second) = high.halves(registers).unwrap();
        assert_eq!((first.start, first.count), (65_533, 1));
        assert_eq!((second.start, second.count), (65_534, 2));
        assert_eq!(second.halves(registers), None);
    }
}
