//! A private nats-server with `JetStream`: a folder of its own, a free port. It can be killed and started again.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
};

use super::poll::{DEADLINE, eventually};

pub struct Nats {
    child: Child,
    folder: tempfile::TempDir,
    address: SocketAddr,
}

impl Nats {
    pub fn start() -> Self {
        Self::configured("")
    }

    /// With more lines of configuration.
    pub fn configured(more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let free = free_address();
        let store = folder.path().join("store");
        let configuration = format!(
            "listen: {free}\njetstream {{ store_dir: {}, max_file_store: 256M, max_memory_store: 64M }}\n{more}\n",
            store.display()
        );
        fs::write(folder.path().join("nats.conf"), configuration).expect("a file");
        Self { child: launch(folder.path(), free), folder, address: free }
    }

    /// Three servers of one cluster.
    pub fn cluster() -> [Self; 3] {
        let routes = [(); 3].map(|()| free_address());
        let list = routes.map(|route| format!("nats://{route}")).join(", ");
        routes.map(|route| {
            let name = route.port();
            Self::configured(&format!("server_name: s{name}\ncluster {{ name: test, listen: {route}, routes: [{list}] }}"))
        })
    }

    pub fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("an exit");
    }

    pub fn restart(&mut self) {
        self.child = launch(self.folder.path(), self.address);
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        // It may be killed already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address")
}

fn launch(folder: &Path, address: SocketAddr) -> Child {
    let program = super::variable("NATS_SERVER").unwrap_or_else(|| {
        let of_debian = "/usr/sbin/nats-server";
        if Path::new(of_debian).exists() { of_debian.to_owned() } else { "nats-server".to_owned() }
    });
    let log = fs::File::create(folder.join("log")).expect("a file");
    let child = Command::new(program)
        .arg("--config")
        .arg(folder.join("nats.conf"))
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("nats-server, which `./test` installs");
    // It sends its INFO once it serves.
    eventually("nats-server", || {
        let stream = TcpStream::connect(address).ok()?;
        stream.set_read_timeout(Some(DEADLINE)).ok()?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).ok().filter(|_| line.starts_with("INFO"))
    });
    child
}
