//! Every cut of a captured form into other names and values, and into another URL, under its signature: it is not parsed, or it is the
//! same request with the same events. A form that is not parsed has a key that no request that is parsed has.

use std::{collections::BTreeSet, fmt::Write, fs, path::Path};

use waybill::{
    callback::Callback,
    config::{Config, Env},
    endpoint::Endpoint,
    event::{Effect, Event},
    form::Form,
    signature::{Outgoing, Scheme},
    time::Timestamp,
};

use crate::support::{self, callback::received, numbers::Numbers};

const FORM: &str = "application/x-www-form-urlencoded";

type Pair = (Vec<u8>, Vec<u8>);

/// A name that a parser reads, or that may follow one, and texts that look like parameters.
const NAMES: [&str; 22] = [
    "AccountSid",
    "ApiVersion",
    "Body",
    "ButtonText",
    "CallSid",
    "CallStatus",
    "Direction",
    "ErrorCode",
    "ErrorMessage",
    "From",
    "FromCity",
    "MediaUrl0",
    "MessageSid",
    "MessageStatus",
    "NumMedia",
    "NumSegments",
    "SmsMessageSid",
    "SmsSid",
    "SmsStatus",
    "Timestamp",
    "To",
    "ToCity",
];

fn endpoint(provider: &str) -> Endpoint {
    let env: Env = [
        ("TWILIO_AUTH_TOKEN", "3f1c9a0e5b7d42688c14d2a96f0b7e35"),
        ("SIGNALWIRE_SIGNING_KEY", "PSKtest1234567890abcdef"),
        ("WEBHOOK_BASE_URL", "https://hooks.example.com"),
    ]
    .into_iter()
    .collect();
    let endpoints = Config::load(&env).expect("a configuration").config.endpoints;
    endpoints.into_iter().find(|endpoint| endpoint.spec.name == provider).expect("an endpoint").build()
}

/// The forms of the fixtures, and those with texts that look like parameters.
fn forms(provider: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(provider);
    let folders = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let bodies = folders
        // One fixture is such a cut itself.
        .filter(|path| path.is_dir() && !path.ends_with("unlisted-account-sid-recut"))
        .map(|path| (fs::read_to_string(path.join("request.toml")), fs::read(path.join("body"))));
    let forms: BTreeSet<Vec<u8>> = bodies
        .filter(|(request, _)| request.as_ref().is_ok_and(|text| text.contains("form-urlencoded")))
        .filter_map(|(_, body)| body.ok().filter(|body| (1..2_000).contains(&body.len())))
        .collect();
    let texts = [
        "MessageSidSM0123456789abcdef0123456789abcdefMessageStatusdeliveredZ",
        "xErrorCode30005ErrorUrlhttp",
        "Body and Body",
        "From now on",
        "To+15550001111",
        "Directions",
        "CallSidCA0123456789abcdef0123456789abcdefCallStatusbusyZ",
    ];
    let hostile = forms.iter().flat_map(|form| {
        let form = String::from_utf8_lossy(form).into_owned();
        texts.iter().filter_map(move |text| {
            let at = ["&Body=", "&ErrorMessage=", "&ProfileName=", "&ChannelStatusMessage="]
                .iter()
                .find_map(|name| Some(form.find(name)? + name.len()))?;
            Some(format!("{}{}+{}", &form[..at], text.replace(' ', "+"), &form[at..]).into_bytes())
        })
    });
    let hostile: Vec<Vec<u8>> = hostile.collect();
    // Two texts are no different from one that contains the name.
    let has_one_text = |form: &Vec<u8>| !Form::decode(form).is_some_and(|form| form.is_ambiguous("Body"));
    forms.into_iter().chain(hostile).filter(has_one_text).collect()
}

/// Another request with the same signed string.
struct Cut {
    target: String,
    pairs: Vec<Pair>,
}

fn joined(pairs: &[Pair]) -> Vec<u8> {
    pairs.iter().flat_map(|(name, value)| [name.as_slice(), value].concat()).collect()
}

fn is_sorted(pairs: &[Pair]) -> bool {
    pairs.windows(2).all(|two| two[0] < two[1]) && pairs.iter().all(|(name, _)| !name.is_empty())
}

/// The places in a text where a cut is of interest: around capital letters and the ends of names and values.
fn places(text: &[u8], ends: &[usize]) -> Vec<usize> {
    let is_capital = |at: &usize| text[*at].is_ascii_uppercase();
    let near = (0..text.len()).filter(is_capital).chain(ends.iter().copied()).flat_map(|at| [at.saturating_sub(1), at, at + 1]);
    let all: BTreeSet<usize> = near.chain([1, 2, text.len()]).filter(|at| *at <= text.len()).collect();
    all.into_iter().collect()
}

/// Cuts of one or two neighbours into one, two or three parameters.
fn local_cuts(pairs: &[Pair], numbers: &mut Numbers) -> Vec<Vec<Pair>> {
    let mut cuts = Vec::new();
    for (start, size) in (0..pairs.len()).flat_map(|start| [(start, 1), (start, 2), (start, 3)]) {
        let Some(window) = pairs.get(start..start + size) else { continue };
        let text = joined(window);
        let ends: Vec<usize> = window
            .iter()
            .scan(0, |end, (name, value)| {
                let after_name = *end + name.len();
                *end = after_name + value.len();
                Some([after_name, *end])
            })
            .flatten()
            .collect();
        let places = places(&text, &ends);
        for _ in 0..16 {
            let count = 1 + numbers.below(3);
            let mut at: Vec<usize> = (0..2 * count - 1).map(|_| places[numbers.below(places.len())]).collect();
            at.sort_unstable();
            let bounds: Vec<usize> = [0].into_iter().chain(at).chain([text.len()]).collect();
            let replacement: Vec<Pair> = bounds
                .windows(3)
                .step_by(2)
                .map(|three| (text[three[0]..three[1]].to_vec(), text[three[1]..three[2]].to_vec()))
                .collect();
            cuts.push([&pairs[..start], &replacement, &pairs[start + size..]].concat());
        }
    }
    cuts
}

/// Cuts of the whole string at some of the places where a name occurs.
fn cuts_at_names(pairs: &[Pair], numbers: &mut Numbers) -> Vec<Vec<Pair>> {
    let text = joined(pairs);
    let mut starts: Vec<(usize, usize)> = NAMES
        .iter()
        .flat_map(|name| {
            (0..text.len()).filter(|at| text[*at..].starts_with(name.as_bytes())).map(|at| (at, name.len())).collect::<Vec<_>>()
        })
        .collect();
    starts.sort_unstable();
    let mut cuts = Vec::new();
    for _ in 0..60 {
        let odds = 2 + numbers.below(6);
        let mut chosen: Vec<(usize, usize)> = starts.iter().copied().filter(|_| numbers.below(odds) > 0).collect();
        if chosen.first().is_none_or(|(at, _)| *at > 0) {
            chosen.insert(0, (0, 1 + numbers.below(12)));
        }
        let ends = chosen.iter().skip(1).map(|(at, _)| *at).chain([text.len()]);
        let pairs = chosen
            .iter()
            .zip(ends)
            .filter_map(|((at, length), end)| Some((text.get(*at..at + length)?.to_vec(), text.get(at + length..end)?.to_vec())));
        cuts.push(pairs.collect());
    }
    cuts
}

/// The first parameters moved into the URL, and the end of the URL moved into the first name.
fn url_cuts(target: &str, pairs: &[Pair]) -> Vec<Cut> {
    let is_allowed = |text: &[u8]| text.iter().all(|byte| byte.is_ascii_graphic() && !b"#\"<>\\^`{|}".contains(byte));
    let mut cuts = Vec::new();
    for count in 1..=pairs.len() {
        let text = joined(&pairs[..count]);
        if is_allowed(&text) {
            cuts.push(Cut {
                target: format!("{target}{}", String::from_utf8(text).expect("ASCII")),
                pairs: pairs[count..].to_vec(),
            });
        }
    }
    for (at, _) in target.char_indices().skip(1) {
        let (target, moved) = target.split_at(at);
        for end in 1..=moved.len().min(12) {
            let first = (moved.as_bytes()[..end].to_vec(), moved.as_bytes()[end..].to_vec());
            cuts.push(Cut { target: target.to_owned(), pairs: [&[first], pairs].concat() });
        }
        let (name, value) = &pairs[0];
        let joined_name = [moved.as_bytes(), name].concat();
        cuts.push(Cut { target: target.to_owned(), pairs: [&[(joined_name, value.clone())], &pairs[1..]].concat() });
    }
    cuts
}

fn encoded(pairs: &[Pair]) -> Vec<u8> {
    let escape = |text: &[u8]| {
        text.iter().fold(String::new(), |mut escaped, byte| {
            write!(escaped, "%{byte:02X}").expect("text");
            escaped
        })
    };
    pairs.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect::<Vec<_>>().join("&").into_bytes()
}

/// All that is parsed of a request, if it is parsed.
fn reading(endpoint: &Endpoint, callback: &Callback) -> Option<([u8; 32], Option<String>)> {
    let verified = endpoint.verify(callback).ok()?;
    let events = endpoint.parse(&verified).events;
    let text = verified.readable().map(|_| match events {
        Ok(events) => events.iter().map(text).collect(),
        Err(error) => error.to_string(),
    });
    Some((verified.proof().request_key(), text))
}

fn text(event: &Event) -> String {
    let inbound = match &event.effect {
        Effect::Inbound(inbound) => format!("{:?} {:?} {:?} {:?}", inbound.text, inbound.media, inbound.parts, inbound.opt_out),
        other => format!("{other:?}"),
    };
    let id = event.external_id.as_ref().map(|id| id.as_str().to_owned());
    let facts = serde_json::to_string(&event.facts).expect("JSON");
    let Event { event_type, provider_type, status, provider_status, error, occurred_at, .. } = event;
    format!("{id:?} {event_type:?} {provider_type:?} {status:?} {provider_status:?} {error:?} {occurred_at:?} {inbound} {facts}")
}

fn assert_one_reading(endpoint: &Endpoint, target: &str, form: &[u8], numbers: &mut Numbers) -> bool {
    let at = Timestamp::from_seconds(0).expect("an instant");
    let scheme: &Scheme = endpoint.spec.schemes.iter().find(|scheme| scheme.name == "request").expect("a scheme");
    let mut original = endpoint.outgoing("POST", target, FORM, form);
    endpoint.sign(scheme, &mut original);
    let label = String::from_utf8_lossy(form).into_owned();
    let (key, events) =
        reading(endpoint, &received(endpoint, original.clone(), at)).unwrap_or_else(|| panic!("not verified: {label}"));
    let form = Form::decode(form).expect("few fields");
    let mut pairs: Vec<Pair> = form.pairs().map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
    pairs.sort();
    pairs.dedup();
    let in_place = local_cuts(&pairs, numbers).into_iter().chain(cuts_at_names(&pairs, numbers));
    let cuts = in_place.map(|pairs| Cut { target: target.to_owned(), pairs }).chain(url_cuts(target, &pairs));
    let mut other_keys = BTreeSet::new();
    // Any other path is unknown.
    let path = |target: &str| target.split('?').next().map(str::to_owned);
    // The first parameters of a form that is not parsed can be the end of a longer query, and the end of the query the start of the first
    // name, as another request may really have them.
    let may_be_query = |cut: &Cut| events.is_none() && cut.target != target && !cut.pairs.is_empty();
    let is_request = |cut: &Cut| is_sorted(&cut.pairs) && path(&cut.target) == path(target) && !may_be_query(cut);
    for Cut { target, pairs } in cuts.filter(is_request) {
        for method in ["POST", "GET"].into_iter().take(if pairs.is_empty() { 2 } else { 1 }) {
            let request =
                Outgoing { method: method.to_owned(), target: target.clone(), body: encoded(&pairs), ..original.clone() };
            let Some((other_key, other)) = reading(endpoint, &received(endpoint, request, at)) else { continue };
            let shown = || format!("{label}\n{method} {target} {}", String::from_utf8_lossy(&joined_with_bounds(&pairs)));
            match (&events, &other) {
                (_, None) => drop(other_keys.insert(other_key)),
                (Some(events), Some(other)) => assert_eq!((other, other_key), (events, key), "{}", shown()),
                (None, Some(other)) => panic!("a cut is parsed as {other}: {}", shown()),
            }
        }
    }
    assert!(other_keys.len() <= 1, "one key for all that is not parsed: {label}");
    assert_eq!(other_keys.contains(&key), events.is_none() && !other_keys.is_empty(), "{label}");
    events.is_some()
}

fn joined_with_bounds(pairs: &[Pair]) -> Vec<u8> {
    pairs.iter().map(|(name, value)| [name.as_slice(), b"=", value].concat()).collect::<Vec<_>>().join(&b'&')
}

#[test]
fn no_other_cut_of_a_form_is_parsed_differently() {
    let seed = support::variable("CUTS_SEED").map_or(14, |seed| seed.parse().expect("a number"));
    println!("CUTS_SEED={seed}");
    let mut numbers = Numbers::new(seed);
    for provider in ["twilio", "signalwire"] {
        let endpoint = endpoint(provider);
        let mut parsed = 0;
        let forms = forms(provider);
        for form in &forms {
            let query = ["", "?message_id=order-A7", "?x=1&Secret=Ab"][numbers.below(3)];
            parsed += usize::from(assert_one_reading(&endpoint, &format!("/webhooks/{provider}{query}"), form, &mut numbers));
        }
        assert!(parsed > forms.len() / 2, "{provider}: {parsed} of {} forms are parsed", forms.len());
    }
}

/// Texts in which customers and vendors write names of parameters, and parameters that the vendors may add.
#[test]
fn genuine_forms_are_parsed_whatever_their_texts_contain() {
    let endpoint = endpoint("twilio");
    let at = Timestamp::from_seconds(0).expect("an instant");
    let scheme: &Scheme = endpoint.spec.schemes.iter().find(|scheme| scheme.name == "request").expect("a scheme");
    let sid = "0123456789abcdef0123456789abcdef";
    let inbound = |text: &str, more: &str| {
        format!(
            "AccountSid=AC{sid}&ApiVersion=2010-04-01&Body={text}&From=%2B15550001111&FromCity=SPRINGFIELD&FromCountry=US&FromState=OR\
             &FromZip=97477&MessageSid=SM{sid}&NumMedia=0&NumSegments=1&SmsMessageSid=SM{sid}&SmsSid=SM{sid}&SmsStatus=received\
             &To=%2B15550002222&ToCity=&ToCountry=US&ToState=&ToZip={more}"
        )
    };
    let status = |more: &str| {
        format!(
            "AccountSid=AC{sid}&ApiVersion=2010-04-01&From=%2B15550002222&MessageSid=SM{sid}&MessageStatus=failed&SmsSid=SM{sid}\
             &SmsStatus=failed&To=%2B15550001111&ErrorCode=63016{more}"
        )
    };
    let texts = [
        "What is your Address?",
        "Label printer broken",
        "New Label, To Direction From Body Timestamp Forwarded",
        "Body and soul",
        "call me. From now on To Ada",
        "MessageSid",
        "?MessageSid=SM1",
        "FromCity rocks",
        "hello FromCountryGB",
        "NumMedia0",
        "SmsStatusreceived",
        "EventType? ProfileName! WaId",
        "xFrom+15559990000",
        "To+15559990000",
    ];
    let additions = [
        "&ExternalUserId=whatsapp:US.1234",
        "&ListId=7&ListTitle=Extra large pizza&ListDescription=Caf\u{e9} \u{2615}",
        "&ReferralSourceUrl=https://fb.example/1&ReferralHeadline=Hello there",
        "&NewVendorText=hello world \u{e9}",
        "&ProfileName=Body Shop From Bath&WaId=15550001111",
        "&ChannelMetadata={\"type\": \"whatsapp\", \"data\": {\"context\": {\"ProfileName\": \"Ada\"}}}",
    ];
    let forms = texts.iter().map(|text| inbound(text, "")).chain(additions.iter().map(|more| inbound("STOP", more)));
    let statuses =
        ["&ChannelStatusMessage=template Body invalid", "&ErrorMessage=Body", "&ErrorMessage=To number, MessageSid"].map(status);
    let call = format!(
        "AccountSid=AC{sid}&ApiVersion=2010-04-01&CallSid=CA{sid}&CallStatus=in-progress&Called=%2B15550002222&Caller=%2B15550001111\
         &Confidence=0.9&Direction=inbound&From=%2B15550001111&SpeechResult=To From Body&To=%2B15550002222"
    );
    for form in forms.chain(statuses).chain([call]) {
        for query in ["", "?message_id=order-A7&source=AddressBook&to=BodyShop&Label=From%7B1%7D"] {
            let mut request = endpoint.outgoing("POST", format!("/webhooks/twilio{query}"), FORM, form.as_bytes());
            endpoint.sign(scheme, &mut request);
            let callback = received(&endpoint, request, at);
            let verified = endpoint.verify(&callback).expect("verified");
            let events = endpoint.parse(&verified).events.unwrap_or_else(|error| panic!("{form}: {error}"));
            assert!(events.iter().all(|event| event.effect != Effect::None), "{query} {form}");
        }
    }
}
