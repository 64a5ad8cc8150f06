//! The registry: one line per provider, alphabetical. Routes, configuration, `.env.example`, the README's tables, metric
//! labels and the tests' discovery of cases all read it.

mod conversation;
mod cxml;
mod mifumo;
mod resend;
mod signalwire;
mod signed_body;
mod twilio;
mod vonage;

use crate::provider::Spec;

/// Every provider the gateway knows.
pub static ALL: [&Spec; 6] = [&conversation::SPEC, &mifumo::SPEC, &resend::SPEC, &signalwire::SPEC, &twilio::SPEC, &vonage::SPEC];

/// The provider of that name.
pub fn find(name: &str) -> Option<&'static Spec> {
    ALL.into_iter().find(|spec| spec.name == name)
}
