-- The twin of migrations/postgres/2026-11-22-000000_base: same tables, columns, nullability and unique keys.
-- Times are UTC text that sorts; money is decimal text; keys and bodies are bytes. STRICT rejects a value of another type.

-- Messages that the application sent.
CREATE TABLE communication_metrics (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    reference TEXT UNIQUE,
    channel TEXT,
    service_type TEXT,
    recipient TEXT,
    sent_at TEXT,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now'))
) STRICT;

-- The mapping and the current status: one row per provider, account, external id and recipient key.
CREATE TABLE message_external_ids (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    message_id INTEGER REFERENCES communication_metrics (id),
    external_id TEXT NOT NULL,
    service_type TEXT NOT NULL,
    account TEXT NOT NULL DEFAULT 'default',
    recipient_key TEXT NOT NULL DEFAULT '',
    recipient TEXT,
    sender TEXT,
    channel TEXT,
    direction TEXT,
    status TEXT NOT NULL DEFAULT 'registered',
    provider_status TEXT,
    is_final INTEGER NOT NULL DEFAULT 0,
    evidence TEXT,
    error_code TEXT,
    error_message TEXT,
    error_category TEXT,
    error_permanence TEXT,
    status_at TEXT,
    delivered_at TEXT,
    failed_at TEXT,
    read_at TEXT,
    opened_at TEXT,
    open_count INTEGER NOT NULL DEFAULT 0,
    clicked_at TEXT,
    click_count INTEGER NOT NULL DEFAULT 0,
    complained_at TEXT,
    unsubscribed_at TEXT,
    has_conflict INTEGER NOT NULL DEFAULT 0,
    revision INTEGER NOT NULL DEFAULT 0,
    matched_by TEXT,
    embedded_id TEXT,
    price TEXT,
    price_currency TEXT,
    parts_total INTEGER,
    verified_by TEXT,
    state_key BLOB NOT NULL DEFAULT X'',
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
    UNIQUE (service_type, account, external_id, recipient_key)
) STRICT;
CREATE INDEX message_external_ids_message_id ON message_external_ids (message_id);
CREATE INDEX message_external_ids_external_id ON message_external_ids (external_id);

-- One row per verified callback.
CREATE TABLE webhook_requests (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    service_type TEXT NOT NULL,
    account TEXT NOT NULL,
    dedupe_key BLOB NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    answer INTEGER NOT NULL,
    verified_by TEXT NOT NULL,
    method TEXT NOT NULL,
    url TEXT NOT NULL,
    headers TEXT NOT NULL,
    received_at TEXT NOT NULL,
    UNIQUE (service_type, account, dedupe_key)
) STRICT;

-- The exact bytes received; expiry deletes rows here and leaves the request.
CREATE TABLE webhook_bodies (
    request_id INTEGER PRIMARY KEY NOT NULL REFERENCES webhook_requests (id) ON DELETE CASCADE,
    body BLOB NOT NULL,
    received_at TEXT NOT NULL
) STRICT;
CREATE INDEX webhook_bodies_received_at ON webhook_bodies (received_at);

-- Requests that failed verification, for diagnosis only. They have no dedupe key, so they never make a later request a duplicate.
CREATE TABLE rejected_requests (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    service_type TEXT NOT NULL,
    account TEXT NOT NULL,
    cause TEXT NOT NULL,
    finding TEXT,
    method TEXT NOT NULL,
    url TEXT NOT NULL,
    headers TEXT NOT NULL,
    body BLOB NOT NULL,
    received_at TEXT NOT NULL
) STRICT;

-- Append-only: one row per distinct event.
CREATE TABLE webhook_events (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    event_key BLOB NOT NULL,
    txid INTEGER NOT NULL DEFAULT 0,
    request_id INTEGER REFERENCES webhook_requests (id) ON DELETE SET NULL,
    service_type TEXT NOT NULL,
    account TEXT NOT NULL,
    external_id TEXT,
    recipient_key TEXT NOT NULL DEFAULT '',
    event_type TEXT NOT NULL,
    provider_type TEXT,
    status TEXT,
    provider_status TEXT,
    evidence TEXT,
    error_code TEXT,
    state_key BLOB NOT NULL,
    occurred_at TEXT,
    received_at TEXT NOT NULL,
    detail TEXT NOT NULL DEFAULT '{}',
    applied_rule TEXT,
    UNIQUE (service_type, account, event_key)
) STRICT;
CREATE INDEX webhook_events_message ON webhook_events (service_type, account, external_id);
CREATE INDEX webhook_events_request_id ON webhook_events (request_id);

CREATE TABLE inbound_messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    service_type TEXT NOT NULL,
    account TEXT NOT NULL,
    external_id TEXT NOT NULL,
    sender TEXT,
    recipient TEXT,
    channel TEXT,
    text TEXT,
    media TEXT NOT NULL DEFAULT '[]',
    parts_total INTEGER NOT NULL DEFAULT 1,
    parts_received INTEGER NOT NULL DEFAULT 1,
    is_partial INTEGER NOT NULL DEFAULT 0,
    opt_out TEXT,
    provider_status TEXT,
    occurred_at TEXT,
    received_at TEXT NOT NULL,
    UNIQUE (service_type, account, external_id)
) STRICT;

CREATE TABLE inbound_parts (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    service_type TEXT NOT NULL,
    account TEXT NOT NULL,
    external_id TEXT NOT NULL,
    sender TEXT NOT NULL,
    recipient TEXT NOT NULL,
    reference TEXT NOT NULL,
    parts_total INTEGER NOT NULL,
    part INTEGER NOT NULL,
    text TEXT,
    inbound_message_id INTEGER REFERENCES inbound_messages (id) ON DELETE CASCADE,
    received_at TEXT NOT NULL,
    UNIQUE (service_type, account, external_id)
) STRICT;

CREATE TABLE calls (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    service_type TEXT NOT NULL,
    account TEXT NOT NULL,
    external_id TEXT NOT NULL,
    direction TEXT,
    sender TEXT,
    recipient TEXT,
    status TEXT NOT NULL DEFAULT 'unknown',
    queued_at TEXT,
    initiated_at TEXT,
    ringing_at TEXT,
    answered_at TEXT,
    ended_at TEXT,
    end_reason TEXT,
    ended_by TEXT,
    answered_seconds INTEGER,
    state_key BLOB NOT NULL DEFAULT X'',
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
    UNIQUE (service_type, account, external_id)
) STRICT;

CREATE TABLE rooms (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    service_type TEXT NOT NULL,
    account TEXT NOT NULL,
    external_id TEXT NOT NULL,
    name TEXT,
    status TEXT NOT NULL DEFAULT 'unknown',
    started_at TEXT,
    ended_at TEXT,
    members TEXT NOT NULL DEFAULT '[]',
    recordings TEXT NOT NULL DEFAULT '[]',
    state_key BLOB NOT NULL DEFAULT X'',
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
    UNIQUE (service_type, account, external_id)
) STRICT;
