-- The twin of migrations/sqlite/2026-11-22-200000_operations: what operations ask about requests.

-- How often an authentic callback came again, and when last.
ALTER TABLE webhook_requests ADD COLUMN duplicate_count BIGINT NOT NULL DEFAULT 0;
ALTER TABLE webhook_requests ADD COLUMN last_duplicate_at TIMESTAMP;
