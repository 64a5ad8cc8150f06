//! The socket of a connection, which reports to its state what is read and written.

use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use actix_web::rt::net::TcpStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    empty_posts::{self, EmptyPosts},
    state::{Connection, MayRead},
};

/// Bytes that are read at once.
const MAX_READ: usize = 7 << 10;

/// Bytes that are discarded before a connection is closed, because closing with unread bytes would discard the response.
const DISCARD: usize = 128 << 10;

pub(super) struct Stream {
    socket: TcpStream,
    connection: Rc<Connection>,
    empty_posts: EmptyPosts,
}

impl Stream {
    pub(super) fn new(socket: TcpStream, connection: Rc<Connection>) -> Self {
        Self { socket, connection, empty_posts: EmptyPosts::default() }
    }

    pub(super) fn connection(&self) -> &Rc<Connection> {
        &self.connection
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.connection.may_read() {
            MayRead::Now => {}
            MayRead::InNextPoll => {
                // After a short read this costs no system call.
                drop(ready!(self.socket.poll_read_ready(context)));
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            MayRead::No => return Poll::Pending,
        }
        // Before it asks for more, actix doubles a buffer that has less than 1 KiB left (`read_available`), up to 128 KiB, and keeps it.
        // A read that leaves this much leaves the buffer at its first size of 8 KiB.
        let limit = buffer.remaining().saturating_sub(1024).max(buffer.remaining() / 2).saturating_sub(empty_posts::ADDED);
        let mut bytes = [const { MaybeUninit::uninit() }; MAX_READ];
        let (bytes, _) = bytes.split_at_mut(limit.min(MAX_READ));
        let mut bytes = ReadBuf::uninit(bytes);
        ready!(Pin::new(&mut self.socket).poll_read(context, &mut bytes))?;
        let (read, is_start) = (bytes.filled(), self.connection.is_before_head());
        self.connection.received(read.len());
        let passed = self.empty_posts.pass(read, is_start);
        // An empty read would be the end of the stream.
        if passed.is_empty() && !read.is_empty() {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        buffer.put_slice(&passed);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.socket).poll_write(context, bytes);
        if result.is_pending() {
            self.connection.write_blocked();
        }
        result
    }

    /// Called by the dispatcher once all of its buffer is written.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.connection.flushed();
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let Some(response) = self.connection.closing_response() else { return };
        // Neither waits: a client that does not take it gets nothing.
        if self.socket.try_write(response).is_ok() {
            let (mut scratch, mut discarded) = ([0; 4096], 0);
            while discarded < DISCARD
                && let Ok(count @ 1..) = self.socket.try_read(&mut scratch)
            {
                discarded += count;
            }
        }
    }
}
