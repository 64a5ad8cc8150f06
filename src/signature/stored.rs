//! A callback that was proven when it came, and is read again out of the store, which keeps neither credentials nor most
//! signatures. What stands for them is the row that was committed with the proof.

use super::{Proof, RequestKey, Scheme, unverified};
use crate::callback::Callback;

/// What the store recorded of a proof. Only the store makes one, out of a row of an authentic callback.
#[derive(Clone, Debug)]
pub struct Recorded {
    request_key: RequestKey,
    verified_by: String,
}

impl Recorded {
    pub(crate) fn of_row(request_key: RequestKey, verified_by: String) -> Self {
        Self { request_key, verified_by }
    }

    /// The proof that it records, about the callback that was read again; `None` if it names no scheme of the provider.
    pub fn prove<'c>(&self, callback: &'c Callback, schemes: &[&'static Scheme]) -> Option<Proof<'c>> {
        let (name, index) = self.verified_by.split_once(':').unwrap_or((&self.verified_by, "0"));
        let scheme = schemes.iter().copied().chain([&unverified::SCHEME]).find(|scheme| scheme.name == name)?;
        Some(Proof { callback, scheme, secret_index: index.parse().ok()?, request_key: self.request_key })
    }
}
