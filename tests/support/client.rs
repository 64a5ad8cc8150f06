//! A raw HTTP/1.1 client, which sends exactly the bytes it is given.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, SocketAddr, TcpStream},
    time::Duration,
};

#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }
}

/// Sends one request on a connection of its own.
pub fn send(address: SocketAddr, method: &str, target: &str, headers: &[(String, String)], body: &[u8]) -> Response {
    let mut request = format!("{method} {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n").into_bytes();
    for (name, value) in headers {
        request.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    request.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
    request.extend_from_slice(body);
    exchange(address, &request)
}

pub fn get(address: SocketAddr, target: &str, headers: &[(&str, &str)]) -> Response {
    let headers: Vec<(String, String)> = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    send(address, "GET", target, &headers, b"")
}

/// Sends raw bytes and reads the response.
pub fn exchange(address: SocketAddr, request: &[u8]) -> Response {
    let mut stream = connect(address);
    // A server that rejects a request early closes before it has read everything, so a write may fail.
    drop(stream.write_all(request));
    read(&mut stream)
}

pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the gateway listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    stream
}

/// Connects from another address of the machine, such as 127.0.9.1, which is another network's.
pub fn connect_from(source: impl Into<IpAddr>, address: SocketAddr) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
    let stream = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::new(source.into(), 0)).expect("an address of the machine");
        socket.connect(address).await.expect("the gateway listens").into_std().expect("a socket")
    });
    stream.set_nonblocking(false).expect("a socket");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    stream
}

/// Reads one response.
pub fn read(stream: &mut TcpStream) -> Response {
    try_read(stream).unwrap_or_else(|error| panic!("{error}"))
}

/// Reads one response, unless the connection breaks before its end.
pub fn try_read(stream: &mut TcpStream) -> io::Result<Response> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    let after = |error: String, bytes: &[u8]| io::Error::other(format!("{error} after {:?}", String::from_utf8_lossy(bytes)));
    loop {
        if let Some(response) = parse(&bytes, false) {
            return Ok(response);
        }
        match stream.read(&mut chunk) {
            // The response to a HEAD request ends with its head.
            Ok(0) => return parse(&bytes, true).ok_or_else(|| after("closed".to_owned(), &bytes)),
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
            Err(error) => return Err(after(error.to_string(), &bytes)),
        }
    }
}

fn parse(bytes: &[u8], ended: bool) -> Option<Response> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> =
        lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let length = headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(0, |(_, value)| value.parse().unwrap_or(0));
    let rest = bytes.get(end + 4..)?;
    let body = if ended { rest } else { rest.get(..length)? }.to_vec();
    Some(Response { status, headers, body })
}
