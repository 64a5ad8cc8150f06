//! Responses made from store queries, which run on a thread for blocking work.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, block},
};
use serde::{Serialize, de::DeserializeOwned};

use super::parameters;
use crate::{
    gateway::Gateway,
    http::api_error,
    store::{Store, StoreError},
};

/// Runs a query; returns the error response if it fails.
pub(super) async fn run<T: Send + 'static>(
    gateway: Data<Gateway>,
    query: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, HttpResponse> {
    match block(move || query(&gateway.store)).await {
        Ok(Ok(rows)) => Ok(rows),
        Ok(Err(error)) => {
            tracing::error!(kind = error.kind(), "query failed");
            Err(api_error::unavailable())
        }
        Err(_) => Err(api_error::unavailable()),
    }
}

/// Responds with the result of a query.
pub(super) async fn respond<T: Serialize + Send + 'static>(
    gateway: Data<Gateway>,
    query: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
) -> HttpResponse {
    run(gateway, query).await.map_or_else(|error| error, |found| HttpResponse::Ok().json(found))
}

/// Responds with the result of a query, or with 404 if there is none.
pub(super) async fn respond_if_found<T: Serialize + Send + 'static>(
    gateway: Data<Gateway>,
    query: impl FnOnce(&Store) -> Result<Option<T>, StoreError> + Send + 'static,
) -> HttpResponse {
    match run(gateway, query).await {
        Ok(Some(found)) => HttpResponse::Ok().json(found),
        Ok(None) => api_error::not_found(),
        Err(error) => error,
    }
}

/// Responds with the result of a query that takes the request's parameters.
pub(super) async fn respond_to<P: DeserializeOwned + Send + 'static, T: Serialize + Send + 'static>(
    request: &HttpRequest,
    gateway: Data<Gateway>,
    query: impl FnOnce(&Store, P) -> Result<T, StoreError> + Send + 'static,
) -> HttpResponse {
    match parameters::parse::<P>(request) {
        Ok(parameters) => respond(gateway, move |store| query(store, parameters)).await,
        Err(detail) => api_error::invalid_query(detail),
    }
}
