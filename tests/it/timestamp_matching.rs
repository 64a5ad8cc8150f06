//! The strategy `timestamp` compares recipients as every look-up of a person does.

use serde_json::json;

use crate::{
    correlation::{gateway, matched, matched_to, registered, sweep},
    support::database::Database,
};

crate::databases! {
    fn timestamp_match_compares_addresses_in_any_notation(database) {
        let on = gateway(database, &[("MESSAGE_ID_MAPPING_STRATEGY", "timestamp"), ("TIMESTAMP_MATCHING_WINDOW", "60")]);
        let registration = |reference: &str, recipient: &str| json!({
            "reference": reference, "service_type": "twilio", "channel": "sms", "recipient": recipient, "sent_at": "2023-11-14T22:13:00Z",
        });
        let to = |id: &str, recipient: &str| {
            let recipient = percent_encoding::percent_encode(recipient.as_bytes(), percent_encoding::NON_ALPHANUMERIC);
            let body = format!("MessageSid={id}&MessageStatus=delivered&To={recipient}");
            let endpoint = on.endpoint("/webhooks/twilio");
            let mut outgoing = endpoint.outgoing("POST", endpoint.path(), "application/x-www-form-urlencoded", body);
            // A scheme with delimiters, under which any value is read.
            endpoint.sign(endpoint.spec.schemes[1], &mut outgoing);
            assert_eq!(on.send(&outgoing).status, 200);
        };
        let first = registered(&on, &registration("a", "(07860) 123 456"));
        to("SM1", "07860123456");
        assert_eq!(matched(&on, "SM1"), matched_to(first, "timestamp", "delivered"));
        let second = registered(&on, &registration("b", "Ada <ADA@Example.com>"));
        to("SM2", "ada@EXAMPLE.com");
        assert_eq!(matched(&on, "SM2"), matched_to(second, "timestamp", "delivered"));
        // The recipient is changed: only the new one matches.
        registered(&on, &registration("a", "+44 7860 123457"));
        to("SM3", "07860123456");
        to("SM4", "447860123457");
        assert_eq!(matched(&on, "SM3").0, None);
        assert_eq!(matched(&on, "SM4"), matched_to(first, "timestamp", "delivered"));
        // Plain SQL in another notation is matched by the sweep.
        on.database.execute(
            "INSERT INTO communication_metrics (id, reference, channel, recipient, sent_at) \
             VALUES (9001, 'c', 'sms', '+1 (555) 867-5310', '2023-11-14 22:13:00')",
        );
        to("SM5", "+15558675310");
        assert_eq!(matched(&on, "SM5").0, None);
        sweep(&on);
        assert_eq!(matched(&on, "SM5"), matched_to(9001, "timestamp", "delivered"));
        // A second message to the same person in another notation is ambiguous.
        registered(&on, &registration("d", "0015558675310"));
        to("SM6", "+15558675310");
        assert_eq!(matched(&on, "SM6").0, None);
    }
}
