//! Decides what the time is: the operating system's clock, and the browser's or Node's where there is none.
//!
//! On `wasm32-unknown-unknown` the standard library has no clock, and asking for it panics.

#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub(crate) use std::time::Instant;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
pub(crate) use web_time::Instant;

#[cfg(any(feature = "protect", feature = "tensorboard"))]
pub(crate) use date::now;

#[cfg(any(feature = "protect", feature = "tensorboard"))]
mod date {
    use std::time::SystemTime;

    /// The date and time.
    #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
    pub(crate) fn now() -> SystemTime {
        SystemTime::now()
    }

    /// The date and time.
    #[cfg(all(target_family = "wasm", target_os = "unknown"))]
    pub(crate) fn now() -> SystemTime {
        web_time::web::SystemTimeExt::to_std(web_time::SystemTime::now())
    }
}
