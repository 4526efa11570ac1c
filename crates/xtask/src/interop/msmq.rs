//! MSMQ's protocols over RPC: impacket as client and as server. The scenarios are tests of tests/tests/msmq_rpc.

use super::impacket::Impacket;
use super::{Options, skipped, tshark};
use crate::run::{Outcome, Result, command, run_lines, target};

/// All scenarios, one after the other.
const TEST: &str =
    "cargo test --quiet --workspace --test msmq_rpc -- --ignored --nocapture --exact peers::scenarios";
/// What each scenario tells when it has passed.
const PASSED: &str = "ok: msmq: ";

pub fn msmq(options: &Options) -> Result<Outcome> {
    let Some(impacket) = Impacket::find(&target().join("interop")) else {
        skipped("impacket is");
        return Ok(Outcome::Skipped("no impacket".into()));
    };
    if !tshark::is_there() {
        skipped("tshark is");
    }
    let mut test = command(TEST);
    test.env("REMASSIST_IMPACKET", std::path::absolute(impacket.python()).map_err(|e| e.to_string())?);
    if let Some(only) = &options.only {
        test.env("REMASSIST_ONLY", only);
    }
    let mut count = 0;
    // libtest may have begun the line.
    run_lines(test, |line| count += u32::from(line.contains(PASSED)))?;
    if count == 0 && options.only.is_none() {
        return Err("no scenario of MSMQ over RPC ran".into());
    }
    Ok(Outcome::Passed(format!("{count} scenarios of MSMQ over RPC with impacket {}", impacket.version)))
}
