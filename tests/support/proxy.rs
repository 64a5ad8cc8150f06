//! A proxy in front of a Postgres cluster. It can cut one direction: connections stay open, and what that side sends does not arrive.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    os::unix::net::UnixStream,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

#[derive(Clone, Copy, Debug)]
pub enum Direction {
    ToServer,
    FromServer,
}

pub struct Proxy {
    address: SocketAddr,
    /// By direction.
    cut: Arc<[AtomicBool; 2]>,
}

impl Proxy {
    /// Listens in front of a socket.
    pub fn start(socket: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let cut: Arc<[AtomicBool; 2]> = Arc::default();
        let (socket, shared) = (socket.to_owned(), Arc::clone(&cut));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if let Ok(server) = UnixStream::connect(&socket) {
                    connect(client, server, &shared);
                }
            }
        });
        Self { address, cut }
    }

    /// The value of `DATABASE_URL` for a database of the cluster.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@{}/{database}?sslmode=disable", self.address)
    }

    pub fn cut(&self, direction: Direction) {
        self.cut[direction as usize].store(true, Ordering::SeqCst);
    }
}

fn connect(client: TcpStream, server: UnixStream, cut: &Arc<[AtomicBool; 2]>) {
    let (of_client, of_server) = (client.try_clone().expect("a socket"), server.try_clone().expect("a socket"));
    let [to_server, from_server] = [Direction::ToServer, Direction::FromServer].map(|direction| (direction, Arc::clone(cut)));
    thread::spawn(move || {
        pass(of_client, &server, &to_server);
        drop(server.shutdown(Shutdown::Both));
    });
    thread::spawn(move || {
        pass(of_server, &client, &from_server);
        drop(client.shutdown(Shutdown::Both));
    });
}

/// Passes on what one side sends, until it ends.
fn pass(mut from: impl Read, mut to: impl Write, (direction, cut): &(Direction, Arc<[AtomicBool; 2]>)) {
    let mut buffer = [0; 16 << 10];
    while let Ok(size @ 1..) = from.read(&mut buffer) {
        if !cut[*direction as usize].load(Ordering::SeqCst) && to.write_all(&buffer[..size]).is_err() {
            break;
        }
    }
}
