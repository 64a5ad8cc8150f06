//! Asking the store, off the thread that serves, and what every list answers.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, block},
};
use serde::{Serialize, de::DeserializeOwned};

use super::query;
use crate::{
    gateway::Gateway,
    http::problem,
    store::{Store, StoreError},
};

/// What the store says; otherwise the answer to give instead.
pub(super) async fn look<T: Send + 'static>(
    gateway: Data<Gateway>,
    question: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, HttpResponse> {
    match block(move || question(&gateway.store)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => {
            tracing::error!(kind = error.kind(), "the store does not answer a question");
            Err(problem::unavailable())
        }
        Err(_) => Err(problem::unavailable()),
    }
}

/// Answers with what the store says.
pub(super) async fn ask<T: Serialize + Send + 'static>(
    gateway: Data<Gateway>,
    question: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
) -> HttpResponse {
    look(gateway, question).await.map_or_else(|instead| instead, |found| HttpResponse::Ok().json(found))
}

/// The same of one thing, which may not be there.
pub(super) async fn ask_for_one<T: Serialize + Send + 'static>(
    gateway: Data<Gateway>,
    question: impl FnOnce(&Store) -> Result<Option<T>, StoreError> + Send + 'static,
) -> HttpResponse {
    match look(gateway, question).await {
        Ok(Some(found)) => HttpResponse::Ok().json(found),
        Ok(None) => problem::not_found(),
        Err(instead) => instead,
    }
}

/// The same of a query.
pub(super) async fn list<Q: DeserializeOwned + Send + 'static, T: Serialize + Send + 'static>(
    request: &HttpRequest,
    gateway: Data<Gateway>,
    question: impl FnOnce(&Store, Q) -> Result<T, StoreError> + Send + 'static,
) -> HttpResponse {
    match query::read::<Q>(request) {
        Ok(query) => ask(gateway, move |store| question(store, query)).await,
        Err(detail) => problem::invalid_query(detail),
    }
}
