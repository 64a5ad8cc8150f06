//! What the application tells of its messages, in the transaction in which callbacks that came first are adopted.

#![expect(clippy::ref_option_ref, reason = "inside Diesel's derive")]

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDateTime;
use diesel::{ExpressionMethods, Insertable, QueryResult, RunQueryDsl, dsl::case_when, upsert::excluded};

use super::{
    Options,
    commit::{Identity, Writer},
    connection::for_both,
    correlation::{DATABASE, EMBEDDED, LinkRow},
    locks::Lock,
    schema::{communication_metrics as c, message_external_ids as m},
    sweep,
};
use crate::{event::ExternalId, status::Channel, time::Timestamp};

/// One message of the application.
#[derive(Clone, Debug)]
pub struct Registration {
    /// The application's own key of it.
    pub reference: String,
    /// The provider that sends it.
    pub service_type: &'static str,
    /// The account there.
    pub account: String,
    /// The provider's id of it, if it is known already.
    pub external_id: Option<ExternalId>,
    /// The recipient, normalized.
    pub recipient: Option<String>,
    /// By what way it travels.
    pub channel: Option<Channel>,
    /// When it was sent.
    pub sent_at: Option<Timestamp>,
}

/// A row of `communication_metrics` as a registration makes it.
#[derive(Insertable)]
#[diesel(table_name = c, treat_none_as_default_value = false)]
pub(super) struct MetricRow {
    reference: String,
    channel: Option<&'static str>,
    service_type: &'static str,
    recipient: Option<String>,
    sent_at: Option<NaiveDateTime>,
}

/// Messages of one transaction, so that callbacks never wait long behind it.
const STEP: usize = 50;

/// The steps in which so many messages are registered.
pub(super) fn steps(registrations: Vec<Registration>) -> Vec<Vec<Registration>> {
    let mut rest = registrations.into_iter().peekable();
    std::iter::from_fn(|| rest.peek().is_some().then(|| rest.by_ref().take(STEP).collect())).collect()
}

/// Registers messages in one transaction, and tells the numbers of their rows in the order given.
pub(super) fn register(writer: &mut impl Writer, registrations: &[Registration], options: &Options) -> QueryResult<Vec<i64>> {
    let locks: BTreeSet<Lock> = registrations.iter().flat_map(Registration::locks).collect();
    // In the order of their key, as every table is written.
    let mut told: Vec<(usize, &Registration)> = registrations.iter().enumerate().collect();
    told.sort_by_key(|(_, registration)| &registration.reference);
    writer.atomically(|writer| {
        writer.lock(&locks)?;
        let mut ids: BTreeMap<usize, i64> = BTreeMap::new();
        let mut matches: BTreeMap<LinkRow, (i64, &str)> = BTreeMap::new();
        let mut mappings: BTreeMap<Identity, i64> = BTreeMap::new();
        for (place, registration) in &told {
            let id = writer.upsert_metric(&registration.row())?;
            ids.insert(*place, id);
            if options.matches_embedded {
                let carrying = writer.rows_carrying(&[&registration.reference])?;
                matches.extend(carrying.into_iter().map(|(_, row)| (row, (id, EMBEDDED))));
            }
            mappings.extend(registration.identity().map(|identity| (identity, id)));
        }
        for (identity, id) in &mappings {
            let rows = writer.rows_of(identity)?;
            if rows.is_empty() {
                writer.insert_mapping(identity, *id)?;
            }
            matches.extend(rows.into_iter().map(|row| (row, (*id, DATABASE))));
        }
        for (row, (id, word)) in &matches {
            writer.set_match(row, *id, word)?;
        }
        sweep::guess_newest(writer, options)?;
        Ok(ids.into_values().collect())
    })
}

impl Registration {
    fn row(&self) -> MetricRow {
        MetricRow {
            reference: self.reference.clone(),
            channel: self.channel.map(Into::into),
            service_type: self.service_type,
            recipient: self.recipient.clone(),
            sent_at: self.sent_at.map(Timestamp::naive),
        }
    }

    fn identity(&self) -> Option<Identity> {
        let external_id = self.external_id.as_ref()?;
        Some(Identity::of(self.service_type, &self.account, external_id.as_str(), ""))
    }

    fn locks(&self) -> impl Iterator<Item = Lock> {
        let message = self.external_id.as_ref().map(|id| Lock::message(self.service_type, &self.account, id.as_str()));
        std::iter::once(Lock::reference(&self.reference)).chain(message)
    }
}

/// What is asked of either database.
pub(super) trait Registering {
    /// Inserts the application's message, or adds to what is known of it; the number of its row.
    fn upsert_metric(&mut self, row: &MetricRow) -> QueryResult<i64>;
    /// Inserts the row of a message of which nothing was heard yet.
    fn insert_mapping(&mut self, identity: &Identity, message: i64) -> QueryResult<()>;
}

/// What is told anew; what is left out stays.
macro_rules! told {
    ($column:path) => {
        $column.eq(case_when(excluded($column).is_not_null(), excluded($column)).otherwise($column))
    };
}

for_both! {
    impl Registering for Connection {
        fn upsert_metric(&mut self, row: &MetricRow) -> QueryResult<i64> {
            diesel::insert_into(c::table)
                .values(row)
                .on_conflict(c::reference)
                .do_update()
                .set((told!(c::channel), told!(c::service_type), told!(c::recipient), told!(c::sent_at)))
                .returning(c::id)
                .get_result(self)
        }

        fn insert_mapping(&mut self, identity: &Identity, message: i64) -> QueryResult<()> {
            let [service_type, account, external_id, _] = identity.parts();
            diesel::insert_into(m::table)
                .values((
                    m::service_type.eq(service_type),
                    m::account.eq(account),
                    m::external_id.eq(external_id),
                    m::message_id.eq(message),
                    m::matched_id.eq(message),
                    m::matched_by.eq(DATABASE),
                ))
                .on_conflict((m::service_type, m::account, m::external_id, m::recipient_key))
                .do_update()
                .set((
                    m::message_id.eq(excluded(m::message_id)),
                    m::matched_id.eq(excluded(m::matched_id)),
                    m::matched_by.eq(excluded(m::matched_by)),
                ))
                .execute(self)
                .map(drop)
        }
    }
}
