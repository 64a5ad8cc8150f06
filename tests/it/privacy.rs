//! No secret and no personal data in logs or metrics, for any outcome.

use std::{
    io::Read,
    net::SocketAddr,
    process::{Child, ChildStderr, Command, Stdio},
};

use waybill::{
    config::Config,
    signature::VerifyError,
    store::{Record, RejectedRequest, Rejection},
    time::Timestamp,
};

use crate::{
    shutdown::command,
    support::{
        callback::received,
        client,
        database::{Backend, Database},
    },
};

const TOKEN: &str = "canary0token0e5b7d42688c14d2a96f";

/// A gateway process, with its log.
struct VerboseGateway {
    child: Child,
    stderr: ChildStderr,
    log: String,
    public: SocketAddr,
    ops: SocketAddr,
}

impl VerboseGateway {
    fn start(database: &Database, format: &str, level: &str) -> Self {
        let mut child = command()
            .arg("serve")
            .envs([("DATABASE_URL", database.url().as_str()), ("LISTEN", "127.0.0.1:0"), ("OPS_LISTEN", "127.0.0.1:0")])
            .envs([("OPS_TOKEN", "canary-ops-token"), ("WEBHOOK_BASE_URL", "https://user:canary@hooks.example.com")])
            .envs([("TWILIO_AUTH_TOKEN", TOKEN), ("WEBHOOK_LOG_LEVEL", level), ("LOG_FORMAT", format), ("SHUTDOWN_DELAY", "0")])
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary");
        let mut stderr = child.stderr.take().expect("a pipe");
        let mut log = String::new();
        let mut byte = [0; 1];
        while !log.contains("operations: http://127.0.0.1:") || !log.ends_with('\n') {
            assert_eq!(stderr.read(&mut byte).expect("a log"), 1, "ended early: {log}");
            log.push(char::from(byte[0]));
        }
        let address = |name: &str| {
            let rest = log.split(name).nth(1).expect("an address");
            rest.split([',', '\n', ' ', '"']).next().expect("an address").parse().expect("an address")
        };
        let (public, ops) = (address("callbacks: http://"), address("operations: http://"));
        Self { child, stderr, log, public, ops }
    }

    /// Stops the gateway and returns its log.
    fn stop(mut self) -> String {
        assert!(Command::new("kill").arg(self.child.id().to_string()).status().expect("kill").success());
        self.stderr.read_to_string(&mut self.log).expect("a log");
        assert!(self.child.wait().expect("an exit").success());
        self.log
    }
}

/// Sends verified, forged, unparsable and poison callbacks; returns the log and the metrics.
fn log_and_metrics(format: &str) -> [String; 2] {
    let database = Database::new(Backend::Sqlite);
    let gateway = VerboseGateway::start(&database, format, "debug");
    let (address, ops) = (gateway.public, gateway.ops);
    let env = [("TWILIO_AUTH_TOKEN", TOKEN), ("WEBHOOK_BASE_URL", "https://user:canary@hooks.example.com")].into_iter().collect();
    let endpoint = Config::load(&env).expect("a configuration").config.endpoints.remove(0).build();
    database.execute(
        "CREATE TRIGGER poison BEFORE INSERT ON message_external_ids WHEN NEW.external_id = 'POISON' \
         BEGIN SELECT RAISE(ABORT, 'canary'); END",
    );
    let personal = "From=%2B15550canary&To=whatsapp%3A%2B15551canary&Body=canary+text&ErrorMessage=canary%0A%1B%5B31m";
    // A finding of the doctor: the signature is right for another address. It comes first, because few requests of one network are
    // examined.
    let target = "/webhooks/twilio?key=canary";
    let body = format!("MessageSid=SM4&MessageStatus=failed&{personal}");
    let mut outgoing = endpoint.outgoing("POST", target, "application/x-www-form-urlencoded", body.as_bytes());
    outgoing.public_url = "http://user:canary@hooks.example.com".parse().ok();
    endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
    assert_eq!(client::send(address, "POST", target, &outgoing.headers, body.as_bytes()).status, 401);
    for body in [
        format!("MessageSid=SM1%1B%5B31m%0Ax&MessageStatus=failed&{personal}"),
        format!("MessageSid=POISON&MessageStatus=failed&{personal}"),
        format!("MessageStatus=failed&{personal}"),
        format!("MessageSid=SM2&SmsStatus=received&NumMedia=1&MediaUrl0=canary&ProfileName=canary&{personal}"),
        format!("CallSid=CA1342fe1b2c904d1ab04f0fc7a58abca9&CallStatus=ringing&{personal}"),
    ] {
        for scheme in endpoint.spec.schemes {
            let target = "/webhooks/twilio?key=canary";
            let mut outgoing = endpoint.outgoing("POST", target, "application/x-www-form-urlencoded", body.as_bytes());
            endpoint.sign(scheme, &mut outgoing);
            outgoing.headers.push(("Cookie".to_owned(), "canary".to_owned()));
            client::send(address, "POST", target, &outgoing.headers, body.as_bytes());
            "sha256=canary".clone_into(&mut outgoing.headers[1].1);
            client::send(address, "POST", target, &outgoing.headers, body.as_bytes());
        }
    }
    drop(client::exchange(address, b"\x16\x03\x01\x02\x00hello\r\n\r\n"));
    let target = "/webhooks/twilio?MessageSid=SM3&Body=canary&From=canary";
    let mut outgoing = endpoint.outgoing("GET", target, "", "");
    endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
    assert_eq!(client::send(address, "GET", target, &outgoing.headers, b"").status, 200);
    client::send(address, "GET", target, &[("X-Twilio-Signature".to_owned(), "canary".to_owned())], b"");
    let metrics = client::get(ops, "/metrics", &[("Authorization", "Bearer canary-ops-token")]);
    assert_eq!(metrics.status, 200);
    [gateway.stop(), String::from_utf8(metrics.body).expect("UTF-8")]
}

#[test]
fn logs_and_metrics_contain_no_personal_data() {
    for format in ["text", "json"] {
        let [log, metrics] = log_and_metrics(format);
        assert!(metrics.contains("outcome=\"quarantined\"") && metrics.contains("cause=\"malformed\""), "{metrics}");
        assert!(!metrics.contains("canary"), "{metrics}");
        assert!(log.contains("stored") && log.contains("verification failed") && log.contains("quarantined"), "{log}");
        assert!(log.contains("a near miss: the signature is valid for http://hooks.example.com: set WEBHOOK_BASE_URL"), "{log}");
        assert_eq!(
            log.matches("the signature is malformed").count(),
            1,
            "a kind that any client can cause is logged once a minute: {log}"
        );
        assert!(!log.contains("canary"), "{log}");
        assert!(!log.contains("parse error"), "untrusted input is logged as a failure: {log}");
        assert!(!log.contains('\u{1b}'), "escape sequences of a client reach a terminal: {log}");
        if format == "json" {
            for line in log.lines() {
                serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            }
        }
    }
}

#[test]
fn successful_callbacks_log_at_most_once_a_minute() {
    let database = Database::new(Backend::Sqlite);
    let gateway = VerboseGateway::start(&database, "json", "info");
    let env = [("TWILIO_AUTH_TOKEN", TOKEN), ("WEBHOOK_BASE_URL", "https://hooks.example.com")].into_iter().collect();
    let endpoint = Config::load(&env).expect("a configuration").config.endpoints.remove(0).build();
    for status in ["queued", "sent", "delivered"] {
        let body = format!("MessageSid=SM1&MessageStatus={status}");
        let mut outgoing = endpoint.outgoing("POST", endpoint.path(), "application/x-www-form-urlencoded", body.as_bytes());
        endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
        assert_eq!(client::send(gateway.public, "POST", &outgoing.target, &outgoing.headers, &outgoing.body).status, 200);
    }
    let log = gateway.stop();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("stored")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains(r#""level":"WARN""#) && lines[0].contains(r#""count":1"#), "{log}");
}

/// Of a minute the first unknown path of each kind is logged, as the route that it resembles and the difference.
#[test]
fn unknown_paths_are_logged_without_what_they_hold() {
    for (first, expected) in [
        ("/webhooks/twilio/", "like /webhooks/twilio, but with a slash at its end"),
        ("/webhooks/Twilio/", "like /webhooks/twilio, but with a slash at its end and letters of another case"),
        ("//webhooks/twilio%20", "like /webhooks/twilio, but with a blank at its end and a repeated slash"),
        ("/canary/webhooks/twilio", "like /webhooks/twilio, but with a prefix that is not expected"),
        ("/webhooks/twilio/canary", "like /webhooks/twilio, but with a last segment that is no account"),
        ("/webhooks/twilio/t/canary-0123456789abcdef0123456789", "but with a token that is not in TWILIO_URL_TOKEN"),
        ("/webhooks/resend/", "like /webhooks/resend (Resend is off), but with a slash at its end"),
    ] {
        let gateway = VerboseGateway::start(&Database::new(Backend::Sqlite), "json", "info");
        for path in [first, "/canary?canary=1", first, "/canary.php", "/WEBHOOKS/twilio"] {
            assert_eq!(client::send(gateway.public, "POST", path, &[], b"").status, 404, "{path}");
        }
        let log = gateway.stop();
        let lines: Vec<&str> = log.lines().filter(|line| line.contains("unknown path")).collect();
        assert_eq!(lines.len(), 2, "{log}");
        assert!(lines[0].contains(expected) && lines[0].contains("WARN"), "{expected}: {}", lines[0]);
        assert!(lines[1].contains("unlike any") && !log.contains("canary"), "{log}");
    }
}

/// Values may be printed by mistake, in a log or by a panic.
#[test]
fn debug_output_has_no_secret_and_no_personal_data() {
    let env =
        [("TWILIO_AUTH_TOKEN", TOKEN), ("WEBHOOK_BASE_URL", "https://canary:canary@hooks.example.com")].into_iter().collect();
    let endpoint = Config::load(&env).expect("a configuration").config.endpoints.remove(0).build();
    let body = "MessageSid=SMcanary&From=canary&To=canary&Body=canary&SmsStatus=received";
    let now = Timestamp::from_seconds(1_773_500_000).expect("an instant");
    let mut outgoing = endpoint.outgoing("POST", "/webhooks/twilio?canary=canary", "application/x-www-form-urlencoded", body);
    outgoing.header("X-Canary", "canary".to_owned());
    endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
    let callback = received(&endpoint, outgoing.clone(), now);
    let verified = endpoint.verify(&callback).expect("verified");
    let parsed = endpoint.parse(&verified);
    let rejected = RejectedRequest::new(callback.clone(), VerifyError::Mismatch);
    let mut printed =
        format!("{outgoing:?} {callback:?} {verified:?} {:?} {:?} {rejected:?}", callback.headers, verified.proof().payload());
    printed += &format!("{:?} {parsed:?} {:?}", Rejection::new(&endpoint, rejected), callback.public_urls);
    printed += &format!("{:?} {endpoint:?}", Record::new(&endpoint, &verified, parsed.events));
    assert!(!printed.contains("canary"), "{printed}");
    assert!(printed.contains("Callback") && printed.contains("hooks.example.com"), "{printed}");
}
