//! What a Postgres connection string gets from us if it does not say otherwise.

/// Time limits, so that a dead peer holds nobody up, and certificate roots where the system keeps them.
pub(super) fn complete(url: &str) -> String {
    let mut url = url.to_owned();
    for (name, value) in [("connect_timeout", "2"), ("tcp_user_timeout", "3000"), ("application_name", "waybill")] {
        if parameter(&url, name).is_none() {
            append(&mut url, name, value);
        }
    }
    #[cfg(feature = "bundled-libpq")]
    add_certificate_roots(&mut url);
    url
}

/// A bundled OpenSSL looks for roots where it was built. Only where the certificate is to be verified: with
/// `sslmode=require` a root file would make libpq verify what the operator did not ask to be verified.
#[cfg(feature = "bundled-libpq")]
fn add_certificate_roots(url: &mut String) {
    let verifies = parameter(url, "sslmode").is_some_and(|mode| mode.starts_with("verify-"));
    let is_given = parameter(url, "sslrootcert").is_some_and(|file| file != "system");
    if let (true, false, Some(file)) = (verifies, is_given, openssl_probe::probe().cert_file) {
        let encoded =
            percent_encoding::utf8_percent_encode(&file.to_string_lossy(), percent_encoding::NON_ALPHANUMERIC).to_string();
        // libpq takes the last of two values.
        append(url, "sslrootcert", &encoded);
    }
}

fn append(url: &mut String, name: &str, value: &str) {
    url.push(if url.contains('?') { '&' } else { '?' });
    url.extend([name, "=", value]);
}

fn parameter<'u>(url: &'u str, name: &str) -> Option<&'u str> {
    let (_, query) = url.split_once('?')?;
    query.split('&').filter_map(|pair| pair.split_once('=')).filter(|(key, _)| *key == name).map(|(_, value)| value).next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_stays() {
        let url = complete("postgres://h/d?connect_timeout=9");
        assert_eq!(parameter(&url, "connect_timeout"), Some("9"));
        assert_eq!(parameter(&url, "tcp_user_timeout"), Some("3000"));
    }

    #[cfg(feature = "bundled-libpq")]
    #[test]
    fn roots_are_added_only_where_the_certificate_is_verified() {
        assert_eq!(parameter(&complete("postgres://h/d?sslmode=require"), "sslrootcert"), None);
        assert_eq!(
            parameter(&complete("postgres://h/d?sslmode=verify-full&sslrootcert=own.pem"), "sslrootcert"),
            Some("own.pem")
        );
        let roots = complete("postgres://h/d?sslmode=verify-full&sslrootcert=system");
        assert_ne!(parameter(&roots, "sslrootcert"), Some("system"));
    }
}
