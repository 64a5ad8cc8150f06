//! The proof of a stored callback. The store retains neither credentials nor most signatures; the row that was committed with the
//! proof takes their place.

use super::{IsListed, Joined, Proof, RequestKey, Scheme, StoredKey, unverified};
use crate::callback::Callback;

/// The record of a proof. Only the store and the queue make one, from what they stored of a verified callback.
#[derive(Clone, Debug)]
pub struct RecordedProof {
    stored_key: StoredKey,
    verified_by: String,
}

impl RecordedProof {
    pub(crate) fn from_row(stored_key: StoredKey, verified_by: String) -> Self {
        Self { stored_key, verified_by }
    }

    pub(crate) fn into_row(self) -> (StoredKey, String) {
        (self.stored_key, self.verified_by)
    }

    /// The recorded proof, for the callback read from the store; `None` if the provider has no such scheme.
    pub fn restore<'c>(&self, callback: &'c Callback, schemes: &[&'static Scheme], is_listed: IsListed) -> Option<Proof<'c>> {
        let (name, index) = self.verified_by.split_once(':').unwrap_or((&self.verified_by, "0"));
        let scheme = schemes.iter().copied().chain([&unverified::SCHEME]).find(|scheme| scheme.name == name)?;
        let proof = Proof::new(callback, scheme, index.parse().ok()?, RequestKey::default());
        let payload = scheme.payload.decode(callback);
        let is_readable = !scheme.covers_url || is_listed(callback, &payload, &Joined::of_body(callback, &payload));
        Some(Proof { stored_key: Some(self.stored_key), ..proof.with_payload(payload).readable_if(is_readable) })
    }
}
