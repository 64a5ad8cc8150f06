//! Progress bars: on standard error, and only if that is a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// For so many steps.
pub(super) fn bar(steps: u64) -> ProgressBar {
    // The template is compiled in; the plain style shows the same figures.
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len}, {per_sec}, {eta} left");
    ProgressBar::new(steps).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// For rows of unknown number.
pub(super) fn counter() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {pos} rows, {elapsed}");
    ProgressBar::no_length().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
}
