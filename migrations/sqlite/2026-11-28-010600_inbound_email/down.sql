ALTER TABLE inbound_messages DROP COLUMN received_for;
ALTER TABLE inbound_messages DROP COLUMN bcc;
ALTER TABLE inbound_messages DROP COLUMN cc;
ALTER TABLE inbound_messages DROP COLUMN internet_message_id;
ALTER TABLE inbound_messages DROP COLUMN subject;
