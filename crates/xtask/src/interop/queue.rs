//! RabbitMQ, unpacked from Debian's packages into a directory: neither root nor services, and nothing of the system is
//! touched. The scenarios are tests of tests/tests/comqc_broker, which start the broker.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Options, skipped};
use crate::run::{Outcome, Result, command, installed, output, run, run_lines, sh, target};

/// The broker, and what it needs of Erlang.
const PACKAGES: &[&str] = &[
    "rabbitmq-server",
    "erlang-base",
    "erlang-asn1",
    "erlang-crypto",
    "erlang-eldap",
    "erlang-ftp",
    "erlang-inets",
    "erlang-mnesia",
    "erlang-os-mon",
    "erlang-parsetools",
    "erlang-public-key",
    "erlang-runtime-tools",
    "erlang-snmp",
    "erlang-ssl",
    "erlang-syntax-tools",
    "erlang-tftp",
    "erlang-tools",
    "erlang-xmerl",
];
/// The foreign publisher and consumer.
const CLIENT: &str = "python3-pika";
/// All scenarios, one after the other.
const TEST: &str =
    "cargo test --quiet --workspace --test comqc_broker -- --ignored --nocapture --exact scenarios";
/// What each scenario tells when it has passed.
const PASSED: &str = "ok: queue: ";

pub fn queues(options: &Options) -> Result<Outcome> {
    let Some(root) = install() else {
        skipped("rabbitmq-server is");
        return Ok(Outcome::Skipped("no rabbitmq-server".into()));
    };
    if !root.join("usr/lib/python3/dist-packages/pika").exists() {
        skipped("python3-pika is");
    }
    run(command("cargo build --quiet --package remassist-cli"))?;
    let mut test = command(TEST);
    test.env("REMASSIST_RABBITMQ", &root).env("REMASSIST_PROGRAM", target().join("debug/remassist"));
    if let Some(only) = &options.only {
        test.env("REMASSIST_ONLY", only);
    }
    let mut count = 0;
    // libtest may have begun the line.
    run_lines(test, |line| count += u32::from(line.contains(PASSED)))?;
    if count == 0 && options.only.is_none() {
        return Err("no scenario of queues ran".into());
    }
    Ok(Outcome::Passed(format!("{count} scenarios with RabbitMQ {}", version(&root))))
}

fn version(root: &Path) -> String {
    let there = fs::read_dir(root.join("usr/lib/rabbitmq/lib")).into_iter().flatten().flatten().next();
    let name = there.map(|entry| entry.file_name().to_string_lossy().into_owned()).unwrap_or_default();
    name.trim_start_matches("rabbitmq_server-").to_owned()
}

/// Unpacks the packages where they are not there yet.
fn install() -> Option<PathBuf> {
    let folder = std::path::absolute(target().join("interop/rabbitmq")).ok()?;
    if folder.exists() {
        return Some(folder);
    }
    match unpack(&folder) {
        Ok(()) => Some(folder),
        Err(why) => {
            println!("RabbitMQ: {why}");
            None
        }
    }
}

fn unpack(folder: &Path) -> Result {
    if !installed("apt-get") || !installed("dpkg-deb") {
        return Err("this is not Debian".into());
    }
    let unfinished = folder.with_extension("new");
    let _old = fs::remove_dir_all(&unfinished);
    let packages = unfinished.join("packages");
    fs::create_dir_all(&packages).map_err(|e| e.to_string())?;
    if output("id -u").as_deref() == Some("0") {
        let _may_be_new_enough = sh("apt-get update -qq");
    }
    let download = |names: &[&str]| {
        // As it is by itself it would want to change to another user, who cannot write here.
        let mut download = command("apt-get download -qq -o APT::Sandbox::User=root");
        download.args(names).current_dir(&packages);
        run(download)
    };
    download(PACKAGES)?;
    let _scenarios_skip_it = download(&[CLIENT]);
    for entry in fs::read_dir(&packages).map_err(|e| e.to_string())?.flatten() {
        let mut unpack = command("dpkg-deb -x");
        unpack.arg(entry.path()).arg(&unfinished);
        run(unpack)?;
    }
    fs::remove_dir_all(&packages).map_err(|e| e.to_string())?;
    // It knows where it was to be installed.
    let erl = unfinished.join("usr/lib/erlang/bin/erl");
    let script = fs::read_to_string(&erl).map_err(|e| e.to_string())?;
    let there = format!("ROOTDIR={}", folder.join("usr/lib/erlang").display());
    fs::write(&erl, script.replace("ROOTDIR=/usr/lib/erlang", &there)).map_err(|e| e.to_string())?;
    fs::rename(&unfinished, folder).map_err(|e| e.to_string())
}
