//! The callbacks that the demo sends: every recorded one that is meant to be accepted, spread over the last day, and forgeries.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::{Demo, moved::moved};
use crate::{
    cli::{CommandError, draft::Draft, progress},
    fixture::Fixture,
    provider::Spec,
    signature::Outgoing,
    time::Timestamp,
};

/// A callback to be sent.
pub(super) struct Planned {
    pub(super) name: String,
    pub(super) spec: &'static Spec,
    /// The gateway's time when it arrives.
    pub(super) at: Timestamp,
    pub(super) outgoing: Outgoing,
}

/// The answers to one provider's callbacks.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) sent: usize,
    pub(super) verified: usize,
    pub(super) rejected: usize,
}

/// Tallies by the name of the provider.
pub(super) type Tallies = BTreeMap<&'static str, Tally>;

/// Callbacks in each hour of the demo's day in relation to the others: two peaks and a night.
const HOURS: [i64; 23] = [7, 5, 4, 2, 2, 1, 1, 2, 3, 5, 8, 11, 12, 10, 8, 9, 12, 14, 13, 11, 9, 10, 7];
const HOUR: i64 = 3_600;

/// Seconds from the event to its callback.
pub(super) const DELAY: i64 = 2;

/// Every recorded callback, in an order that mixes the providers, over the day before `until`.
pub(super) fn recorded(demo: &Demo, fixtures: &[Fixture], until: Timestamp) -> Result<Vec<Planned>, CommandError> {
    let mut sendable: Vec<&Fixture> = fixtures.iter().filter(|fixture| fixture.is_sendable()).collect();
    sendable.sort_by_key(|fixture| Sha256::digest(format!("{}/{}", fixture.spec.name, fixture.name)));
    let instants = spread(sendable.len(), until);
    sendable
        .into_iter()
        .zip(instants)
        .map(|(fixture, at)| {
            let draft = moved(Draft::new(fixture, demo.endpoint(fixture.spec)?, at), before(at, DELAY));
            Ok(Planned { name: fixture.name.clone(), spec: fixture.spec, at, outgoing: draft.signed(at) })
        })
        .collect()
}

/// That many instants up to `until`, oldest first, as dense as [`HOURS`] says.
fn spread(count: usize, until: Timestamp) -> impl Iterator<Item = Timestamp> {
    let [hours, count] = [HOURS.len(), count].map(|number| i64::try_from(number).unwrap_or(i64::MAX));
    let start = before(until, hours * HOUR);
    let total: i64 = HOURS.iter().sum();
    (0..count).map(move |place| {
        // Seconds in units of the hour's weight: the hour is the one whose share it falls into.
        let mut rest = place * total * HOUR / count;
        for (hour, weight) in (0..).zip(HOURS) {
            if rest < weight * HOUR {
                return before(start, -(hour * HOUR + rest / weight));
            }
            rest -= weight * HOUR;
        }
        until
    })
}

/// So many seconds earlier.
pub(super) fn before(at: Timestamp, seconds: i64) -> Timestamp {
    Timestamp::from_micros(at.micros() - seconds * 1_000_000).unwrap_or(at)
}

/// Sends callbacks that are to be accepted, in the order of their times.
pub(super) fn send_all(demo: &Demo, mut planned: Vec<Planned>, tallies: &mut Tallies) -> Result<(), CommandError> {
    planned.sort_by_key(|callback| callback.at);
    let bar = progress::bar(u64::try_from(planned.len()).unwrap_or_default());
    for Planned { name, spec, at, outgoing } in planned {
        demo.clock.set(at);
        let status = demo.sender.send(outgoing)?.status;
        if status != 200 {
            return Err(CommandError::Other(format!("{}/{name} was answered {status}", spec.name)));
        }
        let tally = tallies.entry(spec.name).or_default();
        tally.sent += 1;
        tally.verified += 1;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

/// One forgery of each provider that signs its payloads: a recorded callback whose body was changed after it was signed.
pub(super) fn forgeries(demo: &Demo, fixtures: &[Fixture], until: Timestamp) -> Result<Vec<Planned>, CommandError> {
    let is_signed = |fixture: &&Fixture| fixture.is_sendable() && fixture.scheme().is_some_and(|scheme| scheme.covers_payload);
    let mut signed: Vec<&Fixture> = fixtures.iter().filter(is_signed).filter(|fixture| !fixture.body.is_empty()).collect();
    signed.dedup_by_key(|fixture| fixture.spec.name);
    let minutes = (1..).map(|place| before(until, place * 420));
    signed
        .into_iter()
        .zip(minutes)
        .map(|(fixture, at)| {
            let mut outgoing = fixture.outgoing(demo.endpoint(fixture.spec)?, at);
            outgoing.body.pop();
            Ok(Planned { name: fixture.name.clone(), spec: fixture.spec, at, outgoing })
        })
        .collect()
}

/// Sends forgeries: each must be rejected, and no table may change.
pub(super) fn forge(demo: &Demo, forgeries: Vec<Planned>, tallies: &mut Tallies) -> Result<(), CommandError> {
    let store = &demo.running.gateway.store;
    let before = store.counts()?;
    for Planned { spec, at, outgoing, .. } in forgeries {
        demo.clock.set(at);
        let status = demo.sender.send(outgoing)?.status;
        if status != 401 {
            return Err(CommandError::Other(format!("a forged callback was answered {status}")));
        }
        let tally = tallies.entry(spec.name).or_default();
        tally.sent += 1;
        tally.rejected += 1;
    }
    if store.counts()? != before {
        return Err(CommandError::Other("a forged callback changed a table".to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callbacks_are_spread_over_the_day_in_order() {
        let until = Timestamp::from_seconds(1_773_502_200).expect("an instant");
        let instants: Vec<Timestamp> = spread(314, until).collect();
        assert_eq!(instants.len(), 314);
        assert!(instants.is_sorted() && instants.iter().all(|at| *at < until && *at >= before(until, 23 * HOUR)));
    }
}
