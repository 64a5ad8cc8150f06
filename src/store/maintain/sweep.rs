//! The periodic sweep, in short steps between which callbacks are committed.

use std::sync::PoisonError;

use crate::{
    store::{Store, correlate::sweep, db::error::StoreError, fold::parts},
    time::Timestamp,
};

impl Store {
    /// Releases overdue parts of long messages, links rows that the application wrote with plain SQL, and marks unconfirmed messages.
    /// A failure of one does not prevent the others.
    pub async fn sweep(&self, now: Timestamp) -> Result<(), StoreError> {
        let released = self.release_overdue_parts(now).await;
        let linked = self.link_messages().await;
        let marked = self.mark_unconfirmed(now).await;
        released.and(linked).and(marked)
    }

    async fn release_overdue_parts(&self, now: Timestamp) -> Result<(), StoreError> {
        let (now, timeout) = (now.naive(), self.options.part_timeout);
        let overdue = self.write(move |connection| parts::overdue(connection, now, timeout)).await?;
        let mut outcome = Ok(());
        for set in overdue {
            let options = self.options.clone();
            let released = self.write(move |connection| parts::release_partial(connection, set, now, &options)).await;
            outcome = outcome.and(released);
        }
        outcome
    }

    async fn link_messages(&self) -> Result<(), StoreError> {
        while self.write(sweep::propagate_mappings).await? {}
        let mut progress = *self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let mut after = self.write(move |connection| sweep::first_id(connection, progress)).await?;
        loop {
            let options = self.options.clone();
            let (last, has_more) = self.write(move |connection| sweep::link_new_messages(connection, after, &options)).await?;
            after = last;
            if !has_more {
                break;
            }
        }
        // The newest unmatched rows, and some of the others in turn.
        let oldest = progress.unmatched;
        let options = self.options.clone();
        self.write(move |connection| sweep::match_unmatched(connection, None, &options)).await?;
        let options = self.options.clone();
        progress.unmatched = self.write(move |connection| sweep::match_unmatched(connection, oldest, &options)).await?;
        progress.metric = Some(after);
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = progress;
        Ok(())
    }
}
