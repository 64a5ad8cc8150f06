//! The verification doctor: diagnoses why verification failed by trying a fixed list of near misses.
//!
//! It works in the background on copies of the request, also with other settings than the configured ones, and returns sentences
//! only: no proof leaves it, so no attempt of it verifies a callback.

mod attempts;
mod hints;
pub mod reverify;
mod urls;

use self::attempts::Attempts;
use crate::{
    callback::Callback, endpoint::Endpoint, form, provider::NearMiss, router::Router, signature::VerifyError, time::Timestamp,
};

/// Other endpoints whose secrets are tried.
const MAX_OTHERS: usize = 16;

/// The doctor's diagnosis. Of the request it contains only names, and parts that verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// One sentence for the operator.
    pub sentence: String,
    /// True if it names the change with which the callback verifies.
    pub is_near_miss: bool,
}

/// Explains why a callback was rejected and, for a near miss, what to change.
pub fn examine(router: &Router, endpoint: &Endpoint, callback: &Callback, cause: VerifyError) -> Finding {
    let near_miss = (endpoint.unverified.is_none() && !is_conclusive(cause))
        .then(|| {
            let mut attempts = Attempts::new(endpoint, callback);
            stale(&mut attempts, endpoint)
                .or_else(|| other_setting(&mut attempts))
                .or_else(|| other_endpoint(&mut attempts, router, endpoint))
                .or_else(|| urls::near_miss(&mut attempts, router.listener()))
                .or_else(|| content_type(&mut attempts))
        })
        .flatten();
    let is_near_miss = near_miss.is_some();
    Finding { sentence: near_miss.unwrap_or_else(|| hints::hint(router, endpoint, callback, cause)), is_near_miss }
}

/// Causes that no near miss can explain better.
fn is_conclusive(cause: VerifyError) -> bool {
    matches!(
        cause,
        VerifyError::Repeated | VerifyError::Forwarded | VerifyError::Probe | VerifyError::Challenged | VerifyError::Unsigned
    )
}

/// The signature is valid except for its time.
fn stale(attempts: &mut Attempts<'_>, endpoint: &Endpoint) -> Option<String> {
    let callback = attempts.callback;
    let signed_at = endpoint.provider.signed_at(callback)?;
    let at_signing = Callback { received_at: Timestamp::from_seconds(signed_at)?, ..callback.clone() };
    let age = callback.received_at.seconds() - signed_at;
    let direction = if age < 0 { "in the future" } else { "old" };
    attempts.verifies(endpoint, &at_signing).then(|| {
        format!(
            "the signature is valid, but {} s {direction}: check this machine's clock, or the request is a replay",
            age.unsigned_abs()
        )
    })
}

/// The signature is valid with another setting of the same account.
fn other_setting(attempts: &mut Attempts<'_>) -> Option<String> {
    let NearMiss { setting, says } = attempts.near_miss()?;
    Some(format!("{} {says}", attempts.endpoint.variable(setting)))
}

/// The signature is valid with the secrets of another endpoint; those of the same provider are tried first.
fn other_endpoint(attempts: &mut Attempts<'_>, router: &Router, endpoint: &Endpoint) -> Option<String> {
    let is_itself = |other: &&Endpoint| other.spec.name == endpoint.spec.name && other.account == endpoint.account;
    let mut others: Vec<&Endpoint> = router.iter().filter(|other| !is_itself(other)).collect();
    others.sort_by_key(|other| (other.spec.name != endpoint.spec.name, other.spec.name, other.account.as_str()));
    let callback = attempts.callback;
    // A token in the URL is this endpoint's own, and would verify the copy.
    let sent_to = |other: &Endpoint| {
        let added = other.public_urls.iter().filter(|url| !callback.public_urls.contains(url));
        let public_urls = callback.public_urls.iter().chain(added).cloned().collect();
        Callback { url_token: None, public_urls, ..callback.clone() }
    };
    let other = others.into_iter().take(MAX_OTHERS).find(|other| attempts.verifies(other, &sent_to(other)))?;
    let url = other.urls_to_paste(router.listener()).into_iter().next().unwrap_or_default();
    let (title, account) = (other.spec.title, other.account.as_str());
    Some(if other.spec.name == endpoint.spec.name {
        format!("this callback belongs to the account `{account}`: its URL is {url}")
    } else {
        format!(
            "the secret of {title} (account `{account}`) gives this signature: its URL is {url}, or the secret is configured for \
             the wrong provider"
        )
    })
}

/// The signature is valid for a form: a proxy has changed or dropped its content type.
fn content_type(attempts: &mut Attempts<'_>) -> Option<String> {
    let callback = attempts.callback;
    if callback.body.is_empty() || callback.is_declared_form() {
        return None;
    }
    let as_form = Callback { headers: callback.headers.with("content-type", form::MEDIA_TYPE), ..callback.clone() };
    attempts.verifies(attempts.endpoint, &as_form).then(|| {
        format!(
            "the signature is valid for a body of Content-Type {}: a proxy has changed or dropped the header",
            form::MEDIA_TYPE
        )
    })
}
