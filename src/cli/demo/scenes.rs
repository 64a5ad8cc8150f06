//! The messages of the demo's story: recorded callbacks under new ids, so that each run has messages of its own.

use super::{
    Demo,
    moved::moved,
    traffic::{DELAY, Planned, before},
};
use crate::{
    cli::{CommandError, draft::Draft, random, signed_copies::fresh},
    event::Event,
    fixture::Fixture,
    provider::Spec,
    time::Timestamp,
};

const MINUTE: i64 = 60;

/// One callback of a scene: the recorded one, and how many seconds before the end of the story its event happened and it arrived.
struct Step {
    fixture: &'static str,
    occurred: i64,
    arrives: i64,
}

const fn step(fixture: &'static str, arrives: i64) -> Step {
    Step { fixture, occurred: arrives + DELAY, arrives }
}

/// The external ids of the story's messages, by what happens to them.
pub(super) struct Scenes {
    pub(super) delivered: String,
    pub(super) bounced: String,
    pub(super) late: String,
    pub(super) repeated: String,
    /// The sender of the inbound message.
    pub(super) sender: String,
    /// The forgery, which claims that the bounced message was delivered.
    pub(super) forged_at: Timestamp,
}

const DELIVERED: &[Step] =
    &[step("status-queued", 19 * MINUTE), step("status-sent", 19 * MINUTE - 1), step("status-delivered", 19 * MINUTE - 8)];
const BOUNCED: &[Step] = &[step("email-sent", 16 * MINUTE), step("email-bounced", 16 * MINUTE - 5)];
const LATE: &[Step] = &[
    step("status-v1-delivered", 13 * MINUTE),
    Step { fixture: "status-v1-submitted", occurred: 13 * MINUTE + 9, arrives: 10 * MINUTE },
];
const REPEATED: &[Step] = &[
    step("status-delivered", 9 * MINUTE),
    Step { fixture: "status-delivered", occurred: 9 * MINUTE + DELAY, arrives: 8 * MINUTE },
    Step { fixture: "status-delivered", occurred: 9 * MINUTE + DELAY, arrives: 6 * MINUTE },
];

/// The parts of the long inbound message in the order in which they arrive.
const PARTS: [(&str, &str); 3] = [
    ("1", "The lamps arrived this morning, thank you. "),
    ("3", "Could you send another one? My order is number 771."),
    ("2", "One of the two shades has a crack along its edge. "),
];

impl Scenes {
    /// Plans the story, which ends at that instant.
    pub(super) fn plan(demo: &Demo, fixtures: &[Fixture], end: Timestamp) -> Result<(Self, Vec<Planned>), CommandError> {
        let stage = Stage { demo, fixtures, end };
        let mut planned = Vec::new();
        let mut message = |provider: &str, steps: &[Step]| -> Result<String, CommandError> {
            let (id, callbacks) = stage.message(provider, steps)?;
            planned.extend(callbacks);
            Ok(id)
        };
        let (delivered, bounced) = (message("twilio", DELIVERED)?, message("resend", BOUNCED)?);
        let (late, repeated) = (message("vonage", LATE)?, message("signalwire", REPEATED)?);
        let sender = format!("447700900{}", 100 + u16::from(random::<1>()?[0]));
        planned.extend(stage.long_message(&sender)?);
        let forged_at = before(end, 4 * MINUTE);
        Ok((Self { delivered, bounced, late, repeated, sender, forged_at }, planned))
    }

    /// A forged callback: the bounce of the story, changed into a delivery after it was signed.
    pub(super) fn forgery(&self, demo: &Demo, fixtures: &[Fixture]) -> Result<Planned, CommandError> {
        let stage = Stage { demo, fixtures, end: self.forged_at };
        let (_, spec, draft) = stage.draft("resend", "email-bounced")?;
        let ids = draft.events(self.forged_at).into_iter().flatten().filter_map(|event| event.external_id);
        let draft = ids.fold(draft, |draft, id| draft.renamed(id.as_str(), &self.bounced).unwrap_or(draft));
        let mut outgoing = draft.signed(self.forged_at);
        let body = String::from_utf8_lossy(&outgoing.body).replace("email.bounced", "email.delivered");
        outgoing.body = body.into_bytes();
        Ok(Planned { name: "forgery".to_owned(), spec, at: self.forged_at, outgoing })
    }
}

/// Parts of scenes.
struct Stage<'d> {
    demo: &'d Demo,
    fixtures: &'d [Fixture],
    end: Timestamp,
}

impl<'d> Stage<'d> {
    fn draft(&self, provider: &str, name: &str) -> Result<(String, &'static Spec, Draft<'d>), CommandError> {
        let fixture = self.fixtures.iter().find(|fixture| (fixture.spec.name, fixture.name.as_str()) == (provider, name));
        let fixture = fixture.ok_or_else(|| CommandError::Other(format!("there is no callback {provider}/{name}")))?;
        Ok((fixture.name.clone(), fixture.spec, Draft::new(fixture, self.demo.endpoint(fixture.spec)?, self.end)))
    }

    /// The callbacks of one message under a new id.
    fn message(&self, provider: &str, steps: &[Step]) -> Result<(String, Vec<Planned>), CommandError> {
        let mut planned = Vec::new();
        let mut identity: Option<[String; 3]> = None;
        for Step { fixture, occurred, arrives } in steps {
            let (name, spec, draft) = self.draft(provider, fixture)?;
            let own = draft.events(self.end).and_then(|events| events.first().map(words)).unwrap_or_default();
            let of_message = match &identity {
                Some(identity) => identity,
                None => identity.insert([fresh(&own[0])?, own[1].clone(), own[2].clone()]),
            };
            let draft = own.iter().zip(of_message).fold(draft, |draft, (old, new)| draft.renamed(old, new).unwrap_or(draft));
            let at = before(self.end, *arrives);
            let draft =
                moved(draft, before(self.end, *occurred)).with_request_id(format!("msg_{}", hex::encode(random::<12>()?)));
            planned.push(Planned { name, spec, at, outgoing: draft.signed(at) });
        }
        let [id, ..] = identity.unwrap_or_default();
        Ok((id, planned))
    }

    /// A long inbound message in three parts, of which the last arrives second.
    fn long_message(&self, sender: &str) -> Result<Vec<Planned>, CommandError> {
        let reference = random::<1>()?[0].to_string();
        let part = |(place, (number, text)): (usize, (&str, &str))| {
            let (name, spec, draft) = self.draft("vonage", "inbound-part")?;
            let seconds = 3 * MINUTE - i64::try_from(place).unwrap_or_default();
            let at = before(self.end, seconds);
            let id = fresh("03A52148A6A6DE09")?;
            let fields = [
                ("msisdn", sender),
                ("messageId", &id),
                ("text", text),
                ("concat-ref", &reference),
                ("concat-total", "3"),
                ("concat-part", number),
            ];
            let edited = draft.edited(|body| with_fields(body, &fields)).unwrap_or(draft);
            let draft = moved(edited, before(at, DELAY));
            Ok(Planned { name, spec, at, outgoing: draft.signed(at) })
        };
        PARTS.into_iter().enumerate().map(part).collect()
    }
}

/// The words by which a callback belongs to its message: the id, the recipient's digits, and the application's reference.
fn words(event: &Event) -> [String; 3] {
    let id = event.external_id.as_ref().map(|id| id.as_str().to_owned());
    let recipient = event.facts.recipient.as_ref().map(|recipient| recipient.trim_start_matches('+').to_owned());
    [id, recipient, event.facts.embedded_id.clone()].map(Option::unwrap_or_default)
}

/// A flat JSON document with other values of some members.
fn with_fields(json: &str, fields: &[(&str, &str)]) -> String {
    let Ok(mut document) = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(json) else {
        return json.to_owned();
    };
    document.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())));
    serde_json::Value::Object(document).to_string()
}
