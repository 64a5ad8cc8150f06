CREATE TABLE rejected_requests (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    service_type TEXT NOT NULL,
    account TEXT NOT NULL,
    cause TEXT NOT NULL,
    finding TEXT,
    method TEXT NOT NULL,
    url TEXT NOT NULL,
    headers TEXT NOT NULL,
    body BLOB NOT NULL,
    received_at TEXT NOT NULL
) STRICT;
