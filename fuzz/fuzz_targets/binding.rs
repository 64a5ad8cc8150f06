//! A change to any stored field of an accepted request breaks its signature.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| waybill_fuzz::binding::check(data));
