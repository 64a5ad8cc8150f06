//! Copies of captured callbacks, and references of other accounts.
