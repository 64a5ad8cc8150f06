//! The operations listener: tokens, files, pages.

mod browsers;
mod files;
mod proofs;
