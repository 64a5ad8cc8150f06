//! Conversation, which reports the status of messages in both directions, and the content of a user's.

use super::{Shape, Time, choice, word};

pub const MESSAGES: [&Shape; 2] = [&MESSAGE, &MESSAGE_URL_TOKEN];
pub const INBOUND: [&Shape; 1] = [&USER_INPUT];

const MESSAGE: Shape = Shape {
    name: "Conversation",
    provider: "conversation",
    scheme: "body-sha256",
    id: "/data/id",
    word: "/data/status",
    words: &[&[
        word("PENDING", "unknown", 1),
        word("RECEIVED", "accepted", 10),
        word("PROCESSED", "sent", 30),
        word("FAILED", "failed", 40),
    ]],
    time: Time::Iso("/timestamp"),
    reference: "/data/metadata/message_id",
    fixed: choice(&[("/conversation_id", "chat-1"), ("/data/content_type", "TEXT")], &[]),
    attributes: &[
        &[
            choice(&[("/data/type", "USER_INPUT")], &[("direction", "inbound")]),
            choice(&[("/data/type", "BOT")], &[("direction", "outbound")]),
        ],
        &[
            choice(&[("/data/channel", "SMS")], &[("channel", "sms")]),
            choice(&[("/data/channel", "WHATSAPP")], &[("channel", "whatsapp")]),
            choice(&[("/data/channel", "API")], &[("channel", "chat")]),
        ],
        &[
            choice(&[("/data/created_by", "Zed")], &[("sender", "Zed")]),
            choice(&[("/data/created_by", "user-1")], &[("sender", "user-1")]),
        ],
    ],
    ..Shape::PLAIN
};

const MESSAGE_URL_TOKEN: Shape = Shape { name: "Conversation, url-token", scheme: "url-token", ..MESSAGE };

const USER_INPUT: Shape = Shape {
    name: "Conversation user input",
    reference: "",
    fixed: choice(&[("/conversation_id", "chat-1"), ("/data/type", "USER_INPUT")], &[]),
    attributes: &[
        MESSAGE.attributes[1],
        MESSAGE.attributes[2],
        &[
            choice(&[("/data/content", "Zoo")], &[("text", "Zoo")]),
            choice(&[("/data/content", "ant")], &[("text", "ant")]),
            choice(
                &[("/data/content", "https://m.example/b"), ("/data/content_type", "IMAGE")],
                &[("media", r#"[{"url":"https://m.example/b"}]"#)],
            ),
            choice(
                &[("/data/content", "https://m.example/a"), ("/data/content_type", "DOCUMENT"), ("/data/filename", "a.pdf")],
                &[("media", r#"[{"url":"https://m.example/a","filename":"a.pdf"}]"#)],
            ),
        ],
    ],
    ..MESSAGE
};
