//! The embedded migrations: twins for the two databases, applied under a lock.

use diesel::{
    Connection as _, RunQueryDsl,
    connection::SimpleConnection,
    migration::{Migration, MigrationSource, MigrationVersion},
    result::Error,
    sql_types::BigInt,
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::{
    StoreError,
    connection::{self, Connection},
};
use crate::config::DatabaseUrl;

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// Any number; the same in every gateway, so that one migrates and the others wait.
const LOCK: i64 = 0x0057_6179_6269_6c6c;

diesel::define_sql_function! {
    /// Holds a lock of that number until the transaction ends.
    fn pg_advisory_xact_lock(key: BigInt) -> Nullable<Text>;
}

/// Applies what migrations are pending and returns their names.
pub fn migrate(url: &DatabaseUrl) -> Result<Vec<String>, StoreError> {
    connection::prepare(url)?;
    run(&mut connection::open(url)?)
}

/// Whether the database answers and keeps what it commits. Creates nothing.
pub fn probe(url: &DatabaseUrl) -> Result<(), StoreError> {
    connection::probe(url)
}

/// Names of the migrations that [`migrate`] would apply.
pub fn pending_migrations(url: &DatabaseUrl) -> Result<Vec<String>, StoreError> {
    match url {
        // Looking would create it.
        DatabaseUrl::Sqlite(path) if !path.exists() => all(),
        _ => look(&mut connection::open(url)?),
    }
}

/// Names of all migrations.
fn all() -> Result<Vec<String>, StoreError> {
    let known: Vec<Box<dyn Migration<diesel::sqlite::Sqlite>>> = SQLITE.migrations()?;
    Ok(names(&known))
}

/// Names of the migrations that are not applied yet. Locks as if it were to write, and changes nothing: Diesel makes a table
/// of its own when it is asked, which is taken back.
pub(super) fn look(connection: &mut Connection) -> Result<Vec<String>, StoreError> {
    let mut seen = Err(StoreError::Unavailable);
    let ended = match connection {
        Connection::Sqlite(c) => c.immediate_transaction(|c| {
            seen = pending(c, SQLITE);
            Err::<(), _>(Error::RollbackTransaction)
        }),
        Connection::Postgres(c) => c.transaction(|c| {
            seen = pending(c, POSTGRES);
            Err::<(), _>(Error::RollbackTransaction)
        }),
    };
    match ended {
        Err(Error::RollbackTransaction) | Ok(()) => seen,
        Err(error) => Err(error.into()),
    }
}

fn pending<DB: diesel::backend::Backend>(
    connection: &mut impl MigrationHarness<DB>,
    source: impl MigrationSource<DB>,
) -> Result<Vec<String>, StoreError> {
    refuse_newer(connection, &source)?;
    Ok(names(&connection.pending_migrations(source)?))
}

fn refuse_newer<DB: diesel::backend::Backend>(
    connection: &mut impl MigrationHarness<DB>,
    source: &impl MigrationSource<DB>,
) -> Result<(), StoreError> {
    let applied = connection.applied_migrations()?;
    let known: Vec<Box<dyn Migration<DB>>> = source.migrations()?;
    let is_known = |version: &MigrationVersion<'_>| known.iter().any(|migration| migration.name().version() == *version);
    if applied.iter().all(is_known) { Ok(()) } else { Err(StoreError::NewerSchema) }
}

/// Applies what is pending, all or nothing, and refuses a database that a newer gateway has migrated.
fn run(connection: &mut Connection) -> Result<Vec<String>, StoreError> {
    match connection {
        Connection::Sqlite(c) => c.exclusive_transaction(|c| apply(c, SQLITE)),
        Connection::Postgres(c) => {
            // Another gateway may be migrating, and a migration may take longer than a commit should.
            c.batch_execute("SET statement_timeout = 0; SET lock_timeout = 0")?;
            c.transaction(|c| {
                diesel::select(pg_advisory_xact_lock(LOCK)).execute(c)?;
                apply(c, POSTGRES)
            })
        }
    }
}

fn apply<DB: diesel::backend::Backend>(
    connection: &mut impl MigrationHarness<DB>,
    source: impl MigrationSource<DB>,
) -> Result<Vec<String>, StoreError> {
    refuse_newer(connection, &source)?;
    let ran: Vec<MigrationVersion<'_>> = connection.run_pending_migrations(source)?;
    Ok(ran.iter().map(ToString::to_string).collect())
}

fn names<DB: diesel::backend::Backend>(migrations: &[Box<dyn Migration<DB>>]) -> Vec<String> {
    migrations.iter().map(|migration| migration.name().to_string()).collect()
}
