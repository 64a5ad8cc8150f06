//! The endpoints of an environment: `TWILIO_AUTH_TOKEN` belongs to the unnamed account, `TWILIO__ACME__AUTH_TOKEN` to `acme`.

use std::{collections::BTreeMap, str::FromStr, sync::Arc};

use sha2::{Digest, Sha256};

use super::{MAX_PUBLIC_URLS, PUBLIC_URL_EXPECTED, TOO_MANY_PUBLIC_URLS, reader::Reader};
use crate::{
    endpoint::{Account, EndpointConfig, UnknownMessage},
    env::{Findings, values::items},
    event::OptOutWords,
    limiter::Limits,
    provider::{InvalidPayload, SettingKind, Settings, Spec},
    providers,
    public_url::PublicUrl,
    router::HEALTH_PATH,
    signature::unverified::Permission,
};

/// Setting → its variable and value.
type Given = BTreeMap<String, (String, String)>;

/// The setting that has a double underscore also for the unnamed account.
const BASE_URL: &str = "WEBHOOK_BASE_URL";

/// Settings that may be set once for all accounts of a provider.
const INHERITED: [&str; 4] = ["SIGNATURE_SCHEMES", "INVALID_PAYLOAD", "WEBHOOK_URL", MATCH_UNSCOPED];

const MATCH_UNSCOPED: &str = "MATCH_UNSCOPED_REFERENCES";

/// Settings that all endpoints share.
pub(super) struct Shared {
    pub(super) public_urls: Vec<PublicUrl>,
    pub(super) unknown_message: UnknownMessage,
    pub(super) unverified: Option<Permission>,
    /// Verified callbacks a minute, for endpoints without a limit of their own.
    pub(super) per_minute: usize,
    pub(super) opt_out_words: Arc<OptOutWords>,
}

/// The endpoints, and those that answer for unknown accounts.
pub(super) fn read(reader: &mut Reader<'_>, shared: &Shared) -> (Vec<EndpointConfig>, Vec<EndpointConfig>) {
    let (mut endpoints, mut unknown): (Vec<EndpointConfig>, _) = (Vec::new(), Vec::new());
    let mut owners = Owners::new();
    for spec in providers::ALL {
        let mut accounts = accounts_of(reader, spec);
        if shared.unverified.is_some() {
            accounts.entry(Account::unnamed()).or_default();
        }
        warn_of_shared_secrets(reader, spec, &accounts, &mut owners);
        let unnamed = accounts.get(&Account::unnamed()).cloned().unwrap_or_default();
        if shared.unverified.is_none() {
            unknown.extend(unknown_account(reader, spec, &accounts, &unnamed, shared));
        }
        for (account, given) in accounts {
            if let Some(endpoint) = connect(reader, spec, account, &given, &unnamed, shared) {
                let taken: Vec<String> = endpoints.iter().flat_map(EndpointConfig::paths).map(|(path, _)| path).collect();
                if endpoint.paths().any(|(path, _)| path == HEALTH_PATH || taken.contains(&path)) {
                    reader.problem(&format!("{}_WEBHOOK_URL", spec.prefix()), "expected a path that no other endpoint has");
                }
                endpoints.push(endpoint);
            }
        }
    }
    if endpoints.is_empty() {
        let proofs: Vec<String> = providers::ALL.iter().flat_map(|spec| spec.proofs()).collect();
        reader.warning(&proofs.join(", "), "none is set, so all providers are off");
    }
    (endpoints, unknown)
}

/// An account with the settings of a named one and random secrets. It answers like that account, and takes as long.
fn unknown_account(
    reader: &Reader<'_>,
    spec: &'static Spec,
    accounts: &BTreeMap<Account, Given>,
    unnamed: &Given,
    shared: &Shared,
) -> Option<EndpointConfig> {
    let (_, mut given) = accounts.iter().find(|(account, _)| !account.is_unnamed()).map(|(name, given)| (name, given.clone()))?;
    let mut random = [0; 32];
    getrandom::fill(&mut random).ok()?;
    for (setting, value) in (spec.generate)(&random) {
        given.entry(setting.to_owned()).and_modify(|(_, secret)| *secret = value);
    }
    connect(&mut Reader::new(reader.env), spec, Account::unknown(), &given, unnamed, shared)
}

/// The provider's variables by account.
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
            reader.warning(variable, "is not a variable of this provider; it has no effect");
        }
    }
    accounts
}

/// The provider and the account that has a secret.
type Owners = BTreeMap<String, (&'static str, Account)>;

/// Accounts with the same secret cannot be distinguished by their signatures, and who has the secret of one provider can sign for the other.
fn warn_of_shared_secrets(
    reader: &mut Reader<'_>,
    spec: &'static Spec,
    accounts: &BTreeMap<Account, Given>,
    owners: &mut Owners,
) {
    for (account, given) in accounts {
        let proofs = spec.settings.iter().filter(|setting| setting.kind == SettingKind::Proof);
        for (variable, value) in proofs.filter_map(|setting| given.get(setting.name)) {
            let mut others: Vec<String> = Vec::new();
            for secret in items(value).filter_map(secret_of) {
                let (title, first) = owners.entry(secret.to_owned()).or_insert((spec.title, account.clone()));
                others.extend(match (*title == spec.title, first == account) {
                    (true, true) => None,
                    (true, false) => Some(format!("the account {}, so callbacks of one verify at the other", first.as_str())),
                    (false, _) => {
                        Some(format!("{title} (account {}), so that who has one can sign for the other", first.as_str()))
                    }
                });
            }
            others.dedup();
            for other in others {
                reader.warning(variable, &format!("shares a secret with {other}"));
            }
        }
    }
}

/// The secret in an item of a setting, without a user name or a label before it.
fn secret_of(item: &str) -> Option<&str> {
    let secret = item.rsplit(':').next()?;
    let secret = secret.strip_prefix("whsec_").unwrap_or(secret);
    (!secret.is_empty()).then_some(secret)
}

fn is_known(spec: &Spec, setting: &str) -> bool {
    INHERITED.contains(&setting) || setting == BASE_URL || spec.settings.iter().any(|known| known.name == setting)
}

fn connect(
    reader: &mut Reader<'_>,
    spec: &'static Spec,
    account: Account,
    given: &Given,
    unnamed: &Given,
    shared: &Shared,
) -> Option<EndpointConfig> {
    let mut settings = given.clone();
    for inherited in INHERITED {
        if let (false, Some(value)) = (settings.contains_key(inherited), unnamed.get(inherited)) {
            settings.insert(inherited.to_owned(), value.clone());
        }
    }
    let base_path = base_path(reader, spec, &settings);
    let invalid_payload = invalid_payload(reader, spec, &settings);
    let matches_unscoped = account.is_unnamed() || matches_unscoped(reader, &settings);
    let public_urls: Arc<[PublicUrl]> = own_public_urls(reader, given).unwrap_or_else(|| shared.public_urls.clone()).into();
    let Shared { unknown_message, unverified, per_minute, .. } = *shared;
    let mut read = Settings::new(spec, &settings, unverified.is_some(), &mut reader.findings);
    let connected = (spec.connect)(&mut read);
    let fingerprint = fingerprint(read.hash(), shared, &public_urls);
    let Some(provider) = connected else {
        if let (false, Some((variable, _))) = (account.is_unnamed(), given.values().next()) {
            reader.warning(variable, &format!("the account {} has no proof of its own, so it is off", account.as_str()));
        }
        return None;
    };
    // Reads the same settings, of which every problem is reported above.
    let signer = (spec.signer)(&mut Settings::new(spec, &settings, unverified.is_some(), &mut Findings::default()));
    let own = provider.limits();
    let limits = if own.per_minute == 0 { Limits { per_minute, ..own } } else { own };
    Some(EndpointConfig {
        spec,
        account,
        base_path,
        public_urls,
        invalid_payload,
        unknown_message,
        matches_unscoped,
        unverified,
        limits,
        opt_out_words: Arc::clone(&shared.opt_out_words),
        fingerprint,
        provider,
        signer,
    })
}

/// A hash of all that a reload may change in an endpoint.
fn fingerprint(settings: Sha256, shared: &Shared, public_urls: &[PublicUrl]) -> [u8; 32] {
    let urls: Vec<String> = public_urls.iter().map(ToString::to_string).collect();
    let of_all = format!("{:?} {} {}", shared.unknown_message, shared.per_minute, urls.join(" "));
    settings.chain_update(of_all).finalize().into()
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

fn matches_unscoped(reader: &mut Reader<'_>, settings: &Given) -> bool {
    let Some((variable, value)) = settings.get(MATCH_UNSCOPED).filter(|(_, value)| !value.is_empty()) else { return false };
    value.parse().unwrap_or_else(|_| {
        reader.problem(variable, "expected `true` or `false`");
        false
    })
}

fn own_public_urls(reader: &mut Reader<'_>, given: &Given) -> Option<Vec<PublicUrl>> {
    let (variable, value) = given.get(BASE_URL).filter(|(_, value)| !value.is_empty())?;
    let urls: Vec<PublicUrl> = items(value).filter_map(|item| item.parse().ok()).collect();
    if urls.len() != items(value).count() {
        reader.problem(variable, &format!("expected {PUBLIC_URL_EXPECTED}"));
    }
    if urls.len() > MAX_PUBLIC_URLS {
        reader.problem(variable, TOO_MANY_PUBLIC_URLS);
    }
    Some(urls)
}
