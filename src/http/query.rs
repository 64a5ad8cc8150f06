//! Queries of the store on behalf of a token: a bounded number at once, on threads for blocking work.

use std::{sync::Arc, time::Duration};

use actix_web::{
    rt::time::timeout,
    web::{Data, block},
};

use crate::{gateway::Gateway, store::StoreError};

/// Longest wait for other queries to end.
const WAIT: Duration = Duration::from_secs(1);

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
    let limit = match class {
        Class::List => &gateway.queries.lists,
        Class::Statistics => &gateway.queries.statistics,
        Class::Stream => &gateway.queries.streams,
    };
    let Ok(Ok(permit)) = timeout(WAIT, Arc::clone(limit).acquire_owned()).await else { return Err(QueryError::TooMany) };
    let gateway = gateway.clone();
    let answer = block(move || {
        let answer = query(&gateway);
        // Held until the query ends, even if the client is gone by then.
        drop(permit);
        answer
    });
    match answer.await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(StoreError::TimedOut)) => Err(QueryError::TimedOut),
        Ok(Err(error)) => {
            tracing::error!(kind = error.kind(), "query failed");
            Err(QueryError::Unavailable)
        }
        Err(_) => Err(QueryError::Unavailable),
    }
}
