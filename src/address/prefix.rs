//! Prefixes that name the channel of an address.

use crate::status::Channel;

/// The channels that Twilio names in front of an address (twilio.com/docs/messaging/channels, read 2026-11-28).
const CHANNELS: [(&str, Channel); 3] = [("whatsapp", Channel::Whatsapp), ("rcs", Channel::Rcs), ("messenger", Channel::Chat)];

/// Longest scheme of a URI with a number, such as `tel` (RFC 3966) or `sms` (RFC 5724).
const MAX_SCHEME: usize = 12;

/// The channel named by a prefix such as `whatsapp:`, in any case.
pub fn channel(raw: &str) -> Option<Channel> {
    split_channel(raw).0
}

pub(super) fn split_channel(raw: &str) -> (Option<Channel>, &str) {
    let Some((prefix, rest)) = raw.split_once(':') else { return (None, raw) };
    let prefix = prefix.trim_start();
    let named = CHANNELS.iter().find(|(name, _)| prefix.eq_ignore_ascii_case(name));
    named.map_or((None, raw), |(_, channel)| (Some(*channel), rest))
}

/// The rest of a URI, without parameters; the text itself, if it has no scheme.
pub(super) fn without_scheme(text: &str) -> &str {
    match text.split_once(':') {
        Some((scheme, rest)) if scheme.len() <= MAX_SCHEME && scheme.bytes().all(|byte| byte.is_ascii_alphabetic()) => {
            rest.split([';', '?']).next().unwrap_or(rest)
        }
        _ => text,
    }
}

/// The address in a SIP URI, without port and parameters (RFC 3261, 19.1).
pub(super) fn sip(text: &str) -> Option<&str> {
    let bare = text.trim_start_matches('<').trim_end_matches('>');
    let (scheme, rest) = bare.split_once(':')?;
    if !["sip", "sips"].iter().any(|name| scheme.eq_ignore_ascii_case(name)) {
        return None;
    }
    let rest = rest.split(['?', '>']).next()?;
    let host = rest.rfind('@')? + 1;
    let port = rest.get(host..)?.find([':', ';']).map_or(rest.len(), |at| host + at);
    rest.get(..port)
}
