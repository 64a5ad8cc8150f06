//! Registration of the application's messages. The same transaction matches them with callbacks that arrived earlier.

#![expect(clippy::ref_option_ref, reason = "inside Diesel's derive")]

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDateTime;
use diesel::{ExpressionMethods, Insertable, QueryResult, RunQueryDsl, dsl::case_when, upsert::excluded};

use super::{
    link::{self, LinkRow},
    sweep,
};
use crate::{
    event::ExternalId,
    status::Channel,
    store::{
        Options, Store,
        db::{
            advisory_locks::{self, Lock},
            audit::{Action, AuditRecord, Author},
            connection::{Connection, on_either},
            error::StoreError,
            key::MessageKey,
            schema::{communication_metrics as c, message_external_ids as m},
        },
        fold::{
            addresses::{self, AddressRow, METRIC_OWNER},
            match_strength::{DATABASE, EMBEDDED},
        },
    },
    time::Timestamp,
};

/// A message of the application.
#[derive(Clone)]
pub struct Registration {
    /// The application's own key for it.
    pub reference: String,
    /// Provider.
    pub service_type: &'static str,
    /// The account through which it is sent. Only its callbacks may refer to the message.
    pub account: String,
    /// The provider's id, if already known.
    pub external_id: Option<ExternalId>,
    /// Normalized.
    pub recipient: Option<String>,
    pub channel: Option<Channel>,
    pub sent_at: Option<Timestamp>,
}

/// A new row of `communication_metrics`.
#[derive(Insertable)]
#[diesel(table_name = c, treat_none_as_default_value = false)]
struct NewMetric {
    reference: String,
    channel: Option<&'static str>,
    service_type: &'static str,
    account: String,
    recipient: Option<String>,
    sent_at: Option<NaiveDateTime>,
}

/// Messages registered in one transaction; more would delay callbacks.
const BATCH_SIZE: usize = 50;

/// Splits registrations into transactions.
fn batches(registrations: Vec<Registration>) -> Vec<Vec<Registration>> {
    let mut rest = registrations.into_iter().peekable();
    std::iter::from_fn(|| rest.peek().is_some().then(|| rest.by_ref().take(BATCH_SIZE).collect())).collect()
}

impl Store {
    /// Registers messages of the application; returns their ids in the given order. Batches before a failed one are committed, and
    /// registering a message again is safe. The audit trail gets one entry, with the first batch.
    pub async fn register(&self, registrations: Vec<Registration>, author: Author) -> Result<Vec<i64>, StoreError> {
        let mut ids = Vec::with_capacity(registrations.len());
        let mut record = Some(AuditRecord { author, action: Action::Register, target: None, items: registrations.len() });
        for batch in batches(registrations) {
            let (options, first) = (self.options.clone(), record.take());
            let logged = first.clone();
            ids.extend(self.write(move |connection| register(connection, &batch, first.as_ref(), &options)).await?);
            logged.iter().for_each(AuditRecord::log);
        }
        Ok(ids)
    }
}

/// Registers messages in one transaction; returns their ids in the given order.
fn register(
    connection: &mut Connection,
    registrations: &[Registration],
    record: Option<&AuditRecord>,
    options: &Options,
) -> QueryResult<Vec<i64>> {
    let locks: BTreeSet<Lock> = registrations.iter().flat_map(Registration::locks).collect();
    // Every table is written in the order of its key.
    let mut sorted: Vec<(usize, &Registration)> = registrations.iter().enumerate().collect();
    sorted.sort_by_key(|(_, registration)| &registration.reference);
    connection.transaction(|connection| {
        advisory_locks::take(connection, &locks)?;
        let mut ids: BTreeMap<usize, i64> = BTreeMap::new();
        let mut matches: BTreeMap<LinkRow, (i64, &str)> = BTreeMap::new();
        let mut mappings: BTreeMap<MessageKey, i64> = BTreeMap::new();
        for (index, registration) in &sorted {
            let id = upsert_metric(connection, &registration.row())?;
            ids.insert(*index, id);
            if options.matches_embedded {
                let Registration { reference, service_type, account, .. } = registration;
                let accounts = options.unscoped_accounts.referring_to(service_type, account);
                let carrying = link::link_rows_of_accounts(
                    connection,
                    reference,
                    service_type,
                    &accounts.iter().map(String::as_str).collect::<Vec<_>>(),
                )?;
                matches.extend(carrying.into_iter().map(|row| (row, (id, EMBEDDED))));
            }
            mappings.extend(registration.key().map(|key| (key, id)));
        }
        for (key, id) in &mappings {
            let rows = link::link_rows(connection, key)?;
            if rows.is_empty() {
                insert_mapping(connection, key, *id)?;
            }
            matches.extend(rows.into_iter().map(|row| (row, (*id, DATABASE))));
        }
        for (row, (id, method)) in &matches {
            link::set_match(connection, row, *id, method)?;
        }
        if options.timestamp_window.is_some() {
            let recipients = sorted.iter().filter_map(|(index, one)| Some((*ids.get(index)?, one.recipient.as_deref())));
            let rows = recipients.flat_map(|(id, recipient)| AddressRow::for_owner(METRIC_OWNER, id, recipient, None)).collect();
            addresses::insert(connection, &rows)?;
        }
        sweep::match_newest_by_time(connection, options)?;
        record.map_or(Ok(()), |record| record.insert(connection))?;
        Ok(ids.into_values().collect())
    })
}

impl Registration {
    fn row(&self) -> NewMetric {
        NewMetric {
            reference: self.reference.clone(),
            channel: self.channel.map(Into::into),
            service_type: self.service_type,
            account: self.account.clone(),
            recipient: self.recipient.clone(),
            sent_at: self.sent_at.map(Timestamp::naive),
        }
    }

    fn key(&self) -> Option<MessageKey> {
        let external_id = self.external_id.as_ref()?;
        Some(MessageKey::new(self.service_type, &self.account, external_id.as_str(), ""))
    }

    fn locks(&self) -> impl Iterator<Item = Lock> {
        let message = self.key().map(|key| Lock::message(&key));
        std::iter::once(Lock::reference(&self.reference)).chain(message)
    }
}

/// Sets a column to the registered value, or leaves it if the registration has none.
macro_rules! set_if_registered {
    ($column:path) => {
        $column.eq(case_when(excluded($column).is_not_null(), excluded($column)).otherwise($column))
    };
}

/// Inserts the application's message or updates its row; returns the id.
fn upsert_metric(connection: &mut Connection, row: &NewMetric) -> QueryResult<i64> {
    on_either!(connection, c => {
        diesel::insert_into(c::table)
            .values(row)
            .on_conflict(c::reference)
            .do_update()
            .set((set_if_registered!(c::channel), set_if_registered!(c::service_type), set_if_registered!(c::account), set_if_registered!(c::recipient), set_if_registered!(c::sent_at)))
            .returning(c::id)
            .get_result(c)
    })
}

/// Inserts the row of a message without callbacks.
fn insert_mapping(connection: &mut Connection, key: &MessageKey, message: i64) -> QueryResult<()> {
    on_either!(connection, c => {
        diesel::insert_into(m::table)
            .values((
                m::service_type.eq(&key.service_type),
                m::account.eq(&key.account),
                m::external_id.eq(&key.external_id),
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
            .execute(c)
            .map(drop)
    })
}

crate::secret::opaque!(Registration);
