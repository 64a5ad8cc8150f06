//! Result of an action on a request, shown on the request's page.

use super::components::Severity;
use crate::{replay::Replayed, store::RowDiff};

#[derive(Default)]
pub(super) struct ActionResult {
    pub(super) notice: Option<Notice>,
    pub(super) changes: Vec<ChangedRow>,
}

pub(super) struct Notice {
    pub(super) severity: Severity,
    pub(super) text: String,
}

pub(super) struct ChangedRow {
    pub(super) external_id: String,
    pub(super) is_new: bool,
    pub(super) columns: Vec<ChangedColumn>,
}

pub(super) struct ChangedColumn {
    pub(super) name: String,
    pub(super) before: String,
    pub(super) after: String,
}

impl From<RowDiff> for ChangedRow {
    fn from(diff: RowDiff) -> Self {
        let text = |value: serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let column = |(name, (before, after))| ChangedColumn { name, before: text(before), after: text(after) };
        Self { external_id: diff.external_id, is_new: diff.is_new, columns: diff.columns.into_iter().map(column).collect() }
    }
}

impl ActionResult {
    pub(super) fn notice(severity: Severity, text: impl Into<String>) -> Self {
        Self { notice: Some(Notice { severity, text: text.into() }), changes: Vec::new() }
    }
}

impl From<Replayed> for ActionResult {
    fn from(Replayed { applied, duplicate, events, changes, verified_by }: Replayed) -> Self {
        let (severity, text) = match (applied, duplicate, events, verified_by) {
            (_, true, ..) => (Severity::Success, "Already processed by a retry. Nothing changed.".to_owned()),
            (true, ..) => (Severity::Success, "Replayed and applied.".to_owned()),
            (false, _, Some(1), _) => (Severity::Pending, "Parsed: 1 event. Nothing changed yet.".to_owned()),
            (false, _, Some(events), _) => (Severity::Pending, format!("Parsed: {events} events. Nothing changed yet.")),
            (false, _, None, scheme) => {
                (Severity::Pending, format!("Now verified by {}. Nothing changed yet.", scheme.unwrap_or_default()))
            }
        };
        Self { changes: changes.into_iter().map(ChangedRow::from).collect(), ..Self::notice(severity, text) }
    }
}
