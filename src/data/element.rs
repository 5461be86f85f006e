//! Decides which types of elements there are in files of arrays, and how many bytes each has. Whole files and those that are read
//! in pieces share them.

/// A type of elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "numpy"), expect(dead_code, reason = "IDX files have only some"))]
pub(super) enum Element {
    Bool,
    U8,
    U16,
    U32,
    U64,
    I8,
    I16,
    I32,
    I64,
    F16,
    F32,
    F64,
}

/// Which byte of an element comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "numpy"), expect(dead_code, reason = "IDX files have only one"))]
pub(super) enum ByteOrder {
    Little,
    Big,
}

impl Element {
    /// The bytes of one.
    pub(super) fn width(self) -> usize {
        match self {
            Self::Bool | Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 | Self::F16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    /// The one with this number in IDX headers, if there is one.
    pub(super) fn of_idx(number: u8) -> Option<Self> {
        Some(match number {
            0x08 => Self::U8,
            0x09 => Self::I8,
            0x0b => Self::I16,
            0x0c => Self::I32,
            0x0d => Self::F32,
            0x0e => Self::F64,
            _ => return None,
        })
    }

    /// The one of such a text in NumPy's headers, as `<f4`, and the order of its bytes, if it is a number or a truth value. Where
    /// elements have one byte, the order is nothing.
    #[cfg(feature = "numpy")]
    pub(super) fn of_numpy(text: &str) -> Option<(Self, ByteOrder)> {
        let (order, name) = match text.split_at_checked(1)? {
            ("<" | "|" | "=", name) => (ByteOrder::Little, name),
            (">", name) => (ByteOrder::Big, name),
            _ => return None,
        };
        let element = match name {
            "b1" => Self::Bool,
            "u1" => Self::U8,
            "u2" => Self::U16,
            "u4" => Self::U32,
            "u8" => Self::U64,
            "i1" => Self::I8,
            "i2" => Self::I16,
            "i4" => Self::I32,
            "i8" => Self::I64,
            "f2" => Self::F16,
            "f4" => Self::F32,
            "f8" => Self::F64,
            _ => return None,
        };
        Some((element, order))
    }
}
