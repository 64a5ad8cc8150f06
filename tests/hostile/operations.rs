//! The operations listener: tokens, files, pages.
