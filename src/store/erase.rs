//! Erasing a person: every table is walked in short steps, and each row that tells of them loses what does so or goes. Statuses,
//! instants and counts stay.
//!
//! One row is erased at a time, so that nobody who commits a callback waits in a circle. What could bring the data back goes as
//! well: raw bodies, and the details of events from which a row could be rebuilt.

use diesel::QueryResult;
use serde::Serialize;

use super::{Store, StoreError, commit::Writer, connection::on_either, steps::Steps};
use crate::person::Person;

/// The tables that may tell of somebody, in the order in which they are walked: messages first, whose bodies are found by them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is the table of that name")]
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
}

/// Rows of one table that told of the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Erased {
    /// The table.
    pub table: Table,
    /// How many.
    pub rows: u64,
}

/// What a look at some rows of a table came to.
pub(super) struct Looked {
    /// Those that tell of the person.
    pub(super) found: Vec<i64>,
    /// The last that was looked at; nothing at the end of the table.
    pub(super) last: Option<i64>,
}

/// What is asked of either database.
pub(super) trait Erase {
    /// Looks at the next rows of a table behind that number.
    fn look(&mut self, table: Table, after: i64, limit: i64, person: &Person) -> QueryResult<Looked>;
    /// Erases what a row tells of the person, or the row.
    fn erase(&mut self, table: Table, row: i64, person: &Person) -> QueryResult<()>;
    /// Erases what some events of a message tell, and the bodies they came in; the last of them, or nothing at their end.
    fn erase_events_of(&mut self, message: i64, after: i64, limit: i64, person: &Person) -> QueryResult<Option<i64>>;
}

impl Store {
    /// Erases the person in every table, or only counts the rows that tell of them. `tell` hears how many rows were looked at.
    pub async fn erase(&self, person: &Person, dry_run: bool, mut tell: impl FnMut(u64)) -> Result<Vec<Erased>, StoreError> {
        let mut erased = Vec::new();
        for &table in <Table as strum::VariantArray>::VARIANTS {
            let (mut rows, mut next, mut steps) = (0, Some(0), Steps::new());
            while let Some(after) = next {
                let who = person.clone();
                let look = move |c: &mut _, limit| {
                    let looked = on_either!(c, c => c.look(table, after, limit, &who))?;
                    Ok((looked, limit))
                };
                let (looked, limit) = self.step(&mut steps, look).await?;
                rows += u64::try_from(looked.found.len()).unwrap_or(0);
                for row in looked.found.into_iter().filter(|_| !dry_run) {
                    self.erase_row(table, row, person).await?;
                }
                tell(u64::try_from(limit).unwrap_or(0));
                next = looked.last;
            }
            erased.push(Erased { table, rows });
        }
        Ok(erased)
    }

    async fn erase_row(&self, table: Table, row: i64, person: &Person) -> Result<(), StoreError> {
        let mut steps = Steps::new();
        let mut next = (table == Table::MessageExternalIds).then_some(0);
        while let Some(after) = next {
            let who = person.clone();
            let erase = move |c: &mut _, limit| on_either!(c, c => c.atomically(|c| c.erase_events_of(row, after, limit, &who)));
            next = self.step(&mut steps, erase).await?;
        }
        let who = person.clone();
        self.step(&mut steps, move |c, _| on_either!(c, c => c.atomically(|c| c.erase(table, row, &who)))).await
    }
}
