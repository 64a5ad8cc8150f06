ALTER TABLE rejected_requests DROP COLUMN network, DROP COLUMN is_near_miss, DROP COLUMN body_bytes;
ALTER TABLE rejected_requests SET LOGGED;
