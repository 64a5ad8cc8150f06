//! The queue in front of the database: a banner while the tables lack callbacks, and a panel with its figures.

use super::components::{Badge, RelativeTime, Severity};
use crate::{health::QueueHealth, time::Timestamp};

#[derive(Clone, Debug)]
pub(super) struct QueueView {
    /// `Spool` or `Broker`.
    pub(super) title: &'static str,
    pub(super) status: Badge,
    /// True if callbacks are accepted without the database.
    pub(super) accepts: bool,
    /// The sentences of the banner.
    pub(super) banner: Option<(String, String)>,
    pub(super) facts: Vec<(&'static str, String)>,
    pub(super) oldest: RelativeTime,
}

impl QueueView {
    pub(super) fn new(queue: &QueueHealth, now: Timestamp) -> Self {
        let max_bytes = if queue.max_bytes == 0 { String::new() } else { format!(" of {}", bytes(queue.max_bytes)) };
        Self {
            title: if queue.name == "spool" { "Spool" } else { "Broker" },
            status: status(queue),
            accepts: queue.accepts(),
            banner: banner(queue),
            facts: [
                ("Mode", queue.mode.map(str::to_owned)),
                ("Not in the tables yet", Some(queue.pending.to_string())),
                ("Lag", Some(format!("{} s", queue.lag_seconds))),
                ("Files that cannot be read", (queue.unreadable_files > 0).then(|| queue.unreadable_files.to_string())),
                ("Messages that cannot be stored", (queue.dead_messages > 0).then(|| queue.dead_messages.to_string())),
                ("Size", Some(bytes(queue.bytes) + &max_bytes)),
                ("Database", Some(if queue.is_database_away { "unavailable" } else { "available" }.to_owned())),
            ]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect(),
            oldest: RelativeTime::new(queue.oldest, now),
        }
    }
}

fn status(queue: &QueueHealth) -> Badge {
    match (queue.is_failing, queue.is_database_away, queue.pending) {
        (false, false, _) if unread(queue).is_some() => Badge::new(Severity::Warning, "not all can be read"),
        (true, ..) => Badge::new(Severity::Failure, "full or failing"),
        (false, true, _) => Badge::new(Severity::Warning, "in use"),
        (false, false, 0) => Badge::new(Severity::Success, "empty"),
        (false, false, _) => Badge::new(Severity::Pending, "draining"),
    }
}

/// The reason for which the tables lack callbacks, and sentences about those; `None` if they lack nothing.
fn banner(queue: &QueueHealth) -> Option<(String, String)> {
    let (QueueHealth { name, pending, lag_seconds, .. }, unread) = (queue, unread(queue));
    let reason = match (queue.is_failing, queue.is_database_away) {
        (true, true) => {
            format!("The database is unavailable, and the {name} is full or failing. Callbacks are answered with 503.")
        }
        (true, false) => format!("The {name} is full or failing."),
        (false, true) => format!("The database is unavailable. Callbacks are stored in the {name}."),
        (false, false) if *pending > 0 => format!("Callbacks wait in the {name}."),
        (false, false) => return Some((unread?, String::new())),
    };
    let missing = match pending {
        0 => String::new(),
        1 => format!("1 callback is not in the tables yet; it has waited {lag_seconds} s. What is missing here may be in it."),
        _ => format!(
            "{pending} callbacks are not in the tables yet; the oldest has waited {lag_seconds} s. What is missing here may be in them."
        ),
    };
    Some((reason, format!("{missing} {}", unread.unwrap_or_default()).trim().to_owned()))
}

/// A sentence about callbacks that nothing reads; `None` if there are none.
fn unread(queue: &QueueHealth) -> Option<String> {
    match (queue.unreadable_files, queue.dead_messages) {
        (0, 0) => None,
        (0, messages) => {
            Some(format!("Messages that no writer of this version can store, and that the tables lack: {messages}."))
        }
        (files, _) => Some(format!("Files of the spool that cannot be read, whose callbacks the tables may lack: {files}.")),
    }
}

fn bytes(bytes: u64) -> String {
    const UNITS: [(u32, &str); 3] = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let unit = UNITS.iter().find(|(bits, _)| bytes >> bits > 0);
    // With one digit after the point, rounded down.
    unit.map_or_else(
        || format!("{bytes} B"),
        |(bits, unit)| format!("{}.{} {unit}", bytes >> bits, ((bytes % (1 << bits)) * 10) >> bits),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callbacks_that_nothing_reads_are_shown() {
        let shown = |queue: &QueueHealth| (status(queue).label, banner(queue));
        assert_eq!(shown(&QueueHealth::EMPTY), ("empty".to_owned(), None));
        let (label, banner) = shown(&QueueHealth { unreadable_files: 2, ..QueueHealth::EMPTY });
        let (reason, missing) = banner.expect("a banner");
        assert_eq!((label.as_str(), missing.as_str()), ("not all can be read", ""));
        assert_eq!(reason, "Files of the spool that cannot be read, whose callbacks the tables may lack: 2.");
        let (_, banner) = shown(&QueueHealth { dead_messages: 3, pending: 1, lag_seconds: 4, ..QueueHealth::EMPTY });
        let (reason, missing) = banner.expect("a banner");
        assert_eq!(reason, "Callbacks wait in the broker.");
        assert!(missing.starts_with("1 callback is not") && missing.ends_with("and that the tables lack: 3."), "{missing}");
    }

    #[test]
    fn sizes_are_shown_in_binary_units() {
        for (size, expected) in
            [(0, "0 B"), (1_023, "1023 B"), (1_536, "1.5 KiB"), (64 << 20, "64.0 MiB"), (2_147_483_648, "2.0 GiB")]
        {
            assert_eq!(bytes(size), expected);
        }
    }
}
