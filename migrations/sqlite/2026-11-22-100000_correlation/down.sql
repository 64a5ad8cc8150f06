DROP INDEX message_external_ids_unexplained;
DROP INDEX message_external_ids_unmatched;
DROP INDEX message_external_ids_embedded_id;
ALTER TABLE message_external_ids DROP COLUMN matched_id;
DROP INDEX communication_metrics_recipient;
DROP INDEX inbound_parts_inbound_set_id;
ALTER TABLE inbound_parts DROP COLUMN occurred_at;
ALTER TABLE inbound_parts DROP COLUMN inbound_set_id;
DROP TABLE inbound_sets;
