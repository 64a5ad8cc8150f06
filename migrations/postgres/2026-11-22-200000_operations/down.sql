DROP INDEX webhook_requests_by_endpoint;
DROP INDEX message_external_ids_by_update;
ALTER TABLE webhook_events DROP COLUMN duplicate_count;
ALTER TABLE webhook_requests DROP COLUMN last_duplicate_at;
ALTER TABLE webhook_requests DROP COLUMN duplicate_count;
