//! Verifying a kept request again, after a secret or an address was mended: with its own bytes, headers and time, and with
//! today's configuration. What is genuine now goes the way of every callback.

use super::examine;
use crate::{
    callback::{Callback, VerifiedCallback},
    endpoints::{Endpoints, Routed},
    signature::{Rejected, url_token},
    store::{Committed, Kept, Record, Store, StoreError},
};

/// What became of it.
#[derive(Debug)]
pub enum Outcome {
    /// There is no such request, or none any more.
    Unknown,
    /// It is not genuine under today's configuration; the sentence says why.
    Refused {
        /// Why, for machines.
        cause: Rejected,
        /// Why, for people.
        finding: String,
    },
    /// It was for an endpoint or a path that is not configured any more.
    NoEndpoint,
    /// It is genuine; nothing was changed, because only that was asked.
    Genuine {
        /// By which scheme and secret.
        verified_by: String,
    },
    /// It is genuine, and committed; or it came again meanwhile and is a duplicate.
    Stored(Committed),
}

/// Verifies a kept request again and, unless it is a `dry_run`, stores it and takes it out of the ring. Needs no running gateway.
pub async fn reverify(endpoints: &Endpoints, store: &Store, id: i64, dry_run: bool) -> Result<Outcome, StoreError> {
    let Some(kept) = store.rejection(id)? else { return Ok(Outcome::Unknown) };
    let is_masked = is_masked(&kept.url);
    let Some((routed, callback)) = rebuild(endpoints, kept) else { return Ok(Outcome::NoEndpoint) };
    let endpoint = routed.endpoint;
    // By the provider itself: where nothing is verified, for development, nothing becomes genuine afterwards.
    let verified = match endpoint.provider.verify(&callback) {
        Ok(proof) => VerifiedCallback::from(proof),
        Err(cause) if is_masked => {
            let finding = "its URL held a secret, which is masked and not kept: it cannot be verified again";
            return Ok(Outcome::Refused { cause, finding: finding.to_owned() });
        }
        Err(cause) => {
            let finding = examine(endpoints, endpoint, &callback, cause).sentence;
            return Ok(Outcome::Refused { cause, finding });
        }
    };
    if dry_run {
        return Ok(Outcome::Genuine { verified_by: verified.proof().verified_by() });
    }
    let parsed = endpoint.parse(&verified);
    let committed = store.append(Record::new(endpoint, &verified, parsed)).await?;
    // If this is not reached it stays in the ring, and the next time it is a duplicate.
    store.discard_rejection(id).await?;
    Ok(Outcome::Stored(committed))
}

/// The callback as it was received; its own time is the clock.
fn rebuild(endpoints: &Endpoints, kept: Kept) -> Option<(Routed<'_>, Callback)> {
    let path = kept.url.split('?').next().unwrap_or_default();
    let path = path.strip_suffix(&format!("{}***", url_token::SEGMENT)).unwrap_or(path);
    let routed = endpoints.route_without_token(path)?;
    let is_same = routed.endpoint.spec.name == kept.service_type && routed.endpoint.account.as_str() == kept.account;
    let callback = Callback {
        method: kept.method,
        target: kept.url,
        route: routed.route,
        // Whoever asks again has no token: what it granted is not kept.
        url_token: None,
        client: None,
        public_urls: std::sync::Arc::clone(&routed.endpoint.public_urls),
        headers: kept.headers,
        body: kept.body,
        received_at: kept.received_at,
    };
    is_same.then_some((routed, callback))
}

/// Whether a credential was taken out of the URL.
fn is_masked(url: &str) -> bool {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    path.ends_with(&format!("{}***", url_token::SEGMENT)) || query.split('&').any(|pair| pair.ends_with("=***"))
}
