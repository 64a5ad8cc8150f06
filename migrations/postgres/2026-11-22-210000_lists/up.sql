-- The twin of migrations/sqlite/2026-11-22-210000_lists: each list filter finds its rows in display order.

CREATE INDEX message_external_ids_by_created_at ON message_external_ids (created_at, id);
CREATE INDEX message_external_ids_by_status ON message_external_ids (status, created_at, id);
CREATE INDEX message_external_ids_by_service_type ON message_external_ids (service_type, created_at, id);
CREATE INDEX message_external_ids_by_service_type_status ON message_external_ids (service_type, status, created_at, id);
CREATE INDEX message_external_ids_by_service_type_account ON message_external_ids (service_type, account, created_at, id);
CREATE INDEX message_external_ids_by_account ON message_external_ids (account, created_at, id);
CREATE INDEX message_external_ids_by_recipient ON message_external_ids (recipient, created_at, id) WHERE recipient IS NOT NULL;
CREATE INDEX webhook_requests_by_received_at ON webhook_requests (received_at, id);
CREATE INDEX webhook_requests_by_state ON webhook_requests (state, received_at, id);
CREATE INDEX webhook_requests_by_service_type ON webhook_requests (service_type, received_at, id);
CREATE INDEX webhook_requests_by_account ON webhook_requests (account, received_at, id);
CREATE INDEX webhook_events_by_txid ON webhook_events (txid, id);
CREATE INDEX inbound_messages_by_received_at ON inbound_messages (received_at, id);
CREATE INDEX inbound_messages_by_service_type ON inbound_messages (service_type, received_at, id);
CREATE INDEX inbound_messages_by_account ON inbound_messages (account, received_at, id);
CREATE INDEX inbound_messages_by_sender ON inbound_messages (sender, received_at, id) WHERE sender IS NOT NULL;
CREATE INDEX inbound_messages_by_recipient ON inbound_messages (recipient, received_at, id) WHERE recipient IS NOT NULL;
CREATE INDEX calls_by_created_at ON calls (created_at, id);
CREATE INDEX calls_by_status ON calls (status, created_at, id);
CREATE INDEX calls_by_service_type ON calls (service_type, created_at, id);
CREATE INDEX rooms_by_created_at ON rooms (created_at, id);
