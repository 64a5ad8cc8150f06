//! The last verified request of each endpoint, and the longest gap between two. They are read from a derived table
//! (`maintain::derived`), to which the newest requests are added here.

use std::collections::BTreeMap;

use diesel::{ExpressionMethods, QueryDsl, QueryResult, RunQueryDsl};

use crate::{
    store::{
        Store,
        db::{
            connection::{Connection, on_either},
            error::StoreError,
            positions::{self, ACTIVITY},
            schema::{endpoint_activity as a, webhook_requests as r},
        },
    },
    time::Timestamp,
};

/// Maximum sample size. Once it is reached, each request reduces the longest gap by one part in this many.
const MAX_SAMPLE: i64 = 100;

/// The activity of an endpoint, derived from its verified requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EndpointActivity {
    /// The time of the last request.
    pub last: Option<Timestamp>,
    /// The number of requests, at most a hundred.
    pub sample: usize,
    /// The longest gap between two requests in seconds; it decays over some hundred requests.
    pub longest_gap: i64,
}

impl EndpointActivity {
    pub(crate) fn add(&mut self, at: Timestamp) {
        if let Some(last) = self.last {
            let gap = at.seconds() - last.seconds();
            let is_full = self.sample >= usize::try_from(MAX_SAMPLE).unwrap_or(usize::MAX);
            let decayed = if is_full { self.longest_gap - self.longest_gap / MAX_SAMPLE } else { self.longest_gap };
            self.longest_gap = decayed.max(gap);
        }
        self.last = self.last.max(Some(at));
        self.sample = (self.sample + 1).min(usize::try_from(MAX_SAMPLE).unwrap_or(usize::MAX));
    }
}

/// Newest requests that are added. Beyond it the derived table lags far behind, and a gap may appear longer than it was.
const MAX_NEWEST: i64 = 20_000;

/// The provider and account of an endpoint.
pub(crate) type EndpointName = (String, String);

/// The activity of every endpoint with a stored request.
#[derive(Debug, Default)]
pub struct Activities(BTreeMap<EndpointName, EndpointActivity>);

impl Activities {
    /// The activity of an endpoint.
    pub fn of(&self, provider: &str, account: &str) -> EndpointActivity {
        self.0.get(&(provider.to_owned(), account.to_owned())).copied().unwrap_or_default()
    }
}

impl Store {
    /// The activity of all endpoints. Blocks.
    pub fn activities(&self) -> Result<Activities, StoreError> {
        self.monitor(all).map(Activities)
    }
}

/// The activity of every endpoint with a stored request.
fn all(connection: &mut Connection) -> QueryResult<BTreeMap<EndpointName, EndpointActivity>> {
    // Read before the table: a request that is counted twice adds no gap, but a missing one would.
    let counted = positions::get(connection, ACTIVITY)?.id;
    let mut all = load(connection)?;
    let requests = r::table.filter(r::id.gt(counted)).order(r::id.desc()).limit(MAX_NEWEST);
    let requests = requests.select((r::service_type, r::account, r::received_at));
    let requests: Vec<(String, String, Timestamp)> = on_either!(connection, c => requests.load(c))?;
    for (service_type, account, at) in requests.into_iter().rev() {
        all.entry((service_type, account)).or_default().add(at);
    }
    Ok(all)
}

/// Loads the derived table.
pub(crate) fn load(connection: &mut Connection) -> QueryResult<BTreeMap<EndpointName, EndpointActivity>> {
    let columns = (a::service_type, a::account, a::last_received_at, a::sample, a::longest_gap);
    let rows: Vec<(String, String, Timestamp, i64, i64)> = on_either!(connection, c => a::table.select(columns).load(c))?;
    let activity = |(service_type, account, last, sample, longest_gap)| {
        let sample = usize::try_from(sample).unwrap_or(0);
        ((service_type, account), EndpointActivity { last: Some(last), sample, longest_gap })
    };
    Ok(rows.into_iter().map(activity).collect())
}
