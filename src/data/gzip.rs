//! Decides what counts as gzip data: one or more streams in a row, and zeros after them, with which tapes and block
//! devices pad files, as for gzip(1). Anything else after a stream is damage.

use flate2::bufread::GzDecoder;
use std::io::{self, BufRead, ErrorKind, Read};

/// The most zeros that are taken for padding.
const MAX_PADDING: usize = 1 << 24;

/// Unpacks gzip data as it is read.
pub(super) struct Unpacked<R> {
    /// The current stream; `None` after the last.
    stream: Option<GzDecoder<R>>,
    /// Zeros after the last stream so far.
    padding: usize,
}

impl<R: BufRead> Unpacked<R> {
    pub(super) fn new(packed: R) -> Self {
        Self { stream: Some(GzDecoder::new(packed)), padding: 0 }
    }
}

impl<R: BufRead> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(stream) = &mut self.stream {
            // Behind padding there is no stream any more.
            let count = if self.padding == 0 { stream.read(buffer)? } else { 0 };
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            let rest = stream.get_mut();
            let next = rest.fill_buf()?;
            let zeros = next.iter().take_while(|byte| **byte == 0).count();
            match next.get(zeros) {
                None if next.is_empty() => self.stream = None,
                None if self.padding + zeros <= MAX_PADDING => {
                    rest.consume(zeros);
                    self.padding += zeros;
                }
                Some(_) if self.padding + zeros == 0 => {
                    self.stream = self.stream.take().map(|end| GzDecoder::new(end.into_inner()))
                }
                None => return Err(damage(format!("more than {MAX_PADDING} zeros follow the stream"))),
                Some(_) => return Err(damage("other data follow the stream")),
            }
        }
        Ok(0)
    }
}

/// Whether an error of reading unpacked data comes from the decoder, or from a parser that met the end, not from the disk.
pub(super) fn is_damage(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::UnexpectedEof)
}

fn damage(reason: impl Into<String>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, reason.into())
}
