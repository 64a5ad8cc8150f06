//! Credentials that an operation accepts.

use serde_json::Value;

use super::json::{items, members};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// No credentials.
    Open,
    /// Either token.
    Read,
    /// Either token, also as a password.
    ReadByPassword,
    /// The ops token.
    Write,
}

impl Access {
    pub(super) fn new(operation: &Value, method: &str) -> Self {
        let schemes = || items(&operation["security"]).flat_map(members).map(|(scheme, _)| scheme.as_str());
        match () {
            () if operation["security"].is_array() && schemes().next().is_none() => Self::Open,
            () if schemes().any(|scheme| scheme == "basic") => Self::ReadByPassword,
            () if method == "get" => Self::Read,
            () => Self::Write,
        }
    }
}
