//! Postgres connection URLs as libpq reads them, and the parameters that Waybill adds. The `url` crate rejects some that libpq
//! accepts: an empty host after a user, several hosts with ports.

use std::net::IpAddr;

use percent_encoding::percent_decode_str;

/// Expected form of the URL in a build without TLS.
pub(crate) const LOCAL_EXPECTED: &str = "a Unix socket, a loopback host, or `sslmode=disable`: this binary was built without TLS \
                                         to Postgres (the cargo feature `postgres-tls`)";

/// A host that vanishes is noticed within seconds: while it owes an acknowledgement, by the timeout of TCP, and while it owes a response, by
/// keep-alive probes, which that timeout limits as well.
const DEFAULTS: [(&str, &str); 6] = [
    ("connect_timeout", "2"),
    ("tcp_user_timeout", "3000"),
    ("keepalives_idle", "2"),
    ("keepalives_interval", "1"),
    ("keepalives_count", "3"),
    ("application_name", "waybill"),
];

/// Adds missing timeouts, so that a dead peer blocks no caller, and the system's certificate roots.
pub(crate) fn with_defaults(url: &str) -> String {
    let mut url = url.to_owned();
    for (name, value) in DEFAULTS {
        if parameter(&url, name).is_none() {
            append(&mut url, name, value);
        }
    }
    #[cfg(feature = "postgres-tls")]
    add_certificate_roots(&mut url);
    url
}

/// The bundled OpenSSL looks for roots at its build path. Added only if the certificate is to be verified: with `sslmode=require`
/// a root file would make libpq verify it, which the operator did not request.
#[cfg(feature = "postgres-tls")]
fn add_certificate_roots(url: &mut String) {
    let verifies = parameter(url, "sslmode").is_some_and(|mode| mode.starts_with("verify-"));
    let is_set = parameter(url, "sslrootcert").is_some_and(|file| file != "system");
    if let (true, false, Some(file)) = (verifies, is_set, openssl_probe::probe().cert_file) {
        let encoded =
            percent_encoding::utf8_percent_encode(&file.to_string_lossy(), percent_encoding::NON_ALPHANUMERIC).to_string();
        // libpq uses the last of two values.
        append(url, "sslrootcert", &encoded);
    }
}

/// libpq's variables in the environment of the process, by name. They apply where the URL has no value.
pub(crate) type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

/// The connection has to be encrypted: the URL or the environment says so, or a host is neither a socket nor loopback.
pub(crate) fn needs_tls(url: &str, environment: Environment<'_>) -> bool {
    match sslmode(url, environment).as_deref() {
        Some("disable") => false,
        Some("require" | "verify-ca" | "verify-full") => true,
        _ => is_remote(url, environment),
    }
}

/// The connection leads to another machine, whose name in the certificate is not verified: any machine between can read and change it.
pub(crate) fn is_unverified(url: &str, environment: Environment<'_>) -> bool {
    is_remote(url, environment) && sslmode(url, environment).as_deref() != Some("verify-full")
}

fn sslmode(url: &str, environment: Environment<'_>) -> Option<String> {
    parameter(url, "sslmode").or_else(|| environment("PGSSLMODE"))
}

/// A host is neither a socket nor loopback. A service file may name any host.
fn is_remote(url: &str, environment: Environment<'_>) -> bool {
    let has_service = parameter(url, "service").is_some() || environment("PGSERVICE").is_some();
    has_service || !hosts(url, environment).iter().all(|host| is_local(host))
}

/// Every host that the URL names, in its authority or as a parameter, or else the environment.
fn hosts(url: &str, environment: Environment<'_>) -> Vec<String> {
    let authority = authority(url).map_or("", |(authority, _)| authority);
    let without_port = |host: &str| match host.strip_prefix('[') {
        Some(address) => address.split(']').next().map(str::to_owned),
        None => host.split(':').next().map(decoded),
    };
    let list =
        |given: Option<String>| given.map(|list| list.split(',').map(str::to_owned).collect::<Vec<_>>()).unwrap_or_default();
    let mut hosts: Vec<String> = authority.split(',').filter_map(without_port).chain(list(parameter(url, "host"))).collect();
    if hosts.iter().all(String::is_empty) {
        hosts.extend(list(environment("PGHOST")));
    }
    hosts.extend(list(parameter(url, "hostaddr").or_else(|| environment("PGHOSTADDR"))));
    hosts
}

/// libpq takes a host that begins with `/` or `@` for a socket, and none for its default socket.
fn is_local(host: &str) -> bool {
    host.is_empty()
        || host.starts_with(['/', '@'])
        || host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The hosts with their ports, and what follows them.
fn authority(url: &str) -> Option<(&str, &str)> {
    let rest = url.split_once("://")?.1;
    // A password may hold a question mark.
    let rest = match rest.split_once('@') {
        Some((user, rest)) if !user.contains('/') => rest,
        _ => rest,
    };
    rest.split_at_checked(rest.find(['/', '?']).unwrap_or(rest.len()))
}

fn query(url: &str) -> Option<&str> {
    Some(authority(url)?.1.split_once('?')?.1)
}

fn append(url: &mut String, name: &str, value: &str) {
    url.push(if query(url).is_some() { '&' } else { '?' });
    url.extend([name, "=", value]);
}

/// The last value of a parameter, decoded.
fn parameter(url: &str, name: &str) -> Option<String> {
    let pairs = query(url)?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(key, _)| decoded(key) == name).map(|(_, value)| decoded(value)).next_back()
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_parameters_are_preserved() {
        let url = with_defaults("postgres://u:a?b@h/d?connect_timeout=9");
        assert_eq!(parameter(&url, "connect_timeout").as_deref(), Some("9"));
        assert_eq!(parameter(&url, "tcp_user_timeout").as_deref(), Some("3000"));
        assert_eq!(parameter(&url, "keepalives_idle").as_deref(), Some("2"));
        assert!(with_defaults("postgres://u:a?b@h").contains("@h?connect_timeout=2&"));
    }

    #[test]
    fn sockets_and_loopback_hosts_need_no_tls() {
        for url in [
            "postgres:///waybill",
            "postgres://waybill@/waybill",
            "postgres://waybill@/waybill?host=/run/postgresql",
            "postgres://waybill@%2Frun%2Fpostgresql/waybill",
            "postgres://waybill@/waybill?host=%2Frun%2Fpostgresql",
            "postgres://u:p@localhost/waybill",
            "postgresql://u:p@LOCALHOST:5433/waybill?sslmode=prefer",
            "postgres://u:p@127.0.0.1:5432/waybill",
            "postgres://u:p@127.8.9.10",
            "postgres://u:p@[::1]:5432/waybill",
            "postgres://u:p@127.0.0.1:1,localhost:2/waybill",
            "postgres://u@/waybill?hostaddr=127.0.0.1",
        ] {
            assert!(!needs_tls(url, &|_| None), "{url}");
        }
    }

    #[test]
    fn other_hosts_need_tls_unless_it_is_disabled() {
        for url in [
            "postgres://u:p@db.example.com/waybill",
            "postgres://db.example.com",
            "postgres://db.example.com?connect_timeout=1",
            "postgres://u:p@10.0.0.7:5432/waybill?sslmode=prefer",
            "postgres://u:p@[2001:db8::1]/waybill",
            "postgres://u:p@localhost,db.example.com/waybill",
            "postgres://u:p@localhost.example.com/waybill",
            "postgres://u@/waybill?host=db.example.com",
            "postgres://u@/waybill?host=/run/postgresql,db.example.com",
            "postgres://u@localhost/waybill?hostaddr=10.0.0.7",
            "postgres://u@/waybill?%68ost=db.example.com",
            "postgres://u:/run@db.example.com/waybill",
            "postgres://u:?host=/run@db.example.com/waybill",
            "postgres:///waybill?service=production",
        ] {
            assert!(needs_tls(url, &|_| None), "{url}");
            let separator = if query(url).is_some() { '&' } else { '?' };
            assert!(!needs_tls(&format!("{url}{separator}sslmode=disable"), &|_| None), "{url}");
            assert!(is_unverified(url, &|_| None), "{url}");
            assert!(!is_unverified(&format!("{url}{separator}sslmode=verify-full"), &|_| None), "{url}");
        }
    }

    #[test]
    fn tls_that_is_asked_for_is_needed_on_loopback_too() {
        for mode in ["require", "verify-ca", "verify-full"] {
            assert!(needs_tls(&format!("postgres://u:p@localhost/waybill?sslmode={mode}"), &|_| None), "{mode}");
        }
        assert!(needs_tls("postgres://localhost/waybill?sslmode=disable&sslmode=require", &|_| None), "the last value counts");
    }

    #[test]
    fn environment_of_libpq_counts() {
        let is = |url: &str, given: &[(&str, &str)]| {
            let environment = |name: &str| given.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
            (needs_tls(url, &environment), is_unverified(url, &environment))
        };
        let (socket, remote) = ("postgres:///waybill", "postgres://db.example.com/waybill");
        assert_eq!(is(socket, &[]), (false, false));
        assert_eq!(is(socket, &[("PGHOST", "db.example.com")]), (true, true));
        assert_eq!(is(socket, &[("PGHOST", "/run/postgresql")]), (false, false));
        assert_eq!(
            is("postgres://localhost/waybill", &[("PGHOST", "db.example.com")]),
            (false, false),
            "the URL takes precedence"
        );
        assert_eq!(is("postgres://localhost/waybill", &[("PGHOSTADDR", "10.0.0.7")]), (true, true));
        assert_eq!(is(socket, &[("PGSERVICE", "production")]), (true, true));
        assert_eq!(is(remote, &[("PGSSLMODE", "verify-full")]), (true, false));
        assert_eq!(is(remote, &[("PGSSLMODE", "disable")]), (false, true));
        assert_eq!(is("postgres://db.example.com/waybill?sslmode=require", &[("PGSSLMODE", "verify-full")]), (true, true));
    }

    #[cfg(feature = "postgres-tls")]
    #[test]
    fn roots_are_added_only_where_the_certificate_is_verified() {
        assert_eq!(parameter(&with_defaults("postgres://h/d?sslmode=require"), "sslrootcert"), None);
        assert_eq!(
            parameter(&with_defaults("postgres://h/d?sslmode=verify-full&sslrootcert=own.pem"), "sslrootcert").as_deref(),
            Some("own.pem")
        );
        let roots = with_defaults("postgres://h/d?sslmode=verify-full&sslrootcert=system");
        assert_ne!(parameter(&roots, "sslrootcert").as_deref(), Some("system"));
    }
}
