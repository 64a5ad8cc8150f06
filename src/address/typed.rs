//! Addresses as operators type them, and as they arrive in a query.

use std::borrow::Cow;

use super::{list, lookup_keys};

/// The keys of the addresses that were meant: a `+` that was not escaped in a query has become a blank.
pub fn typed_keys(text: &str) -> Vec<String> {
    let digits = text.strip_prefix(' ').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()) && !rest.starts_with('0'));
    if let Some(digits) = digits
        && digits.bytes().all(|byte| byte.is_ascii_digit())
    {
        let mut keys = lookup_keys(&format!("+{digits}"));
        keys.extend(lookup_keys(digits).into_iter().filter(|key| !key.starts_with('+')));
        return keys;
    }
    if text.contains('@') && text.trim().contains(' ') {
        return list::segments(text).flat_map(|segment| lookup_keys(&with_plus(segment))).collect();
    }
    lookup_keys(text)
}

/// The segment with a `+` for each blank in the local part of its address.
fn with_plus(segment: &str) -> Cow<'_, str> {
    let Some(at) = segment.rfind('@') else { return Cow::Borrowed(segment) };
    let (before, domain) = segment.split_at(at);
    let start = before.rfind(['<', ':']).map_or(0, |delimiter| delimiter + 1);
    let (name, local) = before.split_at(start);
    let local = local.trim_start();
    let is_plain = !local.contains(['"', '@', '(', ')']) && local.contains(' ');
    if is_plain { Cow::Owned(format!("{name}{}{domain}", local.replace(' ', "+"))) } else { Cow::Borrowed(segment) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plus_that_was_not_escaped_is_restored() {
        for (typed, expected) in [
            ("ada news@x.example", &["ada+news@x.example"][..]),
            (" Ada News@X.example ", &["ada+news@x.example"]),
            ("ada news eu@x.example", &["ada+news+eu@x.example"]),
            ("Ada <ada news@x.example>", &["ada+news@x.example"]),
            ("mailto:ada news@x.example", &["ada+news@x.example"]),
            ("ada news@x.example, bob@x.example", &["ada+news@x.example", "bob@x.example"]),
            ("\"Acme\" hello@x.example", &["hello@x.example"]),
            (" 2901234", &["+2901234", "2901234"]),
            (" 15558675310", &["+15558675310"]),
            (" 07860123456", &["07860123456"]),
        ] {
            assert_eq!(typed_keys(typed), expected, "{typed}");
        }
    }
}
