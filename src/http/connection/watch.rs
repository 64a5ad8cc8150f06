//! Runs a connection until it ends or its deadline passes.

use std::{future::poll_fn, pin::pin, task::Poll};

use actix_http::error::DispatchError;
use tokio::time::{Instant, sleep_until};

use super::state::Connection;

/// Runs the dispatcher of a connection. It is dropped when the deadline of the connection has passed, which closes the socket.
///
/// The timer is not moved with the deadline: when it fires, it is set to the deadline of that time. Only an earlier deadline than the
/// timer's moves it at once. A busy connection therefore sets its timer once in a few seconds.
pub(super) async fn run(
    dispatcher: impl Future<Output = Result<(), DispatchError>>,
    connection: &Connection,
) -> Result<(), DispatchError> {
    let mut dispatcher = pin!(dispatcher);
    let mut timer = pin!(sleep_until(Instant::from_std(connection.deadline())));
    poll_fn(|context| {
        connection.polled(context);
        if !connection.is_closed()
            && let Poll::Ready(result) = dispatcher.as_mut().poll(context)
        {
            return Poll::Ready(result);
        }
        loop {
            if connection.is_closed() {
                return Poll::Ready(Ok(()));
            }
            let deadline = Instant::from_std(connection.deadline());
            if deadline < timer.deadline() {
                timer.as_mut().reset(deadline);
            }
            if timer.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            if !connection.is_over() {
                timer.as_mut().reset(Instant::from_std(connection.deadline()));
            }
        }
    })
    .await
}
