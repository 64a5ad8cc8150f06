-- The twin of migrations/postgres/2026-11-28-000210_reference_scope: callbacks of one account never refer to a message of another.

-- The account through which the message is sent, beside `service_type`, its provider (any, if null).
ALTER TABLE communication_metrics ADD COLUMN account TEXT NOT NULL DEFAULT 'default';
