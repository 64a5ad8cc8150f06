//! Hints for rejected requests that no near miss explains.

use crate::{callback::Callback, endpoint::Endpoint, router::Router, signature::VerifyError};

/// Headers in which senders commonly put a signature.
const SIGNATURE_HEADERS: [&str; 7] = [
    "x-webhook-signature",
    "x-hub-signature-256",
    "x-hub-signature",
    "x-signature",
    "x-signature-256",
    "webhook-signature",
    "signature",
];

pub(super) fn hint(router: &Router, endpoint: &Endpoint, callback: &Callback, cause: VerifyError) -> String {
    let hint = match cause {
        VerifyError::Missing => return missing(router, endpoint, callback),
        VerifyError::Repeated => "a proxy repeats it or joins two requests",
        VerifyError::Forwarded => {
            "callbacks are not verified here (VERIFY_WEBHOOK_SIGNATURES=false); WEBHOOK_ALLOW_TUNNEL=true permits a tunnel"
        }
        VerifyError::Unsigned => "it was answered 503, so that the provider retries it with a signature",
        VerifyError::Probe | VerifyError::Challenged => "nothing is wrong",
        VerifyError::Names => "the request was re-encoded; no setting fixes this",
        VerifyError::SchemeOff | VerifyError::UnknownKey | VerifyError::OtherAccount => "no near miss matches",
        VerifyError::NotCovered => {
            "no near miss matches: a proxy has changed the body or its Content-Type, or the request is forged"
        }
        VerifyError::Malformed | VerifyError::Mismatch | VerifyError::Stale => {
            "no near miss matches: the configured secret is probably wrong"
        }
    };
    format!("{cause}; {hint}")
}

/// The hint for a request without a signature.
fn missing(router: &Router, endpoint: &Endpoint, callback: &Callback) -> String {
    let title = endpoint.spec.title;
    let headers = &callback.headers;
    // Many senders use this one.
    let is_distinctive = |name: &String| name != "authorization" && headers.has(name);
    let other = router
        .iter()
        .filter(|other| other.spec.name != endpoint.spec.name)
        .find_map(|other| Some((other.spec.title, other.provider.proof_headers().into_iter().find(is_distinctive)?)));
    if let Some((other, header)) = other {
        return format!(
            "it has the header `{header}` of {other} and no signature of {title}: it was probably meant for {other}'s URL"
        );
    }
    let is_configurable = endpoint.spec.settings.iter().any(|setting| setting.name == "SIGNATURE_HEADER");
    if let Some(header) = SIGNATURE_HEADERS.iter().find(|name| is_configurable && headers.has(name)) {
        let variable = endpoint.variable("SIGNATURE_HEADER");
        return format!(
            "it has the header `{header}`, and {variable} names another one: set it to this header if the sender signs there"
        );
    }
    match endpoint.spec.unsigned {
        "" => format!("it has no signature: {title} signs every callback, so it is forged or a proxy drops the header"),
        unsigned => format!("it has no signature; {title} does not sign by default: {unsigned}"),
    }
}
