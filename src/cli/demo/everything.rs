//! `demo --all`: the whole status table, and the URLs to paste.

use super::Demo;
use crate::{
    cli::{CommandError, print, table},
    config::Env,
    public_url::PublicUrl,
    store::{MessageFilter, RowCounts},
};

/// Shows every message, and how much is stored.
pub(super) fn show(demo: &Demo) -> Result<(), CommandError> {
    let store = &demo.running.gateway.store;
    let page = store.messages(&MessageFilter { limit: 500, ..MessageFilter::default() })?;
    print(table::messages(&page.items));
    let RowCounts { requests, events, messages, inbound, calls, rooms } = store.counts()?;
    print(format_args!(
        "Stored      {requests} requests, {events} events, {messages} messages, {inbound} inbound messages, {calls} calls, {rooms} rooms"
    ));
    Ok(())
}

/// Shows the URL of each endpoint. Only here a secret is shown: it is thrown away.
pub(super) fn urls(demo: &Demo, throw_away: &Env) {
    let address = PublicUrl::from_listener(demo.running.public);
    for endpoint in demo.router.iter() {
        for url in endpoint.urls_to_paste(&address) {
            let filled = |url: String, name: &str| url.replace(&format!("${{{name}}}"), throw_away.get(name).unwrap_or_default());
            print(format_args!("  {:<12} {}", endpoint.spec.title, throw_away.names().fold(url, filled)));
        }
    }
    print(format_args!("Health      http://{}{}", demo.running.public, crate::router::HEALTH_PATH));
}
