-- The twin of migrations/postgres/2026-11-27-000000_write_path: few indexes, short keys, events that name their message's row.
--
-- `waybill_key(service_type, account, key)` is a function that the gateway registers for this migration: a 16-byte hash over an endpoint and a key.
-- Ids are no longer AUTOINCREMENT: the writer assigns them, and the newest row of each table stays.

CREATE TABLE new_requests (
    id INTEGER PRIMARY KEY NOT NULL,
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
    duplicate_count INTEGER NOT NULL DEFAULT 0,
    last_duplicate_at TEXT,
    -- Number of events in a request, and their position in the feed: here the id of the first, on Postgres the transaction.
    event_count INTEGER NOT NULL DEFAULT 0,
    events_at INTEGER
) STRICT;
INSERT INTO new_requests SELECT id, service_type, account, CASE WHEN length(dedupe_key) = 16 THEN dedupe_key ELSE waybill_key(service_type, account, dedupe_key) END, state, reason, answer, verified_by, method, url, headers, received_at, duplicate_count, last_duplicate_at,
    (SELECT count(*) FROM webhook_events e WHERE e.request_id = r.id), (SELECT min(e.id) FROM webhook_events e WHERE e.request_id = r.id)
    FROM webhook_requests r;

CREATE TABLE new_bodies (
    request_id INTEGER PRIMARY KEY NOT NULL,
    body BLOB NOT NULL,
    received_at TEXT NOT NULL
) STRICT;
INSERT INTO new_bodies SELECT request_id, body, received_at FROM webhook_bodies;

CREATE TABLE new_events (
    id INTEGER PRIMARY KEY NOT NULL,
    -- Only if its sender named it; any other event is identified by its position in its request.
    event_key BLOB,
    txid INTEGER NOT NULL DEFAULT 0,
    request_id INTEGER,
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
    duplicate_count INTEGER NOT NULL DEFAULT 0,
    -- Its message's row.
    mapping_id INTEGER
) STRICT;
INSERT INTO new_events SELECT id, CASE WHEN length(event_key) = 32 THEN waybill_key(service_type, account, event_key) END, txid, request_id, service_type, account, external_id, recipient_key, event_type, provider_type, status, provider_status, evidence, error_code, state_key, occurred_at, received_at, detail, applied_rule, duplicate_count,
    (SELECT m.id FROM message_external_ids m
     WHERE m.service_type = e.service_type AND m.account = e.account AND m.external_id = e.external_id
         AND m.recipient_key = e.recipient_key AND e.event_type LIKE 'message.%' AND e.event_type <> 'message.received')
    FROM webhook_events e;

CREATE TABLE new_messages (
    id INTEGER PRIMARY KEY NOT NULL,
    message_id INTEGER,
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
    matched_id INTEGER
) STRICT;
INSERT INTO new_messages SELECT id, message_id, external_id, service_type, account, recipient_key, recipient, sender, channel, direction, status, provider_status, is_final, evidence, error_code, error_message, error_category, error_permanence, status_at, delivered_at, failed_at, read_at, opened_at, open_count, clicked_at, click_count, complained_at, unsubscribed_at, has_conflict, revision, matched_by, embedded_id, price, price_currency, parts_total, verified_by, state_key, created_at, updated_at, matched_id FROM message_external_ids;

-- Failures written by an application get a time as well, because lists find failures by it.
UPDATE new_messages SET failed_at = COALESCE(status_at, updated_at, created_at)
    WHERE failed_at IS NULL AND status IN ('failed', 'rejected', 'expired', 'undelivered', 'bounced');

-- Children first: dropping a table deletes the rows that reference it.
DROP TABLE webhook_bodies;
DROP TABLE webhook_events;
DROP TABLE message_external_ids;
DROP TABLE webhook_requests;
ALTER TABLE new_requests RENAME TO webhook_requests;
ALTER TABLE new_bodies RENAME TO webhook_bodies;
ALTER TABLE new_events RENAME TO webhook_events;
ALTER TABLE new_messages RENAME TO message_external_ids;

CREATE UNIQUE INDEX webhook_requests_dedupe_key ON webhook_requests (dedupe_key);
CREATE INDEX webhook_requests_unprocessed ON webhook_requests (id) WHERE state <> 'processed';
CREATE UNIQUE INDEX webhook_events_event_key ON webhook_events (event_key) WHERE event_key IS NOT NULL;
CREATE INDEX webhook_events_mapping_id ON webhook_events (mapping_id) WHERE mapping_id IS NOT NULL;
-- One unique key with the external id first, and indexes of rare values. A status update touches no index.
CREATE UNIQUE INDEX message_external_ids_key ON message_external_ids (external_id, service_type, account, recipient_key);
CREATE INDEX message_external_ids_message_id ON message_external_ids (message_id) WHERE message_id IS NOT NULL;
CREATE INDEX message_external_ids_embedded_id ON message_external_ids (embedded_id) WHERE embedded_id IS NOT NULL;
CREATE INDEX message_external_ids_failed ON message_external_ids (id) WHERE failed_at IS NOT NULL;
CREATE INDEX message_external_ids_unexplained ON message_external_ids (id)
    WHERE message_id IS NOT NULL AND (matched_id IS NULL OR matched_id <> message_id);

-- Lists page by id.
DROP INDEX inbound_messages_by_received_at;
DROP INDEX inbound_messages_by_service_type;
DROP INDEX inbound_messages_by_account;
DROP INDEX inbound_messages_by_sender;
DROP INDEX inbound_messages_by_recipient;
DROP INDEX calls_by_created_at;
DROP INDEX calls_by_status;
DROP INDEX calls_by_service_type;
DROP INDEX rooms_by_created_at;

-- One row per distinct normalized address of a message (`mapping`) or an inbound message (`inbound`).
CREATE TABLE message_addresses (
    address TEXT NOT NULL,
    owner TEXT NOT NULL,
    role TEXT NOT NULL,
    owner_id INTEGER NOT NULL,
    PRIMARY KEY (address, owner, role, owner_id)
) STRICT, WITHOUT ROWID;

-- Progress of the derived tables, and ids that are not reused although their rows are deleted.
CREATE TABLE positions (
    name TEXT PRIMARY KEY NOT NULL,
    txid INTEGER NOT NULL,
    id INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The last verified request of each endpoint, how many were seen, and the longest gap between two of them, in seconds.
CREATE TABLE endpoint_activity (
    service_type TEXT NOT NULL,
    account TEXT NOT NULL,
    last_received_at TEXT NOT NULL,
    sample INTEGER NOT NULL,
    longest_gap INTEGER NOT NULL,
    PRIMARY KEY (service_type, account)
) STRICT, WITHOUT ROWID;

-- The earliest and the latest time in a range of ids, by which lists find the rows of a period.
CREATE TABLE id_ranges (
    table_name TEXT NOT NULL,
    first_id INTEGER NOT NULL,
    earliest TEXT NOT NULL,
    latest TEXT NOT NULL,
    PRIMARY KEY (table_name, first_id)
) STRICT, WITHOUT ROWID;

-- From now on an inbound message is stored with its addresses; existing ones get theirs after the migration.
INSERT INTO positions SELECT 'message_addresses.old_inbound', 0, max(id) FROM inbound_messages HAVING count(*) > 0;
