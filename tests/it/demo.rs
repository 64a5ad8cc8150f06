//! `waybill demo`: a summary that fits one screen, and every message with `--all`.

use crate::{databases, shutdown::command, support::database::Database};

/// Lines of the summary after the first, which has the gateway's addresses.
const SCREEN_LINES: usize = 25;

fn printed(database: &Database, arguments: &[&str]) -> String {
    let mut demo = command();
    let output = demo.arg("demo").arg("--exit").args(arguments).env("DATABASE_URL", database.url()).output().expect("the binary");
    let shown = String::from_utf8(output.stdout).expect("UTF-8");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && errors.is_empty(), "{shown}{errors}");
    shown
}

/// The lines of one section: its first line and the indented ones below.
fn section<'s>(shown: &'s str, title: &str) -> Vec<&'s str> {
    let mut lines = shown.lines().skip_while(|line| !line.starts_with(title));
    let first = lines.next().unwrap_or_else(|| panic!("{title} in {shown}"));
    std::iter::once(first).chain(lines.take_while(|line| line.starts_with(' '))).collect()
}

databases! {
    fn demo_output_fits_one_screen(database) {
        let shown = printed(&database, &[]);
        assert!(shown.lines().count() <= SCREEN_LINES + 1, "{} lines: {shown}", shown.lines().count());
        for provider in waybill::providers::ALL {
            let line = shown.lines().find(|line| line.starts_with(provider.title)).unwrap_or_else(|| panic!("{shown}"));
            assert!(line.contains(" verified, ") && line.ends_with(" rejected"), "{line}");
        }
        for (title, elements) in [
            ("Delivered", &["Twilio", "queued", "sent", "delivered", "3 events, none late"][..]),
            ("Bounced", &["Resend", "ada@dest.example", "does not exist"]),
            ("Late", &["Vonage", "still `delivered`", "Arrived late"]),
            ("Repeated", &["SignalWire", "still `delivered`", "Received again 2 times"]),
            ("Forged", &["Resend", "still `bounced`", "rejected: ", "no near miss matches"]),
            ("Joined", &["Vonage", "3 of 3 parts", "thank you. One of the two shades", "its edge. Could you send another"]),
            ("Page", &["http://127.0.0.1:", "/login?code="]),
            ("Token", &[]),
            ("Try", &["/api/messages?status=bounced", "explain", "requests list --state rejected"]),
        ] {
            let lines = section(&shown, title).join("\n");
            for element in elements {
                assert!(lines.contains(element), "{element} in {lines}");
            }
        }
        assert!(database.rows("message_external_ids").len() > 30);
    }

    fn repeated_demo_shows_new_messages(database) {
        let (first, second) = (printed(&database, &[]), printed(&database, &[]));
        for title in ["Delivered", "Bounced", "Late", "Repeated", "Forged", "Joined"] {
            assert_ne!(section(&first, title)[0], section(&second, title)[0], "each run has new messages");
        }
    }

    fn demo_shows_every_message_on_request(database) {
        let shown = printed(&database, &["--all"]);
        for element in ["│ service_type", "delivered", "bounced", "undelivered", "Stored ", "/webhooks/twilio", "/webhooks/health"] {
            assert!(shown.contains(element), "{element} in {shown}");
        }
        assert!(shown.lines().count() > 100, "{shown}");
    }

    fn demo_callbacks_arrive_over_the_last_day(database) {
        printed(&database, &[]);
        let hours = |column: &str, table: &str| {
            let mut hours: Vec<String> = database
                .rows(table)
                .iter()
                .map(|row| row[column].as_str().unwrap_or_default().replace(' ', "T").chars().take(13).collect())
                .collect();
            hours.sort_unstable();
            hours.dedup();
            hours.len()
        };
        assert!(hours("received_at", "webhook_requests") >= 20);
        assert!(hours("created_at", "message_external_ids") >= 20);
    }
}
