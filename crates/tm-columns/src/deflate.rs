//! The frames around a payload, with bounds on the way in: gzip, or zlib with a preset dictionary.

use std::io::{self, Read};

use flate2::{Compress, Compression, Crc, Decompress, FlushCompress, FlushDecompress, Status};

use crate::dictionary::Dictionary;

/// RFC 1952: deflate, no flags, no time, best compression, unknown system.
const GZIP: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255];
/// RFC 1950: deflate with a window of 32 KiB, best compression, and a dictionary whose number follows.
const ZLIB: [u8; 2] = [0x78, 0xf9];
/// The bit in the second byte of a zlib header that says so.
const HAS_DICTIONARY: u8 = 0x20;

/// A deflater that is kept between payloads: its tables are the larger part of its cost.
#[derive(Debug)]
pub(crate) struct Deflater(Compress);

impl Deflater {
    pub(crate) fn new() -> Self {
        Self(Compress::new(Compression::best(), false))
    }

    /// Appends `data` as one gzip member.
    pub(crate) fn gzip(&mut self, data: &[u8], out: &mut Vec<u8>) {
        self.0.reset();
        out.extend_from_slice(&GZIP);
        self.deflate(data, out);
        let mut crc = Crc::new();
        crc.update(data);
        out.extend_from_slice(&crc.sum().to_le_bytes());
        out.extend_from_slice(&crc.amount().to_le_bytes());
    }

    /// Appends `data` as a zlib stream that leans on the dictionary.
    pub(crate) fn zlib(&mut self, data: &[u8], dictionary: &Dictionary, out: &mut Vec<u8>) {
        self.0.reset();
        let is_taken = self.0.set_dictionary(dictionary.text());
        is_taken.expect("a fresh deflater takes a dictionary");
        out.extend_from_slice(&ZLIB);
        out.extend_from_slice(&dictionary.number().to_be_bytes());
        self.deflate(data, out);
        out.extend_from_slice(&adler2::adler32_slice(data).to_be_bytes());
    }

    fn deflate(&mut self, data: &[u8], out: &mut Vec<u8>) {
        let mut rest = data;
        loop {
            out.reserve(rest.len() / 2 + 64);
            let before = self.0.total_in();
            let status = self
                .0
                .compress_vec(rest, out, FlushCompress::Finish)
                .expect("a fresh deflater takes any data");
            if status == Status::StreamEnd {
                break;
            }
            let taken = self.0.total_in() - before;
            rest = &rest[usize::try_from(taken).expect("no more than it was given")..];
        }
    }
}

/// The number of the dictionary that a payload leans on, if it does.
pub(crate) fn dictionary_of(payload: &[u8]) -> Option<u32> {
    let (&[method, flags, a, b, c, d], _) = payload.split_first_chunk()?;
    let is_zlib =
        method & 0x0f == 8 && (u16::from(method) << 8 | u16::from(flags)).is_multiple_of(31);
    (is_zlib && flags & HAS_DICTIONARY != 0).then(|| u32::from_be_bytes([a, b, c, d]))
}

/// Unpacks one gzip member of at most `max` bytes; `None` when it is longer.
pub(crate) fn read_gzip(payload: &[u8], max: usize) -> io::Result<Option<Vec<u8>>> {
    let mut data = Vec::new();
    let limit = max as u64 + 1;
    flate2::bufread::GzDecoder::new(payload)
        .take(limit)
        .read_to_end(&mut data)?;
    Ok((data.len() <= max).then_some(data))
}

/// Unpacks one zlib stream that leans on the dictionary, of at most `max` bytes; `None` when it is longer.
pub(crate) fn read_zlib(
    payload: &[u8],
    dictionary: &[u8],
    max: usize,
) -> io::Result<Option<Vec<u8>>> {
    let mut inflater = Decompress::new(true);
    let (mut data, mut rest, mut is_given) = (Vec::new(), payload, false);
    loop {
        data.reserve(rest.len().max(512));
        let before = (inflater.total_in(), data.len());
        let status = inflater.decompress_vec(rest, &mut data, FlushDecompress::Finish);
        if data.len() > max {
            return Ok(None);
        }
        let taken = inflater.total_in() - before.0;
        rest = usize::try_from(taken)
            .ok()
            .and_then(|taken| rest.get(taken..))
            .unwrap_or_default();
        match status {
            Ok(Status::StreamEnd) => return Ok(Some(data)),
            Ok(_) if taken == 0 && data.len() == before.1 => {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            Ok(_) => {}
            Err(error) if error.needs_dictionary().is_some() && !is_given => {
                is_given = true;
                inflater.set_dictionary(dictionary)?;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise() -> Vec<u8> {
        let mut noise = vec![0; 100_000];
        fastrand::Rng::with_seed(1).fill(&mut noise);
        noise
    }

    #[test]
    fn a_deflater_is_used_again() {
        let mut deflater = Deflater::new();
        let noise = noise();
        let dictionary = Dictionary::new(b"abracadabra".to_vec());
        for data in [&b""[..], b"abc", &noise, &noise[..999], b"abc"] {
            let mut out = vec![1, 2];
            deflater.gzip(data, &mut out);
            assert_eq!(dictionary_of(&out[2..]), None);
            assert_eq!(read_gzip(&out[2..], 100_000).unwrap().unwrap(), data);
            out.truncate(2);
            deflater.zlib(data, &dictionary, &mut out);
            assert_eq!(dictionary_of(&out[2..]), Some(dictionary.number()));
            let read = |max| read_zlib(&out[2..], dictionary.text(), max).unwrap();
            assert_eq!(read(100_000).unwrap(), data);
            assert_eq!(
                data.is_empty(),
                read(data.len().saturating_sub(1)).is_some()
            );
        }
    }

    #[test]
    fn what_the_dictionary_says_costs_next_to_nothing() {
        let text = &noise()[..5000];
        let mut out = Vec::new();
        Deflater::new().zlib(text, &Dictionary::new(text.to_vec()), &mut out);
        assert!(out.len() < 100, "{} bytes", out.len());
    }

    #[test]
    fn a_bomb_and_garbage() {
        let mut out = Vec::new();
        Deflater::new().gzip(&[0; 1000], &mut out);
        assert_eq!(read_gzip(&out, 999).unwrap(), None);
        assert!(read_gzip(&out[..out.len() - 9], 1000).is_err());
        let middle = out.len() - 6;
        out[middle] ^= 1;
        assert!(read_gzip(&out, 1000).is_err(), "the checksum is looked at");
        assert!(read_gzip(b"{}", 1000).is_err());
    }

    #[test]
    fn a_bomb_and_garbage_over_a_dictionary() {
        let dictionary = Dictionary::new(b"abracadabra".to_vec());
        let mut out = Vec::new();
        Deflater::new().zlib(&vec![0; 100_000], &dictionary, &mut out);
        assert_eq!(read_zlib(&out, dictionary.text(), 99_999).unwrap(), None);
        assert!(read_zlib(&out, b"another", 100_000).is_err());
        for end in 0..out.len() {
            assert!(
                read_zlib(&out[..end], dictionary.text(), 100_000).is_err(),
                "{end}"
            );
        }
        *out.last_mut().unwrap() ^= 1;
        assert!(
            read_zlib(&out, dictionary.text(), 100_000).is_err(),
            "the checksum is looked at"
        );
        for garbage in [&b""[..], b"x", b"x\xf9", b"x\xf9abcd", b"{}{}{}{}"] {
            assert!(read_zlib(garbage, b"", 1000).is_err(), "{garbage:?}");
        }
    }
}
