//! Decides what counts as a gzip file: members one after the other, and zeros behind them, which tapes and some tools add
//! and gzip(1) passes over.

use flate2::bufread::GzDecoder;
use std::io::{self, BufRead, ErrorKind, Read};

/// What the members of a gzip file unpack to, one after the other.
pub(super) struct GzipReader<R> {
    /// `None` behind the last member.
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> GzipReader<R> {
    pub(super) fn new(source: R) -> Self {
        Self { member: Some(GzDecoder::new(source)) }
    }
}

impl<R: BufRead> Read for GzipReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while let Some(member) = &mut self.member {
            let count = member.read(buffer)?;
            if count > 0 {
                return Ok(count);
            }
            if let Some(ended) = self.member.take() {
                self.member = next_member(ended.into_inner())?.map(GzDecoder::new);
            }
        }
        Ok(0)
    }
}

/// What follows a member, if there is another one.
fn next_member<R: BufRead>(mut source: R) -> io::Result<Option<R>> {
    let mut has_padding = false;
    loop {
        let available = match source.fill_buf() {
            Ok(available) => available,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let zeros = available.iter().take_while(|byte| **byte == 0).count();
        match (available.len(), zeros) {
            (0, _) => return Ok(None),
            (len, zeros) if zeros == len => {
                has_padding = true;
                source.consume(zeros);
            }
            _ if has_padding || zeros > 0 => {
                return Err(io::Error::new(ErrorKind::InvalidData, "something follows the zeros behind it"));
            }
            _ => return Ok(Some(source)),
        }
    }
}
