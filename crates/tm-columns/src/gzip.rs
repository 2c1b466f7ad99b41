//! The gzip frame around a payload, with bounds on the way in.

use std::io::Read;

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// RFC 1952: deflate, no flags, no time, best compression, unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255];

/// A deflater that is kept between payloads: its tables are the larger part of its cost.
#[derive(Debug)]
pub(crate) struct Gzip(Compress);

impl Gzip {
    pub(crate) fn new() -> Self {
        Self(Compress::new(Compression::best(), false))
    }

    /// Appends `data` as one gzip member.
    pub(crate) fn write(&mut self, data: &[u8], out: &mut Vec<u8>) {
        self.0.reset();
        out.extend_from_slice(&HEADER);
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
        let mut crc = Crc::new();
        crc.update(data);
        out.extend_from_slice(&crc.sum().to_le_bytes());
        out.extend_from_slice(&crc.amount().to_le_bytes());
    }
}

/// Unpacks one gzip member of at most `max` bytes; `None` when it is longer.
pub(crate) fn read(payload: &[u8], max: usize) -> std::io::Result<Option<Vec<u8>>> {
    let mut data = Vec::new();
    let limit = max as u64 + 1;
    flate2::bufread::GzDecoder::new(payload)
        .take(limit)
        .read_to_end(&mut data)?;
    Ok((data.len() <= max).then_some(data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deflater_is_used_again() {
        let mut gzip = Gzip::new();
        let mut noise = vec![0; 100_000];
        fastrand::Rng::with_seed(1).fill(&mut noise);
        for data in [&b""[..], b"abc", &noise, &noise[..999], b"abc"] {
            let mut out = vec![1, 2];
            gzip.write(data, &mut out);
            assert_eq!(read(&out[2..], 100_000).unwrap().unwrap(), data);
        }
    }

    #[test]
    fn a_bomb_and_garbage() {
        let mut out = Vec::new();
        Gzip::new().write(&[0; 1000], &mut out);
        assert_eq!(read(&out, 999).unwrap(), None);
        assert!(read(&out[..out.len() - 9], 1000).is_err());
        let middle = out.len() - 6;
        out[middle] ^= 1;
        assert!(read(&out, 1000).is_err(), "the checksum is looked at");
        assert!(read(b"{}", 1000).is_err());
    }
}
