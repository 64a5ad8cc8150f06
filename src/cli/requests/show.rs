//! `waybill requests show`.

use std::str::FromStr;

use base64::{Engine, engine::general_purpose::STANDARD};
use clap::Args;
use serde::Serialize;
use serde_json::json;

use super::super::{CommandError, load_config, print, print_json, table, with_store};
use crate::{
    config::Env,
    store::{RequestId, StoredRequest},
};

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The id: 12, or r12 for a rejected request.
    #[arg(value_parser = RequestId::from_str)]
    id: RequestId,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(env: &Env, &Arguments { id, json }: &Arguments) -> Result<(), CommandError> {
    let config = load_config(env)?;
    let (request, body) = with_store(&config, |store| {
        let request = store.request(id)?.ok_or_else(|| CommandError::Other(format!("there is no request {id}")))?;
        Ok((request, store.request_body(id)?))
    })?;
    if json {
        return print_json(&RequestWithBody::new(&request, body));
    }
    show(&request, body);
    Ok(())
}

fn show(request: &StoredRequest, body: Option<Vec<u8>>) {
    print(table::requests(std::slice::from_ref(request)));
    print(format_args!("{} {}", request.method, request.url));
    for (name, value) in json!(request.headers).as_object().into_iter().flatten() {
        print(format_args!("{name}: {}", value.as_str().unwrap_or_default()));
    }
    if let Some(finding) = &request.finding {
        print(format_args!("\n{finding}"));
    }
    let whole = body.as_ref().and_then(|body| request.whole_body(body.len()));
    let body = body.map_or("Its body has expired.".into(), |body| String::from_utf8_lossy(&body).into_owned());
    print(format_args!("\n{body}"));
    if let Some(bytes) = whole {
        print(format_args!("(only the beginning of {bytes} bytes is stored)"));
    }
}

/// A request with its body, in the API's form.
#[derive(Debug, Serialize)]
struct RequestWithBody<'r> {
    #[serde(flatten)]
    request: &'r StoredRequest,
    body: Option<String>,
    body_encoding: Option<&'static str>,
}

impl<'r> RequestWithBody<'r> {
    fn new(request: &'r StoredRequest, body: Option<Vec<u8>>) -> Self {
        let (body, body_encoding) = match body.map(String::from_utf8) {
            None => (None, None),
            Some(Ok(text)) => (Some(text), Some("text")),
            Some(Err(bytes)) => (Some(STANDARD.encode(bytes.as_bytes())), Some("base64")),
        };
        Self { request, body, body_encoding }
    }
}
