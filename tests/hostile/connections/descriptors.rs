//! Clients that hold every descriptor of the process: callers that are connected are served meanwhile, and new ones once it is over.

use std::{
    io::Write,
    net::TcpStream,
    time::{Duration, Instant},
};

use super::open;
use crate::support::{
    callback::{request_bytes, status_form},
    client,
    database::{BACKENDS, Backend, Database},
    poll::wait_until,
    process::Process,
    twilio,
};

/// Few, but more than the gateway needs for itself.
const DESCRIPTORS: usize = 96;

/// Senders with a connection of their own.
const SENDERS: usize = 4;

/// From the end of the flood to the answers to new connections. The kernel's queue of connections has to be worked off.
const RECOVERY: Duration = Duration::from_secs(5);

/// The status of a new message, sent on an open connection.
fn send(stream: &mut TcpStream, message: u64) -> u16 {
    stream.write_all(&request_bytes(&twilio::endpoint(), &status_form(message, "delivered"))).expect("open");
    client::read(stream).status
}

/// Passes a second without anything to do, and returns the share of it for which the process used a processor.
fn idle_second(process: &Process) -> f64 {
    let (before, started) = (process.processor_time(), Instant::now());
    wait_until("a second to pass", || started.elapsed() > Duration::from_secs(1));
    process.processor_time().saturating_sub(before).as_secs_f64() / started.elapsed().as_secs_f64()
}

fn exhaust_descriptors(backend: Backend) {
    let database = Database::new(backend);
    let mut process = Process::start_limited(&format!("ulimit -n {DESCRIPTORS}"), &database, &[("WEBHOOK_KEEP_ALIVE", "60")]);
    let mut senders: Vec<TcpStream> = (0..SENDERS).map(|_| open(2, process.public, b"")).collect();
    let mut message = 0;
    let mut send_all = |senders: &mut [TcpStream]| {
        for stream in senders {
            message += 1;
            assert_eq!(send(stream, message), 200, "{} message {message}", backend.name());
        }
        message
    };
    send_all(&mut senders);
    // As many again wait in the kernel, and take the place of those whose time is over.
    let flood: Vec<TcpStream> = (0..2 * DESCRIPTORS).map(|_| open(1, process.public, b"")).collect();
    wait_until("every descriptor to be taken", || process.descriptors() >= DESCRIPTORS);
    let share = idle_second(&process);
    assert!(share < 0.5, "{}: it takes {share} of a processor", backend.name());
    for _ in 0..4 {
        send_all(&mut senders);
    }
    assert!(process.descriptors() >= DESCRIPTORS, "they were free meanwhile");
    drop(flood);
    let left = Instant::now();
    assert_eq!(client::get(process.ops, "/livez", &[]).status, 200);
    assert_eq!(client::get(process.ops, "/readyz", &[]).status, 200);
    let sent = send_all(&mut [open(3, process.public, b"")]);
    assert!(left.elapsed() < RECOVERY, "{}: {:?}", backend.name(), left.elapsed());
    process.signal("TERM");
    assert!(process.child.wait().expect("an exit").success());
    assert_eq!(database.rows("message_external_ids").len(), usize::try_from(sent).expect("few"));
    if backend == Backend::Sqlite {
        assert_eq!(database.query("SELECT integrity_check AS row FROM pragma_integrity_check"), ["ok"]);
    }
}

#[test]
fn taken_descriptors_break_no_open_connection_and_are_used_again() {
    BACKENDS.into_iter().for_each(exhaust_descriptors);
}
