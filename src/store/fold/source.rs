use crate::time::Timestamp;

/// The origin of an event, as far as the rows show it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'r> {
    pub(crate) service_type: &'static str,
    pub(crate) account: &'r str,
    pub(crate) verified_by: &'r str,
    pub(crate) received_at: Timestamp,
}
