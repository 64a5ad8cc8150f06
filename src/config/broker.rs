//! The variables of the broker.

use std::{fs, path::PathBuf};

use super::{
    reader::Reader,
    variables::{self, Variable},
};
use crate::queue::{
    Role,
    broker::{BrokerOptions, EXPECTED_SERVERS, Login, Servers, StreamOptions, TlsFiles, is_stream_name},
};

/// A stream of this size holds a few hundred callbacks; a smaller one is a mistake.
const MIN_BYTES: u64 = 1 << 20;

/// Variables that have no effect without `QUEUE_URL`.
const DEPENDENT: [&Variable; 8] = [
    &variables::WAYBILL_STREAM,
    &variables::QUEUE_REPLICAS,
    &variables::QUEUE_MAX_BYTES,
    &variables::QUEUE_CREDENTIALS,
    &variables::QUEUE_NKEY,
    &variables::QUEUE_TLS_CA,
    &variables::QUEUE_TLS_CERT,
    &variables::QUEUE_TLS_KEY,
];

/// The broker, if there is one. `has_token` is true if the operations listener has a token.
pub(super) fn read(reader: &mut Reader<'_>, has_token: bool) -> Option<BrokerOptions> {
    let role = reader.parsed(&variables::WAYBILL_ROLE, "`gateway`, `writer` or `all`");
    let stream = stream(reader);
    let Some(list) = reader.env.get(variables::QUEUE_URL.name) else {
        if role != Role::All {
            reader.problem(variables::WAYBILL_ROLE.name, "only `all` is possible without QUEUE_URL");
        }
        for variable in
            DEPENDENT.iter().filter(|variable| reader.env.get(variable.name).is_some_and(|given| given != variable.default))
        {
            reader.findings.warning(variable.name, "has no effect without QUEUE_URL");
        }
        return None;
    };
    if reader.env.get(variables::SPOOL_PATH.name).is_some() {
        reader.problem(variables::SPOOL_PATH.name, "expected either this or QUEUE_URL, not both");
    }
    if role == Role::Gateway && !has_token {
        reader.problem("OPS_TOKEN", "a token is required with WAYBILL_ROLE=gateway, which writes no file");
    }
    let servers = Servers::parse(list);
    let login = login(reader);
    let tls = tls(reader);
    let Some(servers) = servers else {
        // The value may contain a password.
        reader.problem(variables::QUEUE_URL.name, &format!("expected {EXPECTED_SERVERS}"));
        return None;
    };
    if servers.have_login() && login.is_some() {
        reader.problem(variables::QUEUE_URL.name, "has a login beside QUEUE_CREDENTIALS or QUEUE_NKEY: expected one of them");
    }
    if servers.are_unencrypted() && tls.authorities.is_none() && tls.client.is_none() {
        reader.warning(
            variables::QUEUE_URL.name,
            "leads to another machine without `tls://`: a machine in between can read and change every callback",
        );
    }
    Some(BrokerOptions { servers, login, tls, stream, role })
}

fn stream(reader: &mut Reader<'_>) -> StreamOptions {
    let name: String = reader.parsed(&variables::WAYBILL_STREAM, "a name");
    if !is_stream_name(&name) {
        reader.problem(variables::WAYBILL_STREAM.name, "expected at most 64 letters, digits, `-` and `_`");
    }
    let replicas: usize = reader.parsed(&variables::QUEUE_REPLICAS, "1, 3 or 5");
    if ![1, 3, 5].contains(&replicas) {
        reader.problem(variables::QUEUE_REPLICAS.name, "expected 1, 3 or 5: an even number survives no more failures");
    }
    let max_bytes = reader.parsed(&variables::QUEUE_MAX_BYTES, "bytes, a whole number");
    if !(MIN_BYTES..=i64::MAX.unsigned_abs()).contains(&max_bytes) {
        reader.problem(variables::QUEUE_MAX_BYTES.name, "expected 1048576 (1 MiB) or more");
    }
    StreamOptions { name, replicas, max_bytes }
}

fn login(reader: &mut Reader<'_>) -> Option<Login> {
    let credentials = reader.env.get(variables::QUEUE_CREDENTIALS.name).map(PathBuf::from);
    let nkey = reader.secret(&variables::QUEUE_NKEY);
    if credentials.is_some() && nkey.is_some() {
        reader.problem(variables::QUEUE_NKEY.name, "expected either this or QUEUE_CREDENTIALS, not both");
    }
    if let Some(path) = credentials {
        let login = fs::read_to_string(&path).ok().and_then(|text| Login::credentials(&text));
        if login.is_none() {
            reader.problem(
                variables::QUEUE_CREDENTIALS.name,
                "expected the path of a readable credentials file, with a JWT and its key",
            );
        }
        return login;
    }
    let nkey = nkey?;
    if !Login::is_seed(&nkey) {
        reader.problem(variables::QUEUE_NKEY.name, "expected the seed of a user's key, which begins with SU");
    }
    Some(Login::Nkey(nkey))
}

fn tls(reader: &mut Reader<'_>) -> TlsFiles {
    let mut path = |variable: &Variable| {
        let path = reader.env.get(variable.name).map(PathBuf::from);
        if path.as_ref().is_some_and(|path| fs::File::open(path).is_err()) {
            reader.problem(variable.name, "expected the path of a readable file in PEM");
        }
        path
    };
    let authorities = path(&variables::QUEUE_TLS_CA);
    let (certificate, key) = (path(&variables::QUEUE_TLS_CERT), path(&variables::QUEUE_TLS_KEY));
    if certificate.is_some() != key.is_some() {
        reader.problem(variables::QUEUE_TLS_CERT.name, "expected both this and QUEUE_TLS_KEY, or neither");
    }
    TlsFiles { authorities, client: certificate.zip(key) }
}
