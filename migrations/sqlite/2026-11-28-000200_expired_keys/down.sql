DROP TABLE expired_keys;
