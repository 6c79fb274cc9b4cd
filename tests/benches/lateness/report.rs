//! How figures and bars are printed.

use chrono::TimeDelta;

/// In milliseconds; negative if it is before.
pub fn signed_millis(delta: TimeDelta) -> f64 {
    delta.as_seconds_f64() * 1000.0
}

/// Prints what was to be reached, and whether it was. It ends nothing: times are the machine's as well.
pub fn print_bar(bar: &str, reached: bool) {
    let reached = if reached { "reached" } else { "MISSED" };
    println!("  {bar}: {reached}");
}
