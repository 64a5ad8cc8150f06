//! Logins at the broker.

use super::{Nats, Part};
use crate::support::database::Database;

/// An example of the documentation of NATS: the seed of a user's key, and the public key.
const NKEY_SEED: &str = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
const NKEY: &str = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4";

/// The configuration of the server, the login in the URL, and more variables.
type Case<'c> = (&'c str, &'c str, &'c [(&'c str, &'c str)]);

fn start(url: &str, more: &[(&str, &str)]) -> Part {
    Part::start("gateway", &Database::placeholder(), url, more)
}

/// A file of the tests' authority, which expires in a hundred years.
fn tls(file: &str) -> String {
    format!("{}/tests/it/broker/tls/{file}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn certificates_are_verified_by_both_sides() {
    let (authority, certificate, key) = (tls("authority.pem"), tls("server.pem"), tls("server.key"));
    let files = format!("cert_file: \"{certificate}\", key_file: \"{key}\"");
    let trusted = ("QUEUE_TLS_CA", authority.as_str());
    let nats = Nats::configured(&format!("tls {{ {files} }}"));
    let url = nats.url().replace("nats://", "tls://");
    start(&url, &[trusted]).send_until_acknowledged(1, "sent");
    // Its authority is not one of the system's.
    assert_eq!(start(&url, &[]).send(2, "sent").status, 503);
    let nats = Nats::configured(&format!("tls {{ {files}, ca_file: \"{authority}\", verify: true }}"));
    let url = nats.url().replace("nats://", "tls://");
    let client = [trusted, ("QUEUE_TLS_CERT", certificate.as_str()), ("QUEUE_TLS_KEY", key.as_str())];
    start(&url, &client).send_until_acknowledged(1, "sent");
    assert_eq!(start(&url, &[trusted]).send(2, "sent").status, 503);
}

#[test]
fn passwords_tokens_and_keys_are_accepted() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), format!("{NKEY_SEED}\n")).expect("written");
    let path = file.path().to_str().expect("UTF-8");
    let cases: [Case<'_>; 4] = [
        ("authorization { user: waybill, password: \"p@ss/w0rd\" }", "waybill:p%40ss%2Fw0rd@", &[]),
        ("authorization { token: \"s3cret-t0ken\" }", "s3cret-t0ken@", &[]),
        (&format!("authorization {{ users: [ {{ nkey: {NKEY} }} ] }}"), "", &[("QUEUE_NKEY", NKEY_SEED)]),
        (&format!("authorization {{ users: [ {{ nkey: {NKEY} }} ] }}"), "", &[("QUEUE_NKEY_FILE", path)]),
    ];
    for (configuration, login, more) in cases {
        let nats = Nats::configured(configuration);
        let url = |login: &str| nats.url().replace("nats://", &format!("nats://{login}"));
        start(&url(login), more).send_until_acknowledged(1, "sent");
        let wrong_password = start(&url("waybill:wrong@"), &[]);
        assert_eq!(wrong_password.send(2, "sent").status, 503);
        assert!(wrong_password.running().gateway.intake.queue().expect("a queue").state().is_failing);
    }
}
