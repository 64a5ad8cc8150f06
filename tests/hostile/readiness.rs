//! Readiness while queries and records are expensive.
