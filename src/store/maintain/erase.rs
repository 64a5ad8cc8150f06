//! Erasure of a person's data: every table is scanned in short batches, and each row that mentions the person is redacted or deleted.
//! Statuses, timestamps and counts are preserved.
//!
//! Rows are erased one at a time, so that erasure cannot deadlock with commits. Data from which a row could be rebuilt is deleted as
//! well: raw bodies and the details of events.

use serde::Serialize;

use super::{batch_size::AdaptiveBatch, data_subject::DataSubject, redact};
use crate::store::{
    Store, StoreError,
    db::{
        audit::{Action, AuditRecord, Author},
        connection::Connection,
        positions,
    },
};

/// The tables that may contain personal data, in the order of erasure. Messages come first, because their bodies are found by them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Table {
    MessageExternalIds,
    WebhookBodies,
    WebhookRequests,
    WebhookEvents,
    RejectedRequests,
    CommunicationMetrics,
    InboundMessages,
    InboundSets,
    InboundParts,
    Calls,
    Rooms,
    Suppressions,
    MessageAddresses,
}

/// The number of rows in a table that mentioned the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ErasedRows {
    pub table: Table,
    pub rows: u64,
}

/// The result of scanning some rows of a table.
#[derive(Default)]
pub(crate) struct ScanResult {
    /// Rows that mention the person.
    pub(crate) found: Vec<i64>,
    /// The last scanned row; `None` at the end of the table.
    pub(crate) last: Option<i64>,
}

impl Store {
    /// Erases the person's data in every table, or only counts the rows that mention them. `on_progress` gets the number of scanned rows.
    pub async fn erase(
        &self,
        person: &DataSubject,
        is_dry_run: bool,
        author: Author,
        on_progress: impl FnMut(u64),
    ) -> Result<Vec<ErasedRows>, StoreError> {
        let mut erased = Vec::new();
        let outcome = self.erase_tables(person, is_dry_run, on_progress, &mut erased).await;
        if !is_dry_run {
            // Also after a failure: what was erased until then is erased.
            let items = usize::try_from(erased.iter().map(|erased| erased.rows).sum::<u64>()).unwrap_or(usize::MAX);
            self.record(AuditRecord { author, action: Action::Erase, target: Some(person.short_hash()), items }).await?;
        }
        outcome.map(|()| erased)
    }

    async fn erase_tables(
        &self,
        person: &DataSubject,
        is_dry_run: bool,
        mut on_progress: impl FnMut(u64),
        erased: &mut Vec<ErasedRows>,
    ) -> Result<(), StoreError> {
        for &table in <Table as strum::VariantArray>::VARIANTS {
            if table == Table::Suppressions && !is_dry_run {
                // What a gateway has read before the events were redacted is not written any more.
                self.write(|connection| connection.transaction(positions::reset_suppressions)).await?;
            }
            let (mut rows, mut next, mut size) = (0, (table != Table::RejectedRequests).then_some(0), AdaptiveBatch::new());
            while let Some(after) = next {
                let subject = person.clone();
                let scan = move |c: &mut Connection, limit| Ok((redact::scan(c, table, after, limit, &subject)?, limit));
                let (scanned, limit) = self.run_batch(&mut size, scan).await?;
                rows += u64::try_from(scanned.found.len()).unwrap_or(0);
                for row in scanned.found.into_iter().filter(|_| !is_dry_run) {
                    self.erase_row(table, row, person).await?;
                }
                on_progress(u64::try_from(limit).unwrap_or(0));
                next = scanned.last;
            }
            match table {
                Table::MessageAddresses => rows = self.erase_addresses(person, is_dry_run).await?,
                Table::RejectedRequests => rows = self.erase_rejected(person, is_dry_run).await?,
                _ => {}
            }
            erased.push(ErasedRows { table, rows });
        }
        Ok(())
    }

    async fn erase_addresses(&self, person: &DataSubject, is_dry_run: bool) -> Result<u64, StoreError> {
        let (mut rows, mut next, mut size) = (0, Some(String::new()), AdaptiveBatch::new());
        while let Some(after) = next {
            let subject = person.clone();
            let erase = move |c: &mut Connection, limit| redact::erase_addresses(c, &after, limit, &subject, is_dry_run);
            let (count, last) = self.run_batch(&mut size, erase).await?;
            rows += count;
            next = last;
        }
        Ok(rows)
    }

    /// Deletes or counts the rejected requests that mention the person. There are few enough for one step.
    async fn erase_rejected(&self, person: &DataSubject, is_dry_run: bool) -> Result<u64, StoreError> {
        let subject = person.clone();
        let erase = move |c: &mut Connection| {
            let found = redact::scan(c, Table::RejectedRequests, 0, i64::MAX, &subject)?.found;
            for row in found.iter().filter(|_| !is_dry_run) {
                redact::erase(c, Table::RejectedRequests, *row, &subject)?;
            }
            Ok(u64::try_from(found.len()).unwrap_or(0))
        };
        self.write_rejected(erase).await
    }

    async fn erase_row(&self, table: Table, row: i64, person: &DataSubject) -> Result<(), StoreError> {
        let mut size = AdaptiveBatch::new();
        let mut next = (table == Table::MessageExternalIds).then_some(0);
        while let Some(after) = next {
            let subject = person.clone();
            let erase = move |c: &mut Connection, limit| c.transaction(|c| redact::erase_events(c, row, after, limit, &subject));
            next = self.run_batch(&mut size, erase).await?;
        }
        let subject = person.clone();
        self.run_batch(&mut size, move |c, _| c.transaction(|c| redact::erase(c, table, row, &subject))).await
    }
}
