//! Requests with the signature among their parameters, which are those of a query, a form, or a flat JSON object.

use memchr::memmem;

use super::{Outgoing, Proof, RequestKey, Scheme, VerifyError, Work, md5_plain, sms};
use crate::{
    callback::{
        self, Callback, Parameter, Payload,
        flat_json::{Members, Scalar},
    },
    form::Form,
    secret::Secret,
};

/// The parameter that holds the signature.
const SIGNATURE: &[u8] = b"sig";

/// The parameters of a request with `sig` among them, decoded once for every scheme that may have signed them.
pub struct SignedParameters<'c> {
    callback: &'c Callback,
    all: Vec<Parameter<'c>>,
}

/// The scheme that gives the signature, the index of the secret, and the request's key.
pub(super) type Match = (&'static Scheme, usize, RequestKey);

impl<'c> SignedParameters<'c> {
    /// Decodes the parameters; `None` if there is no `sig` among them.
    pub fn decode(callback: &'c Callback) -> Option<Self> {
        // Most documents have none, and need not be parsed. No sender escapes the name.
        let encoded = if callback.body.is_empty() { callback.query().as_bytes() } else { &callback.body };
        memmem::find(encoded, SIGNATURE)?;
        let all = callback::parameters(callback)?;
        all.iter().any(|(name, _)| name.as_ref() == SIGNATURE).then_some(Self { callback, all })
    }

    /// Verifies `sig` by the first scheme that gives it: `sms`, if its keys are passed, and `md5-plain`, if its secrets are. Their
    /// signatures look alike, but no string is signed by both. With a tolerance in seconds the signed time must be within it.
    pub fn verify(
        self,
        sms: Option<&[sms::Key]>,
        md5_plain: Option<&[Secret]>,
        tolerance: Option<u64>,
        work: &Work,
    ) -> Result<Proof<'c>, VerifyError> {
        let parameters = self.sorted();
        let verify = |by: &dyn Fn(&Parameters<'_>) -> Result<Match, VerifyError>| {
            let parameters = parameters.as_ref().map_err(|error| *error)?;
            let found = by(parameters)?;
            is_within(parameters, self.callback, tolerance).map(|()| found)
        };
        let by_sms = sms.map(|keys| verify(&|parameters| sms::verify(parameters, keys, work)));
        let found = match (by_sms, md5_plain) {
            (Some(Ok(found)), _) => Ok(found),
            (_, Some(secrets)) => verify(&|parameters| md5_plain::verify(parameters, secrets, work)),
            (Some(error), None) => error,
            (None, None) => Err(VerifyError::SchemeOff),
        };
        let (scheme, index, request_key) = found?;
        drop(parameters);
        // Signed as a form or as a document, they are read in the same way.
        let payload = Payload::Form(callback::with_values(self.all));
        Ok(Proof::new(self.callback, scheme, index, request_key).with_payload(payload))
    }

    /// Separates the signature from the parameters. Names with a delimiter could be re-encoded, and repeated names are ambiguous;
    /// neither is ever sent.
    pub(super) fn sorted(&self) -> Result<Parameters<'_>, VerifyError> {
        let mut pairs: Vec<Pair<'_>> = self.all.iter().map(|(name, value)| (name.as_ref(), value.as_deref())).collect();
        pairs.sort_unstable();
        let is_plain = |name: &[u8]| !name.is_empty() && !name.iter().any(|byte| b"&=".contains(byte));
        if !pairs.iter().all(|(name, _)| is_plain(name)) {
            return Err(VerifyError::Names);
        }
        if pairs.windows(2).any(|two| matches!(two, [(one, _), (other, _)] if one == other)) {
            return Err(VerifyError::Repeated);
        }
        let place = pairs.iter().position(|(name, _)| *name == SIGNATURE).ok_or(VerifyError::Missing)?;
        let (_, signature) = pairs.remove(place);
        let signature = hex::decode(signature.unwrap_or_default()).map_err(|_| VerifyError::Malformed)?;
        Ok(Parameters { pairs, signature })
    }
}

/// A name and its decoded value; a JSON null has none.
type Pair<'p> = (&'p [u8], Option<&'p [u8]>);

/// Parameters in byte order of their names, as they are signed.
pub(super) struct Parameters<'p> {
    pairs: Vec<Pair<'p>>,
    /// The signature's hex digits, decoded.
    pub(super) signature: Vec<u8>,
}

/// The treatment of values that are blank or null, on which the vendor's libraries disagree.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Blanks {
    /// Blank ones are signed, null ones are not.
    Kept,
    /// Neither is signed.
    Skipped,
    /// Both are signed as empty.
    NullAsEmpty,
}

impl Parameters<'_> {
    /// Returns true if all names are of letters, digits, `-` and `_`.
    pub(super) fn are_plain(&self) -> bool {
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-".contains(byte);
        self.pairs.iter().all(|(name, _)| name.iter().all(is_plain))
    }

    /// The value of that name, as text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let (_, value) = self.pairs.iter().find(|(key, _)| *key == name.as_bytes())?;
        std::str::from_utf8((*value)?).ok()
    }

    /// The pairs that are signed with that treatment.
    pub(super) fn signed(&self, blanks: Blanks) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.pairs.iter().filter_map(move |(name, value)| {
            let is_blank = value.is_none_or(|value| value.trim_ascii().is_empty());
            match (blanks, value) {
                (Blanks::Kept, None) => None,
                (Blanks::Skipped, _) if is_blank => None,
                (_, value) => Some((*name, value.unwrap_or_default())),
            }
        })
    }
}

/// Checks the signed time, if a tolerance is configured.
fn is_within(parameters: &Parameters<'_>, callback: &Callback, tolerance: Option<u64>) -> Result<(), VerifyError> {
    let Some(tolerance) = tolerance else { return Ok(()) };
    let seconds: i64 = parameters.text("timestamp").and_then(|text| text.parse().ok()).ok_or(VerifyError::Stale)?;
    if callback.received_at.seconds().abs_diff(seconds) > tolerance { Err(VerifyError::Stale) } else { Ok(()) }
}

/// The parameters of a request to be signed, in byte order.
pub(super) fn to_sign(outgoing: &Outgoing) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut pairs: Vec<(Vec<u8>, Vec<u8>)> = if outgoing.body.is_empty() || outgoing.is_form() {
        let encoded = if outgoing.body.is_empty() { outgoing.query().as_bytes() } else { &outgoing.body };
        Form::decode(encoded)?.pairs().map(|(name, value)| (name.to_vec(), value.to_vec())).collect()
    } else {
        let Members(members) = serde_json::from_slice(&outgoing.body).ok()?;
        let pair =
            |(name, value): (String, _)| Some((name.into_bytes(), Scalar::parse(value)?.into_text()?.into_owned().into_bytes()));
        members.into_iter().filter_map(pair).collect()
    };
    pairs.sort();
    Some(pairs)
}

/// Adds the signature to the parameters of the query, the form or the JSON object.
pub(super) fn add_signature(outgoing: &mut Outgoing, digits: &str) {
    if outgoing.body.is_empty() {
        outgoing.query_parameter("sig", digits);
    } else if outgoing.is_form() {
        outgoing.body.extend_from_slice(format!("&sig={digits}").as_bytes());
    } else if let Some(end) = outgoing.body.iter().rposition(|&byte| byte == b'}') {
        outgoing.body.splice(end..end, format!(",\"sig\":\"{digits}\"").into_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::{callback::Headers, time::Timestamp};

    fn payload(content_type: &str, target: &str, body: &'static str) -> Vec<(String, String)> {
        let callback = Callback {
            method: "POST".to_owned(),
            target: target.to_owned(),
            route: "",
            url_token: None,
            client: None,
            public_urls: Arc::from([]),
            headers: [("content-type", content_type)].into_iter().collect::<Headers>(),
            body: Bytes::from_static(body.as_bytes()),
            received_at: Timestamp::from_seconds(0).expect("an instant"),
        };
        let Payload::Form(form) = sms::SCHEME.payload.decode(&callback) else { panic!("a document") };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        form.pairs().map(|(name, value)| (text(name), text(value))).collect()
    }

    #[test]
    fn query_form_and_json_have_the_same_payload() {
        let query = payload("", "/x?a=%C3%A9%22&b=&d=1.50&e=-0&f=1E5&g=true", "");
        let form = payload(crate::form::MEDIA_TYPE, "/x?h=1", "a=%C3%A9%22&b=&d=1.50&e=-0&f=1E5&g=true");
        let json = payload("application/json", "/x?h=1", r#"{"a":"\u00e9\"","b":"","c":null,"d":1.50,"e":-0,"f":1E5,"g":true}"#);
        assert_eq!(query.len(), 6);
        assert_eq!((&form, &json), (&query, &query));
    }
}
