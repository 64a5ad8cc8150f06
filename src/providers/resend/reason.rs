//! The cause of a bounce, a failure or a suppression, and the rule between the texts that state it.
//!
//! Resend sends by Amazon SES, which derives `type` and `subType` from the receiving system's response and knows few causes: a permanent
//! bounce is `General` unless the address does not exist. In this order, the first that names a cause decides about the **category**:
//! 1. a subtype that says that the message was not sent at all (suppression list, unsubscribed),
//! 2. an enhanced status code in `diagnosticCode` or in the message ([`enhanced_status`]),
//! 3. the subtype,
//! 4. words or a reply code in those texts,
//! 5. the type.
//!
//! Of several recipients, the worst decides. **Permanence**: temporary if `type` or the deciding code says so, else the type's, because
//! SES puts the address of a permanent bounce on its suppression list, so that a retry fails whatever the cause was.
//!
//! `failed.reason` is one of Resend's names or a text; both are read by the table first, then as above.
//!
//! Sources (read 2026-11-28): docs.aws.amazon.com/ses "Amazon SNS notification contents", bounce types; resend.com/docs/webhooks
//! `emails/bounced`, `emails/failed`, `emails/suppressed`, api-reference/errors.

use std::sync::LazyLock;

use serde_json::Value;

use crate::{
    event::DeliveryError,
    json::{self, text as word},
    providers::{
        enhanced_status::{self, Reading},
        error_codes::{ErrorTable, LazyTable},
    },
    status::{ErrorCategory, Permanence, Status},
    text,
};

static ERRORS: LazyTable = LazyLock::new(|| ErrorTable::parse(include_str!("errors.toml")));

/// The places of the receiving system's responses.
const DIAGNOSTICS: [&str; 3] = ["/data/bounce/diagnosticCode", "/data/suppressed/diagnosticCode", "/data/failed/diagnosticCode"];

/// The error of a status.
pub(super) fn error(status: Option<Status>, payload: &Value) -> Option<DeliveryError> {
    status.filter(|status| status.is_failure()).map(|_| {
        let responses: Vec<&str> = responses(payload).into_iter().flatten().collect();
        error_for(status, payload, &responses)
    })
}

/// The error with only these responses of mail systems, such as that of one recipient.
pub(super) fn error_for(status: Option<Status>, payload: &Value, diagnostics: &[&str]) -> DeliveryError {
    let error = match status {
        Some(Status::Bounced) => bounce(payload, diagnostics),
        Some(Status::Failed) => failure(payload, diagnostics),
        Some(Status::Rejected) => {
            let reason = word(payload, "/data/suppressed/reason").or_else(|| word(payload, "/data/suppressed/type"));
            ERRORS.explain(reason, &[reason.unwrap_or_default(), "suppressed"], word(payload, "/data/suppressed/message"))
        }
        _ => DeliveryError::unexplained(),
    };
    DeliveryError { diagnostic: text::present(&diagnostics.join("; ")), ..error }
}

/// The mail systems' responses, one per recipient, or the only one as text; older events have none. An entry of another type is `None`.
pub(super) fn responses(payload: &Value) -> Vec<Option<&str>> {
    match DIAGNOSTICS.iter().find_map(|place| json::at(payload, place)) {
        Some(Value::Array(list)) => list.iter().map(Value::as_str).collect(),
        one => one.and_then(Value::as_str).map(Some).into_iter().collect(),
    }
}

fn bounce(payload: &Value, diagnostics: &[&str]) -> DeliveryError {
    let [kind, subtype, message] = ["type", "subType", "message"].map(|name| word(payload, &format!("/data/bounce/{name}")));
    let exact = format!("{}/{}", kind.unwrap_or_default(), subtype.unwrap_or_default());
    let by_type = ERRORS.explain(subtype.or(kind), &[&exact, kind.unwrap_or_default()], message);
    let is_unsent = matches!(by_type.category, ErrorCategory::Suppressed | ErrorCategory::OptedOut);
    let names_cause =
        ERRORS.has(&exact) && !subtype.is_some_and(|subtype| ["General", "Undetermined", "MessageRejected"].contains(&subtype));
    let texts: Vec<&str> = diagnostics.iter().copied().chain(message).collect();
    match enhanced_status::explain_worst(&texts) {
        Some(reading) if !is_unsent && (reading.has_code || !names_cause) => decide(by_type, reading),
        _ => by_type,
    }
}

/// The error by its type with the category of a text.
fn decide(by_type: DeliveryError, reading: Reading) -> DeliveryError {
    let category = if reading.category == ErrorCategory::Unknown { by_type.category } else { reading.category };
    let permanence = match (by_type.permanence, reading.permanence) {
        (Permanence::Temporary, _) => Permanence::Temporary,
        (_, Permanence::Temporary) if reading.has_code => Permanence::Temporary,
        (Permanence::Unknown, permanence) | (permanence, _) => permanence,
    };
    DeliveryError { category, permanence, ..by_type }
}

fn failure(payload: &Value, diagnostics: &[&str]) -> DeliveryError {
    let reason = word(payload, "/data/failed/reason");
    let is_text = |reason: &&str| reason.contains(' ');
    let message = word(payload, "/data/failed/message").or(reason.filter(is_text));
    let key = reason.unwrap_or_default();
    if ERRORS.has(key) {
        return ERRORS.explain(reason, &[key], message);
    }
    let by_default = ERRORS.explain(reason, &["failed"], message);
    let texts: Vec<&str> = diagnostics.iter().copied().chain(reason).chain(message).collect();
    match enhanced_status::explain_worst(&texts) {
        Some(reading) if reading.category != ErrorCategory::Unknown => {
            DeliveryError { category: reading.category, permanence: reading.permanence, ..by_default }
        }
        _ => by_default,
    }
}
