//! Entries of the audit trail: who changed data by hand, when, and what. They contain neither a secret nor personal data.

use diesel::{ExpressionMethods, QueryResult, RunQueryDsl};
use strum::IntoStaticStr;

use super::{
    connection::{Connection, on_either},
    schema::audit_log as a,
};
use crate::time::Timestamp;

/// The kind of credential with which a change is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Actor {
    /// `OPS_TOKEN` as a bearer token.
    Ops,
    /// A form of the pages, after a login with the same token.
    Page,
    /// A command on the gateway's machine.
    Cli,
}

/// The origin of a change.
#[derive(Clone, Copy, Debug)]
pub struct Author {
    pub actor: Actor,
    pub at: Timestamp,
}

/// The kind of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Action {
    Register,
    Replay,
    Discard,
    Erase,
    Reload,
}

/// A change that is recorded.
#[derive(Clone, Debug)]
pub(crate) struct AuditRecord {
    pub(crate) author: Author,
    pub(crate) action: Action,
    /// The request, or a short hash of the erased person.
    pub(crate) target: Option<String>,
    /// Messages, events, rows or settings.
    pub(crate) items: usize,
}

impl AuditRecord {
    /// Inserts the entry, in the transaction of the change if there is one.
    pub(crate) fn insert(&self, connection: &mut Connection) -> QueryResult<()> {
        let values = (
            a::recorded_at.eq(self.author.at.naive()),
            a::actor.eq(<&str>::from(self.author.actor)),
            a::action.eq(<&str>::from(self.action)),
            a::target.eq(&self.target),
            a::items.eq(i64::try_from(self.items).unwrap_or(i64::MAX)),
        );
        on_either!(connection, c => diesel::insert_into(a::table).values(values).execute(c)).map(drop)
    }

    /// Logs the entry once it is committed.
    pub(crate) fn log(&self) {
        let (actor, action) = (<&str>::from(self.author.actor), <&str>::from(self.action));
        let (target, items) = (self.target.as_deref(), self.items);
        match self.action {
            // As frequent as the application's messages.
            Action::Register => tracing::debug!(actor, action, items, "audit"),
            Action::Replay | Action::Discard | Action::Erase | Action::Reload => {
                tracing::info!(actor, action, target, items, "audit");
            }
        }
    }
}
