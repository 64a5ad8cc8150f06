//! Secrets that cannot be printed, compared in constant time.

use std::io;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// One secret. `Debug` shows a placeholder; there is no `Display` and no `Serialize`; memory is wiped on drop.
#[derive(Clone, Debug)]
pub struct Secret(SecretString);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// 256 random bits in hex.
    pub fn random() -> io::Result<Self> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        Ok(Self::new(hex::encode(bytes)))
    }

    pub fn bytes(&self) -> &[u8] {
        self.0.expose_secret().as_bytes()
    }

    /// The text, for a connection string or the token file.
    pub fn text(&self) -> &str {
        self.0.expose_secret()
    }

    /// Compares with bytes that a client sent. Both sides are hashed first, so that the time reveals neither content nor length.
    pub fn matches(&self, given: &[u8]) -> bool {
        Sha256::digest(self.bytes()).ct_eq(&Sha256::digest(given)).into()
    }
}

/// True for a secret that cannot be found by trying, so that no limit on guesses is needed: src/guesses.rs has the reason.
pub(crate) fn is_long(secret: &str) -> bool {
    const LONG: usize = 32;
    secret.len() >= LONG
}

/// The index of the secret that was given, among those that may match. All are compared, so that the time taken does not show which one
/// matched.
pub(crate) fn position(secrets: &[Secret], given: &[u8], may_match: impl Fn(&Secret) -> bool) -> Option<usize> {
    let matches = secrets.iter().enumerate().map(|(index, secret)| (index, secret.matches(given) & may_match(secret)));
    matches.fold(None, |found, (index, is_match)| if is_match { found.or(Some(index)) } else { found })
}

/// Implements `Debug` as the name of the type. Its values hold secrets or personal data, and must not reach a log.
macro_rules! opaque {
    ($($Type:ident $(<$lifetime:lifetime>)?),+) => {
        $(impl std::fmt::Debug for $Type $(<$lifetime>)? {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.debug_struct(stringify!($Type)).finish_non_exhaustive()
            }
        })+
    };
}
pub(crate) use opaque;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_hides_the_secret() {
        assert!(!format!("{:?}", Secret::new("canary-7f3a")).contains("canary"));
    }

    #[test]
    fn only_the_exact_bytes_match() {
        let secret = Secret::new("canary");
        assert!(secret.matches(b"canary"));
        for wrong in [&b""[..], b"canar", b"canary ", b"Canary"] {
            assert!(!secret.matches(wrong));
        }
    }
}
