//! A link that logs in to the pages once, so that `demo` need not put the ops token into a URL.

use std::{
    io,
    sync::{Mutex, PoisonError},
};

use crate::{secret::Secret, time::Timestamp};

/// Seconds for which a code is valid.
const LIFETIME: i64 = 600;

/// The code of a link that was not used yet, and the session that the last one started. Without a code no link logs in.
#[derive(Debug, Default)]
pub struct LoginLink {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The code, and when it expires.
    code: Option<(Secret, Timestamp)>,
    session: Option<Secret>,
}

impl LoginLink {
    /// Makes a code that is valid once and for ten minutes, in place of an earlier one.
    pub fn offer(&self, now: Timestamp) -> io::Result<String> {
        let code = Secret::random()?;
        let text = code.text().to_owned();
        let expires = Timestamp::from_seconds(now.seconds() + LIFETIME).unwrap_or(now);
        self.lock().code = Some((code, expires));
        Ok(text)
    }

    /// Uses a code up: the key of the session that it starts, or `None` for one that is wrong, used or expired.
    pub(crate) fn redeem(&self, code: &[u8], now: Timestamp) -> Option<String> {
        let mut state = self.lock();
        let (offered, expires) = state.code.as_ref()?;
        // The comparison first: it takes the same time for any code.
        let is_valid = offered.matches(code) && now < *expires;
        if !is_valid {
            return None;
        }
        let session = Secret::random().ok()?;
        let key = session.text().to_owned();
        *state = State { code: None, session: Some(session) };
        Some(key)
    }

    /// True if this is the key of the session.
    pub(crate) fn is_session(&self, key: &[u8]) -> bool {
        self.lock().session.as_ref().is_some_and(|session| session.matches(key))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_valid_once_and_until_it_expires() {
        let at = |seconds| Timestamp::from_seconds(1_773_502_200 + seconds).expect("an instant");
        let link = LoginLink::default();
        assert!(link.redeem(b"", at(0)).is_none() && !link.is_session(b""), "none was offered");
        let code = link.offer(at(0)).expect("random bytes");
        assert!(link.redeem(&code.as_bytes()[1..], at(0)).is_none());
        let session = link.redeem(code.as_bytes(), at(LIFETIME - 1)).expect("a session");
        assert!(link.is_session(session.as_bytes()) && !link.is_session(code.as_bytes()));
        assert!(link.redeem(code.as_bytes(), at(1)).is_none(), "used up");
        let second = link.offer(at(0)).expect("random bytes");
        assert!(link.redeem(code.as_bytes(), at(1)).is_none() && link.redeem(second.as_bytes(), at(LIFETIME)).is_none());
        assert!(link.is_session(session.as_bytes()), "an unused link changes no session");
    }
}
