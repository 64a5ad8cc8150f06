//! Two gateways on one Postgres behind a balancer are restarted in turn under load, and no callback fails. `RESTARTS=20` is the long form,
//! which prints its figures.

use std::{
    io::{self, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use waybill::{endpoint::Endpoint, signature::Outgoing};

use crate::support::{
    self, client,
    database::{Backend, Database},
    process::Process,
    twilio,
};

const RESTARTS: usize = 2;

/// Callbacks a second.
const RATE: u32 = 200;

/// Clients that share the rate: a callback that waits does not delay the next ones.
const CLIENTS: usize = 16;

/// The pause between two checks of health, as a balancer has it.
const CHECK: Duration = Duration::from_millis(50);

/// A place of a gateway, with addresses that it keeps.
struct Place {
    public: SocketAddr,
    ops: SocketAddr,
    is_ready: AtomicBool,
}

/// Chooses a gateway for each callback, as the configurations in docs/proxies do.
struct Balancer {
    places: [Place; 2],
    next: AtomicUsize,
    /// Connections that were refused, so that the callback went to the other gateway.
    refused: AtomicUsize,
}

impl Balancer {
    fn new() -> Self {
        let place = || Place { public: free_address(), ops: free_address(), is_ready: AtomicBool::new(false) };
        Self { places: [place(), place()], next: AtomicUsize::new(0), refused: AtomicUsize::new(0) }
    }

    fn check(&self) {
        for place in &self.places {
            let status = TcpStream::connect(place.ops)
                .and_then(|stream| exchange(stream, b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
            place.is_ready.store(status.is_ok_and(|status| status == 200), Ordering::Relaxed);
        }
    }

    /// The status of the response. A request is sent once: only a connection that was refused leads to the other gateway.
    fn send(&self, request: &[u8]) -> io::Result<u16> {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let mut order = [first % 2, (first + 1) % 2].map(|place| &self.places[place]);
        // Stable: of two that are ready the next one is first.
        order.sort_by_key(|place| !place.is_ready.load(Ordering::Relaxed));
        let connected = order.iter().find_map(|place| {
            let stream = TcpStream::connect(place.public).ok();
            self.refused.fetch_add(usize::from(stream.is_none()), Ordering::Relaxed);
            stream
        });
        exchange(connected.ok_or(io::ErrorKind::ConnectionRefused)?, request)
    }
}

/// Sends a request and returns the status of its response.
fn exchange(mut stream: TcpStream, request: &[u8]) -> io::Result<u16> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(request)?;
    client::try_read(&mut stream).map(|response| response.status)
}

/// A free address below the ports that the system gives to clients, so that it is still free when a gateway restarts.
fn free_address() -> SocketAddr {
    let random = |_| {
        let mut bytes = [0; 2];
        getrandom::fill(&mut bytes).expect("random bytes");
        SocketAddr::from(([127, 0, 0, 1], 20_000 + u16::from_be_bytes(bytes) % 12_000))
    };
    (0..100).map(random).find(|address| TcpListener::bind(address).is_ok()).expect("a free port")
}

fn start(database: &Database, place: &Place) -> Process {
    let (public, ops) = (place.public.to_string(), place.ops.to_string());
    Process::start(database, &[("LISTEN", &public), ("OPS_LISTEN", &ops), ("SHUTDOWN_DELAY", "1")])
}

/// A callback for a message of its own.
fn request(endpoint: &Endpoint, number: u32) -> Vec<u8> {
    let form = format!("MessageSid=SM{number:032x}&MessageStatus=delivered&To=%2B15558675310");
    let mut outgoing = endpoint.outgoing("POST", endpoint.path(), "application/x-www-form-urlencoded", form);
    endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
    let Outgoing { method, target, headers, body, .. } = outgoing;
    let headers = headers.iter().fold(String::new(), |head, (name, value)| head + &format!("{name}: {value}\r\n"));
    let head =
        format!("{method} {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), &body].concat()
}

/// The outcome of a load.
#[derive(Default)]
struct Outcome {
    acknowledged: usize,
    failures: Vec<String>,
    durations: Vec<Duration>,
}

/// Sends callbacks at the rate until the channel is closed.
fn drive(balancer: &Balancer, next: &Mutex<u32>, began: Instant, outcome: &Mutex<Outcome>, ends: &mpsc::Receiver<()>) {
    let endpoint = twilio::endpoint();
    loop {
        let number = {
            let mut next = next.lock().expect("not poisoned");
            *next += 1;
            *next
        };
        let due = began + Duration::from_secs(1) * number / RATE;
        if ends.recv_timeout(due.saturating_duration_since(Instant::now())) != Err(mpsc::RecvTimeoutError::Timeout) {
            return;
        }
        let (request, sent) = (request(&endpoint, number), Instant::now());
        let result = balancer.send(&request);
        let mut outcome = outcome.lock().expect("not poisoned");
        match result {
            Ok(200) => {
                outcome.acknowledged += 1;
                outcome.durations.push(sent.elapsed());
            }
            other => outcome.failures.push(format!("{number}: {other:?}")),
        }
    }
}

#[test]
fn no_callback_fails_while_two_gateways_restart_in_turn() {
    let restarts = support::variable("RESTARTS").map_or(RESTARTS, |number| number.parse().expect("a number"));
    let (database, balancer) = (Database::new(Backend::Postgres), Balancer::new());
    let (next, outcome, began) = (Mutex::new(0), Mutex::new(Outcome::default()), Instant::now());
    let mut processes = balancer.places.each_ref().map(|place| start(&database, place));
    balancer.check();
    thread::scope(|scope| {
        let mut clients = Vec::new();
        for _ in 0..CLIENTS {
            let (client, ends) = mpsc::channel::<()>();
            clients.push(client);
            let (balancer, next, outcome) = (&balancer, &next, &outcome);
            scope.spawn(move || drive(balancer, next, began, outcome, &ends));
        }
        let (checks, ends) = mpsc::channel::<()>();
        let balancer = &balancer;
        scope.spawn(move || {
            while ends.recv_timeout(CHECK) == Err(mpsc::RecvTimeoutError::Timeout) {
                balancer.check();
            }
        });
        for number in 0..restarts {
            let (process, place) = (&mut processes[number % 2], &balancer.places[number % 2]);
            process.signal("TERM");
            assert!(process.child.wait().expect("an exit").success());
            *process = start(&database, place);
            let deadline = Instant::now() + Duration::from_secs(20);
            while !place.is_ready.load(Ordering::Relaxed) {
                assert!(Instant::now() < deadline, "not ready");
                thread::park_timeout(Duration::from_millis(5));
            }
        }
        drop((clients, checks));
    });
    let Outcome { acknowledged, failures, mut durations } = outcome.into_inner().expect("not poisoned");
    durations.sort_unstable();
    let at = |share: usize| durations[(durations.len() - 1) * share / 1_000];
    let (seconds, refused) = (began.elapsed().as_secs_f64(), balancer.refused.load(Ordering::Relaxed));
    println!(
        "{restarts} restarts in {seconds:.0} s: {acknowledged} acknowledged, {} failed, {refused} connections refused; p50 {:?}, p99 {:?}, \
         max {:?}",
        failures.len(),
        at(500),
        at(990),
        at(1_000)
    );
    assert_eq!(failures, Vec::<String>::new());
    assert_eq!(database.rows("message_external_ids").len(), acknowledged);
}
