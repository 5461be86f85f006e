//! How much memory pictures cost. A program of its own, as other tests would be counted too.
#![cfg(feature = "image")]

use inkstone::data::pictures::{self, Picture, PictureLimits};
use png::{BitDepth, ColorType, Encoder};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// Held by a test while it runs.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The most bytes on the heap while `work` runs.
fn peak(work: impl FnOnce()) -> usize {
    let _profiler = dhat::Profiler::builder().testing().build();
    work();
    dhat::HeapStats::get().max_bytes
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn write(path: &Path, width: u32, height: u32, color: ColorType, data: &[u8]) {
    let mut encoder = Encoder::new(fs::File::create(path).unwrap(), width, height);
    encoder.set_color(color);
    encoder.set_depth(BitDepth::Eight);
    encoder.write_header().unwrap().write_image_data(data).unwrap();
}

/// A PNG file of one row with this chunk before its pixels.
fn with_chunk(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let path = folder().keep().join("a.png");
    write(&path, 4, 1, ColorType::Grayscale, &[0, 7, 200, 255]);
    let bytes = fs::read(&path).unwrap();
    let body = [&kind[..], content].concat();
    let mut crc = flate2::Crc::new();
    crc.update(&body);
    let chunk = [&(content.len() as u32).to_be_bytes()[..], &body, &crc.sum().to_be_bytes()].concat();
    [&bytes[..33], &chunk, &bytes[33..]].concat()
}

#[test]
fn chunks_that_unpack_to_far_more_cost_no_memory() {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    let megabyte = vec![0; 1 << 20];
    (0..100).for_each(|_| encoder.write_all(&megabyte).unwrap());
    let packed = encoder.finish().unwrap();
    let path = folder().keep().join("a.png");
    for (kind, start) in [(b"iCCP", &b"name\0\0"[..]), (b"zTXt", b"name\0\0"), (b"iTXt", b"name\0\x01\0\0\0")] {
        fs::write(&path, with_chunk(kind, &[start, &packed].concat())).unwrap();
        let mut picture = None;
        let peak = peak(|| picture = Some(pictures::read_png(&path).unwrap()));
        assert_eq!(picture.unwrap().as_slice().unwrap(), [0, 7, 200, 255]);
        assert!(peak < 8 << 20, "{peak} bytes for {}", kind.escape_ascii());
    }
}

#[test]
fn a_large_picture_costs_little_more_than_its_pixels() {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    const SIDE: usize = 4096;
    let path = folder().keep().join("a.png");
    let ink = |at: usize| (at / SIDE < 40 && at % SIDE < 40) || (at / SIDE >= SIDE - 40 && at % SIDE >= SIDE - 40);
    // (samples of a pixel, colour type, pixels that are kept beside the greys: the alphas)
    for (samples, color, kept) in [(1, ColorType::Grayscale, 1), (4, ColorType::Rgba, 2)] {
        let pixels: Vec<u8> = (0..SIDE * SIDE).flat_map(|at| vec![if ink(at) { 255 } else { 9 }; samples]).collect();
        write(&path, SIDE as u32, SIDE as u32, color, &pixels);
        drop(pixels);
        let mut digit = None;
        let peak = peak(|| digit = Some(pictures::read_digit(&path).unwrap()));
        assert!(digit.unwrap().iter().any(|value| *value == 255));
        assert!(peak < kept * SIDE * SIDE + (8 << 20), "{peak} bytes for {samples} samples");
    }
}

/// A progressive JPEG file of three colours that promises this size and has no pixels.
fn progressive(width: u16, height: u16) -> Vec<u8> {
    let ([w0, w1], [h0, h1]) = (width.to_be_bytes(), height.to_be_bytes());
    let tables = [&[0xff, 0xdb, 0, 67, 0][..], &[1; 64]].concat();
    let frame = [0xff, 0xc2, 0, 17, 8, h0, h1, w0, w1, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0];
    let codes = [&[0xff, 0xc4, 0, 20, 0, 1][..], &[0; 16]].concat();
    let scan = [0xff, 0xda, 0, 12, 3, 1, 0, 2, 0, 3, 0, 0, 0, 0];
    [&[0xff, 0xd8][..], &tables, &frame, &codes, &scan, &[0; 8], &[0xff, 0xd9]].concat()
}

#[test]
fn pictures_take_no_more_memory_than_their_limit() {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    const LIMIT: u64 = 1 << 20;
    let png = |side: u32, color| {
        let path = folder().keep().join("a.png");
        let mut encoder = Encoder::new(fs::File::create(&path).unwrap(), side, side);
        encoder.set_color(color);
        drop(encoder.write_header().unwrap());
        let mut bytes = fs::read(&path).unwrap();
        // A few of the bytes of its pixels.
        let data = [&b"IDAT"[..], &[0x78, 0x9c, 0x63, 0, 0]].concat();
        let mut crc = flate2::Crc::new();
        crc.update(&data);
        let chunk = [&5_u32.to_be_bytes()[..], &data, &crc.sum().to_be_bytes()].concat();
        // Before the chunk that ends the file.
        let end = bytes.len() - 12;
        bytes.splice(end..end, chunk).for_each(drop);
        bytes
    };
    let too_large = [png(16_384, ColorType::Grayscale), png(1024, ColorType::Rgba), progressive(16_000, 9000)];
    let largest = [png(1024, ColorType::Grayscale), png(512, ColorType::Rgba), progressive(590, 590)];
    for (files, expected) in [(too_large, "expected at most 1048576 bytes of pixels, found "), (largest, "")] {
        for file in files {
            let mut result = None;
            let limits = PictureLimits::new().max_memory(LIMIT);
            let peak = peak(|| result = Some(Picture::decode(&file, limits)));
            let said = result.unwrap().map_or_else(|error| error.to_string(), |_| String::new());
            assert!(said.contains(expected), "{said}");
            let most = if expected.is_empty() { 4 * LIMIT as usize + (2 << 20) } else { 1 << 20 };
            assert!(peak < most, "{peak} bytes: {said}");
        }
    }
    let said = Picture::decode(&png(16_384, ColorType::Grayscale), PictureLimits::new().max_memory(LIMIT)).unwrap_err();
    assert_eq!(
        said.to_string(),
        "the picture: expected at most 1048576 bytes of pixels, found 268435456, of 16384 x 16384: make it smaller"
    );
}
