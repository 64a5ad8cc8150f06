//! Records from a queue, of which a transaction writes many more than callbacks wait for.

use futures_util::future::join_all;
use tokio::sync::oneshot;

use super::{
    committed::Committed,
    record::Record,
    writer::{Job, MAX_BATCH_BYTES, Writer},
};
use crate::store::{Store, db::error::StoreError};

/// Records of one transaction.
const MAX_RECORDS: usize = 4_000;

/// Advisory locks of one transaction: Postgres has room for a few thousand of all transactions.
const MAX_LOCKS: usize = 1_000;

type Outcome = Result<Committed, StoreError>;

impl Store {
    /// Commits records from a queue, as far as the database accepts them. The outcomes are in the order of the records.
    ///
    /// Copies and records of the same external id go to the same writer, in order.
    pub async fn append_all(&self, records: Vec<Record>) -> Vec<Outcome> {
        let mut outcomes: Vec<Outcome> = records.iter().map(|_| Err(StoreError::Unavailable)).collect();
        let writers = self.queues.writers();
        let mut parts: Vec<(Vec<usize>, Vec<Record>)> = (0..writers).map(|_| <_>::default()).collect();
        for (index, record) in records.into_iter().enumerate() {
            let writer = record.partition().checked_rem(writers).unwrap_or(0);
            if let Some((indexes, part)) = parts.get_mut(writer) {
                indexes.push(index);
                part.push(record);
            }
        }
        let (indexes, parts): (Vec<Vec<usize>>, Vec<Vec<Record>>) = parts.into_iter().unzip();
        let written = join_all(parts.into_iter().enumerate().map(|(writer, part)| self.append_part(writer, part))).await;
        for (index, outcome) in indexes.into_iter().flatten().zip(written.into_iter().flatten()) {
            if let Some(place) = outcomes.get_mut(index) {
                *place = outcome;
            }
        }
        outcomes
    }

    /// Commits records at one writer, in transactions of limited size. After one that fails as a whole no other is tried.
    async fn append_part(&self, writer: usize, records: Vec<Record>) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(records.len());
        let mut records = records.into_iter().peekable();
        while records.peek().is_some() {
            let mut batch = Batch::default();
            while let Some(record) = records.next_if(|_| batch.has_room()) {
                batch.push(record);
            }
            let written = self.append_in_one(writer, batch).await;
            let is_failing = written.iter().all(|outcome| matches!(outcome, Err(StoreError::Unavailable | StoreError::Busy)));
            let error = written.last().and_then(|outcome| outcome.as_ref().err().cloned());
            outcomes.extend(written);
            if let (true, Some(error)) = (is_failing, error) {
                outcomes.extend(records.by_ref().map(|_| Err(error.clone())));
            }
        }
        outcomes
    }

    async fn append_in_one(&self, writer: usize, Batch { records, bytes, .. }: Batch) -> Vec<Outcome> {
        let count = records.len();
        let (sender, receiver) = oneshot::channel();
        let task = move |writer: &mut Writer| {
            // The receiver may be gone, which does not cancel the write.
            drop(sender.send(writer.write(&records)));
            writer.after_commit(records.len(), bytes);
        };
        let written = match self.queues.send(writer, Job::Task(Box::new(task))).await {
            Ok(()) => tokio::select! {
                written = receiver => written.map_err(|_| StoreError::Unavailable),
                // Unknown whether they will be committed.
                () = self.queues.stuck(writer) => Err(StoreError::Unavailable),
            },
            Err(error) => Err(error),
        };
        written.unwrap_or_else(|error| vec![Err(error); count])
    }
}

#[derive(Default)]
struct Batch {
    records: Vec<Record>,
    bytes: usize,
    locks: usize,
}

impl Batch {
    fn has_room(&self) -> bool {
        self.records.len() < MAX_RECORDS && self.bytes < MAX_BATCH_BYTES && self.locks < MAX_LOCKS
    }

    fn push(&mut self, record: Record) {
        self.bytes += record.size();
        self.locks += record.max_locks();
        self.records.push(record);
    }
}
