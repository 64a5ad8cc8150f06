//! Configuration of the server: what it answers, whom it believes, what it prints.

use waybill::config::{Config, Env, Loaded, Problems};

use crate::support::twilio::TOKEN;

const SECRET: &str = "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";

fn load(variables: &[(&str, &str)]) -> Result<Loaded, Problems> {
    Config::load(&variables.iter().copied().collect::<Env>())
}

fn problems(variables: &[(&str, &str)]) -> Vec<String> {
    load(variables).err().into_iter().flat_map(|problems| problems.0).map(|finding| finding.variable).collect()
}

fn warnings(variables: &[(&str, &str)]) -> Vec<String> {
    load(variables).expect("a configuration").warnings.iter().map(ToString::to_string).collect()
}

/// Providers take a 404 for a failure, each with consequences of its own.
#[test]
fn not_found_response_is_a_warning_for_each_provider_that_repeats() {
    let proofs = [
        ("RESEND_WEBHOOK_SECRET", SECRET),
        ("TWILIO_AUTH_TOKEN", TOKEN),
        ("TWILIO__ACME__AUTH_TOKEN", "0123456789abcdef0123456789abcdef"),
        ("SIGNALWIRE_SIGNING_KEY", "PSK_3f1c9a0e5b7d42688c14d2a96f0b7e35"),
        ("VONAGE_SIGNATURE_SECRET", "Zx81mQ3vN8rT2yK7wZ5xB1cD4fG6hJ9k"),
        ("MIFUMO_WEBHOOK_SECRET", "5e8c1f04a9b7d3626c0f8e1d4b7a9053"),
        ("CONVERSATION_WEBHOOK_SECRET", "b17d9f3c5a8e4062917c3e5f0a8b6d24"),
    ];
    let reported = |response: &str| {
        let all = warnings(&[&proofs[..], &[("UNKNOWN_MESSAGE_RESPONSE", response)]].concat());
        all.into_iter().filter(|warning| warning.starts_with("UNKNOWN_MESSAGE_RESPONSE")).collect::<Vec<_>>()
    };
    assert_eq!(reported("accept"), [""; 0]);
    let found = reported("not-found");
    for (title, consequence) in [
        ("Conversation", "three more times"),
        ("Mifumo", "21 minutes"),
        ("Resend", "disables an endpoint"),
        ("SignalWire", "two more times"),
        ("Twilio", "four hours"),
    ] {
        let of_provider: Vec<_> = found.iter().filter(|one| one.contains(&format!(": {title} "))).collect();
        assert!(of_provider.len() == 1 && of_provider[0].contains(consequence), "{title}: {found:?}");
    }
    assert_eq!(found.len(), 5, "Vonage repeats nothing after a 404: {found:?}");
    assert_eq!(warnings(&[("UNKNOWN_MESSAGE_RESPONSE", "not-found")]).len(), 1, "all providers are off");
}

#[test]
fn client_ip_header_is_one_of_three_and_needs_proxies() {
    for header in ["forwarded", "x-real-ip", "X-Real-IP", "Forwarded"] {
        let variables = [("CLIENT_IP_HEADER", header), ("TRUSTED_PROXIES", "10.0.0.1")];
        assert!(warnings(&variables).iter().all(|warning| !warning.starts_with("CLIENT_IP_HEADER")), "{header}");
        let alone = warnings(&[("CLIENT_IP_HEADER", header)]);
        assert!(alone.iter().any(|one| one.starts_with("CLIENT_IP_HEADER: has no effect")), "{alone:?}");
    }
    for wrong in ["x-client-ip", "forwarded,x-real-ip", "cf-connecting-ip"] {
        assert_eq!(problems(&[("CLIENT_IP_HEADER", wrong)]), ["CLIENT_IP_HEADER"], "{wrong}");
    }
}

/// The URLs to paste have the host in lower case, whatever was configured, for all providers and for one.
#[test]
fn printed_urls_have_their_hosts_in_canonical_form() {
    let loaded = load(&[
        ("WEBHOOK_BASE_URL", "HTTPS://Hooks.Example.COM./In"),
        ("MIFUMO_WEBHOOK_SECRET", "5e8c1f04a9b7d3626c0f8e1d4b7a9053"),
        ("RESEND_WEBHOOK_SECRET", SECRET),
        ("RESEND__WEBHOOK_BASE_URL", "https://Post.B\u{fc}ro.example:443"),
    ])
    .expect("a configuration");
    let fallback = "http://unused".parse().expect("a URL");
    let urls: Vec<String> = loaded.config.endpoints.iter().flat_map(|endpoint| endpoint.urls_to_paste(&fallback)).collect();
    assert_eq!(urls, ["https://hooks.example.com/In/webhooks/mifumo", "https://post.xn--bro-hoa.example:443/webhooks/resend"]);
}
