use Action::{Click, Open};

use super::*;

const CHROME: &str =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0 Safari/537.36";
const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1";
const APPLE_MAIL: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)";
const OUTLOOK: &str = "Mozilla/4.0 (compatible; ms-office; MSOffice 16)";
const GMAIL: &str = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)";
const GMAIL_PREFETCH: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 Mozilla/5.0";
const YAHOO: &str = "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html";

fn by(action: Action, user_agent: &str, address: &str) -> Option<String> {
    recognize(action, Some(user_agent), client_address(address))
        .map(|machine| format!("{} {}", machine.by, machine.detected_by.as_ref()))
}

#[test]
fn machines_are_recognized_by_user_agent_or_address() {
    for (action, user_agent, address, expected) in [
        (Open, "Mozilla/5.0", "104.28.57.1", "apple_mail_privacy_protection user_agent"),
        (Open, APPLE_MAIL, "17.58.1.2", "apple_mail_privacy_protection ip_address"),
        (Open, APPLE_MAIL, "::ffff:17.58.1.2", "apple_mail_privacy_protection ip_address"),
        (Open, GMAIL, "66.249.84.1", "gmail_image_proxy user_agent"),
        (Open, GMAIL_PREFETCH, "108.177.2.32", "gmail_prefetch user_agent"),
        (Open, YAHOO, "", "yahoo_mail_proxy user_agent"),
        (Open, &YAHOO.to_uppercase(), "", "yahoo_mail_proxy user_agent"),
        (Click, "Mozilla/5.0", "", "http_client user_agent"),
        (Click, "", "", "http_client user_agent"),
        (Click, "python-requests/2.32.3", "", "http_client user_agent"),
        (Click, "okhttp/4.12.0", "", "http_client user_agent"),
        (Click, "Barracuda Sentinel (EE)", "", "barracuda user_agent"),
        (Click, CHROME, "209.222.82.9", "barracuda ip_address"),
        (Open, CHROME, "209.222.87.255", "barracuda ip_address"),
        (Click, CHROME, "148.163.129.1", "proofpoint ip_address"),
        (Click, CHROME, "91.220.42.7", "mimecast ip_address"),
        (Click, CHROME, "104.47.1.1", "microsoft_defender ip_address"),
        (Click, "CiscoSecureEmail/1.0", "", "security_scanner user_agent"),
        (Click, "Microsoft Office Existence Discovery", "", "microsoft_office user_agent"),
        (Click, "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "", "crawler user_agent"),
        (Click, "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", "", "link_preview user_agent"),
        (
            Click,
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0.0.0 Safari/537.36",
            "",
            "headless_browser user_agent",
        ),
    ] {
        assert_eq!(by(action, user_agent, address).as_deref(), Some(expected), "{action:?} {user_agent} {address}");
    }
}

#[test]
fn people_are_not_taken_for_machines() {
    for (action, user_agent, address) in [
        (Open, CHROME, "198.51.100.7"),
        (Click, CHROME, "198.51.100.7"),
        (Click, IPHONE, "2001:db8::7"),
        (Open, APPLE_MAIL, "198.51.100.7"),
        (Open, OUTLOOK, "198.51.100.7"),
        // Private Relay and image proxies share networks with people.
        (Click, IPHONE, "104.28.57.1"),
        (Click, CHROME, "17.58.1.2"),
        (Open, OUTLOOK, "104.47.1.1"),
        (Open, "okhttp/4.12.0", ""),
        (
            Click,
            "Mozilla/5.0 (Linux; Android 14; CUBOT X30) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36",
            "",
        ),
        (Open, "", ""),
    ] {
        assert_eq!(by(action, user_agent, address), None, "{action:?} {user_agent} {address}");
    }
    assert_eq!(recognize(Click, None, None), None, "nothing is known of it");
}

#[test]
fn parts_are_in_lower_case_and_ranges_are_networks() {
    for agent in &MACHINES.agents {
        assert!(!agent.exact.is_empty() || !agent.contains.is_empty(), "{}", agent.by);
        assert!(agent.contains.iter().all(|part| part.len() > 3 && *part == part.to_ascii_lowercase()), "{}", agent.by);
    }
    for network in &MACHINES.networks {
        assert!(network.ranges.iter().all(|range| range.trunc() == *range), "{}", network.by);
    }
}

#[test]
fn only_hasty_clicks_are_too_soon() {
    for (millis, creation, delivery) in [
        (-2_000, false, false),
        (-500, false, true),
        (0, true, true),
        (1_000, true, true),
        (4_000, true, false),
        (6_000, false, false),
    ] {
        assert_eq!(after_creation(millis * 1_000).is_some(), creation, "{millis} ms after the creation");
        assert_eq!(after_delivery(millis * 1_000).is_some(), delivery, "{millis} ms after the delivery");
    }
}
