//! The labels. Their values are names from the registry, the configuration or an enum, never text from a request.

use std::{fmt::Debug, hash::Hash, sync::Arc};

use prometheus_client::encoding::EncodeLabelSet;

/// The labels of a family.
pub(super) trait Labels: EncodeLabelSet + Clone + Debug + Hash + Eq + Send + Sync + 'static {}

impl<L: EncodeLabelSet + Clone + Debug + Hash + Eq + Send + Sync + 'static> Labels for L {}

/// The names that an endpoint's metrics are labelled with.
#[derive(Clone, Debug, Default)]
pub struct EndpointLabels {
    pub provider: &'static str,
    pub account: String,
    /// The signature schemes that may verify a request.
    pub schemes: Vec<&'static str>,
    /// The causes for which verification may fail.
    pub causes: Vec<&'static str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByVersion {
    pub version: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByResult {
    pub result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByProvider {
    pub provider: &'static str,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByEndpoint {
    pub provider: &'static str,
    pub account: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByOutcome {
    pub provider: &'static str,
    pub account: Arc<str>,
    pub outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByCause {
    pub provider: &'static str,
    pub account: Arc<str>,
    pub cause: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByResponse {
    pub provider: &'static str,
    pub account: Arc<str>,
    pub status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByProof {
    pub provider: &'static str,
    pub account: Arc<str>,
    pub scheme: &'static str,
    pub secret: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByEventType {
    pub provider: &'static str,
    pub event_type: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByValueKind {
    pub provider: &'static str,
    pub kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByDrained {
    pub outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByKind {
    pub kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByStatus {
    pub provider: &'static str,
    pub status: &'static str,
}
