//! When endpoints were last heard of, and how long their pauses are.

use diesel::{ExpressionMethods, QueryDsl, QueryResult, RunQueryDsl};

use super::{
    Store, StoreError,
    connection::{Connection, on_either},
    schema::webhook_requests as r,
};
use crate::time::Timestamp;

/// Requests of an endpoint whose pauses are looked at.
const SAMPLE: i64 = 100;

/// What is stored of an endpoint's last authentic requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// When the last one came.
    pub last: Option<Timestamp>,
    /// How many there are, a hundred at the most.
    pub sample: usize,
    /// The longest pause between any two of them, in seconds.
    pub longest_pause: i64,
}

impl Store {
    /// When each of these endpoints, by provider and account, was last heard of. Blocks.
    pub fn heard(&self, endpoints: &[(&'static str, String)]) -> Result<Vec<Heard>, StoreError> {
        self.read(|connection| endpoints.iter().map(|(provider, account)| of(connection, provider, account)).collect())
    }
}

fn of(connection: &mut Connection, provider: &str, account: &str) -> QueryResult<Heard> {
    let instants: Vec<Timestamp> = on_either!(connection, c => {
        let of_endpoint = r::table.filter(r::service_type.eq(provider)).filter(r::account.eq(account));
        of_endpoint.order(r::received_at.desc()).limit(SAMPLE).select(r::received_at).load(c)?
    });
    let pauses = instants.windows(2).filter_map(|pair| Some(pair.first()?.seconds() - pair.last()?.seconds()));
    Ok(Heard { last: instants.first().copied(), sample: instants.len(), longest_pause: pauses.max().unwrap_or(0) })
}
