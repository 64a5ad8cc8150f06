//! The verification doctor: why a signature failed, found by trying a fixed list of near misses.
//!
//! It works on copies of the request and on other settings than the configured ones, off the way of the callback, and hands
//! out sentences only: no proof ever leaves it, so nothing that it tries is ever believed.

mod hints;
pub mod reverify;
mod trial;
mod urls;

use self::trial::Trial;
use crate::{
    callback::Callback, endpoint::Endpoint, endpoints::Endpoints, form, provider::NearMiss, signature::Rejected, time::Timestamp,
};

/// Other endpoints whose secrets are tried.
const MAX_OTHERS: usize = 16;

/// What the doctor found. It holds no part of the request but what verified: names, addresses of the gateway's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// One sentence for the operator.
    pub sentence: String,
    /// Whether it says what would have matched.
    pub is_near_miss: bool,
}

/// Says why a callback was refused and, if a near miss would have been genuine, what to change.
pub fn examine(endpoints: &Endpoints, endpoint: &Endpoint, callback: &Callback, cause: Rejected) -> Finding {
    let near_miss = (endpoint.unverified.is_none() && !is_certain(cause))
        .then(|| {
            let mut trial = Trial::new(endpoint, callback);
            stale(&mut trial, endpoint)
                .or_else(|| setting(endpoint, callback))
                .or_else(|| other_endpoint(&mut trial, endpoints, endpoint))
                .or_else(|| urls::near_miss(&mut trial, endpoints.listener()))
                .or_else(|| content_type(&mut trial))
        })
        .flatten();
    let is_near_miss = near_miss.is_some();
    Finding { sentence: near_miss.unwrap_or_else(|| hints::of(endpoints, endpoint, callback, cause)), is_near_miss }
}

/// Causes that say everything, whatever else may be tried.
fn is_certain(cause: Rejected) -> bool {
    matches!(cause, Rejected::Repeated | Rejected::Forwarded | Rejected::Probe | Rejected::Unsigned)
}

/// Right, but for its time.
fn stale(trial: &mut Trial<'_>, endpoint: &Endpoint) -> Option<String> {
    let callback = trial.callback;
    let signed_at = endpoint.provider.signed_at(callback)?;
    let then = Callback { received_at: Timestamp::from_seconds(signed_at)?, ..callback.clone() };
    let age = callback.received_at.seconds() - signed_at;
    let direction = if age < 0 { "in the future" } else { "old" };
    trial.is_right(endpoint, &then).then(|| {
        format!("the signature is right, but {} s {direction}: check this machine's clock, or it is a replay", age.unsigned_abs())
    })
}

/// Right under another setting of the same account.
fn setting(endpoint: &Endpoint, callback: &Callback) -> Option<String> {
    let NearMiss { setting, says } = endpoint.provider.near_miss(callback)?;
    Some(format!("{} {says}", endpoint.variable(setting)))
}

/// Right under the secrets of another endpoint, of the same provider first.
fn other_endpoint(trial: &mut Trial<'_>, endpoints: &Endpoints, endpoint: &Endpoint) -> Option<String> {
    let is_itself = |other: &&Endpoint| other.spec.name == endpoint.spec.name && other.account == endpoint.account;
    let mut others: Vec<&Endpoint> = endpoints.iter().filter(|other| !is_itself(other)).collect();
    others.sort_by_key(|other| (other.spec.name != endpoint.spec.name, other.spec.name, other.account.as_str()));
    let callback = trial.callback;
    // A token in the URL is this endpoint's, and would be taken for a proof.
    let to = |other: &Endpoint| {
        let more = other.public_urls.iter().filter(|url| !callback.public_urls.contains(url));
        let public_urls = callback.public_urls.iter().chain(more).cloned().collect();
        Callback { url_token: None, public_urls, ..callback.clone() }
    };
    let other = others.into_iter().take(MAX_OTHERS).find(|other| trial.is_right(other, &to(other)))?;
    let url = other.urls_to_paste(endpoints.listener()).into_iter().next().unwrap_or_default();
    let (title, account) = (other.spec.title, other.account.as_str());
    Some(if other.spec.name == endpoint.spec.name {
        format!("this is the callback of the account `{account}`: its URL is {url}")
    } else {
        format!(
            "the secret of {title} (account `{account}`) gives this signature: its URL is {url}, or the secret stands under the \
             wrong provider"
        )
    })
}

/// Right as a form: a proxy has changed or dropped what says that it is one.
fn content_type(trial: &mut Trial<'_>) -> Option<String> {
    let callback = trial.callback;
    if callback.body.is_empty() || callback.media_type().as_deref() == Some(form::MEDIA_TYPE) {
        return None;
    }
    let as_form = Callback { headers: callback.headers.with("content-type", form::MEDIA_TYPE), ..callback.clone() };
    trial.is_right(trial.endpoint, &as_form).then(|| {
        format!(
            "the signature is right for a body of Content-Type {}: a proxy has changed or dropped the header",
            form::MEDIA_TYPE
        )
    })
}
