//! Progress bars, on standard error and only if it is a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar for a known number of steps.
pub(super) fn bar(steps: u64) -> ProgressBar {
    // The template is valid; the default style is a fallback.
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len}, {per_sec}, {eta} left");
    ProgressBar::new(steps).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// A counter of rows whose number is not known.
pub(super) fn counter() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {pos} rows, {elapsed}");
    ProgressBar::no_length().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
}
