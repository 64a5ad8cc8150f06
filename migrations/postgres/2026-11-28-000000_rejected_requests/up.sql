-- Rejected requests serve diagnosis only: they write no WAL, and may vanish in a crash. Columns have defaults, because an older gateway
-- may still insert.
ALTER TABLE rejected_requests SET UNLOGGED;
ALTER TABLE rejected_requests
    -- The client's network, such as 203.0.113.0/24; empty if unknown.
    ADD COLUMN network TEXT NOT NULL DEFAULT '',
    ADD COLUMN is_near_miss BOOLEAN NOT NULL DEFAULT FALSE,
    -- Length of the whole body, of which only the beginning may be stored.
    ADD COLUMN body_bytes BIGINT NOT NULL DEFAULT 0;
