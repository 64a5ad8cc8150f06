//! Inbound messages of the Messages API: their texts and attachments, of which a message may have a list.

use serde_json::Value;

use crate::{
    event::{Inbound, MAX_MEDIA, Media},
    json::{self, scalar, text as word},
    text,
};

/// The content of a message of that kind.
pub(super) fn content(payload: &Value, kind: &str) -> Inbound {
    let parts = ["/sms/num_messages", "/message/sms/num_messages"].iter().find_map(|name| scalar(payload, name));
    let items = items(payload, kind);
    let media = items.iter().flat_map(Item::attachments).take(MAX_MEDIA).collect();
    let texts: Vec<Words<'_>> = items.iter().flat_map(Item::texts).collect();
    let typed = || texts.iter().filter(|one| one.is_typed).filter_map(|one| text::present(one.text)).collect();
    let joined = texts.iter().map(|one| one.text).collect::<Vec<_>>().join("\n");
    Inbound {
        text: text::present(&joined),
        // One typed text is the whole text.
        typed: (!matches!(texts.as_slice(), [Words { is_typed: true, .. }])).then(typed),
        media,
        parts: parts.and_then(|number| number.parse().ok()).filter(|number| *number > 0),
        ..Inbound::default()
    }
}

/// A part of a message: the object that has its content, and the kind after which the content's member is named.
struct Item<'v> {
    object: &'v Value,
    kind: &'v str,
    /// True in a list, where the content may be in the object itself.
    is_listed: bool,
}

/// A text, and whether the sender wrote it or chose it. A caption belongs to an attachment.
struct Words<'v> {
    text: &'v str,
    is_typed: bool,
}

/// The message itself, in version 0.1 its content, and the lists of an MMS.
fn items<'v>(payload: &'v Value, kind: &'v str) -> Vec<Item<'v>> {
    let mut items = vec![Item { object: payload, kind, is_listed: false }];
    let older = json::at(payload, "/message/content");
    items.extend(older.filter(|content| content.is_object()).map(|object| Item { object, kind, is_listed: false }));
    let lists = [json::at(payload, "/content"), older, json::at(payload, "/message/content/content")];
    let listed = lists.into_iter().flatten().filter_map(Value::as_array).flatten();
    items.extend(listed.map(|object| Item { object, kind: word(object, "/type").unwrap_or_default(), is_listed: true }));
    items
}

impl<'v> Item<'v> {
    /// The content under the name of the kind, if it is an object, and in a list the object itself.
    fn contents(&self) -> impl Iterator<Item = &'v Value> {
        let named = self.object.get(self.kind).filter(|content| content.is_object());
        named.into_iter().chain(self.is_listed.then_some(self.object))
    }

    fn texts(&self) -> impl Iterator<Item = Words<'v>> {
        // A button's text, the title of a choice in a list or of a suggested reply, the text with an order, and a reaction.
        let written: &[&str] = match self.kind {
            "button" => &["/text", "/button/text"],
            "reply" => &["/text", "/reply/title"],
            "order" => &["/text", "/order/text"],
            "reaction" if word(self.object, "/reaction/action") != Some("unreact") => &["/text", "/reaction/emoji"],
            _ => &["/text"],
        };
        let object = self.object;
        let typed = written.iter().filter_map(|pointer| word(object, pointer)).map(|text| Words { text, is_typed: true });
        let captions = self.contents().filter_map(|content| word(content, "/caption"));
        typed.chain(captions.map(|text| Words { text, is_typed: false }))
    }

    fn attachments(&self) -> impl Iterator<Item = Media> {
        let attachment = |content: &Value| Media {
            url: word(content, "/url").and_then(text::present),
            filename: word(content, "/name").and_then(text::present),
            ..Media::default()
        };
        self.contents().map(attachment).filter(|media| media.url.is_some())
    }
}
