//! The head of a queued request: read from a file or a broker, and written again as it was.

#![no_main]

use bytes::Bytes;
use waybill::queue::QueuedRequest;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(request) = QueuedRequest::from_parts(data, Bytes::new()) {
        let head = request.head();
        let again = QueuedRequest::from_parts(head.as_bytes(), Bytes::new()).expect("a head that was written");
        assert_eq!(again.head(), head);
    }
});
