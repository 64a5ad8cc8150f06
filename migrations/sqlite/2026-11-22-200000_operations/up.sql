-- The twin of migrations/postgres/2026-11-22-200000_operations: what operations ask about requests and events.

-- How often an authentic callback came again, and when last.
ALTER TABLE webhook_requests ADD COLUMN duplicate_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE webhook_requests ADD COLUMN last_duplicate_at TEXT;

-- How often the same fact came again in another request.
ALTER TABLE webhook_events ADD COLUMN duplicate_count INTEGER NOT NULL DEFAULT 0;

-- Messages that wait for a final report, and when each endpoint was heard of.
CREATE INDEX message_external_ids_by_update ON message_external_ids (status, direction, updated_at);
CREATE INDEX webhook_requests_by_endpoint ON webhook_requests (service_type, account, received_at);
