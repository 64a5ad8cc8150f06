//! Opt-outs by text message: per channel and sender, also from messages that are reported late or joined without an event.

use crate::{
    support::{database::Database, gateway::Gateway, twilio},
    suppressions::{ADA, OURS, all, at, gateway, set, text},
};

/// An inbound message with a channel's prefix before both numbers.
fn message(gateway: &Gateway, second: i64, prefix: &str, body: &str, more: &str) {
    gateway.set_clock(at(second));
    let form = format!("MessageSid=SM7&From={prefix}%2B15558675310&To={prefix}%2B15017122661&Body={body}&NumMedia=0{more}");
    assert_eq!(twilio::form(gateway, &form.replace("SM7", &format!("of-{prefix}{body}"))).status, 200);
}

crate::databases! {
    fn opt_out_applies_to_one_channel(database) {
        let gateway = gateway(database);
        message(&gateway, 1, "whatsapp%3A", "STOP", "");
        text(&gateway, 2, ADA, OURS, "STOP");
        message(&gateway, 3, "rcs%3A", "STOP", "");
        text(&gateway, 4, ADA, OURS, "START");
        assert_eq!(all(&gateway), set([
            "+15558675310 rcs opt_out +15017122661 3",
            "+15558675310 sms opt_out +15017122661 lifted",
            "+15558675310 whatsapp opt_out +15017122661 1",
        ]));
    }

    fn later_report_of_a_message_adds_its_opt_out(database) {
        let gateway = gateway(database);
        message(&gateway, 1, "", "ARRET", "");
        assert_eq!(all(&gateway), set([]));
        message(&gateway, 2, "", "ARRET", "&OptOutType=STOP");
        assert_eq!(all(&gateway), set(["+15558675310 sms opt_out +15017122661 1"]), "since the message, not since the report");
    }

    fn message_without_an_event_is_covered(database) {
        let gateway = gateway(database);
        text(&gateway, 1, ADA, "+15017122669", "STOP");
        assert_eq!(all(&gateway).len(), 1);
        // As the sweep joins the parts of a long message.
        gateway.database.execute(
            "INSERT INTO inbound_messages (service_type, account, external_id, sender, recipient, channel, opt_out, received_at) \
             VALUES ('vonage', 'acme', 'part-1', '+447700900000', 'ACME', 'sms', 'stop', '2026-03-14 15:30:05')",
        );
        assert_eq!(all(&gateway), set(["+15558675310 sms opt_out +15017122669 1", "+447700900000 sms opt_out ACME 5"]));
    }
}
