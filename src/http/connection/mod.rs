//! The connections of a listener: a deadline for each of their states, a limit on what they send ahead, and a fair share for each
//! network of clients.
//!
//! actix-http 3.20.0 has deadlines for the head of the first request of a connection and for the pause between two requests, and no
//! other (`src/h1/dispatcher.rs`): `head_timer` is cleared by the first request, `ka_timer` by the first byte of the next, a chunked body
//! that its handler left unread is drained without a limit (`should_close_for_unread_payload`), and a response that the client does not
//! read waits for ever. Heads may have 128 KiB (`src/h1/decoder.rs`, `MAX_BUFFER_SIZE`). Therefore actix's timers are off, and each
//! connection is watched from outside: when its deadline has passed, its dispatcher is dropped, which closes the socket in any state.

mod empty_posts;
mod registry;
mod request;
mod state;
mod stream;
mod watch;

use std::{io, net::TcpListener, rc::Rc, time::Duration};

use actix_http::{HttpService, KeepAlive, Request};
use actix_server::Server;
use actix_service::{IntoServiceFactory, apply_fn_factory, map_config};
use actix_web::{
    App,
    dev::{AppConfig, Service},
    rt::net::TcpStream,
    web::{Data, ServiceConfig},
};
use registry::Registry;
pub(super) use request::{note_body_received, note_login};
use stream::Stream;

use crate::{config::ConnectionLimits, gateway::Gateway};

/// Time for which actix still reads from a client after a response to a body that was not read.
const LINGER: Duration = Duration::from_secs(1);

/// Time for responses in progress at shutdown.
const SHUTDOWN_SECONDS: u64 = 10;

/// A listener with its routes.
pub(super) struct Listener {
    pub(super) name: &'static str,
    pub(super) socket: TcpListener,
    pub(super) workers: usize,
    /// For all workers together.
    pub(super) limits: ConnectionLimits,
    /// The end of each body is observed. Otherwise the handlers report it.
    pub(super) is_body_tracked: bool,
    pub(super) routes: fn(&mut ServiceConfig),
}

impl Listener {
    /// Starts the server of the listener, which runs while the result is polled.
    pub(super) fn serve(self, gateway: &Data<Gateway>) -> io::Result<Server> {
        let Self { name, socket, workers, limits, is_body_tracked, routes } = self;
        // Connections are distributed evenly among the workers, each of which counts its own.
        let limits = ConnectionLimits {
            max: limits.max.div_ceil(workers),
            max_of_network: limits.max_of_network.div_ceil(workers),
            ..limits
        };
        let builder = Server::build()
            .workers(workers)
            // More than our own limit: evicted connections count until their task ends.
            .max_concurrent_connections(limits.max + limits.max.div_ceil(2))
            .shutdown_timeout(SHUTDOWN_SECONDS)
            .disable_signals();
        let (gateway, stop) = (gateway.clone(), builder.graceful_shutdown_signal());
        let builder = builder.listen(name, socket, move || {
            let app = App::new().app_data(gateway.clone()).configure(routes);
            let app = map_config(app.into_factory(), |()| AppConfig::default());
            let stop = stop.clone();
            let http = HttpService::build()
                .keep_alive(KeepAlive::Os)
                .client_request_timeout(Duration::ZERO)
                .client_disconnect_timeout(LINGER)
                .graceful_shutdown_signal(move || {
                    let stop = stop.clone();
                    async move { stop.notified().await }
                })
                .on_connect_ext(|stream: &Stream, data| drop(data.insert(Rc::clone(stream.connection()))))
                .h1(apply_fn_factory(app, move |request: Request, app: &_| request::track(request, app, is_body_tracked)));
            let (gateway, registry) = (gateway.clone(), Rc::new(Registry::new(limits)));
            apply_fn_factory(http, move |stream: TcpStream, http: &_| {
                let peer = stream.peer_addr().ok();
                let member = peer.and_then(|peer| {
                    let ip = peer.ip().to_canonical();
                    Registry::admit(&registry, ip, gateway.trusted_proxies().trusts(ip))
                });
                let serving = member.map(|member| {
                    let stream = Stream::new(stream, Rc::clone(member.connection()));
                    (http.call((stream, peer)), member)
                });
                async move {
                    match serving {
                        Some((dispatcher, member)) => watch::run(dispatcher, member.connection()).await,
                        None => Ok(()),
                    }
                }
            })
        })?;
        Ok(builder.run())
    }
}
