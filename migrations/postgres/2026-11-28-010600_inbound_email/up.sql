-- The twin of migrations/sqlite/2026-11-28-010600_inbound_email: the headers of inbound e-mail.

ALTER TABLE inbound_messages ADD COLUMN subject TEXT;
ALTER TABLE inbound_messages ADD COLUMN internet_message_id TEXT;
ALTER TABLE inbound_messages ADD COLUMN cc TEXT;
ALTER TABLE inbound_messages ADD COLUMN bcc TEXT;
ALTER TABLE inbound_messages ADD COLUMN received_for TEXT;
