//! Any request to any endpoint, whole: no client that knows no secret is accepted.

#![no_main]

use waybill::signature::Outgoing;
use waybill_fuzz::{Described, callback};

/// Headers before an empty line, each `name: value`.
fn headers(text: &str) -> Vec<(String, String)> {
    let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
    text.lines().filter_map(header).take(96).collect()
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some(Described { endpoint, outgoing, .. }) = Described::parse(data) else { return };
    let place = outgoing.body.windows(2).position(|two| two == b"\n\n");
    let (head, body) = place.map_or((outgoing.body.as_slice(), &b""[..]), |at| (&outgoing.body[..at], &outgoing.body[at + 2..]));
    let mut headers = headers(&String::from_utf8_lossy(head));
    headers.extend(outgoing.headers.clone());
    let callback = callback(endpoint, Outgoing { headers, body: body.to_vec(), ..outgoing.clone() });
    let _ = endpoint.check_head(&callback);
    assert!(endpoint.verify(&callback).is_err(), "accepted without a secret");
    drop(endpoint.provider.near_miss(&callback, &waybill::signature::Work::default()));
});
