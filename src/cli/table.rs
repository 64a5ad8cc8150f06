//! Tables, for a terminal.

use comfy_table::{ContentArrangement, Table, presets::UTF8_FULL_CONDENSED};

use super::{check::EndpointUrl, spool::FileReport};
use crate::{
    store::{AuditEntry, Message, StoredRequest, Suppression},
    time::Timestamp,
};

/// The URLs of the endpoints.
pub(super) fn urls(urls: &[EndpointUrl]) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED).set_header(["provider", "account", "URL to paste"]);
    for EndpointUrl { provider, account, url, .. } in urls {
        table.add_row([provider, account.as_str(), url]);
    }
    table
}

/// The events of `simulate`.
pub(super) fn events(events: &[(&str, &str)]) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED).set_header(["provider", "event"]);
    for (provider, event) in events {
        table.add_row([provider, event]);
    }
    table
}

/// The status table.
pub(super) fn messages(messages: &[Message]) -> Table {
    let mut table = terminal_wide_table();
    table.set_header([
        "service_type",
        "external_id",
        "status",
        "provider_status",
        "final",
        "evidence",
        "error",
        "recipient",
        "events",
        "verified_by",
    ]);
    for message in messages {
        table.add_row([
            message.service_type.as_str(),
            &message.external_id,
            &message.status,
            message.provider_status.as_deref().unwrap_or_default(),
            if message.is_final { "yes" } else { "" },
            message.evidence.as_deref().unwrap_or_default(),
            message.error_category.as_deref().unwrap_or_default(),
            message.recipient.as_deref().unwrap_or_default(),
            &message.revision.to_string(),
            message.verified_by.as_deref().unwrap_or_default(),
        ]);
    }
    table
}

/// Suppressions, each with its newest report.
pub(super) fn suppressions(suppressions: &[Suppression]) -> Table {
    let mut table = terminal_wide_table();
    table.set_header(["address", "channel", "reason", "active", "since", "lifted_at", "sender", "service_type", "code", "words"]);
    for row in suppressions {
        let newest = row.reports.last();
        let time = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
        table.add_row([
            row.address.as_str(),
            row.channel.as_deref().unwrap_or_default(),
            &row.reason,
            if row.is_active { "yes" } else { "" },
            &time(row.active_since.or(row.first_at)),
            &time(row.lifted_at),
            row.sender.as_deref().unwrap_or_default(),
            &row.service_type,
            newest.and_then(|report| report.code.as_deref()).unwrap_or_default(),
            newest.and_then(|report| report.words.as_deref()).unwrap_or_default(),
        ]);
    }
    table
}

/// The files of a spool.
pub(super) fn spool(files: &[FileReport]) -> Table {
    let mut table = terminal_wide_table();
    table.set_header(["file", "state", "callbacks", "oldest", "newest", "bytes"]);
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
    for FileReport { name, state, pending, oldest, newest, bytes } in files {
        table.add_row([name.as_str(), state, &pending.to_string(), &time(*oldest), &time(*newest), &bytes.to_string()]);
    }
    table
}

/// The audit trail.
pub(super) fn audit(entries: &[AuditEntry]) -> Table {
    let mut table = terminal_wide_table();
    table.set_header(["recorded_at", "actor", "action", "target", "items"]);
    for AuditEntry { recorded_at, actor, action, target, items, .. } in entries {
        table.add_row([&recorded_at.to_string(), actor, action, target.as_deref().unwrap_or_default(), &items.to_string()]);
    }
    table
}

/// The number of rows by table.
pub(super) fn counts(counts: &[(&str, u64)]) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED).set_header(["table", "rows"]);
    for (name, rows) in counts {
        table.add_row([(*name).to_owned(), rows.to_string()]);
    }
    table
}

/// Requests, with the reason if they were not applied.
pub(super) fn requests(requests: &[StoredRequest]) -> Table {
    let mut table = terminal_wide_table();
    table.set_header(["id", "state", "service_type", "account", "reason", "answer", "received_at", "duplicates"]);
    for request in requests {
        table.add_row([
            request.id.to_string().as_str(),
            &request.state,
            &request.service_type,
            &request.account,
            request.reason.as_deref().unwrap_or_default(),
            &request.answer.map(|answer| answer.to_string()).unwrap_or_default(),
            &request.received_at.to_string(),
            &request.duplicate_count.to_string(),
        ]);
    }
    table
}

/// A table whose cells wrap at the terminal's width; elsewhere it is as wide as its content.
fn terminal_wide_table() -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    if let Some((_, width)) = console::Term::stdout().size_checked() {
        table.set_width(width);
    }
    table
}
