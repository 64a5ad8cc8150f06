//! The thread that appends to the spool: it takes all queued requests, commits them together, and sends each outcome after the commit.
//!
//! After an error the segment is sealed: it is unknown which pages are on the disk, and a later sync would not report it again. What was
//! committed before is still drained, and the next requests go to a new segment.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

use super::{
    file::{Appender, FileError, Row},
    folder,
    segment::Segment,
    shared::Shared,
    zeros::Zeros,
};
use crate::{
    group::{self, Limits},
    log_throttle::LogThrottle,
    metrics::QueueMetrics,
    outcomes::{self, OutcomeSender},
    queue::QueueError,
    time::Clock,
};

/// Jobs that may wait.
pub(super) const CAPACITY: usize = 1_024;

/// Limits of one transaction.
const LIMITS: Limits = Limits { items: 512, bytes: 8 << 20 };

/// The least time between two attempts to create a segment, after one that failed.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);

/// A segment that holds this share of its size and is drained is replaced, which gives its room back.
const REPLACED_SHARE: u64 = 4;

pub(super) enum Job {
    /// Appends a request and sends its outcome.
    Append(Row, OutcomeSender<Result<(), QueueError>>),
    /// Has the segment deleted if it is drained and holds much; after a failure, tests if there is room again.
    Maintain,
    /// Stops the thread after all earlier jobs.
    Stop,
}

/// The segment to which requests are appended.
struct Active {
    segment: Arc<Segment>,
    appender: Appender,
    zeros: Zeros,
}

impl Active {
    /// Prepares the log for the transactions after these requests.
    fn follow(&mut self, rows: &[Row]) -> Result<(), FileError> {
        self.zeros.follow(rows, || self.appender.log_end())
    }
}

pub(super) struct Writer {
    shared: Arc<Shared>,
    metrics: QueueMetrics,
    active: Option<Active>,
    /// No segment is created before.
    next_attempt: Instant,
    failures: LogThrottle,
}

impl Writer {
    /// Creates the first segment, unless the disk is full: what waits in the folder is drained, and callbacks are taken once there is room.
    pub(super) fn open(shared: &Arc<Shared>, metrics: &QueueMetrics) -> Result<Self, FileError> {
        let active = match create(shared) {
            Err(error) if folder::is_disk_full(&shared.folder) => {
                tracing::error!("the disk of the spool is full: {error}");
                None
            }
            created => Some(created?),
        };
        shared.set_failing(active.is_none());
        Ok(Self {
            shared: Arc::clone(shared),
            metrics: metrics.clone(),
            active,
            next_attempt: Instant::now(),
            failures: LogThrottle::default(),
        })
    }

    /// Executes jobs until `Stop`, or until the queue is closed.
    pub(super) fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut next = None;
        while let Some(job) = next.take().or_else(|| jobs.blocking_recv()) {
            let (row, sender) = match job {
                Job::Append(row, sender) => (row, sender),
                Job::Maintain => {
                    self.maintain();
                    continue;
                }
                Job::Stop => break,
            };
            let size = |(row, _): &(Row, _)| row.body.len();
            let (group, job) = group::collect((row, sender), &mut jobs, LIMITS, size, |job| match job {
                Job::Append(row, sender) => Ok((row, sender)),
                job => Err(job),
            });
            next = job;
            let (rows, senders) = group.into_iter().unzip();
            self.append(rows, senders);
        }
        self.seal();
    }

    /// Appends requests, as far as there is room, and sends their outcomes.
    fn append(&mut self, mut rows: Vec<Row>, mut senders: Vec<OutcomeSender<Result<(), QueueError>>>) {
        let room = self.shared.room();
        let mut size = 0;
        let fitting = rows.iter().take_while(|row| {
            size += row.size();
            size <= room
        });
        let fitting = fitting.count();
        let without_room = senders.split_off(fitting);
        rows.truncate(fitting);
        outcomes::send(without_room, std::iter::repeat(Err(QueueError::Full)));
        if rows.is_empty() {
            return;
        }
        // A second attempt goes to a new segment.
        let is_durable = self.try_append(&rows) || self.try_append(&rows);
        self.shared.set_failing(!is_durable);
        if is_durable {
            self.metrics.count_queued(u64::try_from(rows.len()).unwrap_or(0));
        }
        let result = if is_durable { Ok(()) } else { Err(QueueError::Unavailable) };
        outcomes::send(senders, std::iter::repeat(result));
        self.shared.wake_drainer();
        self.extend_log(&rows);
    }

    /// Prepares the log for the transactions after these requests, unless there is little room.
    fn extend_log(&mut self, rows: &[Row]) {
        let Some(active) = &mut self.active else { return };
        if self.shared.room() >= self.shared.segment_size / 4
            && let Err(error) = active.follow(rows)
        {
            self.report(&error.to_string());
            self.seal();
        }
    }

    fn try_append(&mut self, rows: &[Row]) -> bool {
        let Some(Active { segment, appender, .. }) = self.open_segment() else { return false };
        let outcome = appender.append(segment.next(), rows).map_err(|error| FileError::from(error).to_string());
        if let Err(error) = outcome.and_then(|()| segment.appended(rows).map_err(|error| error.to_string())) {
            self.report(&error);
            self.seal();
            return false;
        }
        let bytes = segment.bytes();
        self.shared.count_appended(rows.len());
        let is_large = bytes >= self.shared.segment_size;
        self.shared.count_bytes();
        if is_large {
            self.seal();
        }
        true
    }

    /// The segment to which requests are appended; creates one if there is none.
    fn open_segment(&mut self) -> Option<&mut Active> {
        if self.active.is_none() && Instant::now() >= self.next_attempt {
            match create(&self.shared) {
                Ok(active) => self.active = Some(active),
                Err(error) => {
                    self.next_attempt = Instant::now() + RETRY_INTERVAL;
                    self.report(&error.to_string());
                }
            }
        }
        self.active.as_mut()
    }

    fn report(&self, error: &str) {
        if self.failures.count().is_some() {
            tracing::error!("cannot append to the spool, callbacks are answered with 503; logged at most once a minute: {error}");
        }
    }

    /// Nothing more is appended to the segment.
    fn seal(&mut self) {
        if let Some(Active { segment, appender, zeros }) = self.active.take() {
            // Before others may delete its files.
            drop((appender, zeros));
            segment.seal();
            self.shared.wake_drainer();
        }
    }

    fn maintain(&mut self) {
        let is_replaceable = |active: &Active| {
            active.segment.pending() == 0 && active.segment.bytes() >= self.shared.segment_size / REPLACED_SHARE
        };
        if self.active.as_ref().is_some_and(is_replaceable) {
            self.seal();
        }
        if self.shared.is_failing() && !self.shared.is_full() {
            let has_room = self.open_segment().is_some();
            self.shared.set_failing(!has_room);
        }
    }
}

fn create(shared: &Shared) -> Result<Active, FileError> {
    let (segment, appender) = Segment::create(&shared.folder, Clock::System.now(), false)?;
    let zeros = Zeros::new(&segment.paths.log(), shared.segment_size).inspect_err(|_| drop(segment.paths.remove()))?;
    let segment = Arc::new(segment);
    shared.add(&segment);
    Ok(Active { segment, appender, zeros })
}
