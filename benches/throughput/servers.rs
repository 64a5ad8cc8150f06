//! The compared servers. Each runs in its own process, prints its address and stops when its input is closed.

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use waybill::{
    callback::Callback,
    config::{Config, Env},
    endpoint::Endpoint,
    http::Server,
    signature::VerifiedCallback,
    store::{Options, Store, migrate},
    time::Clock,
};

use crate::{naive, variable};

const TOKEN: (&str, &str) = ("TWILIO_AUTH_TOKEN", "3f1c9a0e5b7d42688c14d2a96f0b7e35");
const PUBLIC: (&str, &str) = ("WEBHOOK_BASE_URL", "https://hooks.example.com");

/// The endpoint of every server.
pub fn endpoint() -> Endpoint {
    let env: Env = [TOKEN, PUBLIC].into_iter().collect();
    Config::load(&env).expect("a configuration").config.endpoints.remove(0).build()
}

/// A server under test.
pub struct Contender {
    name: String,
    kind: &'static str,
    database: Option<String>,
}

impl Contender {
    pub fn all(databases: &[String]) -> Vec<Self> {
        let without_database = ["ceiling", "no store"].map(|kind| Self { name: kind.to_owned(), kind, database: None });
        let with_database = |database: &String| {
            let scheme = database.split(':').next().unwrap_or_default().to_owned();
            ["naive", "waybill"].map(|kind| Self { name: format!("{kind} {scheme}"), kind, database: Some(database.clone()) })
        };
        without_database.into_iter().chain(databases.iter().flat_map(with_database)).collect()
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn database(&self) -> Option<&str> {
        self.database.as_deref()
    }

    /// Creates its tables.
    pub fn prepare(&self) {
        match (self.kind, &self.database) {
            ("naive", Some(url)) => naive::prepare(url),
            ("waybill", Some(url)) => drop(migrate(&url.parse().expect("a URL")).expect("migrations")),
            _ => {}
        }
    }

    /// Counts its stored requests.
    pub fn rows(&self) -> Option<u64> {
        let url = self.database.as_deref()?;
        if self.kind == "naive" {
            return Some(naive::rows(url));
        }
        let store = Store::attach(&url.parse().expect("a URL"), Options::default()).expect("a store");
        let requests = store.counts().expect("counts").requests;
        store.close();
        Some(u64::try_from(requests).expect("a count"))
    }
}

/// Runs a server until the input is closed.
pub fn serve(name: &str) {
    let database = variable("BENCH_DATABASE").unwrap_or_default();
    if name.starts_with("waybill") {
        let variables = [
            TOKEN,
            PUBLIC,
            ("LISTEN", "127.0.0.1:0"),
            ("OPS_LISTEN", "127.0.0.1:0"),
            ("OPS_TOKEN", "bench-token-0123456789"),
            ("DATABASE_URL", &database),
        ];
        let config = Config::load(&variables.into_iter().collect()).expect("a configuration").config;
        let running = Server::start(config, Clock::System).expect("a gateway");
        wait(running.public);
        running.stop();
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let (endpoint, pool) = (web::Data::new(endpoint()), web::Data::new(naive::pool(&database)));
    let kind = name.split(' ').next().unwrap_or_default().to_owned();
    std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async {
            let app = move || {
                let app = App::new().app_data(endpoint.clone()).app_data(pool.clone());
                app.default_service(match kind.as_str() {
                    "ceiling" => web::to(ceiling),
                    "naive" => web::to(naive),
                    _ => web::to(no_store),
                })
            };
            HttpServer::new(app).listen(listener).expect("a server").run().await
        })
    });
    wait(address);
}

fn wait(address: SocketAddr) {
    println!("{address}");
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).expect("end of input");
}

fn success() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({ "success": true }))
}

async fn ceiling(_body: web::Bytes) -> HttpResponse {
    success()
}

async fn no_store(request: HttpRequest, body: web::Bytes, endpoint: web::Data<Endpoint>) -> HttpResponse {
    match verify_and_parse(&request, body, &endpoint, |_, events| events.len()) {
        Some(_) => success(),
        None => HttpResponse::Unauthorized().finish(),
    }
}

async fn naive(
    request: HttpRequest,
    body: web::Bytes,
    endpoint: web::Data<Endpoint>,
    pool: web::Data<Option<naive::Pool>>,
) -> HttpResponse {
    let row = verify_and_parse(&request, body, &endpoint, |verified, events| naive::Row::new(verified, &events[0]));
    let Some(row) = row else { return HttpResponse::Unauthorized().finish() };
    match web::block(move || pool.as_ref().as_ref().expect("a database").write(&row)).await {
        Ok(Ok(())) => success(),
        Ok(Err(error)) => panic!("{error}"),
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}

fn verify_and_parse<T>(
    request: &HttpRequest,
    body: web::Bytes,
    endpoint: &Endpoint,
    then: impl FnOnce(&VerifiedCallback<'_>, Vec<waybill::event::Event>) -> T,
) -> Option<T> {
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
    let verified = endpoint.verify(&callback).ok()?;
    let events = endpoint.parse(&verified).events.ok()?;
    Some(then(&verified, events))
}
