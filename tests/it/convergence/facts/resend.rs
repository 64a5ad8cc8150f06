//! Resend: status events and inbound e-mail, as JSON.

use super::{Shape, Time, choice, no_status, word};

pub const MESSAGES: [&Shape; 2] = [&STATUS, &STATUS_BODY_SHA256];
pub const INBOUND: [&Shape; 1] = [&RECEIVED];

const STATUS: Shape = Shape {
    name: "Resend",
    provider: "resend",
    scheme: "svix",
    id: "/data/email_id",
    word: "/type",
    words: &[&[
        word("email.scheduled", "scheduled", 5),
        word("email.sent", "sent", 30),
        word("email.delivery_delayed", "deferred", 32),
        word("email.clicked", "delivered", 39).evidence("inferred").marks("clicked_at"),
        word("email.delivered", "delivered", 40).evidence("mta"),
        word("email.failed", "failed", 50).error(
            &[("/data/failed/reason", "reached_daily_quota")],
            ["reached_daily_quota", "The account's daily quota is used up", "rate_limited", "temporary"],
        ),
        word("email.suppressed", "rejected", 50)
            .error(&[], ["", "The address is on the suppression list", "suppressed", "permanent"]),
        word("email.bounced", "bounced", 51).error(
            &[("/data/bounce/type", "Permanent"), ("/data/bounce/subType", "General"), ("/data/bounce/message", "no mailbox")],
            ["General", "no mailbox", "invalid_recipient", "permanent"],
        ),
        word("email.bounced", "bounced", 51).error(
            &[("/data/bounce/type", "Transient"), ("/data/bounce/subType", "MailboxFull")],
            ["MailboxFull", "The mailbox is full", "mailbox_full", "temporary"],
        ),
        no_status("email.opened", Some("opened_at")),
        no_status("email.complained", Some("complained_at")),
    ]],
    time: Time::Iso("/created_at"),
    reference: "/data/tags/message_id",
    fixed: choice(&[], &[("channel", "email"), ("direction", "outbound")]),
    attributes: &[
        &[
            choice(&[("/data/from", "Zoe <Zoe@A.example>")], &[("sender", "Zoe@a.example")]),
            choice(&[("/data/from", "amy@a.example")], &[("sender", "amy@a.example")]),
        ],
        &[
            choice(&[("/data/to", r#"["Yan@b.example"]"#)], &[("recipient", "Yan@b.example")]),
            choice(&[("/data/to", r#"["bob@b.example", "cat@B.example"]"#)], &[("recipient", "bob@b.example, cat@b.example")]),
        ],
    ],
    ..Shape::PLAIN
};

const STATUS_BODY_SHA256: Shape = Shape { name: "Resend, body-sha256", scheme: "body-sha256", ..STATUS };

const RECEIVED: Shape = Shape {
    name: "Resend email.received",
    words: &[&[no_status("email.received", None)]],
    reference: "",
    fixed: choice(&[], &[("channel", "email")]),
    attributes: &[
        STATUS.attributes[0],
        STATUS.attributes[1],
        &[
            choice(
                &[("/data/attachments", r#"[{"id": "a2", "filename": "Z.pdf", "content_type": "application/pdf"}]"#)],
                &[("media", r#"[{"id":"a2","content_type":"application/pdf","filename":"Z.pdf"}]"#)],
            ),
            choice(&[("/data/attachments", r#"[{"id": "a1"}]"#)], &[("media", r#"[{"id":"a1"}]"#)]),
        ],
        &[
            choice(
                &[("/data/subject", "Zebra"), ("/data/message_id", "<a@x.example>")],
                &[("subject", "Zebra"), ("internet_message_id", "<a@x.example>")],
            ),
            choice(
                &[("/data/subject", "apple"), ("/data/message_id", "<Z@x.example>")],
                &[("subject", "apple"), ("internet_message_id", "<Z@x.example>")],
            ),
        ],
        &[
            choice(
                &[
                    ("/data/cc", r#"["Zoe <Zoe@A.example>"]"#),
                    ("/data/bcc", r#"["bob@b.example"]"#),
                    ("/data/received_for", r#"["in@c.example"]"#),
                ],
                &[("cc", "Zoe@a.example"), ("bcc", "bob@b.example"), ("received_for", "in@c.example")],
            ),
            choice(
                &[
                    ("/data/cc", r#"["amy@a.example", "bob@b.example"]"#),
                    ("/data/bcc", r#"["Yan@b.example"]"#),
                    ("/data/received_for", r#"["In@c.example"]"#),
                ],
                &[("cc", "amy@a.example, bob@b.example"), ("bcc", "Yan@b.example"), ("received_for", "In@c.example")],
            ),
        ],
    ],
    ..STATUS
};
