//! Connections that only read, in two pools: queries of clients cannot take those of monitoring and background work.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use diesel::r2d2::{Error, HandleError, ManageConnection, Pool, PooledConnection, R2D2Connection};

use super::{
    connection::{Connection, on_either},
    error::StoreError,
    url::DatabaseUrl,
};

/// Connections for queries. The listener lets fewer run at once (`gateway::QueryLimits`), so that none waits here.
pub const MAX_QUERIES: u32 = 8;

/// One each for reachability, for the activity of endpoints, for the gauges, and for the derived tables, none of which runs twice at
/// once.
const MAX_MONITORS: u32 = 4;

/// Longest wait for a connection.
const QUERY_TIMEOUT: Duration = Duration::from_millis(300);

/// Longer, because a busy machine must not look like an unreachable database.
const MONITOR_TIMEOUT: Duration = Duration::from_millis(1_500);

/// The readers of a store. Connections are opened on demand, so that a gateway starts fast.
pub(crate) struct Readers {
    /// False until the database is open: nothing waits for a connection.
    is_open: AtomicBool,
    queries: Pool<ReaderManager>,
    monitors: Pool<ReaderManager>,
}

impl Readers {
    pub(crate) fn new(url: &DatabaseUrl) -> Self {
        let pool = |size, timeout| {
            Pool::builder()
                .max_size(size)
                .min_idle(Some(0))
                .connection_timeout(timeout)
                .error_handler(Box::new(LogConnectionError))
                .build_unchecked(ReaderManager(url.clone()))
        };
        Self {
            is_open: AtomicBool::new(false),
            queries: pool(MAX_QUERIES, QUERY_TIMEOUT),
            monitors: pool(MAX_MONITORS, MONITOR_TIMEOUT),
        }
    }

    /// Allows connections.
    pub(crate) fn open(&self) {
        self.is_open.store(true, Ordering::Release);
    }

    /// A connection for a client's query.
    pub(crate) fn query(&self) -> Result<PooledConnection<ReaderManager>, StoreError> {
        self.opened(&self.queries)?.get().map_err(|_| StoreError::Unavailable)
    }

    /// A connection for monitoring and background work.
    pub(crate) fn monitor(&self) -> Result<PooledConnection<ReaderManager>, StoreError> {
        self.monitors()?.get().map_err(|_| StoreError::Unavailable)
    }

    /// The pool for monitoring and background work.
    pub(crate) fn monitors(&self) -> Result<Pool<ReaderManager>, StoreError> {
        self.opened(&self.monitors).cloned()
    }

    fn opened<'p>(&self, pool: &'p Pool<ReaderManager>) -> Result<&'p Pool<ReaderManager>, StoreError> {
        if self.is_open.load(Ordering::Acquire) { Ok(pool) } else { Err(StoreError::Unavailable) }
    }
}

/// Opens the pools' connections.
#[derive(Debug)]
pub(crate) struct ReaderManager(DatabaseUrl);

impl ManageConnection for ReaderManager {
    type Connection = Connection;
    type Error = Error;

    fn connect(&self) -> Result<Connection, Error> {
        Connection::open_reader(&self.0).map_err(Error::ConnectionError)
    }

    fn is_valid(&self, connection: &mut Connection) -> Result<(), Error> {
        connection.ping().map_err(Error::QueryError)
    }

    fn has_broken(&self, connection: &mut Connection) -> bool {
        on_either!(connection, c => c.is_broken())
    }
}

/// Replaces r2d2's own handler, which would log the error's text with hosts and users.
#[derive(Debug)]
struct LogConnectionError;

impl HandleError<Error> for LogConnectionError {
    fn handle_error(&self, _error: Error) {
        tracing::warn!("a reader cannot connect to the database");
    }
}
