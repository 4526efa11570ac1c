//! Samba in a folder and at a loopback address of its own: nothing of the system is touched, and port 135 is free there.

use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::program::Killed;
use super::until;
use crate::run::Result;

/// The account of a standalone server; Samba wants one that the system has, too.
pub const USER: &str = "root";
pub const PASSWORD: &str = "Pass123!";
pub const REALM: &str = "REMASSIST.TEST";
/// The domain controller, as its Kerberos tickets name it.
pub const HOST: &str = "judge.remassist.test";

const DAEMON: &str = "/usr/libexec/samba/samba-dcerpcd";
/// The endpoint mapper's port, which Samba cannot change.
const MAPPER: u16 = 135;
const KERBEROS: u16 = 88;

/// Directories that Samba has elsewhere by default.
const DIRECTORIES: [(&str, &str); 7] = [
    ("private dir", "private"),
    ("state directory", "state"),
    ("cache directory", "cache"),
    ("lock directory", "lock"),
    ("pid directory", "run"),
    ("binddns dir", "bind"),
    ("ncalrpc dir", "ncalrpc"),
];

/// A standalone server: samr, lsarpc, winreg, srvsvc and others over TCP, with NTLM.
pub fn standalone_is_there() -> bool {
    Path::new(DAEMON).exists()
}

/// A domain controller with its own KDC: samr, lsarpc, netlogon, wkssvc over TCP, with NTLM and Kerberos.
pub fn domain_is_there() -> bool {
    Path::new("/usr/sbin/samba").exists() && Path::new("/usr/share/samba/setup/provision.ldif").exists()
}

/// A server that runs; it ends with its value, and its children, too.
pub struct Samba {
    pub address: Ipv4Addr,
    pub configuration: PathBuf,
    folder: PathBuf,
    server: Killed,
}

impl Samba {
    pub fn standalone(folder: PathBuf) -> Result<Self> {
        let address = free_address()?;
        let configuration = configure(
            &folder,
            address,
            "workgroup = NOVICE\nserver role = standalone server\nrpc start on demand helpers = no\n\
             disable spoolss = yes\n",
        )?;
        let mut add = Command::new("smbpasswd");
        add.arg("-c").arg(&configuration).args(["-a", "-s", USER]);
        let mut add = Killed::spawn(add.stdin(Stdio::piped()).stdout(Stdio::null()))?;
        let mut input = add.0.stdin.take().ok_or("no input")?;
        write!(input, "{PASSWORD}\n{PASSWORD}\n").map_err(|e| e.to_string())?;
        drop(input);
        let status = add.0.wait().map_err(|e| e.to_string())?;
        if !status.success() {
            return Err(format!("smbpasswd ended with {status}"));
        }
        let mut server = Command::new(DAEMON);
        server.args(["--libexec-rpcds", "-F", "--no-process-group"]);
        Self::start(server, folder, configuration, address, &[MAPPER])
    }

    /// Its administrator is `Administrator`, with [`PASSWORD`].
    pub fn domain(folder: PathBuf) -> Result<Self> {
        let address = free_address()?;
        let eadb = folder.join("eadb.tdb");
        let configuration = configure(
            &folder,
            address,
            &format!(
                "workgroup = REMASSIST\nrealm = {REALM}\nserver role = active directory domain controller\n\
                 server services = rpc, kdc\ndcerpc endpoint servers = epmapper, samr, lsarpc, netlogon, wkssvc\n\
                 posix:eadb = {}\n[sysvol]\npath = {}\n[netlogon]\npath = {}\n",
                eadb.display(),
                folder.join("state/sysvol").display(),
                folder.join("state/sysvol/remassist.test/scripts").display(),
            ),
        )?;
        let mut provision = Command::new("samba-tool");
        provision.args([
            "domain",
            "provision",
            "--domain=REMASSIST",
            "--server-role=dc",
            "--host-name=judge",
        ]);
        provision.args(["--dns-backend=NONE", &format!("--host-ip={address}"), &format!("--realm={REALM}")]);
        provision.arg(format!("--adminpass={PASSWORD}")).arg("-s").arg(&configuration);
        let output = provision.stdin(Stdio::null()).output().map_err(|e| format!("samba-tool: {e}"))?;
        if !output.status.success() {
            return Err(format!("samba-tool: {}", String::from_utf8_lossy(&output.stderr)));
        }
        let mut server = Command::new("/usr/sbin/samba");
        server.args(["-F", "-M", "single", "--debug-stdout"]);
        let samba = Self::start(server, folder, configuration, address, &[MAPPER, KERBEROS])?;
        let kerberos = format!(
            "[libdefaults]\ndefault_realm = {REALM}\ndns_lookup_kdc = false\nrdns = false\n\
             dns_canonicalize_hostname = false\n[realms]\n{REALM} = {{\nkdc = {address}\n}}\n\
             [domain_realm]\n.remassist.test = {REALM}\n"
        );
        fs::write(samba.krb5_conf(), kerberos).map_err(|e| e.to_string())?;
        Ok(samba)
    }

    /// The configuration of Kerberos clients.
    pub fn krb5_conf(&self) -> PathBuf {
        self.folder.join("krb5.conf")
    }

    fn start(
        mut server: Command,
        folder: PathBuf,
        configuration: PathBuf,
        address: Ipv4Addr,
        ports: &[u16],
    ) -> Result<Self> {
        let log = fs::File::create(folder.join("log")).map_err(|e| e.to_string())?;
        let errors = log.try_clone().map_err(|e| e.to_string())?;
        server.arg("-s").arg(&configuration);
        // A group of its own, which is what has to end.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut server, 0);
        let server = Killed::spawn(server.stdin(Stdio::null()).stdout(log).stderr(errors))?;
        let mut samba = Self { address, configuration, folder, server };
        for port in ports {
            until("Samba", || {
                if !samba.server.runs() {
                    let log = fs::read_to_string(samba.folder.join("log")).unwrap_or_default();
                    return Err(format!("Samba has ended:\n{log}"));
                }
                let at = SocketAddr::from((address, *port));
                Ok(TcpStream::connect_timeout(&at, Duration::from_secs(1)).ok())
            })?;
        }
        Ok(samba)
    }
}

impl Drop for Samba {
    fn drop(&mut self) {
        let group = format!("-{}", self.server.0.id());
        let _ended = Command::new("kill").args(["-TERM", "--", &group]).status();
        let _in_time = until("the end of Samba", || Ok((!self.server.runs()).then_some(())));
    }
}

/// Writes a configuration that points to nothing outside of the folder.
fn configure(folder: &Path, address: Ipv4Addr, more: &str) -> Result<PathBuf> {
    let mut text =
        String::from("[global]\nnetbios name = JUDGE\nbind interfaces only = yes\nload printers = no\n");
    text += &format!("interfaces = {address}/8\nlog file = {}\n", folder.join("log.%m").display());
    text += &format!("usershare path = {}\n", folder.join("usershare").display());
    for (option, name) in DIRECTORIES {
        let path = folder.join(name);
        fs::create_dir_all(&path).map_err(|e| e.to_string())?;
        text += &format!("{option} = {}\n", path.display());
    }
    let path = folder.join("smb.conf");
    fs::write(&path, text + more).map_err(|e| e.to_string())?;
    Ok(path)
}

/// A loopback address where nobody listens at the ports that Samba needs.
fn free_address() -> Result<Ipv4Addr> {
    let addresses = (1..=u8::MAX).map(|last| Ipv4Addr::new(127, 77, 0, last));
    let mut free = addresses
        .filter(|address| [MAPPER, KERBEROS].iter().all(|port| TcpListener::bind((*address, *port)).is_ok()));
    free.next()
        .ok_or_else(|| format!("no loopback address with ports {MAPPER} and {KERBEROS} that we may bind"))
}
