-- The twin of migrations/postgres/2026-11-28-010700_suppressions: recipients to whom no message should be sent. Derived in the background
-- from events and inbound messages, which it outlives.
CREATE TABLE suppressions (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    service_type TEXT NOT NULL,
    account TEXT NOT NULL,
    -- Empty if unknown.
    channel TEXT NOT NULL DEFAULT '',
    address TEXT NOT NULL,
    -- `opt_out`, `unsubscribed`, `complaint`, `hard_bounce` or `suppressed`.
    reason TEXT NOT NULL,
    -- The number or name to which an opt-out applies; empty for other reasons.
    sender TEXT NOT NULL DEFAULT '',
    is_active INTEGER NOT NULL DEFAULT 0,
    -- The first report since it was last lifted; null while it is lifted.
    active_since TEXT,
    first_at TEXT,
    last_at TEXT,
    lifted_at TEXT,
    -- The reports from which the other columns follow (JSON).
    evidence TEXT NOT NULL DEFAULT '{}',
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
    UNIQUE (address, service_type, account, channel, reason, sender)
) STRICT;
