//! Requests per second with a durable commit, next to the same verification and parsing without a store, in one run.
//!
//! `cargo bench` uses SQLite in a temporary folder; `BENCH_DATABASE_URL=postgres://… cargo bench` a Postgres. Client and
//! server share the machine, so the ratio is the figure to trust, not the absolute numbers.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    unreachable_pub,
    dead_code,
    reason = "a benchmark fails by panicking and prints its result; it takes one function of the tests' module"
)]

#[path = "../tests/support/callback.rs"]
mod signed;

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use waybill::{
    callback::Callback,
    config::{Config, Env},
    endpoint::Endpoint,
    http::Server,
    public_url::PublicUrl,
    time::Clock,
};

const CONNECTIONS: usize = 32;
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(3);
const TOKEN: (&str, &str) = ("TWILIO_AUTH_TOKEN", "3f1c9a0e5b7d42688c14d2a96f0b7e35");
const PUBLIC: (&str, &str) = ("WEBHOOK_BASE_URL", "https://hooks.example.com");

fn endpoint() -> Endpoint {
    let env: Env = [TOKEN, PUBLIC].into_iter().collect();
    Config::load(&env).expect("a configuration").config.endpoints.remove(0)
}

/// A signed status callback, as bytes on the wire; every number gives another message.
fn request(endpoint: &Endpoint, number: usize) -> Vec<u8> {
    let body = format!(
        "AccountSid=AC00000000000000000000000000000000&ApiVersion=2010-04-01&From=%2B15017250604&MessageSid=SM{number:032x}\
         &MessageStatus=delivered&RawDlrDoneDate=2301151030&SmsSid=SM{number:032x}&SmsStatus=delivered&To=%2B15558675310"
    );
    signed::on_the_wire(endpoint, &body)
}

/// Answers per second over that many connections, each of which waits for its answer.
fn drive(address: SocketAddr, endpoint: &Endpoint, next: &AtomicUsize) -> f64 {
    let (stop, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                let mut stream = TcpStream::connect(address).expect("the gateway listens");
                stream.set_nodelay(true).expect("an option");
                let mut answer = [0; 1024];
                while !stop.load(Ordering::Relaxed) {
                    let request = request(endpoint, next.fetch_add(1, Ordering::Relaxed));
                    stream.write_all(&request).expect("sent");
                    let length = stream.read(&mut answer).expect("an answer");
                    assert!(answer[..length].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..length]));
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let (_sender, timer) = mpsc::channel::<()>();
        assert!(timer.recv_timeout(ROUND).is_err(), "nobody sends; the time is up");
        stop.store(true, Ordering::Relaxed);
    });
    f64::from(u32::try_from(answered.into_inner()).expect("few")) / started.elapsed().as_secs_f64()
}

/// The same server, verification and parsing; what was read is dropped.
async fn without_store(request: HttpRequest, body: web::Bytes, endpoint: web::Data<Endpoint>) -> HttpResponse {
    let callback = Callback {
        method: request.method().as_str().to_owned(),
        target: request.uri().to_string(),
        route: "",
        url_token: None,
        client: None,
        public_urls: Arc::clone(&endpoint.public_urls),
        headers: request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect(),
        body,
        received_at: Clock::System.now(),
    };
    let Ok(verified) = endpoint.verify(&callback) else { return HttpResponse::Unauthorized().finish() };
    match endpoint.parse(&verified) {
        Ok(_events) => HttpResponse::Ok().json(serde_json::json!({ "success": true })),
        Err(_) => HttpResponse::BadRequest().finish(),
    }
}

fn serve_without_store() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let endpoint = web::Data::new(endpoint());
    std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async {
            let app = move || App::new().app_data(endpoint.clone()).default_service(web::to(without_store));
            HttpServer::new(app).listen(listener).expect("a server").run().await
        })
    });
    address
}

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    #[expect(clippy::disallowed_methods, reason = "the benchmark's own switch")]
    let database =
        std::env::var("BENCH_DATABASE_URL").unwrap_or_else(|_| format!("sqlite://{}", folder.path().join("bench.db").display()));
    let variables = [
        TOKEN,
        PUBLIC,
        ("LISTEN", "127.0.0.1:0"),
        ("OPS_LISTEN", "127.0.0.1:0"),
        ("OPS_TOKEN", "bench-token"),
        ("DATABASE_URL", &database),
    ];
    let config = Config::load(&variables.into_iter().collect()).expect("a configuration").config;
    let running = Server::start(config, Clock::System).expect("a gateway");
    let bare = serve_without_store();
    let (endpoint, next) = (endpoint(), AtomicUsize::new(usize::try_from(Clock::System.now().micros()).expect("after 1970")));
    assert_eq!(endpoint.public_urls.first(), Some(&PUBLIC.1.parse::<PublicUrl>().expect("a public URL")));
    drive(running.public, &endpoint, &next);
    let mut ratios = Vec::new();
    for round in 1..=ROUNDS {
        let (durable, dropped) = (drive(running.public, &endpoint, &next), drive(bare, &endpoint, &next));
        ratios.push(durable / dropped);
        println!(
            "round {round}: {durable:>7.0} requests/s durable, {dropped:>7.0} without the store, ratio {:.2}",
            durable / dropped
        );
    }
    ratios.sort_by(f64::total_cmp);
    println!(
        "{CONNECTIONS} connections: median ratio {:.2} (min {:.2}, max {:.2})",
        ratios[ROUNDS / 2],
        ratios[0],
        ratios[ROUNDS - 1]
    );
    running.stop();
}
