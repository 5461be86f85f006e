//! NumPy's files: those that NumPy itself writes, and everything that is wrong with some.
#![cfg(feature = "numpy")]

use inkstone::data::numpy::{self, NpyArray};
use inkstone::data::synthetic;
use ndarray::{ArrayD, IxDyn, array};
use std::io::Write;
use std::path::Path;
use std::process::Command;

/// A `.npy` file of this header and these bytes.
fn file(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

fn header(kind: &str, order: &str, shape: &str) -> String {
    format!("{{'descr': '{kind}', 'fortran_order': {order}, 'shape': {shape}, }}\n")
}

fn read(bytes: &[u8]) -> Result<NpyArray, String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let place = format!("{}: ", file.path().display());
    numpy::read_npy(file.path()).map_err(|error| error.to_string().replace(&place, ""))
}

fn integers(values: &[i64], shape: &[usize]) -> ArrayD<i64> {
    ArrayD::from_shape_vec(IxDyn(shape), values.to_vec()).unwrap()
}

#[test]
fn each_type_and_order_is_read() {
    let one = |kind: &str, bytes: &[u8]| read(&file(&header(kind, "False", "(1,)"), bytes)).unwrap();
    assert_eq!(one("|u1", &[200]), NpyArray::Bytes(integers(&[200], &[1]).mapv(|value| value as u8)));
    assert_eq!(one("<f4", &1.5_f32.to_le_bytes()), NpyArray::Floats(array![1.5].into_dyn()));
    assert_eq!(one(">f8", &(-0.25_f64).to_be_bytes()), NpyArray::Floats(array![-0.25].into_dyn()));
    // The largest, the smallest, minus zero, and what is none: as NumPy prints them.
    let halves = [0x7BFF_u16, 0x0001, 0x8000, 0xFC00].map(u16::to_be_bytes).concat();
    let NpyArray::Floats(halves) = read(&file(&header(">f2", "False", "(4,)"), &halves)).unwrap() else { panic!() };
    assert_eq!(halves.as_slice().unwrap(), [65504.0, 5.960_464_5e-8, -0.0, f32::NEG_INFINITY]);
    assert_eq!(one("<f2", &[0x00, 0xC2]), NpyArray::Floats(array![-3.0].into_dyn()));
    for (kind, bytes, value) in [
        ("|b1", vec![1], 1),
        ("|i1", vec![255], -1),
        (">i2", vec![1, 2], 258),
        ("<u2", vec![1, 2], 513),
        ("<i4", (-5_i32).to_le_bytes().to_vec(), -5),
        (">u4", 5_u32.to_be_bytes().to_vec(), 5),
        ("<i8", (1_i64 << 40).to_le_bytes().to_vec(), 1 << 40),
        ("<u8", (u64::MAX >> 1).to_le_bytes().to_vec(), i64::MAX),
    ] {
        assert_eq!(one(kind, &bytes), NpyArray::Integers(integers(&[value], &[1])), "{kind}");
    }
    let error = read(&file(&header(">u8", "False", "(1,)"), &u64::MAX.to_be_bytes())).unwrap_err();
    assert_eq!(
        error,
        "expected integers of at most 9223372036854775807, found 18446744073709551615: save it as float64"
    );
    // As Python 2 wrote it, and with other quotes.
    let old = file(&header("<f4", "False", "(1L,)").replace('\'', "\""), &2_f32.to_le_bytes());
    assert_eq!(read(&old).unwrap(), NpyArray::Floats(array![2.0].into_dyn()));
    let both = |order: &str| read(&file(&header("|i1", order, "(2, 3)"), &[0, 1, 2, 3, 4, 5])).unwrap();
    assert_eq!(both("False"), NpyArray::Integers(integers(&[0, 1, 2, 3, 4, 5], &[2, 3])));
    assert_eq!(both("True"), NpyArray::Integers(integers(&[0, 2, 4, 1, 3, 5], &[2, 3])));
}

#[test]
fn what_is_no_array_of_numbers_is_refused() {
    let other = "expected a whole NumPy array, found something else: ";
    let two = header("<f4", "False", "(2,)");
    let deep = format!("{}{}", "(".repeat(10_000), ")".repeat(10_000));
    for (bytes, expected) in [
        (vec![], format!("{other}it ends in its header")),
        (b"PK\x03\x04 and so on".to_vec(), format!("{other}it does not begin with `\\x93NUMPY`")),
        (file(&two, &[0; 7]), other.to_owned()),
        (file(&two, &[0; 9]), format!("{other}it goes on behind its array")),
        (file(&two, &[0; 8])[..40].to_vec(), format!("{other}it ends in its header")),
        (file("{}", &[]), format!("{other}its header has no `descr`")),
        (file(&two.replace("False", "Maybe"), &[]), format!("{other}its `fortran_order` is neither True nor False")),
        (file(&two.replace("(2,)", "2"), &[]), format!("{other}its `shape` is no tuple")),
        (
            [b"\x93NUMPY\x09\x00", &file(&two, &[])[8..]].concat(),
            format!("{other}it has the version 9 of the format, expected 1 to 3"),
        ),
        (
            file("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", &[]),
            "expected an array of numbers or of bool, found one of `[('a', '<f4')]".into(),
        ),
        (file(&deep, &[]), format!("{other}its header has 20000 bytes")),
        (file(&deep[5000..15_000], &[]), format!("{other}its header has no `descr`")),
        (
            file(&header("<f4", "False", "(4294967296, 2)"), &[]),
            format!("{other}its header promises an array of [4294967296, 2]"),
        ),
        (
            file(&header("<f4", "False", "(99999999999, 99999999999)"), &[]),
            format!("{other}its header promises an array of [99999999999, 99999999999]"),
        ),
        (
            file(&header("<f4", "False", "(99999999999999999999999,)"), &[]),
            format!("{other}its `shape` has an axis that is no whole number, or too large"),
        ),
        (
            file(&header("<f4", "False", "(-1,)"), &[]),
            format!("{other}its `shape` has an axis that is no whole number, or too large"),
        ),
        (
            file(&header("|O", "False", "(1,)"), &[]),
            "expected an array of numbers or of bool, found one of `|O`: save it as float32".into(),
        ),
        (
            file(&header("<U3", "False", "(1,)"), &[]),
            "expected an array of numbers or of bool, found one of `<U3`".into(),
        ),
        (
            file(&header("<c8", "False", "(1,)"), &[0; 8]),
            "expected an array of numbers or of bool, found one of `<c8`".into(),
        ),
    ] {
        let error = read(&bytes).unwrap_err();
        assert!(error.starts_with(&expected), "{error}\n{expected}");
    }
    // Two gigabytes that are promised, and are not there, take no memory.
    assert!(read(&file(&header("<f8", "False", "(2147483648,)"), &[0; 16])).is_err());
}

#[test]
fn files_damaged_anywhere_are_read_or_refused() {
    let whole = file(&header("<f4", "True", "(3, 4)"), &[7; 48]);
    let mut state = 1_u64;
    for round in 0..3000 {
        let mut bytes = whole.clone();
        for _ in 0..1 + round % 4 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let place = (state >> 33) as usize % bytes.len();
            bytes[place] = (state >> 20) as u8;
        }
        // Neither panics nor takes long, whichever it is.
        let _ = read(&bytes);
    }
}

#[test]
fn archives_have_names_and_keras_form() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mnist.npz");
    let write = |entries: &[(&str, Vec<u8>)]| {
        let mut archive = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
        for (name, bytes) in entries {
            archive.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            archive.write_all(bytes).unwrap();
        }
        archive.finish().unwrap();
    };
    let images = |count: usize| file(&header("|u1", "False", &format!("({count}, 2, 2)")), &vec![51; 4 * count]);
    let labels = |labels: &[u8]| {
        file(
            &header("<i8", "False", &format!("({},)", labels.len())),
            &labels.iter().flat_map(|label| i64::from(*label).to_le_bytes()).collect::<Vec<_>>(),
        )
    };
    write(&[
        ("x_train.npy", images(3)),
        ("y_train.npy", labels(&[1, 0, 2])),
        ("x_test.npy", images(1)),
        ("y_test.npy", labels(&[7])),
    ]);
    let (train, test) = numpy::load_keras_npz(&path).unwrap();
    assert_eq!(
        (train.labels(), test.labels(), train.shape().to_string()),
        (&[1, 0, 2][..], &[7][..], "(2, 2, 1)".to_owned())
    );
    assert_eq!(train.images()[[2, 1, 1, 0]], 0.2);
    let said = || numpy::load_keras_npz(&path).unwrap_err().to_string();
    write(&[("x_train.npy", images(3)), ("y.npy", labels(&[1]))]);
    assert!(said().ends_with("expected an array `y_train`, found x_train, y"), "{}", said());
    write(&[
        ("x_train.npy", images(3)),
        ("y_train.npy", labels(&[1])),
        ("x_test.npy", images(1)),
        ("y_test.npy", labels(&[7])),
    ]);
    assert!(said().contains("mnist.npz, train: ") && said().contains("label"), "{}", said());
    let arr = |name: &str, bytes: Vec<u8>| {
        write(&[("arr_0.npy", bytes)]);
        std::fs::rename(&path, folder.path().join(name)).unwrap();
    };
    for part in ["train", "test"] {
        arr(&format!("k49-{part}-imgs.npz"), images(2));
        arr(&format!("k49-{part}-labels.npz"), file(&header("|u1", "False", "(2,)"), &[48, 3]));
    }
    let (train, _) = inkstone::data::kmnist::load_k49_from(folder.path()).unwrap();
    assert_eq!(train.labels(), [48, 3]);
    write(&[("notes.txt", b"hello, world".to_vec())]);
    assert!(said().contains("mnist.npz, `notes.txt`: expected a whole NumPy array"), "{}", said());
    std::fs::write(&path, "no archive").unwrap();
    assert!(said().contains("expected an archive of NumPy arrays, found something else"), "{}", said());
    assert!(numpy::read_npy(folder.path()).unwrap_err().to_string().ends_with("expected a NumPy file, found a folder"));
}

#[test]
fn data_sets_of_every_kind_are_made_of_arrays() {
    let floats = |shape: &[usize]| NpyArray::Floats(ArrayD::zeros(IxDyn(shape)));
    let labels = || NpyArray::Integers(integers(&[1, 0], &[2, 1]));
    for (shape, expected) in [(&[2, 5][..], "(5)"), (&[2, 7, 3], "(7, 3)"), (&[2, 4, 4, 3], "(4, 4, 3)")] {
        let dataset = numpy::dataset(floats(shape), labels()).unwrap();
        assert_eq!((dataset.shape().to_string(), dataset.labels()), (expected.to_owned(), &[1, 0][..]));
    }
    let dataset = numpy::dataset_with_values(floats(&[2, 5]), floats(&[2])).unwrap();
    assert_eq!(dataset.values().unwrap().dim(), (2, 1));
    let said = |labels: NpyArray| numpy::dataset(floats(&[2, 5]), labels).unwrap_err().to_string();
    assert_eq!(said(NpyArray::Floats(array![0.5, 1.0].into_dyn())), "classes are whole numbers from 0, got 0.5");
    assert_eq!(said(NpyArray::Integers(integers(&[-1, 0], &[2]))), "classes are whole numbers from 0, got -1");
    assert_eq!(said(floats(&[2, 2])), "classes have the shape (N), got [2, 2]");
    assert_eq!(
        numpy::dataset(floats(&[2]), labels()).unwrap_err().to_string(),
        "inputs have 2 to 4 axes, (N, ...), got the shape [2]"
    );
}

/// Runs a program of Python's with this path; `false` if there is no Python for tests.
fn python(program: &str, path: &Path) -> bool {
    let Some(python) = std::env::var_os("INKSTONE_PYTHON") else {
        assert!(std::env::var_os("INKSTONE_REQUIRE_PYTHON").is_none(), "INKSTONE_PYTHON is not set");
        eprintln!("NOT TESTED with NumPy: INKSTONE_PYTHON is not set");
        return false;
    };
    let output = Command::new(python).args(["-c", program]).arg(path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    true
}

#[test]
fn numpy_reads_ours_and_its_are_read_here() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("digits.npy");
    let digits = synthetic::digits(5, 1).unwrap();
    // Turned, so that it is not in C's order.
    let images = digits.images().permuted_axes([0, 2, 1, 3]);
    numpy::write_npy(&path, images.view().into_dyn()).unwrap();
    let program = "import sys, numpy\n\
        a = numpy.load(sys.argv[1])\n\
        assert a.dtype == numpy.float32 and a.shape == (5, 28, 28, 1), (a.dtype, a.shape)\n\
        numpy.savez_compressed(sys.argv[1] + '.npz', turned=numpy.asfortranarray(a.transpose(0, 2, 1, 3).astype('>f8')), half=a > 0.5)\n\
        short = numpy.arange(65536, dtype='<u2').view('<f2')\n\
        numpy.savez(sys.argv[1] + '.short.npz', little=short, big=short.astype('>f2'), single=short.astype('<f4'))";
    if python(program, &path) {
        let mut arrays = numpy::read_npz(path.with_extension("npy.npz")).unwrap();
        assert_eq!(arrays.remove("turned").unwrap().into_f32(), digits.images().into_dyn());
        assert_eq!(
            arrays.remove("half").unwrap().into_f32(),
            images.mapv(|value| f32::from(u8::from(value > 0.5))).into_dyn()
        );
        // Each of the sixteen bits' floats, as NumPy widens them; what is no number is so here, too.
        let mut arrays = numpy::read_npz(path.with_extension("npy.short.npz")).unwrap();
        let mut floats = |name: &str| arrays.remove(name).unwrap().into_f32();
        let single = floats("single");
        assert_eq!(single.len(), 1 << 16);
        for short in [floats("little"), floats("big")] {
            let same = |(a, b): (&f32, &f32)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
            assert!(short.iter().zip(&single).all(same));
        }
    }
}
