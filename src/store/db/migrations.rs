//! The embedded migrations, one set for each database, applied under a lock.

use diesel::{
    Connection as _, RunQueryDsl,
    connection::SimpleConnection,
    migration::{Migration, MigrationSource, MigrationVersion},
    result::Error,
    sql_types::{BigInt, Binary, Text},
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::{
    connection::{self, Connection},
    error::StoreError,
    key::short_key,
    url::DatabaseUrl,
};

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// An arbitrary number that all gateways share, so that one migrates while the others wait.
const LOCK: i64 = 0x0057_6179_6269_6c6c;

#[diesel::declare_sql_function]
extern "SQL" {
    /// [`short_key`] for SQL.
    fn waybill_key(service_type: Text, account: Text, key: Binary) -> Binary;
}

diesel::define_sql_function! {
    /// Takes an advisory lock until the transaction ends.
    fn pg_advisory_xact_lock(key: BigInt) -> Nullable<Text>;
}

/// Applies the pending migrations; returns the connection and the names of the applied ones.
pub(crate) fn migrate(url: &DatabaseUrl) -> Result<(Connection, Vec<String>), StoreError> {
    connection::create_sqlite_file(url)?;
    let mut connection = connection::open(url)?;
    let applied = apply_pending(&mut connection)?;
    Ok((connection, applied))
}

/// Names of the migrations that [`crate::store::migrate`] would apply.
pub fn pending_migrations(url: &DatabaseUrl) -> Result<Vec<String>, StoreError> {
    match url {
        // Opening the file would create it.
        DatabaseUrl::Sqlite(path) if !path.exists() => all(),
        _ => pending(&mut connection::open(url)?),
    }
}

fn all() -> Result<Vec<String>, StoreError> {
    let known: Vec<Box<dyn Migration<diesel::sqlite::Sqlite>>> = SQLITE.migrations()?;
    Ok(names(&known))
}

/// Names of the pending migrations. Diesel creates its own table for this query, so that it runs in a transaction that is rolled
/// back.
pub(crate) fn pending(connection: &mut Connection) -> Result<Vec<String>, StoreError> {
    let mut names = Err(StoreError::Unavailable);
    let outcome = match connection {
        Connection::Sqlite(c) => c.immediate_transaction(|c| {
            names = pending_names(c, SQLITE);
            Err::<(), _>(Error::RollbackTransaction)
        }),
        Connection::Postgres(c) => c.transaction(|c| {
            names = pending_names(c, POSTGRES);
            Err::<(), _>(Error::RollbackTransaction)
        }),
    };
    match outcome {
        Err(Error::RollbackTransaction) | Ok(()) => names,
        Err(error) => Err(error.into()),
    }
}

fn pending_names<DB: diesel::backend::Backend>(
    connection: &mut impl MigrationHarness<DB>,
    source: impl MigrationSource<DB>,
) -> Result<Vec<String>, StoreError> {
    reject_newer(connection, &source)?;
    Ok(names(&connection.pending_migrations(source)?))
}

fn reject_newer<DB: diesel::backend::Backend>(
    connection: &mut impl MigrationHarness<DB>,
    source: &impl MigrationSource<DB>,
) -> Result<(), StoreError> {
    let applied = connection.applied_migrations()?;
    let known: Vec<Box<dyn Migration<DB>>> = source.migrations()?;
    let is_known = |version: &MigrationVersion<'_>| known.iter().any(|migration| migration.name().version() == *version);
    if applied.iter().all(is_known) { Ok(()) } else { Err(StoreError::NewerSchema) }
}

/// Applies all pending migrations or none.
fn apply_pending(connection: &mut Connection) -> Result<Vec<String>, StoreError> {
    match connection {
        Connection::Sqlite(c) => {
            // Used by the migration that shortens keys.
            waybill_key_utils::register_impl(c, |service_type: String, account: String, key: Vec<u8>| {
                short_key(&service_type, &account, &key).to_vec()
            })?;
            c.exclusive_transaction(|c| run(c, SQLITE))
        }
        Connection::Postgres(c) => {
            // Another gateway may be migrating, and a migration may take longer than a commit may.
            c.batch_execute("SET statement_timeout = 0; SET lock_timeout = 0")?;
            c.transaction(|c| {
                diesel::select(pg_advisory_xact_lock(LOCK)).execute(c)?;
                run(c, POSTGRES)
            })
        }
    }
}

fn run<DB: diesel::backend::Backend>(
    connection: &mut impl MigrationHarness<DB>,
    source: impl MigrationSource<DB>,
) -> Result<Vec<String>, StoreError> {
    reject_newer(connection, &source)?;
    let ran: Vec<MigrationVersion<'_>> = connection.run_pending_migrations(source)?;
    Ok(ran.iter().map(ToString::to_string).collect())
}

fn names<DB: diesel::backend::Backend>(migrations: &[Box<dyn Migration<DB>>]) -> Vec<String> {
    migrations.iter().map(|migration| migration.name().to_string()).collect()
}
