//! How records stand one after the other in a file: TensorFlow's
//! [TFRecord format](https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details). A record is
//! length (u64), checksum of the length (u32), data, checksum of the data (u32), all little-endian.

use crc::{CRC_32_ISCSI, Crc, Table};
use std::io::{self, Write};

/// CRC-32C, which the format names.
const CHECKSUM: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

/// Writes one record.
pub(super) fn write_record(file: &mut impl Write, data: &[u8]) -> io::Result<()> {
    let length = (data.len() as u64).to_le_bytes();
    file.write_all(&length)?;
    file.write_all(&masked_checksum(&length).to_le_bytes())?;
    file.write_all(data)?;
    file.write_all(&masked_checksum(data).to_le_bytes())
}

/// The checksum, turned and moved so that a record of records has checksums of its own.
fn masked_checksum(data: &[u8]) -> u32 {
    CHECKSUM.checksum(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        // RFC 3720, appendix B.4.
        assert_eq!(CHECKSUM.checksum(&[0; 32]), 0x8a91_36aa);
        assert_eq!(CHECKSUM.checksum(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(CHECKSUM.checksum(b"123456789"), 0xe306_9283);
    }

    /// The bytes are what TensorFlow 2.21's `tf.io.TFRecordWriter` writes.
    #[test]
    fn records_are_those_of_tensorflow() {
        let mut file = Vec::new();
        write_record(&mut file, b"inkstone").unwrap();
        write_record(&mut file, b"").unwrap();
        assert_eq!(file, RECORDS);
    }

    const RECORDS: &[u8] = &[
        0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff, 0x86, 0x24, 0x0f, 0x69, 0x6e, 0x6b, 0x73, 0x74, 0x6f,
        0x6e, 0x65, 0x17, 0xe4, 0x0d, 0x37, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x29, 0x03, 0x98, 0x07,
        0xd8, 0xea, 0x82, 0xa2,
    ];
}
