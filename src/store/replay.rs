//! Quarantined requests, applied after what was wrong is mended, or put aside for good.

use std::collections::BTreeSet;

use diesel::{ExpressionMethods, QueryDsl, QueryResult, RunQueryDsl};

use super::{
    Options, Store, StoreError,
    apply::{Occasion, write_events},
    change::{Change, observed},
    commit::{Identity, Writer, locks},
    connection::{for_both, on_either},
    record::{Answer, Record},
    rows::{EventRow, MessageRow},
    schema::webhook_requests as r,
};

/// What applying a request came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// How many events it carries.
    pub events: usize,
    /// The rows of messages that changed.
    pub changes: Vec<Change>,
}

impl Store {
    /// Applies what is now read out of a quarantined request; `None` if it is not quarantined any more. A dry run takes it back.
    pub async fn apply(&self, id: i64, record: Record, is_dry: bool) -> Result<Option<Applied>, StoreError> {
        let options = self.options;
        self.task(move |c| on_either!(c, c => apply(c, id, &record, &options, is_dry))).await
    }

    /// Puts a quarantined request aside for good; whether it was quarantined.
    pub async fn discard(&self, id: i64) -> Result<bool, StoreError> {
        self.task(move |c| on_either!(c, c => Quarantine::leave_quarantine(c, id, "discarded", None))).await
    }
}

/// Applies what is now read out of a quarantined request; `None` if it is not quarantined any more.
fn apply(writer: &mut impl Writer, id: i64, record: &Record, options: &Options, is_dry: bool) -> QueryResult<Option<Applied>> {
    let messages: Vec<Identity> = messages(record).into_iter().collect();
    let (was_quarantined, changes) = observed(writer, &messages, is_dry, |writer| {
        writer.lock(&locks(&[record], options))?;
        if !writer.leave_quarantine(id, "processed", Some(Answer::Success.code()))? {
            return Ok(false);
        }
        write_events(writer, &[(id, record)], options, Occasion::Arrival).map(|_| true)
    })?;
    Ok(was_quarantined.then(|| Applied { events: record.events().len(), changes }))
}

/// The messages that a record is about.
pub(super) fn messages(record: &Record) -> BTreeSet<Identity> {
    let of = |(index, event)| MessageRow::of(record.source(), event, &EventRow::new(record, index, event).state_key);
    record.events().iter().enumerate().filter_map(of).map(|row| Identity::of_message(&row)).collect()
}

/// What is asked of either database.
pub(super) trait Quarantine {
    /// Gives a quarantined request another state, and its retries another answer; whether it was quarantined.
    fn leave_quarantine(&mut self, id: i64, state: &str, answer: Option<i64>) -> QueryResult<bool>;
}

for_both! {
    impl Quarantine for Connection {
        fn leave_quarantine(&mut self, id: i64, state: &str, answer: Option<i64>) -> QueryResult<bool> {
            let this = r::table.filter(r::id.eq(id)).filter(r::state.eq("quarantined"));
            let changed = match answer {
                Some(answer) => diesel::update(this).set((r::state.eq(state), r::answer.eq(answer))).execute(self)?,
                None => diesel::update(this).set(r::state.eq(state)).execute(self)?,
            };
            Ok(changed == 1)
        }
    }
}
