//! The state that the spool's threads share.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::Thread,
    time::Instant,
};

use super::segment::Segment;
use crate::queue::{QueueState, SpoolOptions};

/// A segment that has reached its size is followed by another one. Only a whole segment can be deleted, so with little room they are
/// smaller.
const SEGMENT_SIZES: (u64, u64) = (256 << 10, 64 << 20);
const SEGMENTS: u64 = 8;

/// With less room than this the spool is full: not even an empty segment would fit.
const LEAST_ROOM: u64 = 64 << 10;

pub(super) struct Shared {
    pub(super) folder: PathBuf,
    pub(super) max_bytes: u64,
    pub(super) segment_size: u64,
    /// The segments that this process owns, by name, which is the order of their creation.
    segments: Mutex<BTreeMap<String, Arc<Segment>>>,
    /// The size of all files that do not belong to them, and of all files.
    other_bytes: AtomicU64,
    used: AtomicU64,
    /// Segments that cannot be read.
    unreadable: AtomicU64,
    is_failing: AtomicBool,
    /// False only if no request waits to be drained, except those that the database has rejected.
    has_backlog: AtomicBool,
    /// Requests that were appended since the start.
    appended: AtomicU64,
    drainer: OnceLock<Thread>,
    /// True while the drainer waits for requests.
    is_drainer_idle: AtomicBool,
    /// The end of draining, once the gateway stops.
    stop: Mutex<Option<Instant>>,
}

impl Shared {
    pub(super) fn new(options: &SpoolOptions) -> Self {
        let (least, most) = SEGMENT_SIZES;
        Self {
            folder: options.folder.clone(),
            max_bytes: options.max_bytes,
            segment_size: (options.max_bytes / SEGMENTS).clamp(least, most),
            segments: Mutex::default(),
            other_bytes: 0.into(),
            used: 0.into(),
            unreadable: 0.into(),
            is_failing: false.into(),
            has_backlog: false.into(),
            appended: 0.into(),
            drainer: OnceLock::new(),
            is_drainer_idle: false.into(),
            stop: Mutex::default(),
        }
    }

    fn segments(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Segment>>> {
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn names(&self) -> BTreeSet<String> {
        self.segments().keys().cloned().collect()
    }

    pub(super) fn add(&self, segment: &Arc<Segment>) {
        self.segments().insert(segment.paths.name().to_owned(), Arc::clone(segment));
        self.count_bytes();
        self.update_backlog();
    }

    /// Gives a segment up. Its lock is released with its last reference.
    pub(super) fn forget(&self, segment: &Segment) {
        self.segments().remove(segment.paths.name());
        self.count_bytes();
    }

    /// The next segment with requests to drain: those that the database has rejected when it is their time, then the oldest one.
    pub(super) fn next(&self) -> Option<Arc<Segment>> {
        let segments = self.segments();
        let pending = || segments.values().filter(|segment| segment.pending() > 0 && segment.is_due());
        pending().find(|segment| segment.paths.is_refused()).or_else(|| pending().next()).cloned()
    }

    /// The segments that may be deleted.
    pub(super) fn done(&self) -> Vec<Arc<Segment>> {
        self.segments().values().filter(|segment| segment.is_done()).cloned().collect()
    }

    /// Requests that may be drained now.
    pub(super) fn due(&self) -> u64 {
        self.segments().values().filter(|segment| segment.is_due()).map(|segment| segment.pending()).sum()
    }

    /// Counts the size of all files again.
    pub(super) fn count_bytes(&self) {
        let own: u64 = self.segments().values().map(|segment| segment.bytes()).sum();
        self.used.store(own + self.other_bytes.load(Ordering::SeqCst), Ordering::SeqCst);
    }

    pub(super) fn set_others(&self, bytes: u64, unreadable: u64) {
        self.other_bytes.store(bytes, Ordering::SeqCst);
        self.unreadable.store(unreadable, Ordering::SeqCst);
        self.count_bytes();
    }

    /// Bytes that may still be stored.
    pub(super) fn room(&self) -> u64 {
        self.max_bytes.saturating_sub(self.used.load(Ordering::SeqCst))
    }

    pub(super) fn is_full(&self) -> bool {
        self.room() < LEAST_ROOM
    }

    pub(super) fn is_filling(&self) -> bool {
        self.used.load(Ordering::SeqCst) >= self.max_bytes / 2
    }

    pub(super) fn has_backlog(&self) -> bool {
        self.has_backlog.load(Ordering::SeqCst)
    }

    /// Called after requests were appended and before they are acknowledged.
    pub(super) fn count_appended(&self, requests: usize) {
        self.appended.fetch_add(u64::try_from(requests).unwrap_or(0), Ordering::SeqCst);
        let _segments = self.segments();
        self.has_backlog.store(true, Ordering::SeqCst);
    }

    pub(super) fn appended(&self) -> u64 {
        self.appended.load(Ordering::SeqCst)
    }

    /// Called after requests were drained.
    pub(super) fn update_backlog(&self) {
        // While the segments are locked, so that a request that is appended meanwhile is not missed.
        let segments = self.segments();
        let has_backlog = segments.values().any(|segment| !segment.paths.is_refused() && segment.pending() > 0);
        self.has_backlog.store(has_backlog, Ordering::SeqCst);
    }

    pub(super) fn set_failing(&self, is_failing: bool) {
        self.is_failing.store(is_failing, Ordering::SeqCst);
    }

    pub(super) fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::SeqCst)
    }

    pub(super) fn set_drainer(&self, thread: Thread) {
        // There is one drainer.
        drop(self.drainer.set(thread));
    }

    pub(super) fn set_drainer_idle(&self, is_idle: bool) {
        self.is_drainer_idle.store(is_idle, Ordering::SeqCst);
    }

    /// Wakes the drainer if it waits for requests.
    pub(super) fn wake_drainer(&self) {
        if self.is_drainer_idle.load(Ordering::SeqCst)
            && let Some(drainer) = self.drainer.get()
        {
            drainer.unpark();
        }
    }

    /// Has the drainer stop, at that time at the latest.
    pub(super) fn stop(&self, deadline: Instant) {
        *self.stop.lock().unwrap_or_else(PoisonError::into_inner) = Some(deadline);
        if let Some(drainer) = self.drainer.get() {
            drainer.unpark();
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        *self.stop.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn state(&self) -> QueueState {
        let segments = self.segments();
        QueueState {
            pending: segments.values().map(|segment| segment.pending()).sum(),
            oldest: segments.values().filter_map(|segment| segment.oldest()).min(),
            bytes: self.used.load(Ordering::SeqCst),
            max_bytes: self.max_bytes,
            is_failing: self.is_failing() || self.is_full(),
            unreadable_files: self.unreadable.load(Ordering::SeqCst),
            dead_messages: 0,
        }
    }
}
