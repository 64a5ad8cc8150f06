-- The twin of migrations/sqlite/2026-11-27-000000_write_path: few indexes, short keys, events that name their message's row.

-- A request is identified by a 16-byte hash over its endpoint and its key.
ALTER TABLE webhook_bodies DROP CONSTRAINT webhook_bodies_request_id_fkey;
ALTER TABLE webhook_events DROP CONSTRAINT webhook_events_request_id_fkey;
ALTER TABLE webhook_requests DROP CONSTRAINT webhook_requests_service_type_account_dedupe_key_key;
DROP INDEX webhook_requests_by_endpoint;
DROP INDEX webhook_requests_by_received_at;
DROP INDEX webhook_requests_by_state;
DROP INDEX webhook_requests_by_service_type;
DROP INDEX webhook_requests_by_account;
DROP INDEX webhook_bodies_received_at;
-- Number of events in a request, and their position in the feed: here the transaction that wrote them, on SQLite the id of
-- the first.
ALTER TABLE webhook_requests ADD COLUMN event_count BIGINT NOT NULL DEFAULT 0;
ALTER TABLE webhook_requests ADD COLUMN events_at BIGINT DEFAULT (pg_current_xact_id()::text::bigint);
UPDATE webhook_requests SET
    dedupe_key = CASE WHEN length(dedupe_key) = 16 THEN dedupe_key
        ELSE substr(sha256(convert_to(service_type, 'UTF8') || '\x00' || convert_to(account, 'UTF8') || '\x00' || dedupe_key), 1, 16) END,
    events_at = (SELECT min(e.txid) FROM webhook_events e WHERE e.request_id = webhook_requests.id),
    event_count = (SELECT count(*) FROM webhook_events e WHERE e.request_id = webhook_requests.id);
CREATE UNIQUE INDEX webhook_requests_dedupe_key ON webhook_requests (dedupe_key);
CREATE INDEX webhook_requests_unprocessed ON webhook_requests (id) WHERE state <> 'processed';

-- An event has a key only if its sender named it; any other is identified by its position in its request. It refers to its
-- message's row.
ALTER TABLE webhook_events DROP CONSTRAINT webhook_events_service_type_account_event_key_key;
ALTER TABLE webhook_events ALTER COLUMN event_key DROP NOT NULL;
ALTER TABLE webhook_events ADD COLUMN mapping_id BIGINT;
UPDATE webhook_events e SET
    event_key = CASE WHEN length(e.event_key) = 32
        THEN substr(sha256(convert_to(e.service_type, 'UTF8') || '\x00' || convert_to(e.account, 'UTF8') || '\x00' || e.event_key), 1, 16) END,
    mapping_id = (SELECT m.id FROM message_external_ids m
        WHERE m.service_type = e.service_type AND m.account = e.account AND m.external_id = e.external_id
            AND m.recipient_key = e.recipient_key AND e.event_type LIKE 'message.%' AND e.event_type <> 'message.received');
DROP INDEX webhook_events_message;
DROP INDEX webhook_events_request_id;
CREATE UNIQUE INDEX webhook_events_event_key ON webhook_events (event_key) WHERE event_key IS NOT NULL;
CREATE INDEX webhook_events_mapping_id ON webhook_events (mapping_id) WHERE mapping_id IS NOT NULL;

-- One unique key with the external id first, and indexes of rare values. A status update touches no index.
ALTER TABLE message_external_ids DROP CONSTRAINT message_external_ids_message_id_fkey;
DROP INDEX message_external_ids_message_id;
DROP INDEX message_external_ids_external_id;
DROP INDEX message_external_ids_unmatched;
DROP INDEX message_external_ids_by_update;
DROP INDEX message_external_ids_by_created_at;
DROP INDEX message_external_ids_by_status;
DROP INDEX message_external_ids_by_service_type;
DROP INDEX message_external_ids_by_service_type_status;
DROP INDEX message_external_ids_by_service_type_account;
DROP INDEX message_external_ids_by_account;
DROP INDEX message_external_ids_by_recipient;
-- Failures written by an application get a time as well, because lists find failures by it.
UPDATE message_external_ids SET failed_at = COALESCE(status_at, updated_at, created_at)
    WHERE failed_at IS NULL AND status IN ('failed', 'rejected', 'expired', 'undelivered', 'bounced');
CREATE UNIQUE INDEX message_external_ids_key ON message_external_ids (external_id, service_type, account, recipient_key);
ALTER TABLE message_external_ids DROP CONSTRAINT message_external_ids_service_type_account_external_id_recip_key;
CREATE INDEX message_external_ids_message_id ON message_external_ids (message_id) WHERE message_id IS NOT NULL;
CREATE INDEX message_external_ids_failed ON message_external_ids (id) WHERE failed_at IS NOT NULL;
-- Half of each page stays free, so that a burst of statuses can update rows within their page.
ALTER TABLE message_external_ids SET (fillfactor = 50);

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
    owner_id BIGINT NOT NULL,
    PRIMARY KEY (address, owner, role, owner_id)
);

-- Progress of the derived tables, and ids that are not reused although their rows are deleted.
CREATE TABLE positions (
    name TEXT PRIMARY KEY,
    txid BIGINT NOT NULL,
    id BIGINT NOT NULL
);

-- The last verified request of each endpoint, how many were seen, and the longest gap between two of them.
CREATE TABLE endpoint_activity (
    service_type TEXT NOT NULL,
    account TEXT NOT NULL,
    last_received_at TIMESTAMP NOT NULL,
    sample BIGINT NOT NULL,
    longest_gap BIGINT NOT NULL,
    PRIMARY KEY (service_type, account)
);

-- The earliest and the latest time in a range of ids, by which lists find the rows of a period.
CREATE TABLE id_ranges (
    table_name TEXT NOT NULL,
    first_id BIGINT NOT NULL,
    earliest TIMESTAMP NOT NULL,
    latest TIMESTAMP NOT NULL,
    PRIMARY KEY (table_name, first_id)
);

-- From now on an inbound message is stored with its addresses; existing ones get theirs after the migration.
INSERT INTO positions SELECT 'message_addresses.old_inbound', 0, max(id) FROM inbound_messages HAVING count(*) > 0;
