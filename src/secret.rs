//! Secrets that cannot be printed, and their comparison in constant time.

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// One secret. `Debug` shows a placeholder; there is no `Display` and no `Serialize`; memory is wiped on drop.
#[derive(Clone, Debug)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes the text as the secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// The secret's bytes, for a key or a comparison.
    pub fn bytes(&self) -> &[u8] {
        self.0.expose_secret().as_bytes()
    }

    /// The secret's text, for the one place that must hand it on (a connection string, the token file).
    pub fn text(&self) -> &str {
        self.0.expose_secret()
    }

    /// Compares with what a caller sent. Both sides are hashed first, so that neither content nor length shows in the time.
    pub fn matches(&self, given: &[u8]) -> bool {
        Sha256::digest(self.bytes()).ct_eq(&Sha256::digest(given)).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_the_secret() {
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
