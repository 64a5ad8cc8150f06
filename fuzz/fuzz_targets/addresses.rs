//! Public URLs with their spellings, and the headers of proxies.

#![no_main]

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use waybill::{
    forwarded::ClientIpHeader,
    public_url::{PublicUrl, find_spelling},
};

const PROXY: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    for header in [ClientIpHeader::XForwardedFor, ClientIpHeader::Forwarded, ClientIpHeader::XRealIp] {
        let client =
            |more: &[u8]| header.client(PROXY, [more].into_iter().chain(data.split(|byte| *byte == b'\n')), |peer| peer == PROXY);
        // What stands to the left of an address that is not trusted was written by its client.
        if let Some(client_address) = client(b"").filter(|address| *address != PROXY && header != ClientIpHeader::XRealIp) {
            assert_eq!(client(b"203.0.113.66"), Some(client_address), "an entry on the left decides");
        }
    }
    let text = String::from_utf8_lossy(data);
    drop(text.parse::<IpNet>());
    let Ok(url) = text.parse::<PublicUrl>() else { return };
    assert_eq!(url.to_string().parse::<PublicUrl>().expect("its own form").to_string(), url.to_string());
    let mut spellings = 0;
    let _: Option<()> = find_spelling(std::slice::from_ref(&url), "/x?a='%27%40%3A", |_, _| {
        spellings += 1;
        None
    });
    assert!(spellings <= 72, "the work per request is bounded");
});
