//! The scope of the application's messages: callbacks of one account never refer to a message of another.

use std::collections::BTreeSet;

use crate::{current::Current, endpoint::Account};

/// The named accounts, each with its provider, whose callbacks may also refer to messages that were registered without an account.
#[derive(Clone, Debug, Default)]
pub struct UnscopedAccounts(Current<BTreeSet<(&'static str, String)>>);

impl FromIterator<(&'static str, String)> for UnscopedAccounts {
    fn from_iter<I: IntoIterator<Item = (&'static str, String)>>(accounts: I) -> Self {
        Self(Current::new(accounts.into_iter().collect()))
    }
}

impl UnscopedAccounts {
    /// Takes the accounts of another list, for all clones.
    pub(crate) fn follow(&self, other: &Self) {
        self.0.replace((*other.0.get()).clone());
    }

    /// Returns true if callbacks of that account may refer to messages that were registered without an account, and to any message in
    /// their scope by its row's id.
    fn contains(&self, service_type: &str, account: &str) -> bool {
        account == Account::UNNAMED || self.0.get().iter().any(|(provider, name)| *provider == service_type && name == account)
    }

    /// The accounts of messages to which callbacks of that account may refer.
    pub(super) fn accounts_of<'a>(&self, service_type: &str, account: &'a str) -> Vec<&'a str> {
        let unnamed = self.contains(service_type, account).then_some(Account::UNNAMED);
        unnamed.into_iter().chain((account != Account::UNNAMED).then_some(account)).collect()
    }

    /// The accounts whose callbacks may refer to a message of that account by its reference.
    pub(super) fn referring_to(&self, service_type: &str, account: &str) -> Vec<String> {
        let accounts = self.0.get();
        let unscoped = accounts.iter().filter(|(provider, _)| *provider == service_type && account == Account::UNNAMED);
        unscoped.map(|(_, name)| name.clone()).chain([account.to_owned()]).collect()
    }
}

/// The provider and account for which a message was registered.
#[derive(Clone, Debug, PartialEq, Eq, diesel::Queryable)]
pub(super) struct Scope {
    /// `None` for any provider.
    pub(super) service_type: Option<String>,
    pub(super) account: String,
}

impl Scope {
    /// Returns true if callbacks of that account may refer to the message by its reference.
    pub(super) fn includes(&self, service_type: &str, account: &str, unscoped: &UnscopedAccounts) -> bool {
        let is_account = self.account == account || self.account == Account::UNNAMED && unscoped.contains(service_type, account);
        is_account && self.service_type.as_deref().is_none_or(|own| own == service_type)
    }

    /// Returns true if callbacks of that account may refer to the message by its row's id.
    pub(super) fn includes_id(&self, service_type: &str, account: &str, unscoped: &UnscopedAccounts) -> bool {
        unscoped.contains(service_type, account) && self.includes(service_type, account, unscoped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scope_includes_its_own_accounts_only() {
        let unscoped: UnscopedAccounts = [("twilio", "shared".to_owned())].into_iter().collect();
        let scope = |service_type: Option<&str>, account: &str| Scope {
            service_type: service_type.map(str::to_owned),
            account: account.to_owned(),
        };
        let accounts = ["default", "acme", "shared"].map(|account| ("twilio", account));
        let accounts = accounts.into_iter().chain([("resend", "default"), ("resend", "shared")]);
        for (scope, by_reference, by_id) in [
            (scope(None, "default"), [true, false, true, true, false], [true, false, true, true, false]),
            (scope(Some("twilio"), "default"), [true, false, true, false, false], [true, false, true, false, false]),
            (scope(Some("twilio"), "acme"), [false, true, false, false, false], [false; 5]),
            (scope(None, "shared"), [false, false, true, false, true], [false, false, true, false, false]),
        ] {
            let seen = accounts.clone().map(|(provider, account)| scope.includes(provider, account, &unscoped));
            assert_eq!(seen.collect::<Vec<_>>(), by_reference, "{scope:?}");
            let seen = accounts.clone().map(|(provider, account)| scope.includes_id(provider, account, &unscoped));
            assert_eq!(seen.collect::<Vec<_>>(), by_id, "{scope:?}");
        }
    }
}
