//! What is said where no near miss matches: the cause in plain words, and where to look.

use crate::{callback::Callback, endpoint::Endpoint, endpoints::Endpoints, signature::Rejected};

/// Headers in which senders of their own are known to sign.
const SIGNATURE_HEADERS: [&str; 7] = [
    "x-webhook-signature",
    "x-hub-signature-256",
    "x-hub-signature",
    "x-signature",
    "x-signature-256",
    "webhook-signature",
    "signature",
];

pub(super) fn of(endpoints: &Endpoints, endpoint: &Endpoint, callback: &Callback, cause: Rejected) -> String {
    let says = match cause {
        Rejected::Missing => return missing(endpoints, endpoint, callback),
        Rejected::Repeated => "a proxy in front doubles it or joins two requests",
        Rejected::Forwarded => {
            "nothing is verified here (VERIFY_WEBHOOK_SIGNATURES=false); WEBHOOK_ALLOW_TUNNEL=true lets a tunnel in"
        }
        Rejected::Unsigned => "it was answered 503, so that it comes again, signed",
        Rejected::Probe => "nothing is wrong",
        Rejected::Shape => "no setting changes that: it is of a kind that is not known, or it was cut anew",
        Rejected::SchemeOff | Rejected::UnknownKey | Rejected::OtherAccount => "and no near miss matches",
        Rejected::NotCovered => {
            "no near miss matches: a proxy has changed the body or its Content-Type, or the request is forged"
        }
        Rejected::Malformed | Rejected::Mismatch | Rejected::Stale => "no near miss matches: the secret is probably another one",
    };
    format!("{cause}; {says}")
}

/// No signature came: whose it may be, and where it may stand.
fn missing(endpoints: &Endpoints, endpoint: &Endpoint, callback: &Callback) -> String {
    let title = endpoint.spec.title;
    let headers = &callback.headers;
    // What says nothing about the sender: many send it.
    let is_telling = |name: &String| name != "authorization" && headers.has(name);
    let other = endpoints
        .iter()
        .filter(|other| other.spec.name != endpoint.spec.name)
        .find_map(|other| Some((other.spec.title, other.provider.proof_headers().into_iter().find(is_telling)?)));
    if let Some((other, header)) = other {
        return format!(
            "it carries `{header}`, which {other} sends, and nothing that {title} signs with: it may belong to {other}'s URL"
        );
    }
    let is_configurable = endpoint.spec.settings.iter().any(|setting| setting.name == "SIGNATURE_HEADER");
    if let Some(header) = SIGNATURE_HEADERS.iter().find(|name| is_configurable && headers.has(name)) {
        let variable = endpoint.variable("SIGNATURE_HEADER");
        return format!("it carries `{header}`, and {variable} names another header: name this one, if the sender signs there");
    }
    match endpoint.spec.unsigned {
        "" => format!("it carries no signature: {title} signs every callback, so it is forged or a proxy drops the header"),
        unsigned => format!("it carries no signature; what {title} does not sign by default: {unsigned}"),
    }
}
