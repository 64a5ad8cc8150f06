//! Queries of the store on behalf of a token: a bounded number at once, on threads for blocking work.

use std::{sync::Arc, time::Duration};

use actix_web::{
    rt::time::timeout,
    web::{Data, block},
};

use crate::{gateway::Gateway, store::StoreError};

/// Longest wait for other queries to end.
const WAIT: Duration = Duration::from_secs(1);

/// Longest waits for the answer to a query, whose statements have shorter timeouts in the database. Only a database that does not answer
/// at all exceeds them.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);
const STATISTICS_TIMEOUT: Duration = Duration::from_secs(5);

/// Queries that share a limit.
#[derive(Clone, Copy, Debug)]
pub(super) enum Class {
    List,
    Statistics,
    Stream,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum QueryError {
    /// Too many others were running.
    TooMany,
    /// It took too long.
    TimedOut,
    /// The database did not answer.
    Unavailable,
}

/// Runs a query once fewer than the limit of its class run.
pub(super) async fn run<T: Send + 'static>(
    gateway: &Data<Gateway>,
    class: Class,
    query: impl FnOnce(&Gateway) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, QueryError> {
    if gateway.store.is_known_unreachable() {
        return Err(QueryError::Unavailable);
    }
    let (limit, patience) = match class {
        Class::List => (&gateway.queries.lists, ANSWER_TIMEOUT),
        Class::Statistics => (&gateway.queries.statistics, STATISTICS_TIMEOUT),
        Class::Stream => (&gateway.queries.streams, ANSWER_TIMEOUT),
    };
    let Ok(Ok(permit)) = timeout(WAIT, Arc::clone(limit).acquire_owned()).await else { return Err(QueryError::TooMany) };
    let shared = gateway.clone();
    let answer = block(move || {
        let answer = query(&shared);
        // Held until the query ends, even if the client is gone by then.
        drop(permit);
        answer
    });
    match timeout(patience, answer).await {
        Ok(Ok(Ok(answer))) => Ok(answer),
        Ok(Ok(Err(StoreError::TimedOut))) => Err(QueryError::TimedOut),
        Ok(Ok(Err(error))) => {
            tracing::error!(kind = error.kind(), "query failed");
            Err(QueryError::Unavailable)
        }
        Ok(Err(_)) => Err(QueryError::Unavailable),
        Err(_) => {
            gateway.store.note_unreachable();
            tracing::error!("the database does not answer a query");
            Err(QueryError::Unavailable)
        }
    }
}
