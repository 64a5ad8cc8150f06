//! The state of a connection and its deadline.

use std::{
    cell::{Cell, RefCell},
    task::{Context, Waker},
    time::{Duration, Instant},
};

use super::registry::Peers;
use crate::config::ConnectionLimits;

/// ARCHITECTURE.md, "Limits". What follows a head in the same read may be counted with it.
const MAX_HEAD: usize = 16 << 10;

/// Bytes that are read while a complete request is in progress: the start of the next ones.
const MAX_AHEAD: usize = 16 << 10;

/// Bytes of an unread body that are discarded after its response.
const MAX_REST: usize = 512 << 10;

/// A response that is being written has no deadline as long as the client accepts it.
const NONE: Duration = Duration::from_hours(24 * 365);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Between two requests, or in a head.
    Head,
    /// A request is in progress, and its body is incomplete.
    Body,
    /// A complete request is in progress.
    Request,
    /// The response is written. With `is_unread`, the body was not read to its end.
    Response { is_unread: bool },
    /// The rest of an unread body is discarded.
    Rest,
}

/// Reason for which a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CloseReason {
    Late,
    LargeHead,
    LargeRest,
    Evicted,
}

/// Permission to read from the socket.
pub(super) enum MayRead {
    Now,
    InNextPoll,
    /// Until the task is woken.
    No,
}

/// A connection, shared by its stream, its watch, its requests and the registry of its worker.
pub(in crate::http) struct Connection {
    pub(super) peers: Peers,
    /// Its place among the connections of its network.
    pub(super) place: Cell<Option<usize>>,
    limits: ConnectionLimits,
    phase: Cell<Phase>,
    deadline: Cell<Instant>,
    /// The deadline of what was written and not yet accepted.
    write_deadline: Cell<Option<Instant>>,
    /// The end of the last request, or the start of the connection.
    waiting_since: Cell<Instant>,
    /// Bytes received in this phase.
    received: Cell<usize>,
    /// A response has announced that it is the last.
    is_closing: Cell<bool>,
    /// The connection has read since its task was last polled.
    has_read: Cell<bool>,
    /// Reading waits for the end of the request or of a write.
    is_paused: Cell<bool>,
    has_token: Cell<bool>,
    close_reason: Cell<Option<CloseReason>>,
    task: RefCell<Option<Waker>>,
}

impl Connection {
    pub(super) fn new(peers: Peers, limits: ConnectionLimits) -> Self {
        let now = Instant::now();
        Self {
            peers,
            place: Cell::new(None),
            limits,
            phase: Cell::new(Phase::Head),
            deadline: Cell::new(now + limits.head),
            write_deadline: Cell::new(None),
            waiting_since: Cell::new(now),
            received: Cell::new(0),
            is_closing: Cell::new(false),
            has_read: Cell::new(false),
            is_paused: Cell::new(false),
            has_token: Cell::new(false),
            close_reason: Cell::new(None),
            task: RefCell::new(None),
        }
    }

    fn enter(&self, phase: Phase, deadline: Instant) {
        self.phase.set(phase);
        self.deadline.set(deadline);
        self.received.set(0);
    }

    /// A request begins: its head is complete. False if it follows the last response, and must not be served.
    pub(super) fn begin(&self, has_body: bool) -> bool {
        let is_served = !self.is_closing.get();
        let (phase, time) = match (is_served, has_body) {
            (false, _) => (Phase::Rest, self.limits.rest),
            (true, true) => (Phase::Body, self.limits.body),
            (true, false) => (Phase::Request, self.limits.request),
        };
        self.enter(phase, Instant::now() + time);
        is_served
    }

    /// The body of the request was not read to its end so far.
    pub(super) fn has_unread_body(&self) -> bool {
        self.phase.get() == Phase::Body
    }

    /// The body was read to its end.
    pub(super) fn body_received(&self) {
        if self.phase.get() == Phase::Body {
            self.enter(Phase::Request, Instant::now() + self.limits.request);
        }
    }

    /// The client has shown a valid token.
    pub(super) fn token_shown(&self) {
        self.has_token.set(true);
    }

    /// The handler has answered. What follows is limited by the time in which the client accepts what is written.
    pub(super) fn answered(&self, is_last: bool) {
        let is_unread = self.has_unread_body();
        self.is_closing.set(is_last);
        self.enter(Phase::Response { is_unread }, self.deadline.get() + NONE);
    }

    /// The response is complete, though perhaps not yet written.
    pub(super) fn finished(&self) {
        let now = Instant::now();
        self.waiting_since.set(now);
        if self.phase.get() == (Phase::Response { is_unread: true }) {
            self.enter(Phase::Rest, now + self.limits.rest);
        } else {
            self.enter(Phase::Head, now + self.limits.idle);
        }
        self.resume();
    }

    fn resume(&self) {
        if self.is_paused.take() {
            self.wake();
        }
    }

    fn wake(&self) {
        if let Some(task) = self.task.borrow().as_ref() {
            task.wake_by_ref();
        }
    }

    /// The task is polled.
    pub(super) fn polled(&self, context: &Context<'_>) {
        self.has_read.set(false);
        let mut task = self.task.borrow_mut();
        if !task.as_ref().is_some_and(|task| task.will_wake(context.waker())) {
            *task = Some(context.waker().clone());
        }
    }

    /// Received bytes are parsed before more are read, so that a head is never refused for the body behind it.
    pub(super) fn may_read(&self) -> MayRead {
        let received = self.received.get();
        match self.phase.get() {
            _ if self.close_reason.get().is_some() => return MayRead::No,
            _ if self.has_read.get() => return MayRead::InNextPoll,
            Phase::Head if received >= MAX_HEAD => return self.close(CloseReason::LargeHead),
            Phase::Rest if received >= MAX_REST => return self.close(CloseReason::LargeRest),
            _ => {}
        }
        let is_ahead = matches!(self.phase.get(), Phase::Request | Phase::Response { .. }) && received >= MAX_AHEAD;
        // A client that reads no response gets no further ones.
        if is_ahead || self.write_deadline.get().is_some() {
            self.is_paused.set(true);
            return MayRead::No;
        }
        MayRead::Now
    }

    /// Nothing of the next head has been received.
    pub(super) fn is_before_head(&self) -> bool {
        self.phase.get() == Phase::Head && self.received.get() == 0
    }

    pub(super) fn received(&self, count: usize) {
        if count > 0 && self.received.get() == 0 && self.phase.get() == Phase::Head {
            self.deadline.set(Instant::now() + self.limits.head);
        }
        self.received.set(self.received.get() + count);
        self.has_read.set(true);
    }

    /// The client accepts no more bytes for now.
    pub(super) fn write_blocked(&self) {
        if self.write_deadline.get().is_none() {
            self.write_deadline.set(Some(Instant::now() + self.limits.write));
        }
    }

    /// The client has accepted everything that was written.
    pub(super) fn flushed(&self) {
        if self.write_deadline.take().is_some() {
            if self.phase.get() == Phase::Head && self.received.get() == 0 {
                self.deadline.set(Instant::now() + self.limits.idle);
            }
            self.resume();
        }
    }

    pub(super) fn deadline(&self) -> Instant {
        match (self.write_deadline.get(), self.phase.get()) {
            (None, _) => self.deadline.get(),
            (Some(deadline), Phase::Head | Phase::Rest) => deadline,
            (Some(deadline), _) => deadline.min(self.deadline.get()),
        }
    }

    /// Closes the connection if its deadline has passed. Returns true if it is to be closed, for whatever reason.
    pub(super) fn is_over(&self) -> bool {
        if self.close_reason.get().is_none() && self.deadline() <= Instant::now() {
            self.close_reason.set(Some(CloseReason::Late));
        }
        self.close_reason.get().is_some()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.close_reason.get().is_some()
    }

    fn close(&self, reason: CloseReason) -> MayRead {
        self.close_reason.set(Some(reason));
        MayRead::No
    }

    /// Closes the connection in favor of another.
    pub(super) fn evict(&self) {
        self.close_reason.set(Some(CloseReason::Evicted));
        self.wake();
    }

    /// The rank in which it may be evicted, lowest first, and since when it waits; `None` if it must be served.
    pub(super) fn eviction_rank(&self) -> Option<(u8, Instant)> {
        let is_served =
            matches!(self.phase.get(), Phase::Request | Phase::Response { .. }) && self.write_deadline.get().is_none();
        let rank = match (is_served, self.has_token.get()) {
            (false, false) => 0,
            (true, false) if self.limits.evicts_requests => 1,
            (false, true) => 2,
            (true, _) => return None,
        };
        Some((rank, self.waiting_since.get()))
    }

    /// A response for a connection that is closed in the middle of a request, if no other response has been started.
    pub(super) fn closing_response(&self) -> Option<&'static [u8]> {
        let is_within = match self.phase.get() {
            Phase::Head => self.received.get() > 0,
            Phase::Body => true,
            Phase::Request | Phase::Response { .. } | Phase::Rest => false,
        };
        if !is_within || self.write_deadline.get().is_some() {
            return None;
        }
        match self.close_reason.get()? {
            CloseReason::Late => Some(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
            CloseReason::LargeHead => {
                Some(b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            }
            CloseReason::Evicted => {
                Some(b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            }
            CloseReason::LargeRest => None,
        }
    }
}
