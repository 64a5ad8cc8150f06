//! The writer on SQLite: loops of cached single-row statements, and one upsert per batch.

use std::collections::{BTreeMap, BTreeSet};

use diesel::{
    BoolExpressionMethods, ExpressionMethods, IntoSql, OptionalExtension, QueryDsl, QueryResult, RunQueryDsl, SqliteConnection,
    backend::Backend,
    deserialize::{self, FromSql},
    dsl::case_when,
    serialize::{self, Output, ToSql},
    sql_types::{Bool, Integer, Nullable, Text, Timestamp},
    sqlite::Sqlite,
    upsert::excluded,
};

use super::{
    commit::{BodyRow, Identity, Writer},
    correlation::{DATABASE, EMBEDDED, STRENGTH_LADDER},
    fold::EVIDENCE_LADDER,
    inbound::InboundRow,
    lists::{Horizon, Place},
    locks::{Lock, Locking},
    rows::{EventRow, MessageRow, RequestRow},
    schema::{inbound_messages as i, message_external_ids as m, webhook_bodies, webhook_events, webhook_requests},
};

diesel::define_sql_function! {
    /// The place of one text in another, from 1; 0 if it is not there.
    fn instr(text: Text, part: Nullable<Text>) -> Nullable<Integer>;
}

impl Writer for SqliteConnection {
    fn atomically<T>(&mut self, body: impl FnOnce(&mut Self) -> QueryResult<T>) -> QueryResult<T> {
        self.immediate_transaction(body)
    }

    fn insert_requests(&mut self, rows: &[RequestRow]) -> QueryResult<Vec<Option<i64>>> {
        use webhook_requests::{account, dedupe_key, id, service_type, table};
        let insert = |row: &RequestRow| {
            diesel::insert_into(table)
                .values(row)
                .on_conflict((service_type, account, dedupe_key))
                .do_nothing()
                .returning(id)
                .get_result(self)
                .optional()
        };
        rows.iter().map(insert).collect()
    }

    fn insert_bodies(&mut self, rows: &[BodyRow<'_>]) -> QueryResult<()> {
        use webhook_bodies::{body, received_at, request_id, table};
        for row in rows {
            diesel::insert_into(table)
                .values((request_id.eq(row.request_id), body.eq(row.body), received_at.eq(row.received_at)))
                .execute(self)?;
        }
        Ok(())
    }

    fn states(&mut self, messages: &BTreeSet<Identity>) -> QueryResult<BTreeMap<Identity, Vec<u8>>> {
        let mut states = BTreeMap::new();
        for message in messages {
            let [service_type, account, external_id, recipient_key] = message.parts();
            let row = m::table
                .filter(m::service_type.eq(service_type))
                .filter(m::account.eq(account))
                .filter(m::external_id.eq(external_id))
                .filter(m::recipient_key.eq(recipient_key));
            let state: Option<Vec<u8>> = row.select(m::state_key).first(self).optional()?;
            states.extend(state.map(|state| (message.clone(), state)));
        }
        Ok(states)
    }

    fn insert_events(&mut self, rows: &[EventRow]) -> QueryResult<Vec<bool>> {
        use webhook_events::{account, event_key, service_type, table};
        let insert = |row: &EventRow| {
            let inserted = diesel::insert_into(table)
                .values(row)
                .on_conflict((service_type, account, event_key))
                .do_nothing()
                .execute(self)?;
            Ok(inserted == 1)
        };
        rows.iter().map(insert).collect()
    }

    fn upsert_messages(&mut self, rows: &[MessageRow]) -> QueryResult<BTreeSet<Identity>> {
        let mut matched = BTreeSet::new();
        for rows in rows.chunks(MAX_ROWS) {
            let written = upsert_messages(self, rows)?.into_iter().filter(|(.., is_matched)| *is_matched);
            matched.extend(written.map(|(service, account, id, recipient, _)| Identity::of(&service, &account, &id, &recipient)));
        }
        Ok(matched)
    }

    fn upsert_inbound(&mut self, rows: &[InboundRow]) -> QueryResult<()> {
        rows.chunks(MAX_ROWS).try_for_each(|rows| upsert_inbound(self, rows))
    }
}

/// The strength of a mapping that says nothing of its origin.
const STRONGEST: i32 = 1_000;

impl Locking for SqliteConnection {
    /// A transaction that writes keeps everybody else out from its start.
    fn lock(&mut self, _locks: &BTreeSet<Lock>) -> QueryResult<()> {
        Ok(())
    }
}

/// Writers come one after the other, and numbers with them.
impl Horizon for SqliteConnection {
    fn horizon(&mut self) -> QueryResult<i64> {
        Ok(i64::MAX)
    }
}

impl FromSql<Timestamp, Sqlite> for Place {
    fn from_sql(value: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        <String as FromSql<Timestamp, Sqlite>>::from_sql(value).map(Self)
    }
}

impl ToSql<Timestamp, Sqlite> for Place {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        <str as ToSql<Timestamp, Sqlite>>::to_sql(&self.0, out)
    }
}

/// Rows in one statement, which may bind 32,766 values.
const MAX_ROWS: usize = 500;

/// Of the event with the greatest state key.
macro_rules! winner {
    ($column:path) => {
        $column.eq(case_when(excluded(m::state_key).gt(m::state_key), excluded($column)).otherwise($column))
    };
}

/// The lesser value; an absent one does not count. (SQLite's `min(a, NULL)` is NULL.)
macro_rules! least {
    ($column:path) => {
        $column.eq(case_when($column.is_null().or(excluded($column).lt($column)), excluded($column)).otherwise($column))
    };
}

/// The greater value in byte order; an absent one does not count.
macro_rules! greatest {
    ($column:path) => {
        $column.eq(case_when($column.is_null().or(excluded($column).gt($column)), excluded($column)).otherwise($column))
    };
}

/// Both counts together: only events inserted in this transaction are counted in the new row.
macro_rules! sum {
    ($column:path) => {
        $column.eq($column + excluded($column))
    };
}

/// Either row has a value.
macro_rules! either {
    ($column:path) => {
        $column.is_not_null().or(excluded($column).is_not_null())
    };
}

/// How strong the match of the row that is there is. One that is not the gateway's own, or whose word is not known, is the
/// application's.
macro_rules! strength {
    () => {{
        let is_own = m::matched_id.eq(m::message_id).and(instr(STRENGTH_LADDER, m::matched_by).gt(0)).and(m::matched_by.ne(""));
        case_when(m::message_id.is_null(), 0.into_sql::<Nullable<Integer>>())
            .when(is_own, instr(STRENGTH_LADDER, m::matched_by))
            .otherwise(STRONGEST.into_sql::<Nullable<Integer>>())
    }};
}

/// Whether the match of the new row is the stronger one; of two carried references the lesser in byte order counts.
macro_rules! yields {
    () => {{
        let new = instr(STRENGTH_LADDER, excluded(m::matched_by));
        let both_embedded = strength!().eq(instr(STRENGTH_LADDER, EMBEDDED)).and(excluded(m::matched_by).eq(EMBEDDED));
        let is_lesser = m::embedded_id.is_null().or(excluded(m::embedded_id).le(m::embedded_id));
        excluded(m::message_id).is_not_null().and(new.gt(strength!()).or(both_embedded.and(is_lesser)))
    }};
}

/// Whether the application has mapped the row by itself.
macro_rules! is_mapped {
    () => {
        m::message_id.is_not_null().and(m::matched_id.is_null().or(m::matched_id.ne(m::message_id)))
    };
}

/// The key of a row, and whether it has a message id.
type Written = (String, String, String, String, bool);

/// Many rows in one statement: Diesel prepares an upsert anew each time, so it must not be one per row.
fn upsert_messages(connection: &mut SqliteConnection, rows: &[MessageRow]) -> QueryResult<Vec<Written>> {
    let is_stronger = instr(EVIDENCE_LADDER, excluded(m::evidence)).gt(instr(EVIDENCE_LADDER, m::evidence));
    let has_receipt = m::evidence.ne("inferred").or(excluded(m::evidence).ne("inferred"));
    let contradicts = either!(m::delivered_at).and(either!(m::failed_at)).and(has_receipt);
    let embedded_differ = m::embedded_id.ne(excluded(m::embedded_id));
    diesel::insert_into(m::table)
        .values(rows)
        .on_conflict((m::service_type, m::account, m::external_id, m::recipient_key))
        .do_update()
        .set((
            (
                winner!(m::status),
                winner!(m::provider_status),
                winner!(m::is_final),
                winner!(m::error_code),
                winner!(m::error_message),
                winner!(m::error_category),
                winner!(m::error_permanence),
                winner!(m::status_at),
                winner!(m::verified_by),
                winner!(m::state_key),
            ),
            (
                least!(m::delivered_at),
                least!(m::failed_at),
                least!(m::read_at),
                least!(m::opened_at),
                least!(m::clicked_at),
                least!(m::complained_at),
                least!(m::unsubscribed_at),
                least!(m::embedded_id),
                m::message_id.eq(case_when(yields!(), excluded(m::message_id)).otherwise(m::message_id)),
                m::matched_id.eq(case_when(yields!(), excluded(m::message_id)).otherwise(m::message_id)),
                m::matched_by.eq(case_when(yields!(), excluded(m::matched_by))
                    .when(is_mapped!(), DATABASE.into_sql::<Nullable<Text>>())
                    .otherwise(m::matched_by)),
            ),
            (
                greatest!(m::recipient),
                greatest!(m::sender),
                greatest!(m::channel),
                greatest!(m::direction),
                greatest!(m::price),
                greatest!(m::price_currency),
                greatest!(m::parts_total),
            ),
            (
                sum!(m::open_count),
                sum!(m::click_count),
                sum!(m::revision),
                m::evidence.eq(case_when(m::evidence.is_null().or(is_stronger), excluded(m::evidence)).otherwise(m::evidence)),
                m::has_conflict.eq(case_when(contradicts.or(embedded_differ), true.into_sql::<Bool>())
                    .otherwise(m::has_conflict.or(excluded(m::has_conflict)))),
                m::updated_at
                    .eq(case_when(excluded(m::updated_at).gt(m::updated_at), excluded(m::updated_at)).otherwise(m::updated_at)),
            ),
        ))
        .returning((m::service_type, m::account, m::external_id, m::recipient_key, m::message_id.is_not_null()))
        .get_results(connection)
}

fn upsert_inbound(connection: &mut SqliteConnection, rows: &[InboundRow]) -> QueryResult<()> {
    diesel::insert_into(i::table)
        .values(rows)
        .on_conflict((i::service_type, i::account, i::external_id))
        .do_update()
        .set((
            greatest!(i::sender),
            greatest!(i::recipient),
            least!(i::channel),
            greatest!(i::text),
            greatest!(i::opt_out),
            greatest!(i::media),
            greatest!(i::parts_total),
            greatest!(i::parts_received),
            least!(i::provider_status),
            least!(i::occurred_at),
            least!(i::received_at),
        ))
        .execute(connection)
        .map(drop)
}
