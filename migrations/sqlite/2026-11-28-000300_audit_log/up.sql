-- The twin of migrations/postgres/2026-11-28-000300_audit_log: who changed data by hand, when, and what. Never a token, never personal data.
CREATE TABLE audit_log (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    recorded_at TEXT NOT NULL,
    -- `ops`, `page` or `cli`.
    actor TEXT NOT NULL,
    -- `register`, `replay`, `discard` or `erase`.
    action TEXT NOT NULL,
    -- The request, or a short hash of the erased person.
    target TEXT,
    -- Messages, events or rows.
    items INTEGER NOT NULL
) STRICT;
