//! Responses made from store queries.

use actix_web::{HttpRequest, HttpResponse, http::header::ContentType, web::Data};
use serde::{Serialize, de::DeserializeOwned};

use super::parameters;
use crate::{
    gateway::Gateway,
    http::{
        api_error,
        query::{self, Class},
    },
    store::{Store, StoreError},
};

/// Runs a query; returns the error response if it fails.
pub(super) async fn run<T: Send + 'static>(
    gateway: &Data<Gateway>,
    class: Class,
    query: impl FnOnce(&Gateway) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, HttpResponse> {
    query::run(gateway, class, query).await.map_err(api_error::query_failed)
}

/// Responds with the result of a query, or with 404 if there is none.
pub(super) async fn respond_if_found<T: Serialize>(
    gateway: Data<Gateway>,
    class: Class,
    query: impl FnOnce(&Gateway) -> Result<Option<T>, StoreError> + Send + 'static,
) -> HttpResponse {
    // Written on the query's thread: an answer may be large, and the listener has one worker.
    let written = move |gateway: &Gateway| Ok(query(gateway)?.map(|found| serde_json::to_vec(&found)));
    match run(&gateway, class, written).await {
        Ok(Some(Ok(json))) => HttpResponse::Ok().content_type(ContentType::json()).body(json),
        Ok(Some(Err(_))) => api_error::unavailable(),
        Ok(None) => api_error::not_found(),
        Err(error) => error,
    }
}

/// Responds with the result of a query.
pub(super) async fn respond<T: Serialize>(
    gateway: Data<Gateway>,
    class: Class,
    query: impl FnOnce(&Gateway) -> Result<T, StoreError> + Send + 'static,
) -> HttpResponse {
    respond_if_found(gateway, class, move |gateway| query(gateway).map(Some)).await
}

/// Responds with the result of a query that takes the request's parameters.
pub(super) async fn respond_to<P: DeserializeOwned + Send + 'static, T: Serialize>(
    request: &HttpRequest,
    gateway: Data<Gateway>,
    query: impl FnOnce(&Store, P) -> Result<T, StoreError> + Send + 'static,
) -> HttpResponse {
    match parameters::parse::<P>(request) {
        Ok(parameters) => respond(gateway, Class::List, move |gateway| query(&gateway.store, parameters)).await,
        Err(detail) => api_error::invalid_query(detail),
    }
}
