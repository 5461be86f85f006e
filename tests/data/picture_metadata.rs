//! Of a picture nothing but its pixels is kept.
#![cfg(feature = "image")]

use inkstone::data::pictures::{self, Order};
use png::text_metadata::{ITXtChunk, TEXtChunk, ZTXtChunk};
use png::{BitDepth, ColorType, Encoder};
use std::borrow::Cow;
use std::fs::{self, File};
use std::path::Path;

/// What the pictures below say of their author, in each of the places that a PNG file has for such things.
const SECRET: &str = "Ada Lovelace";
const SECRET_PLACE: &str = "51.5074 N";

/// A picture of a one, with everything that a camera and a drawing program add.
fn write_telling(path: &Path) {
    let exif = [b"II*\0\x08\0\0\0\0\0\0\0\0\0".as_slice(), SECRET_PLACE.as_bytes()].concat();
    let mut info = png::Info::with_size(28, 28);
    info.exif_metadata = Some(Cow::Owned(exif));
    info.color_type = ColorType::Grayscale;
    info.bit_depth = BitDepth::Eight;
    info.uncompressed_latin1_text.push(TEXtChunk::new("Author", SECRET));
    info.compressed_latin1_text.push(ZTXtChunk::new("Comment", SECRET));
    info.utf8_text.push(ITXtChunk::new("Title", SECRET));
    info.pixel_dims = Some(png::PixelDimensions { xppu: 1234, yppu: 1234, unit: png::Unit::Meter });
    let mut writer = Encoder::with_info(File::create(path).unwrap(), info).unwrap().write_header().unwrap();
    writer.write_chunk(png::chunk::ChunkType(*b"tIME"), &[7, 234, 11, 27, 1, 2, 3]).unwrap();
    let pixels: Vec<u8> = (0..28 * 28).map(|n| if (12..16).contains(&(n % 28)) { 255 } else { 0 }).collect();
    writer.write_image_data(&pixels).unwrap();
}

/// The types of a PNG file's chunks.
fn chunks(bytes: &[u8]) -> Vec<String> {
    let (mut chunks, mut rest) = (Vec::new(), &bytes[8..]);
    while !rest.is_empty() {
        let len = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
        chunks.push(String::from_utf8(rest[4..8].to_vec()).unwrap());
        rest = &rest[12 + len..];
    }
    chunks
}

fn assert_pixels_alone(path: &Path) {
    let bytes = fs::read(path).unwrap();
    let of_pixels = |chunk: &String| ["IHDR", "IDAT", "IEND"].contains(&&chunk[..]);
    assert!(chunks(&bytes).iter().all(of_pixels), "{}: {:?}", path.display(), chunks(&bytes));
}

#[test]
fn what_is_read_and_written_has_no_metadata() {
    let folder = tempfile::tempdir().unwrap();
    let class = folder.path().join("1");
    fs::create_dir(&class).unwrap();
    for n in 0..3 {
        let path = class.join(format!("{SECRET}{n}.png"));
        write_telling(&path);
        // The pictures do tell it.
        let found = chunks(&fs::read(path).unwrap());
        for chunk in ["eXIf", "tEXt", "zTXt", "iTXt", "tIME", "pHYs"] {
            assert!(found.iter().any(|found| found == chunk), "no {chunk} in {found:?}");
        }
    }
    let (dataset, classes) = pictures::from_folder(folder.path()).unwrap();
    assert_eq!((dataset.len(), &classes[..], dataset.ids().len()), (3, &["1".to_owned()][..], 0));
    assert!(!format!("{dataset:?}{:?}", dataset.get(0)).contains("Ada"));

    let (digit, sheet) = (folder.path().join("digit.png"), folder.path().join("sheet.png"));
    let grey = pictures::read_png(class.join(format!("{SECRET}0.png"))).unwrap();
    pictures::write_png(&digit, &grey).unwrap();
    pictures::write_contact_sheet(&sheet, &dataset, 2).unwrap();
    assert_pixels_alone(&digit);
    assert_pixels_alone(&sheet);
}

#[test]
fn file_names_are_kept_where_they_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    for class in ["0", "1"] {
        fs::create_dir(folder.path().join(class)).unwrap();
        for n in 0..4 {
            write_telling(&folder.path().join(format!("{class}/{n}.png")));
        }
    }
    let (dataset, _) = pictures::from_folder_with_ids(folder.path(), Order::default()).unwrap();
    for example in &dataset {
        assert_eq!(example.id().unwrap()[..2], format!("{}/", example.label().unwrap()));
    }
    let mut ids: Vec<&str> = dataset.ids().collect();
    assert!(!ids.is_sorted());
    ids.sort_unstable();
    assert_eq!((ids.len(), ids[0], ids[7]), (8, "0/0.png", "1/3.png"));
}
