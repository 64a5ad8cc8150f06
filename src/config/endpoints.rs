//! From variables to endpoints: `TWILIO_AUTH_TOKEN` belongs to the unnamed account, `TWILIO__ACME__AUTH_TOKEN` to `acme`.

use std::{collections::BTreeMap, str::FromStr};

use super::{
    PUBLIC_URL_EXPECTED,
    reader::{Reader, items},
    settings::Settings,
};
use crate::{
    endpoint::{Account, Endpoint, UnknownMessage},
    limiter::{Limiter, Limits},
    metrics::EndpointMetrics,
    provider::{InvalidPayload, SettingKind, Spec},
    providers,
    public_url::PublicUrl,
    signature::unverified::Permission,
};

/// Setting → the variable it came from and its value.
type Given = BTreeMap<String, (String, String)>;

/// The setting that every provider and account has under a double underscore.
const BASE_URL: &str = "WEBHOOK_BASE_URL";

/// What all endpoints have in common.
pub(super) struct Common {
    pub(super) public_urls: Vec<PublicUrl>,
    pub(super) unknown_message: UnknownMessage,
    pub(super) unverified: Option<Permission>,
    /// Genuine callbacks in a minute, for endpoints without a limit of their own.
    pub(super) per_minute: usize,
}

pub(super) fn read(reader: &mut Reader<'_>, common: &Common) -> Vec<Endpoint> {
    let mut endpoints: Vec<Endpoint> = Vec::new();
    for spec in providers::ALL {
        let mut accounts = accounts_of(reader, spec);
        if common.unverified.is_some() {
            accounts.entry(Account::unnamed()).or_default();
        }
        warn_of_shared_secrets(reader, spec, &accounts);
        let unnamed = accounts.get(&Account::unnamed()).cloned().unwrap_or_default();
        for (account, given) in accounts {
            if let Some(endpoint) = connect(reader, spec, account, &given, &unnamed, common) {
                let taken: Vec<String> = endpoints.iter().flat_map(Endpoint::paths).map(|(path, _)| path).collect();
                if endpoint.paths().any(|(path, _)| path == crate::http::HEALTH_PATH || taken.contains(&path)) {
                    reader.problem(&format!("{}_WEBHOOK_URL", spec.prefix()), "expected a path that no other endpoint has");
                }
                endpoints.push(endpoint);
            }
        }
    }
    if endpoints.is_empty() {
        let proofs: Vec<String> = providers::ALL.into_iter().flat_map(Spec::proofs).collect();
        reader.warning(&proofs.join(", "), "none is set, so every provider is off");
    }
    endpoints
}

/// The provider's variables, sorted by the account they belong to.
fn accounts_of(reader: &mut Reader<'_>, spec: &'static Spec) -> BTreeMap<Account, Given> {
    let mut accounts: BTreeMap<Account, Given> = BTreeMap::new();
    let env = reader.env;
    for variable in env.names() {
        let Some(rest) = variable.strip_prefix(&spec.prefix()).and_then(|rest| rest.strip_prefix('_')) else { continue };
        let (account, setting) = match rest.strip_prefix('_').map(|named| named.rsplit_once("__")) {
            Some(None) if rest == format!("_{BASE_URL}") => (Account::unnamed(), BASE_URL),
            None | Some(None) => (Account::unnamed(), rest),
            Some(Some((name, setting))) => match Account::from_str(name) {
                Ok(account) => (account, setting),
                Err(error) => {
                    reader.problem(variable, &error.to_string());
                    continue;
                }
            },
        };
        if is_known(spec, setting) {
            let value = env.get(variable).unwrap_or_default().to_owned();
            accounts.entry(account).or_default().insert(setting.to_owned(), (variable.to_owned(), value));
        } else {
            reader.warning(variable, "is not a variable of this provider and changes nothing");
        }
    }
    accounts
}

/// Accounts with the same secret cannot be told apart by what they sign.
fn warn_of_shared_secrets(reader: &mut Reader<'_>, spec: &Spec, accounts: &BTreeMap<Account, Given>) {
    let mut seen: BTreeMap<&str, &Account> = BTreeMap::new();
    for (account, given) in accounts {
        let proofs = spec.settings.iter().filter(|setting| matches!(setting.kind, SettingKind::Proof { .. }));
        for (variable, value) in proofs.filter_map(|setting| given.get(setting.name)) {
            for secret in items(value) {
                let first = *seen.entry(secret).or_insert(account);
                if first != account {
                    let other = first.as_str();
                    reader.warning(variable, &format!("shares a secret with the account {other}, so either can speak for both"));
                }
            }
        }
    }
}

fn is_known(spec: &Spec, setting: &str) -> bool {
    ["WEBHOOK_URL", "INVALID_PAYLOAD", "SIGNATURE_SCHEMES", BASE_URL].contains(&setting)
        || spec.settings.iter().any(|known| known.name == setting)
}

fn connect(
    reader: &mut Reader<'_>,
    spec: &'static Spec,
    account: Account,
    given: &Given,
    unnamed: &Given,
    common: &Common,
) -> Option<Endpoint> {
    // Schemes, path and the answer to unreadable payloads may be set once for all accounts of a provider.
    let mut settings = given.clone();
    for shared in ["SIGNATURE_SCHEMES", "INVALID_PAYLOAD", "WEBHOOK_URL"] {
        if let (false, Some(value)) = (settings.contains_key(shared), unnamed.get(shared)) {
            settings.insert(shared.to_owned(), value.clone());
        }
    }
    let base_path = base_path(reader, spec, &settings);
    let invalid_payload = invalid_payload(reader, spec, &settings);
    let public_urls = own_public_urls(reader, given).unwrap_or_else(|| common.public_urls.clone()).into();
    let Common { unknown_message, unverified, per_minute, .. } = *common;
    let Some(provider) = (spec.connect)(&mut Settings::new(spec, &settings, unverified.is_some(), reader)) else {
        if let (false, Some((variable, _))) = (account.is_unnamed(), given.values().next()) {
            reader.warning(variable, &format!("the account {} has no proof of its own, so it is off", account.as_str()));
        }
        return None;
    };
    let own = provider.limits();
    let limits = if own.per_minute == 0 { Limits { per_minute, ..own } } else { own };
    let limiter = Limiter::new(limits);
    Some(Endpoint {
        spec,
        account,
        base_path,
        public_urls,
        invalid_payload,
        unknown_message,
        unverified,
        limiter,
        metrics: EndpointMetrics::default(),
        provider,
    })
}

fn base_path(reader: &mut Reader<'_>, spec: &Spec, settings: &Given) -> String {
    let configured = settings.get("WEBHOOK_URL").filter(|(_, value)| !value.is_empty());
    let base = configured.map_or_else(|| spec.default_path(), |(_, value)| value.trim_end_matches('/').to_owned());
    let plain = base.starts_with('/') && base.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#%\\".contains(&byte));
    if let (false, Some((variable, _))) = (plain, configured) {
        reader.problem(variable, "expected a path such as /webhooks/twilio");
    }
    base
}

fn invalid_payload(reader: &mut Reader<'_>, spec: &Spec, settings: &Given) -> InvalidPayload {
    match settings.get("INVALID_PAYLOAD").filter(|(_, value)| !value.is_empty()) {
        None => spec.invalid_payload,
        Some((variable, value)) => value.parse().unwrap_or_else(|_| {
            reader.problem(variable, "expected `bad-request` or `accept`");
            spec.invalid_payload
        }),
    }
}

fn own_public_urls(reader: &mut Reader<'_>, given: &Given) -> Option<Vec<PublicUrl>> {
    let (variable, value) = given.get(BASE_URL).filter(|(_, value)| !value.is_empty())?;
    let urls: Vec<PublicUrl> = items(value).filter_map(|item| item.parse().ok()).collect();
    if urls.len() != items(value).count() {
        reader.problem(variable, &format!("expected {PUBLIC_URL_EXPECTED}"));
    }
    Some(urls)
}
