//! Connections that are held open, large heads, floods of connections beside honest callers.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
};

use waybill::time::Timestamp;

use crate::support::{client, twilio};

mod bodies;
mod deadlines;
mod descriptors;
mod heads;
mod shares;

fn now() -> Timestamp {
    Timestamp::from_seconds(1_000).expect("an instant")
}

fn variables() -> Vec<(String, String)> {
    vec![("TWILIO_AUTH_TOKEN".to_owned(), twilio::TOKEN.to_owned())]
}

/// An address in another network than those of other numbers.
fn source(network: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, network, 1)
}

/// Opens a connection and sends the start of something.
fn open(network: u8, address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = client::connect_from(source(network), address);
    // The gateway may have closed it already.
    drop(stream.write_all(bytes));
    stream
}

/// Reads until the connection is closed. Fails if it stays open.
fn read_to_end(what: &str, stream: &mut TcpStream) -> Vec<u8> {
    let mut received = Vec::new();
    match stream.read_to_end(&mut received) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{what}: still open: {error}"),
    }
    received
}

/// The status of a request on a connection of its own.
fn get(network: u8, address: SocketAddr, target: &str) -> u16 {
    let mut stream = open(network, address, format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
    client::read(&mut stream).status
}
