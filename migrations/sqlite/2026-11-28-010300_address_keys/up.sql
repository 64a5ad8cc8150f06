-- The keys of addresses have changed (international numbers, folded e-mail addresses), so the table is derived again: inbound messages
-- after the migration, the others in the background. The role can also be `cc`, and the owner `metric`: a message of the application.
DELETE FROM message_addresses;
DELETE FROM positions WHERE name IN ('message_addresses', 'message_addresses.old_inbound');
INSERT INTO positions SELECT 'message_addresses.old_inbound', 0, max(id) FROM inbound_messages HAVING count(*) > 0;
