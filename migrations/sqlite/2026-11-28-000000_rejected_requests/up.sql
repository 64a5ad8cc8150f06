-- Rejected requests are in a file of their own (`src/store/db/rejected_file.rs`), so that they never take room from verified data.
DROP TABLE rejected_requests;
