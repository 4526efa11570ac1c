//! A RabbitMQ broker of its own: directory, node name and ports are nobody else's, and nothing needs root.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Where the packages were unpacked, when that is not `interop/rabbitmq` below cargo's target directory.
const ROOT: &str = "REMASSIST_RABBITMQ";
const SERVER: &str = "usr/lib/rabbitmq/bin/rabbitmq-server";
/// Only a failure ever takes so long.
const DEADLINE: Duration = Duration::from_secs(120);

static BROKERS: AtomicU32 = AtomicU32::new(0);

/// A broker that ends with its value.
#[derive(Debug)]
pub struct Broker {
    root: PathBuf,
    folder: PathBuf,
    /// Where it speaks AMQP.
    pub port: u16,
    /// Where it speaks AMQP over TLS, if it has a certificate.
    pub tls_port: u16,
    /// Its certificate, which is its own authority.
    pub certificate: Option<PathBuf>,
    distribution: u16,
    mapper: Child,
    mapper_port: u16,
    server: Option<Child>,
}

impl Broker {
    /// Where RabbitMQ is installed: `cargo xtask interop` unpacks it.
    pub fn root() -> Option<PathBuf> {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
        let given = std::env::var_os(ROOT).map(PathBuf::from);
        let roots = given.into_iter().chain([target.join("interop/rabbitmq"), "/".into()]);
        roots.into_iter().find(|root| root.join(SERVER).exists())
    }

    /// Starts one in a new directory, and waits until it takes connections.
    pub fn start(root: &Path) -> Self {
        Self::start_with(root, None)
    }

    /// With TLS, too: files of a certificate and its key.
    pub fn start_with(root: &Path, certificate: Option<(&Path, &Path)>) -> Self {
        let number = BROKERS.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("remassist-broker-{}-{number}", std::process::id()));
        let _old = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("log")).unwrap();
        let [port, tls_port, distribution, mapper_port] = free_ports();
        let mut configuration = "raft.wal_max_size_bytes = 33554432\n".to_owned();
        if let Some((certificate, key)) = certificate {
            configuration += &format!(
                "listeners.ssl.1 = 127.0.0.1:{tls_port}\nssl_options.certfile = {}\nssl_options.keyfile = {}\n\
                 ssl_options.verify = verify_none\n",
                certificate.display(),
                key.display()
            );
        }
        fs::write(folder.join("rabbitmq.conf"), configuration).unwrap();
        fs::write(folder.join("plugins"), "[].").unwrap();
        // Erlang would start one for itself, which would stay.
        let mut mapper = Command::new(erlang(root).join("epmd"));
        mapper.env("ERL_EPMD_ADDRESS", "127.0.0.1").args(["-port", &mapper_port.to_string()]);
        let mapper = mapper.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let (root, server) = (std::path::absolute(root).unwrap(), None);
        let certificate = certificate.map(|(certificate, _)| certificate.to_owned());
        let mut broker =
            Self { root, folder, port, tls_port, certificate, distribution, mapper, mapper_port, server };
        broker.restart();
        broker
    }

    /// Starts it again, with what it has kept.
    pub fn restart(&mut self) {
        assert!(self.server.is_none(), "the broker runs");
        let log = File::options().create(true).append(true).open(self.folder.join("output")).unwrap();
        let mut server = Command::new(self.root.join(SERVER));
        let path = std::env::var("PATH").unwrap_or_default();
        let inside = |name: &str| self.folder.join(name);
        server
            .env("HOME", &self.folder)
            .env("PATH", format!("{}:{path}", erlang(&self.root).display()))
            .env("ERL_EPMD_PORT", self.mapper_port.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODENAME", format!("test{}@localhost", self.port))
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", self.port.to_string())
            .env("RABBITMQ_DIST_PORT", self.distribution.to_string())
            .env("RABBITMQ_MNESIA_BASE", inside("mnesia"))
            .env("RABBITMQ_LOG_BASE", inside("log"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", inside("plugins"))
            .env("RABBITMQ_CONFIG_FILE", inside("rabbitmq.conf"))
            .env("RABBITMQ_CONF_ENV_FILE", inside("none"))
            .env("RABBITMQ_GENERATED_CONFIG_DIR", inside("generated"))
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}")
            // Where it leaves what it has to say when it crashes.
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        // A group of its own, which is what has to end.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut server, 0);
        self.server = Some(server.spawn().unwrap());
        let begun = Instant::now();
        while !self.answers() {
            let ended = self.server.as_mut().unwrap().try_wait().unwrap();
            assert!(
                ended.is_none() && begun.elapsed() < DEADLINE,
                "no RabbitMQ ({ended:?}):\n{}",
                self.output()
            );
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Whether it begins to speak AMQP: connection.start is a method.
    fn answers(&self) -> bool {
        let mut first = [0];
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok_and(|mut stream| {
            stream.set_read_timeout(Some(DEADLINE)).is_ok()
                && stream.write_all(b"AMQP\0\0\x09\x01").is_ok()
                && stream.read_exact(&mut first).is_ok()
                && first == [1]
        })
    }

    fn output(&self) -> String {
        fs::read_to_string(self.folder.join("output")).unwrap_or_default()
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.end("KILL");
    }

    /// SIGTERM: it ends in its own way.
    pub fn stop(&mut self) {
        self.end("TERM");
    }

    fn end(&mut self, signal: &str) {
        let Some(mut server) = self.server.take() else { return };
        let group = format!("-{}", server.id());
        let _sent = Command::new("kill").args([&format!("-{signal}"), "--", &group]).status();
        let begun = Instant::now();
        while server.try_wait().unwrap().is_none() {
            if begun.elapsed() > DEADLINE {
                let _last = Command::new("kill").args(["-KILL", "--", &group]).status();
            }
            thread::sleep(Duration::from_millis(20));
        }
        // The script has ended; the machine under it may take longer.
        while TcpListener::bind((Ipv4Addr::LOCALHOST, self.distribution)).is_err()
            && begun.elapsed() < DEADLINE
        {
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The address of a queue.
    pub fn address(&self, queue: &str) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/?queue={queue}", self.port)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.end("KILL");
        let _ended = self.mapper.kill();
        let _reaped = self.mapper.wait();
        if thread::panicking() {
            println!("the broker's files are in {}", self.folder.display());
        } else {
            let _gone = fs::remove_dir_all(&self.folder);
        }
    }
}

fn erlang(root: &Path) -> PathBuf {
    root.join("usr/lib/erlang/bin")
}

fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}
