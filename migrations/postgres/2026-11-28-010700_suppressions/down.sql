DROP TABLE suppressions;
DELETE FROM positions WHERE name IN ('suppressions', 'suppressions.inbound', 'suppressions.resets');
DELETE FROM id_ranges WHERE table_name IN ('suppressions', 'webhook_events');
