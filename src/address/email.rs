//! E-mail addresses: as rows have them, and their lookup keys.

use std::borrow::Cow;

use super::{
    folding::fold,
    list::{self, Mailbox},
};
use crate::text;

/// The first address in the text of a header, without display name and with the domain in lower case.
pub fn email(header: &str) -> Option<String> {
    emails(header).into_iter().next()
}

/// The addresses in the text of a header, each without display name and with the domain in lower case. Text that has none is left as it
/// is, unless it says so, as `undisclosed-recipients:;` does.
pub fn emails(header: &str) -> Vec<String> {
    // Most headers have one address in its plain form.
    let bare = match header.strip_suffix('>').and_then(|rest| rest.split_once('<')) {
        Some((name, bare)) if !name.bytes().any(|byte| b"\"(<,;:=".contains(&byte)) => bare,
        _ => header,
    };
    if let Some((local, domain)) = plain_parts(bare) {
        return vec![format!("{local}@{}", domain.to_ascii_lowercase())];
    }
    let row = |Mailbox { local, domain }: Mailbox<'_>| text::present(&format!("{local}@{}", domain.to_lowercase()));
    let header = text::clean(header);
    let found: Vec<String> = list::mailboxes(&header).into_iter().filter_map(row).collect();
    if !found.is_empty() || list::is_empty(header.trim()) {
        return found;
    }
    text::present(header.trim()).into_iter().collect()
}

/// The key of an address in its plain form.
pub(super) fn plain_key(text: &str) -> Option<String> {
    plain_parts(text).map(|_| text.to_ascii_lowercase())
}

/// The parts of an address in its plain form: letters, digits and the usual marks of ASCII.
fn plain_parts(text: &str) -> Option<(&str, &str)> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    let (local, domain) = text.split_once('@')?;
    let is_domain = domain.bytes().all(is_plain) && !domain.starts_with('.') && !domain.ends_with('.') && !domain.contains("..");
    let is_local = local.bytes().all(|byte| is_plain(byte) || byte == b'+');
    (is_local && is_domain && !local.is_empty() && !domain.is_empty()).then_some((local, domain))
}

/// The keys of the addresses in a text.
pub(super) fn keys(text: &str) -> Vec<String> {
    let key = |Mailbox { local, domain }: Mailbox<'_>| {
        let domain = ascii_form(domain);
        list::is_domain(&domain).then(|| format!("{}@{domain}", fold(&local)))
    };
    list::mailboxes(text).into_iter().filter_map(key).collect()
}

/// The domain in lower case and in its ASCII form; one that has none is only folded.
fn ascii_form(domain: &str) -> String {
    let ascii = if domain.is_ascii() { Ok(domain.to_ascii_lowercase()) } else { idna::domain_to_ascii(domain) };
    let ascii = ascii.unwrap_or_else(|_| fold(domain));
    ascii.trim_end_matches('.').to_owned()
}

/// A key with the Unicode form of its domain, if that differs.
pub fn unicode_form(key: &str) -> Option<String> {
    let (local, domain) = key.rsplit_once('@')?;
    let (unicode, result) = idna::domain_to_unicode(domain);
    (result.is_ok() && unicode != domain).then(|| format!("{local}@{}", fold(&unicode)))
}

/// The local part without needless quotes and escapes.
pub(super) fn unquoted(local: &str) -> Option<Cow<'_, str>> {
    let Some(quoted) = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return is_unquoted_local(local).then_some(Cow::Borrowed(local));
    };
    let mut content = String::with_capacity(quoted.len());
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        content.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    if is_unquoted_local(&content) {
        return Some(Cow::Owned(content));
    }
    let is_text = !content.is_empty() && !content.contains(char::is_control);
    is_text.then(|| Cow::Owned(format!("\"{}\"", content.replace('\\', "\\\\").replace('"', "\\\""))))
}

/// Dots may be anywhere: some mobile networks assign such addresses.
fn is_unquoted_local(local: &str) -> bool {
    !local.is_empty() && !local.contains(|c: char| c.is_whitespace() || c.is_control() || "<>()[]:;,@\\\"".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_bare_addresses_with_the_domain_in_lower_case() {
        for (header, expected) in [
            ("Ada <Ada@Dest.Example>", &["Ada@dest.example"][..]),
            ("a@B.C", &["a@b.c"]),
            ("\"<x>\" <a@b>", &["a@b"]),
            ("\"Lovelace, Ada\" <A@X.example>, b@Y.example", &["A@x.example", "b@y.example"]),
            ("\"Acme\" hello@x.example", &["hello@x.example"]),
            ("\"a b\"@X.example", &["\"a b\"@x.example"]),
            ("a@MÜNCHEN.example", &["a@münchen.example"]),
            ("a@x.example.", &["a@x.example"]),
            ("undisclosed-recipients:;", &[]),
            ("a\0b@X", &["a\u{fffd}b@x"]),
            ("odd", &["odd"]),
            ("<script>@x", &["<script>@x"]),
        ] {
            assert_eq!(emails(header), expected, "{header}");
        }
    }
}
