//! Limits of connections. They are constants of the gateway; tests set others.

use std::time::Duration;

/// Limits of the connections of one listener.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// Connections at once.
    pub max: usize,
    /// Connections of one network, except of trusted proxies.
    pub max_of_network: usize,
    /// Time to receive a head, from its first byte on; also the time from the connection to its first byte.
    pub head: Duration,
    /// Time between two requests.
    pub idle: Duration,
    /// Time to receive a body.
    pub body: Duration,
    /// Time from a complete request to its response.
    pub request: Duration,
    /// Time in which a client must accept what was written to it.
    pub write: Duration,
    /// Time for the rest of a body after its response.
    pub rest: Duration,
    /// A connection whose request is in progress may be evicted as well, unless it has shown a token.
    pub evicts_requests: bool,
}

/// Limits of the bodies of callbacks.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    /// KiB of all bodies in progress.
    pub max_kib: usize,
    /// KiB of the bodies of one network that did not arrive with their heads.
    pub max_kib_of_network: usize,
    /// Time to receive a body.
    pub time: Duration,
    /// Time before the least rate applies.
    pub grace: Duration,
    /// The least rate.
    pub kib_per_second: u32,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self {
            max_kib: 128 << 10,
            max_kib_of_network: 32 << 10,
            time: Duration::from_secs(5),
            grace: Duration::from_secs(2),
            kib_per_second: 64,
        }
    }
}

/// Limits of both listeners.
#[derive(Clone, Copy, Debug)]
pub struct Connections {
    pub public: ConnectionLimits,
    pub ops: ConnectionLimits,
    pub bodies: BodyLimits,
}

impl Default for Connections {
    fn default() -> Self {
        let public = ConnectionLimits {
            max: 8_192,
            max_of_network: 4_096,
            head: Duration::from_secs(2),
            idle: Duration::from_secs(5),
            // Callbacks have shorter deadlines, which are answered with 408 and 503.
            body: Duration::from_secs(10),
            request: Duration::from_secs(10),
            write: Duration::from_secs(10),
            rest: Duration::from_secs(2),
            evicts_requests: false,
        };
        // A replay of many requests takes minutes.
        let ops =
            ConnectionLimits { max: 256, max_of_network: 128, request: Duration::from_mins(10), evicts_requests: true, ..public };
        Self { public, ops, bodies: BodyLimits::default() }
    }
}
