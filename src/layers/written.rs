//! How layers are written: all that people have set, and of settings that most leave alone only what is not the
//! default. Formats that do not name fields hold all of them.

/// Implements `Serialize` for a layer: fields that are always written, then those that are left out where they have
/// this default. They must be all fields, in the order of their declaration.
macro_rules! written {
    ($layer:ident { $($always:ident),* ; $($name:ident = $default:expr),* $(,)? }) => {
        impl serde::Serialize for $layer {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeStruct;
                let Self { $($always,)* $($name,)* } = self;
                let writes_all = !serializer.is_human_readable();
                $(let $name = Some($name).filter(|value| writes_all || **value != $default);)*
                let always: &[&str] = &[$(stringify!($always)),*];
                let len = always.len() $(+ usize::from($name.is_some()))*;
                let mut fields = serializer.serialize_struct(stringify!($layer), len)?;
                $(fields.serialize_field(stringify!($always), $always)?;)*
                $(match $name {
                    Some(value) => fields.serialize_field(stringify!($name), value)?,
                    None => fields.skip_field(stringify!($name))?,
                })*
                fields.end()
            }
        }
    };
}
pub(super) use written;
