//! Senders that sign their body with HMAC-SHA256 in a header, or not at all and then have a token in the URL. The header's
//! name is configured, so that a further sender of this kind is a [`crate::provider::Spec`] and a reader of its payload.

use crate::{
    callback::Callback,
    config::settings::Settings,
    provider::{NearMiss, Setting, SettingKind},
    secret::Secret,
    signature::{
        Outgoing, Proof, Rejected, Scheme, body_only,
        body_sha256::{self, Prefix},
        url_token,
    },
};

/// Where the signature stands unless the configuration says otherwise.
const HEADER: &str = "X-Webhook-Signature";

/// The setting that names the header.
pub(super) const SIGNATURE_HEADER: Setting = Setting {
    name: "SIGNATURE_HEADER",
    doc: "The header that holds the hex HMAC-SHA256 of the body, with or without `sha256=`.",
    example: HEADER,
    kind: SettingKind::Option,
};

/// The schemes of such a sender.
pub(super) static SCHEMES: [&Scheme; 2] = [&body_sha256::SCHEME, &url_token::SCHEME];

/// The proofs of one account of such a sender.
pub(super) struct SignedBody {
    secrets: Vec<Secret>,
    header: String,
    pub(super) url_tokens: Vec<Secret>,
    schemes: Vec<&'static Scheme>,
}

impl SignedBody {
    pub(super) fn read(settings: &mut Settings<'_, '_>) -> Self {
        let header = settings.text("SIGNATURE_HEADER").unwrap_or_else(|| HEADER.to_owned());
        if !header.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            settings.problem("SIGNATURE_HEADER", "expected the name of a header");
        }
        Self {
            secrets: settings.secrets("WEBHOOK_SECRET"),
            header,
            url_tokens: settings.url_tokens(),
            schemes: settings.schemes(),
        }
    }

    pub(super) fn is_configured(&self) -> bool {
        !self.secrets.is_empty() || !self.url_tokens.is_empty()
    }

    /// Whether the request claims to be signed, and there is a secret to tell.
    pub(super) fn is_signed(&self, head: &Callback) -> bool {
        !self.secrets.is_empty() && head.headers.has(&self.header.to_ascii_lowercase())
    }

    /// A signature that is there must be right, whatever the URL.
    pub(super) fn verify<'c>(&self, callback: &'c Callback) -> Result<Proof<'c>, Rejected> {
        if self.is_signed(callback) {
            if !body_sha256::SCHEME.is_among(&self.schemes) {
                return Err(Rejected::SchemeOff);
            }
            return body_sha256::verify(callback, &self.header.to_ascii_lowercase(), Prefix::Optional, &self.secrets);
        }
        url_token::verify(callback)
    }

    pub(super) fn proof_headers(&self) -> Vec<String> {
        vec![self.header.to_ascii_lowercase()]
    }

    /// Under which other setting the signature would be right.
    pub(super) fn near_miss(&self, callback: &Callback) -> Option<NearMiss> {
        let header = self.header.to_ascii_lowercase();
        if let Ok(proof) = body_sha256::verify(callback, &header, Prefix::Optional, &self.secrets) {
            return Some(NearMiss::scheme_off(&proof));
        }
        body_only::near_miss(callback, &header, "WEBHOOK_SECRET", &self.secrets)
    }

    pub(super) fn sign(&self, scheme: &Scheme, outgoing: &mut Outgoing) {
        match (self.secrets.first(), self.url_tokens.first()) {
            (_, Some(token)) if scheme.name == url_token::SCHEME.name => url_token::sign(token, outgoing),
            (Some(secret), _) => body_sha256::sign(secret, &self.header, Prefix::Optional, outgoing),
            _ => {}
        }
    }
}
