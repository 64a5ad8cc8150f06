//! Work that a request without a valid signature can cause.
