//! Tables with one folded row per provider, account and external id: inbound messages, calls, rooms.
//!
//! New rows are inserted in the order of their keys. Existing rows are locked, read, folded here and written back, so that each
//! rule exists once and is exact for any number of gateways.

use std::collections::{BTreeMap, BTreeSet};

use diesel::{QueryResult, result::DatabaseErrorKind, result::Error, sql_types::Text};

use crate::store::db::{connection::Connection, statement::row};

row! {
    /// The unique key of an entity's row.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, diesel::Queryable)]
    pub(crate) struct EntityKey {
        service_type: String => Text,
        account: String => Text,
        external_id: String => Text,
    }
}

impl EntityKey {
    pub(crate) fn new(service_type: &str, account: &str, external_id: &str) -> Self {
        let [service_type, account, external_id] = [service_type, account, external_id].map(str::to_owned);
        Self { service_type, account, external_id }
    }
}

/// The folded columns of an entity's row.
pub(crate) trait Entity: Clone + PartialEq {
    /// Folds another state of the same row into this one.
    fn absorb(&mut self, other: Self);
    /// Inserts rows; returns the keys of those that were new.
    fn insert(connection: &mut Connection, rows: &[(&EntityKey, &Self)]) -> QueryResult<BTreeSet<EntityKey>>;
    /// Locks rows and reads them with their ids, in the given order.
    fn lock(connection: &mut Connection, keys: &[&EntityKey]) -> QueryResult<Vec<(i64, Self)>>;
    /// Writes rows back.
    fn update(connection: &mut Connection, rows: &[(i64, Self)]) -> QueryResult<()>;
}

/// Rows of one table by key.
pub(crate) type Entities<E> = BTreeMap<EntityKey, E>;

/// Adds a row, or folds it into the one with the same key.
pub(crate) fn merge<E: Entity>(rows: &mut Entities<E>, key: &EntityKey, row: &E) {
    match rows.get_mut(key) {
        Some(existing) => existing.absorb(row.clone()),
        None => drop(rows.insert(key.clone(), row.clone())),
    }
}

/// Inserts new rows and folds the others into the existing ones.
pub(crate) fn fold<E: Entity>(connection: &mut Connection, rows: &Entities<E>) -> QueryResult<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let inserted = E::insert(connection, &rows.iter().collect::<Vec<_>>())?;
    let known: Vec<(&EntityKey, &E)> = rows.iter().filter(|(key, _)| !inserted.contains(key)).collect();
    if known.is_empty() {
        return Ok(());
    }
    let existing = E::lock(connection, &known.iter().map(|(key, _)| *key).collect::<Vec<_>>())?;
    if existing.len() != known.len() {
        return Err(row_vanished());
    }
    let mut changed = Vec::new();
    for ((id, before), (_, new)) in existing.into_iter().zip(known) {
        let mut folded = before.clone();
        folded.absorb(new.clone());
        if folded != before {
            changed.push((id, folded));
        }
    }
    if changed.is_empty() { Ok(()) } else { E::update(connection, &changed) }
}

/// The error for a row that existed at the insert and was deleted before it could be locked; the transaction is retried.
pub(crate) fn row_vanished() -> Error {
    Error::DatabaseError(DatabaseErrorKind::SerializationFailure, Box::new("a row was deleted concurrently".to_owned()))
}

/// Implements [`Entity`] with the statements of its table, for both databases.
macro_rules! entity {
    ($State:ident in $table:literal, $absorb:path) => {
        mod statements {
            use std::collections::BTreeSet;

            use diesel::{
                QueryResult, RunQueryDsl,
                sql_types::{BigInt, Text as SqlText},
            };

            use super::$State;
            use $crate::store::{
                db::{
                    connection::Connection,
                    statement::{Column, Row, SqlTemplate, Statement, Value},
                },
                fold::entity::{Entity, EntityKey},
            };

            struct InsertOne;
            impl SqlTemplate for InsertOne {
                const PIECES: &'static [&'static [&'static str]] = &[
                    &["INSERT INTO ", $table, " (", EntityKey::COLUMNS, ", ", $State::COLUMNS, ") VALUES ("],
                    &[", "],
                    &[") ON CONFLICT (", EntityKey::COLUMNS, ") DO NOTHING"],
                ];
                type Row = ();
            }

            struct InsertMany;
            impl SqlTemplate for InsertMany {
                const PIECES: &'static [&'static [&'static str]] = &[
                    &["INSERT INTO ", $table, " (", EntityKey::COLUMNS, ", ", $State::COLUMNS, ") SELECT "],
                    &[", "],
                    &[" ON CONFLICT (", EntityKey::COLUMNS, ") DO NOTHING RETURNING ", EntityKey::COLUMNS],
                ];
                type Row = (SqlText, SqlText, SqlText);
            }

            struct ReadOne;
            impl SqlTemplate for ReadOne {
                const PIECES: &'static [&'static [&'static str]] =
                    &[&["SELECT id, ", $State::COLUMNS, " FROM ", $table, " WHERE (", EntityKey::COLUMNS, ") = ("], &[")"]];
                type Row = (BigInt, <$State as Row>::SqlTypes);
            }

            struct LockMany;
            impl SqlTemplate for LockMany {
                const PIECES: &'static [&'static [&'static str]] = &[
                    &["SELECT found.id, ", $State::COLUMNS, " FROM (SELECT "],
                    &[
                        ") AS wanted (",
                        EntityKey::COLUMNS,
                        ") JOIN LATERAL (SELECT * FROM ",
                        $table,
                        " AS t WHERE \
                        t.service_type = wanted.service_type AND t.account = wanted.account \
                        AND t.external_id = wanted.external_id LIMIT 1 FOR UPDATE) AS found ON TRUE",
                    ],
                ];
                type Row = (BigInt, <$State as Row>::SqlTypes);
            }

            struct UpdateOne;
            impl SqlTemplate for UpdateOne {
                const PIECES: &'static [&'static [&'static str]] =
                    &[&["UPDATE ", $table, " SET (", $State::COLUMNS, ") = ("], &[") WHERE id = "], &[]];
                type Row = ();
            }

            struct UpdateMany;
            impl SqlTemplate for UpdateMany {
                const PIECES: &'static [&'static [&'static str]] = &[
                    &["UPDATE ", $table, " AS t SET (", $State::COLUMNS, ") = (", $State::NEW_COLUMNS, ") FROM (SELECT "],
                    &[", "],
                    &[") AS n (id, ", $State::COLUMNS, ") WHERE t.id = n.id"],
                ];
                type Row = ();
            }

            impl Entity for $State {
                fn absorb(&mut self, other: Self) {
                    $absorb(self, other);
                }

                fn insert(connection: &mut Connection, rows: &[(&EntityKey, &Self)]) -> QueryResult<BTreeSet<EntityKey>> {
                    match connection {
                        Connection::Sqlite(c) => {
                            let mut inserted = BTreeSet::new();
                            for (key, row) in rows {
                                if Statement::new(InsertOne, (key.values(), row.values())).execute(c)? == 1 {
                                    inserted.insert((*key).clone());
                                }
                            }
                            Ok(inserted)
                        }
                        Connection::Postgres(c) => {
                            let (keys, rows): (Vec<&EntityKey>, Vec<&Self>) = rows.iter().copied().unzip();
                            let insert = Statement::new(InsertMany, (EntityKey::columns(&keys), Self::columns(&rows)));
                            insert.load::<EntityKey>(c).map(BTreeSet::from_iter)
                        }
                    }
                }

                fn lock(connection: &mut Connection, keys: &[&EntityKey]) -> QueryResult<Vec<(i64, Self)>> {
                    match connection {
                        Connection::Sqlite(c) => {
                            let read = |key: &&EntityKey| Statement::new(ReadOne, (key.values(),)).get_result(c);
                            keys.iter().map(read).collect()
                        }
                        Connection::Postgres(c) => Statement::new(LockMany, (EntityKey::columns(keys),)).load(c),
                    }
                }

                fn update(connection: &mut Connection, rows: &[(i64, Self)]) -> QueryResult<()> {
                    match connection {
                        Connection::Sqlite(c) => rows.iter().try_for_each(|(id, row)| {
                            let id = (Value::<BigInt, _>::new(*id),);
                            Statement::new(UpdateOne, (row.values(), id)).execute(c).map(drop)
                        }),
                        Connection::Postgres(c) => {
                            let ids = (Column::<BigInt, _>::new(rows.iter().map(|(id, _)| *id)),);
                            let states: Vec<&Self> = rows.iter().map(|(_, row)| row).collect();
                            Statement::new(UpdateMany, (ids, Self::columns(&states))).execute(c).map(drop)
                        }
                    }
                }
            }
        }
    };
}
pub(crate) use entity;
