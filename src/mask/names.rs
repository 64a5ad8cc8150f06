//! Names under which secrets and signatures are sent.

/// The last word of a name: `sig`, `access_token`, `clientSecret`, `X-Signature`.
const LAST_WORDS: [&str; 19] = [
    "apikey",
    "auth",
    "authorization",
    "bearer",
    "credential",
    "credentials",
    "hmac",
    "jwt",
    "pass",
    "passphrase",
    "passwd",
    "password",
    "pw",
    "pwd",
    "secret",
    "sig",
    "sign",
    "signature",
    "token",
];

/// Words before `key`, which by itself is a secret only in a URL.
const KEYS: [&str; 6] = ["access", "api", "auth", "private", "secret", "signing"];

/// The account at Vonage, which is a name and no secret.
const ACCOUNT_NAME: &[u8] = b"api-key";

/// True for the name of a parameter whose value is a secret or a signature.
pub(super) fn is_secret(name: &[u8]) -> bool {
    is_secret_member(name) || name.trim_ascii().eq_ignore_ascii_case(b"key")
}

/// True for the name of a field in a body.
pub(super) fn is_secret_member(name: &[u8]) -> bool {
    let words = words(name);
    let last = words.last().map_or("", String::as_str);
    let before = words.iter().rev().nth(1).map_or("", String::as_str);
    name != ACCOUNT_NAME && (LAST_WORDS.contains(&last) || (last == "key" && KEYS.contains(&before)))
}

/// The parameters by which the operator proves who sends, in place of a signature.
pub(super) fn is_own_credential(name: &[u8]) -> bool {
    ["secret", "token"].iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

/// The words of a name in lower case, separated by punctuation or by case.
fn words(name: &[u8]) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut previous = ' ';
    for c in String::from_utf8_lossy(name).chars() {
        if c.is_alphanumeric() {
            let starts = !previous.is_alphanumeric() || (c.is_uppercase() && previous.is_lowercase());
            match words.last_mut() {
                Some(word) if !starts => word.extend(c.to_lowercase()),
                _ => words.push(c.to_lowercase().collect()),
            }
        }
        previous = c;
    }
    words
}

/// True for a JSON web token.
pub(super) fn is_jwt(value: &[u8]) -> bool {
    let is_part = |part: &[u8]| part.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_=".contains(byte));
    value.starts_with(b"eyJ") && value.split(|byte| *byte == b'.').count() == 3 && value.split(|byte| *byte == b'.').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_recognized_in_every_spelling() {
        for name in [
            "sig",
            "SIG",
            "Signature",
            "access_token",
            "accessToken",
            "x-api-key",
            "API_KEY",
            "apiKey",
            "client.secret",
            " sig",
            "pw",
            "userPw",
            "hub[token]",
        ] {
            assert!(is_secret_member(name.as_bytes()), "{name}");
        }
        for name in
            ["", "api-key", "message_id", "keyword", "MessageSid", "idempotency_key", "Body", "signed", "passenger", "design"]
        {
            assert!(!is_secret_member(name.as_bytes()), "{name}");
        }
        assert!(is_secret(b"KEY") && !is_secret_member(b"key"));
    }
}
