ALTER TABLE communication_metrics DROP COLUMN account;
