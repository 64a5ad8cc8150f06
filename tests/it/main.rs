//! Integration tests that need more than one recorded callback.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::float_cmp,
    clippy::format_push_string,
    unreachable_pub,
    dead_code,
    reason = "a test fails by panicking; the support module serves several binaries"
)]

mod address_notations;
mod addresses;
mod api;
mod audit;
mod broker;
mod browser;
mod calls_rooms;
mod check;
mod cli;
mod clock;
mod config;
mod convergence;
mod correlation;
mod cross_scheme;
mod cuts;
mod demo;
mod development;
mod docs;
mod doctor;
mod email;
mod erase;
mod event_stream;
mod event_times;
mod explain;
mod feed;
mod guides;
mod guides_conversation;
mod guides_handlers;
mod guides_signalwire;
mod health;
mod http;
mod imports;
mod inbound;
mod limits;
mod lists;
mod locked;
mod methods;
mod metrics;
mod migrations;
mod monitoring;
mod one_member;
mod one_way;
mod operations;
mod ops_base_path;
mod opt_out;
mod opt_outs;
mod outage;
mod packaging;
mod pages;
mod parts;
mod privacy;
mod prune;
mod queued;
mod rejected;
mod reload;
mod reload_process;
mod replay;
mod rolling;
mod secret_files;
mod server_config;
mod shutdown;
mod simulate;
mod spool;
mod store;
mod supply_chain;
#[path = "../support/mod.rs"]
mod support;
mod suppressions;
mod tidy;
mod time_ranges;
mod timestamp_matching;
mod unconfirmed;
mod undrained;
mod unknown_message;
mod unknown_paths;
mod write_path;

/// Runs each test on SQLite and on Postgres, on a private database.
#[macro_export]
macro_rules! databases {
    ($(fn $name:ident($database:ident) $body:block)*) => {
        mod sqlite {
            use super::*;
            $(#[test] fn $name() {
                let $database = Database::new($crate::support::database::Backend::Sqlite);
                $body
            })*
        }
        mod postgres {
            use super::*;
            $(#[test] fn $name() {
                let $database = Database::new($crate::support::database::Backend::Postgres);
                $body
            })*
        }
    };
}
