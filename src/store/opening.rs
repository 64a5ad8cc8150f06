//! Opening of the database: at the start, or later if it cannot be reached then.

use std::{
    sync::{Arc, Mutex, TryLockError, mpsc},
    thread,
    time::Duration,
};

use strum::VariantNames;

use super::{
    Options, Store,
    db::{
        connection::{self, Connection},
        error::StoreError,
        error_kind::ErrorLabel,
        migrations::{self, pending_migrations},
        readers::Readers,
        url::DatabaseUrl,
    },
    maintain::derived::{self, Settled},
    write::{
        checkpoint::Checkpointer,
        disk::Disk,
        last_failure::LastFailure,
        queue::Queues,
        running::Running,
        writer::{Writer, WriterHandle},
    },
};
use crate::{log_throttle::LogThrottle, metrics::StoreMetrics};

/// Held by the thread that opens the database, with the log lines of failed attempts.
pub(super) type Turn = Mutex<LogThrottle>;

/// Applies the pending migrations and returns their names.
pub fn migrate(url: &DatabaseUrl) -> Result<Vec<String>, StoreError> {
    let (mut connection, applied) = migrations::migrate(url)?;
    derived::index_old_inbound(&mut connection)?;
    Ok(applied)
}

impl Store {
    /// Opens the database, applies the pending migrations, checks that commits are durable, and starts the writers.
    pub fn open(url: &DatabaseUrl, options: Options) -> Result<Self, StoreError> {
        let store = Self::unopened(url, options);
        store.open_now()?;
        Ok(store)
    }

    /// Opens a migrated database, for a command that runs beside the gateway.
    pub fn attach(url: &DatabaseUrl, options: Options) -> Result<Self, StoreError> {
        connection::tighten(url)?;
        if !pending_migrations(url)?.is_empty() {
            return Err(StoreError::NotMigrated);
        }
        let store = Self::unopened(url, options);
        store.start()?;
        Ok(store)
    }

    /// A store whose database is opened by [`Self::try_open`], or never. Until then every use of it fails at once with
    /// [`StoreError::Unavailable`].
    pub fn unopened(url: &DatabaseUrl, options: Options) -> Self {
        // SQLite has one writer at a time.
        let writers = if matches!(url, DatabaseUrl::Sqlite(_)) { 1 } else { options.writers.get() };
        Self {
            url: url.clone(),
            queues: Queues::new(usize::from(writers)),
            readers: Readers::new(url),
            health: Mutex::new(None),
            options,
            metrics: StoreMetrics::new(ErrorLabel::VARIANTS),
            progress: Mutex::default(),
            settled: Settled::default(),
            deriving: tokio::sync::Mutex::default(),
            opening: Turn::default(),
        }
    }

    /// Opens the database as [`Self::open`] does. Postgres is opened on another thread: if that takes longer than `patience`, or fails,
    /// it is opened later by [`Self::try_open`]. So is a SQLite file that another process locks; anything else that is wrong with a file
    /// is an error, because it does not pass. Blocks.
    pub fn open_or_later(url: &DatabaseUrl, options: Options, patience: Duration) -> Result<Arc<Self>, StoreError> {
        let store = Arc::new(Self::unopened(url, options));
        if let DatabaseUrl::Sqlite(_) = url {
            return match store.open_now() {
                Err(error) if error.is_locked() => {
                    tracing::error!("the database is locked by another process, and is opened later");
                    Ok(store)
                }
                opened => opened.map(|()| store),
            };
        }
        let (opening, (sender, receiver)) = (Arc::clone(&store), mpsc::channel());
        let open = move || {
            // The receiver may have given up.
            drop(sender.send(opening.try_open()));
        };
        let thread = thread::Builder::new().name("waybill-open".to_owned()).spawn(open);
        drop(thread.map_err(|error| StoreError::Thread(Arc::new(error)))?);
        // A failure is logged.
        drop(receiver.recv_timeout(patience));
        Ok(store)
    }

    pub fn is_open(&self) -> bool {
        self.queues.is_started()
    }

    /// Opens the database if it is not open yet. Blocks, but not while another thread opens it.
    pub fn try_open(&self) -> Result<(), StoreError> {
        if self.is_open() {
            return Ok(());
        }
        let failures = match self.opening.try_lock() {
            Ok(failures) => failures,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(StoreError::Unavailable),
        };
        if self.is_open() {
            return Ok(());
        }
        // Tried first, because a failure is logged every time below.
        let is_reachable = Connection::open(&self.url).map(drop).map_err(|error| connection::connection_failure(&error));
        let opened = is_reachable.map_err(|cause| (StoreError::Unavailable, cause.to_owned())).and_then(|()| {
            self.open_now().map_err(|error| {
                let cause = if let StoreError::Statement(_) = error { error.kind().to_owned() } else { error.to_string() };
                (error, cause)
            })
        });
        match &opened {
            Ok(()) => tracing::info!("the database is open"),
            Err((_, cause)) if failures.count().is_some() => {
                tracing::error!(cause, "cannot open the database, and tries again; logged at most once a minute");
            }
            Err(_) => {}
        }
        opened.map_err(|(error, _)| error)
    }

    fn open_now(&self) -> Result<(), StoreError> {
        if let DatabaseUrl::Sqlite(path) = &self.url {
            Disk::new(path).make_room_to_open();
        }
        migrate(&self.url)?;
        self.start()
    }

    fn start(&self) -> Result<(), StoreError> {
        let writers = (0..self.queues.writers()).map(|_| self.start_writer()).collect::<Result<_, StoreError>>()?;
        self.readers.open();
        self.queues.start(writers);
        self.set_reachable(true);
        Ok(())
    }

    fn start_writer(&self) -> Result<WriterHandle, StoreError> {
        let mut connection = connection::open_writer(&self.url)?;
        connection.check_durability()?;
        let writer = Writer {
            url: self.url.clone(),
            connection: Some(connection),
            checkpointer: Checkpointer::start(&self.url)?,
            options: self.options.clone(),
            last_failure: LastFailure::default(),
            running: Running::default(),
            metrics: self.metrics.clone(),
        };
        writer.start()
    }
}
