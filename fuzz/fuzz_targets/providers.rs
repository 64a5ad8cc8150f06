//! The body of every provider under every scheme: signed, verified, parsed, and taken through a queue.

#![no_main]

use bytes::Bytes;
use waybill::{queue::QueuedRequest, store::Record};
use waybill_fuzz::{Described, callback};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some(described) = Described::parse(data) else { return };
    let callback = callback(described.endpoint, described.signed());
    let Ok(verified) = described.endpoint.verify(&callback) else {
        assert!(described.scheme.name != "svix", "a signed request is refused");
        return;
    };
    let events = described.endpoint.parse(&verified).events;
    let record = Record::new(described.endpoint, &verified, events);
    let queued = QueuedRequest::new(&record);
    let read = QueuedRequest::from_parts(queued.head().as_bytes(), Bytes::clone(queued.body())).expect("a head that was written");
    assert_eq!((read.head(), read.key()), (queued.head(), record.stored_key()));
});
