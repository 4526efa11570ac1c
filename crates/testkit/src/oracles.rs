//! One function for each fuzz target: it panics when a law is broken. Tests replay the corpora through them.

mod channel;
mod comqc;
mod comqc_filter;
mod comqc_names;
mod comqc_session;
mod connstring;
mod core;
mod dcom;
mod dcom_novice;
mod invitation;
mod logon;
mod msmq;
mod msmq_session;
mod ndr;
mod rccommand;
mod rdp;
mod rpc;
mod session;
mod standard_security;

/// An oracle by the name of its fuzz target.
pub type Oracle = (&'static str, fn(&[u8]));

/// Every oracle.
pub fn all() -> impl Iterator<Item = Oracle> {
    [
        channel::ALL,
        comqc::ALL,
        comqc_filter::ALL,
        comqc_names::ALL,
        comqc_session::ALL,
        connstring::ALL,
        core::ALL,
        dcom::ALL,
        dcom_novice::ALL,
        invitation::ALL,
        logon::ALL,
        msmq::ALL,
        msmq_session::ALL,
        ndr::ALL,
        rccommand::ALL,
        rdp::ALL,
        rpc::ALL,
        session::ALL,
        standard_security::ALL,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// Runs the oracle of a name: what a fuzz target does.
pub fn run(name: &str, input: &[u8]) {
    let (_, oracle) = all().find(|(n, _)| *n == name).unwrap_or_else(|| panic!("no oracle {name}"));
    oracle(input);
}
