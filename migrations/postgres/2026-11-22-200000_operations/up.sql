-- The twin of migrations/sqlite/2026-11-22-200000_operations: operational lookups of requests and events.

-- Number of duplicates of a verified callback, and the time of the last one.
ALTER TABLE webhook_requests ADD COLUMN duplicate_count BIGINT NOT NULL DEFAULT 0;
ALTER TABLE webhook_requests ADD COLUMN last_duplicate_at TIMESTAMP;

-- Number of duplicates of the event in other requests.
ALTER TABLE webhook_events ADD COLUMN duplicate_count BIGINT NOT NULL DEFAULT 0;

-- Messages without a final report, and the last activity of each endpoint.
CREATE INDEX message_external_ids_by_update ON message_external_ids (status, direction, updated_at);
CREATE INDEX webhook_requests_by_endpoint ON webhook_requests (service_type, account, received_at);
