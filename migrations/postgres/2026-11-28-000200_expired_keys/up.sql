-- The twin of migrations/sqlite/2026-11-28-000200_expired_keys: a request stays known after its row has expired.

-- Keys of deleted requests, and of deleted events that their sender named.
CREATE TABLE expired_keys (
    stored_key BYTEA PRIMARY KEY,
    -- The day of receipt, counted from 1970-01-01.
    day BIGINT NOT NULL
);
