//! How setters are written that take a value and keep it as it is.

/// Declares methods that set the field of their name and return `self`: `epsilon: f32` becomes
/// `pub fn epsilon(self, epsilon: f32) -> Self`.
macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident: $value:ty,)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name(self, $name: $value) -> Self {
            Self { $name, ..self }
        }
    )*};
}

/// The same for fields that are options: methods that take a value, or an option of one.
macro_rules! option_setters {
    ($($(#[$doc:meta])* $name:ident: $value:ty,)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name(self, $name: impl Into<Option<$value>>) -> Self {
            Self { $name: $name.into(), ..self }
        }
    )*};
}
