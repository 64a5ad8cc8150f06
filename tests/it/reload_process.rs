//! Reloads of the process: by SIGHUP, and by `waybill reload`.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Output},
    sync::mpsc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use waybill::{
    config::{Config, Env},
    signature::Outgoing,
};

use crate::support::{
    client,
    database::{Backend, Database},
    gateway::{OPS_TOKEN, PUBLIC_URL},
    process::{Process, command},
};

const FIRST: &str = "5e8c1f04a9b7d3626c0f8e1d4b7a9053";
const SECOND: &str = "0f8e1d4b7a90535e8c1f04a9b7d3626c";

/// The status of a callback that is signed with a secret.
fn send(process: &Process, secret: &str) -> u16 {
    let env: Env = [("MIFUMO_WEBHOOK_SECRET", secret), ("WEBHOOK_BASE_URL", PUBLIC_URL)].into_iter().collect();
    let endpoint = Config::load(&env).expect("a configuration").config.endpoints.remove(0).build();
    let mut outgoing = endpoint.outgoing("POST", endpoint.path(), "application/json", r#"{"event":"ping"}"#);
    endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
    let Outgoing { method, target, headers, body, .. } = outgoing;
    client::send(process.public, &method, &target, &headers, &body).status
}

/// Waits for a line of the log.
fn line(log: &mpsc::Receiver<String>, text: &str) -> String {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let rest = deadline.saturating_duration_since(Instant::now());
        let line = log.recv_timeout(rest).unwrap_or_else(|_| panic!("no line has {text}"));
        if line.contains(text) {
            return line;
        }
    }
}

/// Writes the secret as Kubernetes does: a folder is written, and a link to it is replaced.
fn mount(folder: &Path, name: &str, secret: &str) {
    let version = folder.join(name);
    fs::create_dir(&version).expect("created");
    fs::write(version.join("secret"), secret).expect("written");
    symlink(name, folder.join("..new")).expect("linked");
    fs::rename(folder.join("..new"), folder.join("..data")).expect("renamed");
}

#[test]
fn sighup_reads_a_mounted_secret_again() {
    let (database, folder) = (Database::new(Backend::Sqlite), tempfile::tempdir().expect("a temporary folder"));
    mount(folder.path(), "..1", FIRST);
    symlink("..data/secret", folder.path().join("mifumo")).expect("linked");
    let file = folder.path().join("mifumo").display().to_string();
    let process = Process::start(&database, &[("MIFUMO_WEBHOOK_SECRET_FILE", &file)]);
    assert_eq!([send(&process, FIRST), send(&process, SECOND)], [200, 401]);
    mount(folder.path(), "..2", SECOND);
    process.signal("HUP");
    let reloaded = line(&process.log, "reloaded the configuration");
    assert!(reloaded.contains("mifumo/default") && !reloaded.contains(SECOND), "{reloaded}");
    assert_eq!([send(&process, FIRST), send(&process, SECOND)], [401, 200]);
    mount(folder.path(), "..3", "");
    process.signal("HUP");
    let refused = line(&process.log, "not reloaded");
    assert!(refused.contains("MIFUMO_WEBHOOK_SECRET_FILE"), "{refused}");
    assert_eq!([send(&process, FIRST), send(&process, SECOND)], [401, 200], "the old one stays");
    let entries = database.rows("audit_log");
    assert_eq!(
        entries.iter().map(|entry| (&entry["action"], &entry["actor"])).collect::<Vec<_>>(),
        [(&json!("reload"), &json!("cli"))]
    );
}

/// The folder has the `.env` of the gateway and of the command.
fn reload(folder: &Path, process: &Process, arguments: &[&str]) -> Output {
    let mut command = command();
    command.current_dir(folder).arg("reload").args(arguments).args(["--to", &format!("http://{}", process.ops)]);
    command.output().expect("the binary")
}

#[test]
fn command_shows_what_a_reload_changes() {
    let (database, folder) = (Database::new(Backend::Sqlite), tempfile::tempdir().expect("a temporary folder"));
    let write = |more: &str| fs::write(folder.path().join(".env"), format!("OPS_TOKEN={OPS_TOKEN}\n{more}")).expect("written");
    write(&format!("MIFUMO_WEBHOOK_SECRET={FIRST}\n"));
    let process = Process::start_in(folder.path(), &database);
    let text = |output: &Output| String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    write(&format!("MIFUMO_WEBHOOK_SECRET={SECOND}\nMIFUMO__ACME__WEBHOOK_SECRET={FIRST}\nRETENTION_DAYS=7\n"));
    let dry = reload(folder.path(), &process, &["--dry-run"]);
    for expected in [
        "added    mifumo/acme at /webhooks/mifumo/acme",
        "changed  mifumo/default",
        "restart  RETENTION_DAYS",
        "dry run: nothing has changed",
    ] {
        assert!(dry.status.success() && text(&dry).contains(expected), "{expected}: {}", text(&dry));
    }
    assert_eq!([send(&process, FIRST), send(&process, SECOND)], [200, 401]);
    let done: Value = serde_json::from_slice(&reload(folder.path(), &process, &["--json"]).stdout).expect("JSON");
    assert_eq!((&done["applied"], &done["needs_restart"]), (&json!(true), &json!(["RETENTION_DAYS"])));
    assert_eq!([send(&process, FIRST), send(&process, SECOND)], [401, 200]);
    // The command checks the configuration before it calls the gateway.
    write("MIFUMO_WEBHOOK_SECRET=changeme\n");
    let invalid = reload(folder.path(), &process, &[]);
    assert_eq!(invalid.status.code(), Some(78));
    assert!(text(&invalid).contains("MIFUMO_WEBHOOK_SECRET"), "{}", text(&invalid));
    fs::write(folder.path().join(".env"), format!("OPS_TOKEN=other-ops-token-9876543210\nMIFUMO_WEBHOOK_SECRET={SECOND}\n"))
        .expect("written");
    let denied = reload(folder.path(), &process, &[]);
    assert_eq!(denied.status.code(), Some(1));
    assert!(text(&denied).contains("another OPS_TOKEN"), "{}", text(&denied));
    assert!(Command::new("kill").args(["-HUP", &process.child.id().to_string()]).status().expect("kill").success());
    line(&process.log, "reloaded the configuration");
    assert!(reload(folder.path(), &process, &[]).status.success(), "the new token");
}
