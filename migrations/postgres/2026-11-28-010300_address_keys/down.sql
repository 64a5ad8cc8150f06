-- An older version derives the table again, with its own keys.
TRUNCATE message_addresses;
DELETE FROM positions WHERE name IN ('message_addresses', 'message_addresses.old_inbound');
INSERT INTO positions SELECT 'message_addresses.old_inbound', 0, max(id) FROM inbound_messages HAVING count(*) > 0;
