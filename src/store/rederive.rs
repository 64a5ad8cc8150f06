//! Stored callbacks read anew, after the reading was mended: their events are replaced, and the rows of the messages that they
//! are about are made anew.

use std::collections::{BTreeMap, BTreeSet};

use diesel::{ExpressionMethods, QueryDsl, QueryResult, RunQueryDsl, SelectableHelper};

use super::{
    Options, Store, StoreError,
    apply::{Occasion, write_events},
    change::{Change, observed},
    commit::{Identity, Writer, locks},
    connection::{for_both, on_either},
    rebuild::{FoldedEvent, is_complete, rebuild},
    record::Record,
    replay::messages,
    rows::EventRow,
    schema::webhook_events as e,
};

/// What reading stored callbacks anew came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rederived {
    /// Events that differ from those that were stored, are new, or are not there any more.
    pub events: usize,
    /// Messages that are left as they are, because some of their events have been deleted.
    pub incomplete: usize,
    /// The rows of messages that changed.
    pub changes: Vec<Change>,
}

/// A stored callback, and what is read out of it now; nothing if its bytes are gone or nobody can read them.
pub type Rereading = (i64, Option<Record>);

impl Store {
    /// Takes what is now read out of stored callbacks for what was read when they came. A dry run takes it back.
    pub async fn reread(&self, requests: Vec<Rereading>, is_dry: bool) -> Result<Rederived, StoreError> {
        let options = self.options;
        self.task(move |c| on_either!(c, c => reread(c, &requests, &options, is_dry))).await
    }
}

/// Replaces the events of these stored callbacks by those that are read out of them now, and makes the rows of the messages that
/// either are about anew. An event that differs takes its siblings with it: their keys are their places.
fn reread(writer: &mut impl Writer, requests: &[Rereading], options: &Options, is_dry: bool) -> QueryResult<Rederived> {
    let mut stored: BTreeMap<i64, Vec<FoldedEvent>> = BTreeMap::new();
    for (id, _) in requests {
        stored.insert(*id, writer.events_of_request(*id)?);
    }
    let of_stored = stored.values().flatten().filter_map(FoldedEvent::identity);
    let records = || requests.iter().filter_map(|(_, record)| record.as_ref());
    let concerned: BTreeSet<Identity> = of_stored.chain(records().flat_map(messages)).collect();
    let concerned: Vec<Identity> = concerned.into_iter().collect();
    let ((events, incomplete), changes) = observed(writer, &concerned, is_dry, |writer| {
        writer.lock(&locks(&records().collect::<Vec<_>>(), options))?;
        let mut complete = Vec::new();
        for message in &concerned {
            if is_complete(writer, message)? {
                complete.push(message);
            }
        }
        let mut differing = 0;
        for (id, record) in requests.iter().filter_map(|(id, record)| Some((*id, record.as_ref()?))) {
            let there = stored.get(&id).map_or(&[][..], Vec::as_slice);
            differing += replace(writer, id, record, there, options)?;
        }
        complete.iter().try_for_each(|message| rebuild(writer, message))?;
        Ok((differing, concerned.len() - complete.len()))
    })?;
    Ok(Rederived { events, incomplete, changes })
}

/// Replaces the events of one request if any of them differs; how many do.
fn replace(writer: &mut impl Writer, id: i64, record: &Record, stored: &[FoldedEvent], options: &Options) -> QueryResult<usize> {
    let mut gone: BTreeMap<&[u8], &FoldedEvent> = stored.iter().map(|event| (event.event_key.as_slice(), event)).collect();
    let mut differing = 0;
    for (index, event) in record.events().iter().enumerate() {
        let row = EventRow::new(record, index, event);
        let is_as_stored = match gone.remove(row.event_key.as_slice()) {
            Some(there) => there.is(&row),
            // Another request may have brought it first.
            None => writer.is_known_event(&row)?,
        };
        differing += usize::from(!is_as_stored);
    }
    differing += gone.len();
    if differing > 0 {
        writer.delete_events_of(id)?;
        write_events(writer, &[(id, record)], options, Occasion::Rereading)?;
    }
    Ok(differing)
}

impl FoldedEvent {
    /// Whether the row says the same.
    fn is(&self, row: &EventRow) -> bool {
        self.external_id == row.external_id
            && self.recipient_key == row.recipient_key
            && self.event_type == row.event_type
            && self.provider_type == row.provider_type
            && self.status.as_deref() == row.status
            && self.provider_status == row.provider_status
            && self.evidence.as_deref() == row.evidence
            && self.error_code == row.error_code
            && self.state_key == row.state_key
            && self.occurred_at == row.occurred_at
            && self.detail == row.detail
    }
}

/// What is asked of either database.
pub(super) trait Rederiving {
    /// The stored events of a request.
    fn events_of_request(&mut self, id: i64) -> QueryResult<Vec<FoldedEvent>>;
    /// Whether another request brought that event.
    fn is_known_event(&mut self, row: &EventRow) -> QueryResult<bool>;
    /// Deletes the events of a request.
    fn delete_events_of(&mut self, request: i64) -> QueryResult<()>;
}

for_both! {
    impl Rederiving for Connection {
        fn events_of_request(&mut self, id: i64) -> QueryResult<Vec<FoldedEvent>> {
            e::table.filter(e::request_id.eq(id)).order(e::event_key).select(FoldedEvent::as_select()).load(self)
        }

        fn is_known_event(&mut self, row: &EventRow) -> QueryResult<bool> {
            let known = e::table
                .filter(e::service_type.eq(row.service_type))
                .filter(e::account.eq(&row.account))
                .filter(e::event_key.eq(&row.event_key));
            diesel::select(diesel::dsl::exists(known)).get_result(self)
        }

        fn delete_events_of(&mut self, request: i64) -> QueryResult<()> {
            diesel::delete(e::table.filter(e::request_id.eq(request))).execute(self).map(drop)
        }
    }
}
