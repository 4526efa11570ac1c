//! Lanes that need another target or toolchain. Where it cannot be had, a lane says so and passes.

use crate::ci::{libraries, passed};
use crate::run::{Outcome, Result, apt, command, installed, output, run, sh};

/// Crates without std when their default features are off, with features that work there.
const NO_STD: &[(&str, &str)] = &[
    ("remassist-core", ""),
    ("remassist-core", "crypto"),
    ("ra-channel", ""),
    ("ra-channel", "crypto"),
    ("comqc-format", ""),
    ("comqc-session", ""),
    ("dce-rpc", ""),
    ("msmq-packet", ""),
    ("ndr-oaut", ""),
    ("ra-dcom", ""),
    ("rdp-standard-security", ""),
];

/// Crates that need an operating system: layer 3 and above.
const NEED_A_SYSTEM: &[&str] = &["ra-rdp", "rpc-net", "ra-dcom", "comqc-msmq"];
/// Features of the facade that bring them.
const SYSTEM_FEATURES: &[&str] = &["rdp", "dcom", "comqc-msmq", "rabbitmq", "msmq-rpc"];

/// Tests that Miri is quick with: a test program, and parts of names (none: all of it).
const MIRI: &[(&str, &str)] = &[
    ("core_decode", ""),
    ("core_text", "errors rules text detection"),
    ("core_utf16", "the_error terminators json_keeps"),
    ("core_xml", "values rules_broken secrets"),
    ("connstring", "printed_sample"),
    ("rccommand", "errors_name strict_and"),
];

fn skipped(what: &str) -> Result<Outcome> {
    println!("!!!! SKIPPED: {what} cannot be had on this machine !!!!");
    Ok(Outcome::Skipped(format!("{what} cannot be had")))
}

/// Runs a lane when its target is there or can be added.
fn with_target(target: &str, lane: impl FnOnce() -> Result<Outcome>) -> Result<Outcome> {
    let there = || output("rustup target list --installed").is_some_and(|l| l.lines().any(|l| l == target));
    if !there() && (sh(&format!("rustup target add {target}")).is_err() || !there()) {
        return skipped(&format!("the target {target}"));
    }
    lane()
}

pub fn no_std() -> Result<Outcome> {
    let target = "thumbv7em-none-eabi";
    with_target(target, || {
        for (name, features) in NO_STD {
            sh(&format!(
                "cargo build --quiet -p {name} --no-default-features --features={features} --target {target}"
            ))?;
        }
        Ok(Outcome::Passed(format!("{} builds", NO_STD.len())))
    })
}

pub fn wasm() -> Result<Outcome> {
    let target = "wasm32-unknown-unknown";
    with_target(target, || {
        let mut crates = String::new();
        let libraries = libraries()?;
        for library in libraries.iter().filter(|l| !NEED_A_SYSTEM.contains(&l.name.as_str())) {
            crates += &format!(" -p {}", library.name);
            for feature in library.features.iter().filter(|f| !SYSTEM_FEATURES.contains(&f.as_str())) {
                crates += &format!(" --features {}/{feature}", library.name);
            }
        }
        sh(&format!("cargo build --quiet --target {target}{crates}")).map(passed)
    })
}

pub fn windows() -> Result<Outcome> {
    let target = "x86_64-pc-windows-gnu";
    // The cryptography of TLS has parts in C.
    let compiler = "x86_64-w64-mingw32-gcc";
    with_target(target, || {
        if !installed(compiler) {
            apt("gcc-mingw-w64-x86-64-win32");
        }
        if !installed(compiler) {
            return skipped(compiler);
        }
        sh(&format!("cargo check --quiet --workspace --target {target}")).map(passed)
    })
}

pub fn miri() -> Result<Outcome> {
    let there = || output("cargo +nightly miri --version").is_some();
    if !there() {
        let _may_fail = sh("rustup toolchain install nightly --profile minimal --component miri,rust-src");
        if !there() {
            return skipped("Miri on a nightly toolchain");
        }
    }
    for (test, names) in MIRI {
        let mut miri =
            command(&format!("cargo +nightly miri test --quiet -p suite-tests --test {test} -- {names}"));
        miri.env("MIRIFLAGS", "-Zmiri-disable-isolation -Zmiri-ignore-leaks");
        run(miri)?;
    }
    Ok(passed(()))
}
