//! Cost of a callback on the write path, and the rows of hostile, long and concurrent callbacks.

mod applied_rule;
mod btrees;
mod from_queue;
mod hostile;
mod mapping_race;
mod on_postgres;
mod recipients;
mod round_trips;
mod texts;
