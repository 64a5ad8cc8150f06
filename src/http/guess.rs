//! Credentials of clients, compared within the limits on wrong ones ([`crate::guesses`]).

use actix_web::HttpRequest;

use super::{client_address::client_address, credentials::Credentials, isolation};
use crate::{
    gateway::{Gateway, Rights},
    limiter::RateLimited,
};

/// A credential that is wrong, or was not compared.
pub(super) enum Denied {
    Wrong,
    /// The network of the client has sent too many wrong ones.
    Limited(RateLimited),
}

/// The rights that a credential grants at the operations listener.
pub(super) fn rights(request: &HttpRequest, gateway: &Gateway, given: &Credentials) -> Result<Rights, Denied> {
    let guesses = &gateway.verifier.guesses;
    let place = match given.is_password {
        false => &guesses.bearer,
        true if isolation::is_from_another_site(request.headers()) => &guesses.links,
        true => &guesses.passwords,
    };
    let (client, now) = (client_address(request, gateway), gateway.clock.now());
    let has_header = |name: &str| request.headers().contains_key(name);
    let over = guesses.check(place, client, has_header, now).err();
    match (gateway.rights(&given.token, over.is_none_or(|over| over.compares_short)), over) {
        (Some(rights), _) => Ok(rights),
        (None, Some(over)) => Err(Denied::Limited(over.limited)),
        (None, None) => {
            guesses.count(place, client, has_header, now);
            Err(Denied::Wrong)
        }
    }
}

/// Counts a wrong token in a URL. Such tokens are long, so the right one was looked up before.
pub(super) fn count_wrong_url_token(request: &HttpRequest, gateway: &Gateway) -> Result<(), RateLimited> {
    let (client, now) = (client_address(request, gateway), gateway.clock.now());
    let (guesses, has_header) = (&gateway.verifier.guesses, |name: &str| request.headers().contains_key(name));
    guesses.check(&guesses.url_tokens, client, has_header, now).map_err(|over| over.limited)?;
    guesses.count(&guesses.url_tokens, client, has_header, now);
    Ok(())
}
