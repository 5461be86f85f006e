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
