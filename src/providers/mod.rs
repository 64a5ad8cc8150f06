//! The registry of providers, in alphabetical order. Routes, configuration, `.env.example`, the tables of the documents, metric
//! labels and the tests' cases are derived from it.

mod conversation;
mod cxml;
mod enhanced_status;
pub mod error_codes;
mod mifumo;
mod resend;
mod signalwire;
mod signed_body;
mod twilio;
mod vonage;

use crate::provider::Spec;

pub static ALL: &[&Spec] = &[&conversation::SPEC, &mifumo::SPEC, &resend::SPEC, &signalwire::SPEC, &twilio::SPEC, &vonage::SPEC];

pub fn find(name: &str) -> Option<&'static Spec> {
    ALL.iter().copied().find(|spec| spec.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::SettingKind;

    #[test]
    fn every_proof_is_generated() {
        for spec in ALL {
            let generated: Vec<&str> = (spec.generate)(&[1; 32]).into_iter().map(|(name, _)| name).collect();
            for setting in spec.settings.iter().filter(|setting| setting.kind == SettingKind::Proof) {
                assert!(generated.contains(&setting.name), "{}: {}", spec.name, setting.name);
            }
            assert!(generated.iter().all(|name| spec.settings.iter().any(|setting| setting.name == *name)), "{}", spec.name);
        }
    }
}
