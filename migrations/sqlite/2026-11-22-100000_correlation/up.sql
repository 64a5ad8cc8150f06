-- The twin of migrations/postgres/2026-11-22-100000_correlation: sets of inbound parts, and lookups of messages.

-- The parts of one long inbound message, while it is incomplete and afterwards.
CREATE TABLE inbound_sets (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    service_type TEXT NOT NULL,
    account TEXT NOT NULL,
    sender TEXT NOT NULL,
    recipient TEXT NOT NULL,
    reference TEXT NOT NULL,
    parts_total INTEGER NOT NULL,
    opened_at TEXT NOT NULL,
    released_at TEXT
) STRICT;
CREATE INDEX inbound_sets_reference ON inbound_sets (service_type, account, sender, recipient, reference);
CREATE INDEX inbound_sets_open ON inbound_sets (opened_at) WHERE released_at IS NULL;

ALTER TABLE inbound_parts ADD COLUMN inbound_set_id INTEGER REFERENCES inbound_sets (id) ON DELETE CASCADE;
ALTER TABLE inbound_parts ADD COLUMN occurred_at TEXT;
CREATE INDEX inbound_parts_inbound_set_id ON inbound_parts (inbound_set_id);

CREATE INDEX communication_metrics_recipient ON communication_metrics (recipient, sent_at);
-- The message that the gateway matched. If `message_id` differs, the application has mapped the row since.
ALTER TABLE message_external_ids ADD COLUMN matched_id INTEGER;
CREATE INDEX message_external_ids_embedded_id ON message_external_ids (embedded_id) WHERE embedded_id IS NOT NULL;
CREATE INDEX message_external_ids_unmatched ON message_external_ids (id) WHERE message_id IS NULL;
CREATE INDEX message_external_ids_unexplained ON message_external_ids (id)
    WHERE message_id IS NOT NULL AND (matched_id IS NULL OR matched_id <> message_id);
