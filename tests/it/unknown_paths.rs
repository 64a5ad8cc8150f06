//! The descriptions of unknown paths, which the log has in their place.

use waybill::{
    config::{Config, Env},
    endpoint::EndpointConfig,
    router::Router,
    unknown_paths::UnknownPaths,
};

const TOKEN: &str = "vurl-0123456789abcdef0123456789abcdef";

fn router() -> Router {
    let variables = [
        ("RESEND_WEBHOOK_SECRET", "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="),
        ("VONAGE_URL_TOKEN", TOKEN),
        ("SIGNALWIRE__ACME__SIGNING_KEY", "PSK_3f1c9a0e5b7d42688c14d2a96f0b7e35"),
        ("MIFUMO_WEBHOOK_SECRET", "5e8c1f04a9b7d3626c0f8e1d4b7a9053"),
        ("MIFUMO_WEBHOOK_URL", "/Hooks/mifumo"),
    ];
    let config = Config::load(&variables.into_iter().collect::<Env>()).expect("a configuration").config;
    let endpoints = config.endpoints.into_iter().map(EndpointConfig::build).collect();
    Router::new(endpoints, "http://127.0.0.1:8080".parse().expect("a URL"))
}

#[test]
fn description_names_the_route_that_was_meant() {
    let router = router();
    let unknown = UnknownPaths::new(&router);
    let long = format!("/webhooks/resend/{}", "x".repeat(600));
    for (path, described) in [
        ("/webhooks/resend/", Some("like /webhooks/resend, but with a slash at its end")),
        ("//webhooks/resend", Some("like /webhooks/resend, but with a repeated slash")),
        ("/Webhooks/RESEND", Some("like /webhooks/resend, but with letters of another case")),
        ("/webhooks/resend%20", Some("like /webhooks/resend, but with a blank at its end")),
        ("/webhooks/%72esend", Some("like /webhooks/resend, but with percent-encoded characters")),
        (
            "/webhooks//Resend/%20",
            Some(
                "like /webhooks/resend, but with a blank at its end and a slash at its end and a repeated slash and letters of \
                 another case",
            ),
        ),
        ("/webhooks/resend/acme", Some("like /webhooks/resend, but with a last segment that is no account and no route")),
        (
            "/gateway/v1/webhooks/resend",
            Some("like /webhooks/resend, but with a prefix that is not expected: a proxy must strip it"),
        ),
        ("/webhooks/health/", Some("like /webhooks/health, but with a slash at its end")),
        ("/hooks/mifumo", Some("like /Hooks/mifumo, but with letters of another case")),
        ("/webhooks/mifumo", Some("like /webhooks/mifumo (MIFUMO_WEBHOOK_URL is /Hooks/mifumo)")),
        ("/webhooks/twilio", Some("like /webhooks/twilio (Twilio is off)")),
        ("/webhooks/signalwire", Some("like /webhooks/signalwire (SignalWire has named accounts only)")),
        ("/webhooks/vonage/t/x", Some("like /webhooks/vonage, but with a token that is not in VONAGE_URL_TOKEN")),
        ("/webhooks/vonage/t/vurl-0123456789abcdef0123456789abcdef/", Some("like /webhooks/vonage, but with a slash at its end")),
        ("/webhooks/twilio/t/x", Some("like /webhooks/twilio (Twilio is off), but with a token")),
        (long.as_str(), None),
        ("/", None),
        ("", None),
        ("*", None),
        ("/webhooks", None),
        ("/webhooks/unknown", None),
        ("/wp-login.php", None),
        ("/%ff%fe", None),
        ("/1/2/3/4/5/webhooks/resend", None),
    ] {
        assert_eq!(unknown.describe(path, &router).as_deref(), described, "{path}");
    }
}
