//! Requests to paths that no endpoint has. A URL that was pasted with a slash too many loses every callback, so they are counted and
//! logged, with the route that was probably meant. The response stays that of any unknown path.
//!
//! A path may hold a token or personal data. Only the known path and the difference to it are logged.

use std::{collections::HashMap, sync::Arc};

use percent_encoding::percent_decode_str;

use crate::{
    log_throttle::LogThrottles,
    providers,
    router::{HEALTH_PATH, Router},
    url_token,
};

/// Longer paths resemble none.
const MAX_PATH: usize = 512;

/// The segments in front of a route that may be the prefix of a proxy.
const MAX_PREFIX: usize = 4;

/// A path of an endpoint, or one that a provider would have.
struct Known {
    path: String,
    /// The reason for which it is no route.
    reason: Option<String>,
}

/// The known paths by a form in which similar ones are equal, and the log of those that are unknown.
pub struct UnknownPaths {
    known: HashMap<String, Known>,
    log: Arc<LogThrottles>,
}

impl UnknownPaths {
    pub fn new(router: &Router) -> Self {
        let by_default = providers::ALL.iter().map(|spec| {
            let endpoint = router.iter().find(|endpoint| endpoint.spec.name == spec.name);
            let reason = match endpoint.map(|endpoint| endpoint.base_path.as_str()) {
                None => format!("{} is off", spec.title),
                Some(path) if path != spec.default_path() => format!("{}_WEBHOOK_URL is {path}", spec.prefix()),
                Some(_) => format!("{} has named accounts only", spec.title),
            };
            Known { path: spec.default_path(), reason: Some(reason) }
        });
        let paths = router.iter().flat_map(|endpoint| endpoint.paths()).map(|(path, _)| path).chain([HEALTH_PATH.to_owned()]);
        let known = by_default
            .chain(paths.map(|path| Known { path, reason: None }))
            .map(|known| (tidy(&known.path).to_lowercase(), known));
        Self { known: known.collect(), log: Arc::default() }
    }

    /// Those of another router, with the log of this one.
    #[must_use]
    pub fn of(&self, router: &Router) -> Self {
        Self { log: Arc::clone(&self.log), ..Self::new(router) }
    }

    /// Logs the first of each minute: of those that resemble a known path, and of the others, which scanners request all day.
    pub fn log(&self, path: &str, router: &Router) {
        let description = self.describe(path, router);
        let Some(count) = self.log.count(if description.is_some() { "similar" } else { "other" }) else { return };
        let description = description.unwrap_or_else(|| "unlike any of the gateway".to_owned());
        tracing::warn!(count, "unknown path, {description}; logged at most once a minute");
    }

    /// The known path that was probably meant, and the differences to it.
    pub fn describe(&self, path: &str, router: &Router) -> Option<String> {
        if path.len() > MAX_PATH {
            return None;
        }
        let decoded = percent_decode_str(path).decode_utf8_lossy();
        let (base, token) = match decoded.split_once(url_token::SEGMENT) {
            Some((base, token)) => (base, Some(token)),
            None => (&*decoded, None),
        };
        let (known, part) = self.resembled(base)?;
        let mut differences = spelling(path, &decoded);
        match part {
            Part::Whole if tidy(base) != tidy(&known.path) => differences.push("letters of another case".to_owned()),
            Part::Whole => {}
            Part::Start => differences.push("a last segment that is no account and no route".to_owned()),
            Part::End => differences.push("a prefix that is not expected: a proxy must strip it".to_owned()),
        }
        differences.extend(token.and_then(|token| wrong_token(token, &known.path, router)));
        let reason = known.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        let but = if differences.is_empty() { "" } else { ", but with " };
        Some(format!("like {}{reason}{but}{}", known.path, differences.join(" and ")))
    }

    /// The known path that was probably meant.
    fn resembled(&self, path: &str) -> Option<(&Known, Part)> {
        let form = tidy(path).to_lowercase();
        let at_start = || form.rsplit_once('/').and_then(|(start, _)| self.known.get(start)).map(|known| (known, Part::Start));
        let at_end = || {
            let ends = form.match_indices('/').skip(1).take(MAX_PREFIX).filter_map(|(at, _)| self.known.get(form.get(at..)?));
            ends.map(|known| (known, Part::End)).next()
        };
        self.known.get(&form).map(|known| (known, Part::Whole)).or_else(at_start).or_else(at_end)
    }
}

/// The part of a path that is known.
enum Part {
    Whole,
    /// All but the last segment.
    Start,
    /// All but the first segments.
    End,
}

/// The path without blanks around it and with single slashes, none at its end.
fn tidy(path: &str) -> String {
    let segments = path.trim().split('/').filter(|segment| !segment.is_empty());
    segments.fold(String::new(), |tidy, segment| tidy + "/" + segment)
}

/// The differences in spelling that [`tidy`] removes.
fn spelling(path: &str, decoded: &str) -> Vec<String> {
    let trimmed = decoded.trim_end();
    let differences = [
        (trimmed != decoded, "a blank at its end"),
        (trimmed == decoded && path != decoded, "percent-encoded characters"),
        (trimmed.ends_with('/'), "a slash at its end"),
        (trimmed.contains("//"), "a repeated slash"),
    ];
    differences.into_iter().filter(|(is_found, _)| *is_found).map(|(_, difference)| difference.to_owned()).collect()
}

/// The finding about a token at the end of a path, unless it is right.
fn wrong_token(token: &str, path: &str, router: &Router) -> Option<String> {
    let Some(route) = router.route_without_token(path) else { return Some("a token".to_owned()) };
    let token = token.trim_end().trim_end_matches('/');
    let is_right = route.endpoint.grant(token).is_some();
    (!is_right).then(|| format!("a token that is not in {}", route.endpoint.variable("URL_TOKEN")))
}
