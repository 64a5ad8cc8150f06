//! Statements of the writer that read alike on both databases: Diesel's query language, stamped per connection.

/// The answer that a known request was given.
macro_rules! known_answer {
    ($connection:expr, $row:expr) => {{
        use $crate::store::schema::webhook_requests::{account, answer, dedupe_key, service_type, table};
        table
            .filter(service_type.eq($row.service_type))
            .filter(account.eq(&$row.account))
            .filter(dedupe_key.eq(&$row.dedupe_key))
            .select(answer)
            .first($connection)
    }};
}
pub(super) use known_answer;

/// Changes the answer of requests.
macro_rules! set_answer {
    ($connection:expr, $requests:expr, $answer:expr) => {{
        use $crate::store::schema::webhook_requests::{answer, id, table};
        diesel::update(table.filter(id.eq_any($requests))).set(answer.eq($answer)).execute($connection).map(drop)
    }};
}
pub(super) use set_answer;

/// Whether a message's row has a message id.
macro_rules! is_matched {
    ($connection:expr, $identity:expr) => {{
        use $crate::store::schema::message_external_ids::{account, external_id, message_id, recipient_key, service_type, table};
        let [service, of_account, id, recipient] = $identity.parts();
        let row = table
            .filter(service_type.eq(service))
            .filter(account.eq(of_account))
            .filter(external_id.eq(id))
            .filter(recipient_key.eq(recipient))
            .filter(message_id.is_not_null());
        diesel::select(diesel::dsl::exists(row)).get_result($connection)
    }};
}
pub(super) use is_matched;
