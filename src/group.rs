//! Groups of a writer's jobs, which are committed together.

use tokio::sync::mpsc::Receiver;

/// Limits of a group.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) items: usize,
    pub(crate) bytes: usize,
}

/// Collects items from queued jobs behind the first one. Returns them and the first job that is none: it is to be executed after the
/// group.
pub(crate) fn collect<J, I>(
    first: I,
    jobs: &mut Receiver<J>,
    Limits { items: most, bytes: most_bytes }: Limits,
    size: impl Fn(&I) -> usize,
    item: impl Fn(J) -> Result<I, J>,
) -> (Vec<I>, Option<J>) {
    let mut bytes = size(&first);
    let mut items = vec![first];
    while items.len() < most && bytes < most_bytes {
        match jobs.try_recv().map(&item) {
            Ok(Ok(next)) => {
                bytes += size(&next);
                items.push(next);
            }
            Ok(Err(job)) => return (items, Some(job)),
            Err(_) => break,
        }
    }
    (items, None)
}
