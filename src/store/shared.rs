//! Statements of the writer that read alike on both databases: Diesel's query language, stamped per connection.

use chrono::NaiveDateTime;
use diesel::{ExpressionMethods, QueryDsl, QueryResult, RunQueryDsl, SelectableHelper};

use super::{
    calls::CallRow,
    commit::Identity,
    connection::for_both,
    rooms::RoomRow,
    rows::{EventRow, RequestRow},
};

/// What a commit asks and changes beside its inserts.
pub(super) trait Shared {
    /// Counts how often a known request came again; the answer that it was given.
    fn count_known_request(&mut self, row: &RequestRow, times: i64, last_at: NaiveDateTime) -> QueryResult<i64>;
    /// Counts how often a known event came again.
    fn count_known_event(&mut self, row: &EventRow, times: i64) -> QueryResult<()>;
    /// Changes the answer of requests that were inserted in this transaction.
    fn set_answer(&mut self, requests: &[i64], code: i64) -> QueryResult<()>;
    /// Whether a message has a message id.
    fn is_matched(&mut self, message: &Identity) -> QueryResult<bool>;
    /// Inserts a call, or folds it into the one that is there.
    fn fold_call(&mut self, row: CallRow) -> QueryResult<()>;
    /// Inserts a room, or folds it into the one that is there.
    fn fold_room(&mut self, row: RoomRow) -> QueryResult<()>;
}

/// Inserts a row, or locks the one that is there, folds the two here and writes it back.
macro_rules! fold_locked {
    ($connection:expr, $table:ident, $Row:ty, $row:expr) => {{
        use super::schema::$table::{account, external_id, service_type, table, updated_at};
        let row: $Row = $row;
        let insert = diesel::insert_into(table).values(&row).on_conflict((service_type, account, external_id));
        if insert.do_nothing().execute($connection)? == 1 {
            return Ok(());
        }
        let this = table
            .filter(service_type.eq(&row.service_type))
            .filter(account.eq(&row.account))
            .filter(external_id.eq(&row.external_id));
        // Writing to the row, though nothing new, locks it until the commit; then it is read.
        diesel::update(this).set(updated_at.eq(updated_at)).execute($connection)?;
        let mut folded: $Row = this.select(<$Row>::as_select()).first($connection)?;
        folded.absorb(row.clone());
        diesel::update(this).set(&folded).execute($connection).map(drop)
    }};
}

for_both! {
    impl Shared for Connection {
        fn count_known_request(&mut self, row: &RequestRow, times: i64, last_at: NaiveDateTime) -> QueryResult<i64> {
            use super::schema::webhook_requests as r;
            let this = r::table
                .filter(r::service_type.eq(row.service_type))
                .filter(r::account.eq(&row.account))
                .filter(r::dedupe_key.eq(&row.dedupe_key));
            diesel::update(this)
                .set((r::duplicate_count.eq(r::duplicate_count + times), r::last_duplicate_at.eq(last_at)))
                .returning(r::answer)
                .get_result(self)
        }

        fn count_known_event(&mut self, row: &EventRow, times: i64) -> QueryResult<()> {
            use super::schema::webhook_events as e;
            let this = e::table
                .filter(e::service_type.eq(row.service_type))
                .filter(e::account.eq(&row.account))
                .filter(e::event_key.eq(&row.event_key));
            diesel::update(this).set(e::duplicate_count.eq(e::duplicate_count + times)).execute(self).map(drop)
        }

        fn set_answer(&mut self, requests: &[i64], code: i64) -> QueryResult<()> {
            use super::schema::webhook_requests::{answer, id, table};
            diesel::update(table.filter(id.eq_any(requests))).set(answer.eq(code)).execute(self).map(drop)
        }

        fn is_matched(&mut self, message: &Identity) -> QueryResult<bool> {
            use super::schema::message_external_ids::{account, external_id, message_id, recipient_key, service_type, table};
            let [service, of_account, of_id, recipient] = message.parts();
            let row = table
                .filter(service_type.eq(service))
                .filter(account.eq(of_account))
                .filter(external_id.eq(of_id))
                .filter(recipient_key.eq(recipient))
                .filter(message_id.is_not_null());
            diesel::select(diesel::dsl::exists(row)).get_result(self)
        }

        fn fold_call(&mut self, row: CallRow) -> QueryResult<()> {
            fold_locked!(self, calls, CallRow, row)
        }

        fn fold_room(&mut self, row: RoomRow) -> QueryResult<()> {
            fold_locked!(self, rooms, RoomRow, row)
        }
    }
}
