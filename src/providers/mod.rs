//! The registry: one line per provider, alphabetical. Routes, configuration, `.env.example`, the README's tables, metric
//! labels and the tests' discovery of cases all read it.

mod cxml;
mod resend;
mod twilio;

use crate::provider::Spec;

/// Every provider the gateway knows.
pub static ALL: [&Spec; 2] = [&resend::SPEC, &twilio::SPEC];

/// The provider of that name.
pub fn find(name: &str) -> Option<&'static Spec> {
    ALL.into_iter().find(|spec| spec.name == name)
}
