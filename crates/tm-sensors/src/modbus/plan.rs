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
}

/// Joins adjacent registers of the same table, at most `max_words` (bits: 2000) to a block.
pub(super) fn plan(registers: &[Register], max_words: u16) -> Vec<Block> {
    let mut order: Vec<usize> = (0..registers.len()).collect();
    order.sort_by_key(|index| (registers[*index].table, registers[*index].address));
    let mut blocks: Vec<Block> = Vec::new();
    for index in order {
        let register = &registers[index];
        let n_words = register.encoding.n_words();
        let most = if register.table.is_bits() {
            BITS_MAX
        } else {
            max_words
        };
        match blocks.last_mut() {
            Some(block)
                if block.table == register.table
                    && u32::from(block.start) + u32::from(block.count)
                        == u32::from(register.address)
                    && block.count + n_words <= most =>
            {
                block.count += n_words;
                block.members.push(index);
            }
            _ => blocks.push(Block {
                table: register.table,
                start: register.address,
                count: n_words,
                members: vec![index],
            }),
        }
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
        let middle = registers[second[0]].address;
        let part = |start: u16, end: u32, members: &[usize]| Self {
            table: self.table,
            start,
            count: u16::try_from(end - u32::from(start)).expect("not longer than the whole"),
            members: members.to_vec(),
        };
        let end = u32::from(self.start) + u32::from(self.count);
        Some((
            part(self.start, middle.into(), first),
            part(middle, end, second),
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::super::document;
    use super::*;

    /// Blocks as text: `table start+count`.
    fn blocks(registers: &[(&str, u16, &str)], max_count: u16) -> Vec<String> {
        let mut document = format!("[[device]]\nname='m'\nport='tcp://h'\nmax_count={max_count}\n");
        for (index, (function, address, encoding)) in registers.iter().enumerate() {
            let text = format!(
                "[[device.register]]\nname='r{index}'\nfunction='{function}'\naddress={address}\ntype='{encoding}'\n"
            );
            document.push_str(&text);
        }
        let devices = document::parse(&document, &"sensors".parse().unwrap()).unwrap();
        let planned = plan(&devices[0].registers, max_count);
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
            blocks(&registers, 125),
            [
                "Coil 0+2",
                "Discrete 65535+1",
                "Holding 5+1",
                "Holding 65535+1",
                "Input 0+5",
                "Input 6+1"
            ]
        );
        assert_eq!(blocks(&registers[..3], 4), ["Input 0+4", "Input 4+1"]);
        assert_eq!(
            blocks(&registers[..3], 2),
            ["Input 0+2", "Input 2+2", "Input 4+1"]
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
        let devices = document::parse(&document, &"sensors".parse().unwrap()).unwrap();
        let registers = &devices[0].registers;
        let [whole] = plan(registers, 125).try_into().unwrap();
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
