//! Finding the header of a segment file: there are two copies, and one may be damaged.

use std::io;

use crate::disk::{Disk, read_full};
use crate::format::{Head, Header, PAGE};

/// What a segment file begins with.
pub(crate) enum Found {
    Header(Box<Header>, u64),
    Newer,
    Nothing,
}

/// Reads the header of a segment: the first sound copy, wherever it begins on a page.
pub(crate) fn read_header<D: Disk>(disk: &D, file: &D::File, file_bytes: u64) -> io::Result<Found> {
    let mut is_newer = false;
    let mut trouble = None;
    let mut at = 0;
    // The second copy begins at most half a segment behind the first.
    while at < file_bytes / 2 + PAGE as u64 {
        let mut head = read_head(disk, file, at, PAGE);
        if let Ok(Head::Longer(length)) = head {
            head = if at + length as u64 <= file_bytes {
                read_head(disk, file, at, length)
            } else {
                Ok(Head::Broken)
            };
        }
        let head = head.unwrap_or_else(|error| {
            // One unreadable page may leave the other copy.
            trouble = Some(error);
            Head::Broken
        });
        match head {
            // The copies are equally long: the data begin behind the second.
            Head::Whole(header, length) if at == 0 || at == length => {
                return Ok(Found::Header(header, 2 * length));
            }
            Head::Newer(_) if at == 0 => is_newer = true,
            _ => {}
        }
        at += PAGE as u64;
    }
    match trouble {
        Some(error) => Err(error),
        None if is_newer => Ok(Found::Newer),
        None => Ok(Found::Nothing),
    }
}

fn read_head<D: Disk>(disk: &D, file: &D::File, at: u64, length: usize) -> io::Result<Head> {
    let mut bytes = vec![0; length];
    let came = read_full(disk, file, at, &mut bytes)?;
    Ok(Header::decode(&bytes[..came]))
}
