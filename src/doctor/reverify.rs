//! Re-verification of a rejected request after a secret or an address was corrected: with its own bytes, headers and time, and
//! today's configuration. If it verifies, it is stored like any callback.

use super::examine;
use crate::{
    callback::Callback,
    endpoint::Endpoint,
    mask::MASK,
    router::{Route, Router},
    signature::{VerifiedCallback, VerifyError, Work},
    store::{Committed, Record, Store, StoreError, StoredRejection},
    url_token,
};

/// The outcome of a re-verification.
#[derive(Debug)]
pub enum Reverified {
    /// There is no such request, or it has expired.
    NotFound,
    /// Verification fails with today's configuration as well.
    NotVerified {
        cause: VerifyError,
        /// The doctor's sentence.
        finding: String,
    },
    /// Its endpoint or path is no longer configured.
    NoEndpoint,
    /// It verifies; the outcome of a dry run.
    Verified {
        /// The scheme and the secret.
        verified_by: String,
    },
    /// It verifies and is committed; a duplicate if a retry was stored meanwhile.
    Stored(Committed),
}

/// Re-verifies a rejected request and, unless `dry_run` is set, stores it and deletes it from the ring. Needs no running gateway.
pub async fn reverify(router: &Router, store: &Store, id: i64, dry_run: bool) -> Result<Reverified, StoreError> {
    let Some(rejection) = store.rejection(id)? else { return Ok(Reverified::NotFound) };
    let (url, has_body) = (rejection.url.clone(), !rejection.body.is_empty());
    let cut = rejection.is_cut().then(|| format!("{} of the {} bytes", rejection.body.len(), rejection.body_bytes));
    let Some((route, callback)) = rebuild(router, rejection) else { return Ok(Reverified::NoEndpoint) };
    let endpoint = route.endpoint;
    // By the provider itself, so that a request is not accepted because verification is switched off.
    let verified = match endpoint.provider.verify(&callback, &Work::default()) {
        Ok(proof) => VerifiedCallback::from(proof),
        Err(cause) if is_masked(endpoint, &url, has_body) => {
            let finding = "its URL contained a secret, which is masked and not stored: it cannot be verified again";
            return Ok(Reverified::NotVerified { cause, finding: finding.to_owned() });
        }
        Err(cause) if cut.is_some() => {
            let stored = cut.unwrap_or_default();
            let finding = format!("only {stored} of its body are stored: have the provider send it again");
            return Ok(Reverified::NotVerified { cause, finding });
        }
        Err(cause) => {
            let finding = examine(router, endpoint, &callback, cause).sentence;
            return Ok(Reverified::NotVerified { cause, finding });
        }
    };
    if dry_run {
        return Ok(Reverified::Verified { verified_by: verified.proof().verified_by() });
    }
    let record = Record::new(endpoint, &verified, endpoint.parse(&verified).events);
    let committed = store.append(record).await?;
    // If the process ends before this, the request stays in the ring and is a duplicate the next time.
    store.discard_rejection(id).await?;
    Ok(Reverified::Stored(committed))
}

/// The callback as it was received, with its own time.
fn rebuild(router: &Router, rejection: StoredRejection) -> Option<(Route<'_>, Callback)> {
    let path = rejection.url.split('?').next().unwrap_or_default();
    let path = path.strip_suffix(&format!("{}{MASK}", url_token::SEGMENT)).unwrap_or(path);
    let route = router.route_without_token(path)?;
    let is_same = route.endpoint.spec.name == rejection.service_type && route.endpoint.account.as_str() == rejection.account;
    let callback = Callback {
        method: rejection.method,
        target: rejection.url,
        route: route.route,
        // The grant of a token is not stored.
        url_token: None,
        client: None,
        public_urls: std::sync::Arc::clone(&route.endpoint.public_urls),
        headers: rejection.headers,
        body: rejection.body,
        received_at: rejection.received_at,
    };
    is_same.then_some((route, callback))
}

/// True if a part of the URL was masked that may be needed to verify the request: its token, or a parameter that is a credential or signed.
fn is_masked(endpoint: &Endpoint, url: &str, has_body: bool) -> bool {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let has_token = path.ends_with(&format!("{}{MASK}", url_token::SEGMENT));
    let has_parameter = query.split('&').any(|pair| pair.ends_with(&format!("={MASK}")));
    has_token || (has_parameter && (endpoint.spec.signs_url() || !has_body))
}
