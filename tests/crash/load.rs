//! Concurrent clients, each of which sends a callback, waits for the response, and sends the next.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use waybill::endpoint::Endpoint;

use crate::{callback, ledger::Ledger, process::Process, support::twilio};

const CLIENTS: usize = 12;

/// Longer than a response may take, and than a gateway stays frozen.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Puts the gateway under load for that time and then runs `end`, which must kill it.
pub fn cycle(process: Process, ledger: &Mutex<Ledger>, load: Duration, end: impl FnOnce(&mut Process)) {
    beside(process, ledger, |clients| clients.go_on_for(load), end);
}

/// The clients of a load. None of them sends anything here, and each drops its end when it has failed.
pub struct Clients(mpsc::Receiver<()>);

impl Clients {
    /// Waits that long while the clients send.
    pub fn go_on_for(&self, time: Duration) {
        assert_eq!(self.0.recv_timeout(time), Err(RecvTimeoutError::Timeout), "every client has failed");
    }
}

/// Puts the gateway under load while `work` runs, and then runs `end`, which must kill it.
pub fn beside(process: Process, ledger: &Mutex<Ledger>, work: impl FnOnce(&Clients), end: impl FnOnce(&mut Process)) {
    let (address, endpoint, is_ending) = (process.address(), twilio::endpoint(), AtomicBool::new(false));
    let (alive, clients) = mpsc::channel::<()>();
    thread::scope(|scope| {
        // Killed if `work` panics, so that the clients end as well.
        let mut process = process;
        for _ in 0..CLIENTS {
            let alive = alive.clone();
            let (endpoint, is_ending) = (&endpoint, &is_ending);
            scope.spawn(move || {
                let broken = drive(address, endpoint, ledger);
                // A connection may break only while the gateway is being ended.
                assert!(is_ending.load(Ordering::SeqCst), "the gateway broke a connection: {broken}");
                drop(alive);
            });
        }
        drop(alive);
        work(&Clients(clients));
        is_ending.store(true, Ordering::SeqCst);
        end(&mut process);
    });
}

/// Sends callbacks until the connection breaks, and returns its error.
fn drive(address: SocketAddr, endpoint: &Endpoint, ledger: &Mutex<Ledger>) -> io::Error {
    let mut stream = match connect(address) {
        Ok(stream) => stream,
        Err(error) => return error,
    };
    loop {
        let (number, sending) = ledger.lock().expect("not poisoned").take();
        let outcome = exchange(&mut stream, &callback::request(endpoint, number));
        let mut ledger = ledger.lock().expect("not poisoned");
        match outcome {
            Ok((200, answer)) => ledger.acknowledge(number, sending, is_duplicate(&answer)),
            Ok((503, _)) => {
                ledger.unavailable += 1;
                ledger.return_unacknowledged(number, sending);
            }
            Ok((status, answer)) => panic!("{number} {sending:?}: response {status} {answer}"),
            Err(error) => {
                ledger.return_unacknowledged(number, sending);
                return error;
            }
        }
    }
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

fn is_duplicate(answer: &Value) -> bool {
    let is_duplicate = *answer == json!({ "success": true, "duplicate": true });
    assert!(is_duplicate || *answer == json!({ "success": true }), "{answer}");
    is_duplicate
}

/// Sends a request and reads the complete response; a partial one is an error.
fn exchange(stream: &mut TcpStream, request: &[u8]) -> io::Result<(u16, Value)> {
    stream.write_all(request)?;
    // One response at a time, so dropping the reader's buffer loses nothing.
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    let mut status = None;
    let mut length = 0;
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let lower = line.trim_end().to_ascii_lowercase();
        if line == "\r\n" {
            break;
        } else if let Some(value) = lower.strip_prefix("content-length: ") {
            length = value.parse().map_err(io::Error::other)?;
        } else if let Some(rest) = lower.strip_prefix("http/1.1 ") {
            status = rest.split(' ').next().and_then(|status| status.parse().ok());
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let status = status.ok_or_else(|| io::Error::other("no status"))?;
    Ok((status, serde_json::from_slice(&body)?))
}
