//! Who may ask for what.

mod keys;

pub(crate) use keys::{Caller, Keys, check_rate, per_minute};

use crate::arguments::NewKey;
use crate::fault::Start;

/// Prints a new key, and its line for the file of keys.
pub(crate) fn print_new_key(new: &NewKey) -> Result<(), Start> {
    let (key, line) = keys::new(new)?;
    eprintln!("The key, which is shown only now:");
    println!("{key}");
    eprintln!("The line for the file of keys:");
    println!("{line}");
    Ok(())
}
