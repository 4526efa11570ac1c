//! Captured network traffic: the packets of MSMQ in it.

use std::io::Write;

use remassist::core::{DecodeOptions, Policy};
use serde_json::{Value, json};

use self::file::Moment;
use self::streams::{Found, Streams, What};
use crate::args::InspectArgs;
use crate::inspect::{deviation, options, redact};
use crate::{Failure, msmq, tree};

mod file;
mod link;
mod streams;

pub use self::file::recognises;

/// Prints the packets in the order in which they were whole.
pub fn run(args: &InspectArgs, input: &[u8], out: &mut dyn Write) -> Result<(), Failure> {
    let options = options(args).with_trace(!args.json);
    let mut printer = Printer { args, options, out, packets: 0 };
    let mut streams = Streams::default();
    let mut frames = 0_usize;
    let mut broken = None;
    for frame in file::frames(input)? {
        match frame {
            Ok(frame) => {
                frames = frames.saturating_add(1);
                streams.take(&frame, &mut |found| printer.print(&found))?;
            }
            Err(error) => broken = Some(error),
        }
    }
    streams.finish(&mut |found| printer.print(&found))?;
    let packets = printer.packets;
    if !args.json {
        writeln!(out, "{packets} packets of MSMQ in {frames} frames{}", streams.left_out())?;
    }
    broken.map_or(Ok(()), |error| {
        out.flush()?;
        Err(error)
    })
}

struct Printer<'o> {
    args: &'o InspectArgs,
    options: DecodeOptions,
    out: &'o mut dyn Write,
    packets: usize,
}

impl Printer<'_> {
    fn print(&mut self, found: &Found<'_>) -> Result<(), Failure> {
        match (found.what, self.args.json) {
            (What::Packet(bytes), false) => self.tree(found, bytes),
            (What::Packet(bytes), true) => self.json(found, bytes),
            (What::Note(note), false) => Ok(writeln!(self.out, "{}  {note}\n", head(found))?),
            (What::Note(note), true) => self.line(found, json!({ "note": note })),
        }
    }

    fn failed(&self, found: &Found<'_>, error: &dyn std::fmt::Display) -> Result<String, Failure> {
        let text = format!("msmq: {error}");
        match self.options.policy {
            Policy::Strict => Err(Failure::Input(format!("{}  {text}", head(found)))),
            Policy::Tolerant => Ok(text),
        }
    }

    fn tree(&mut self, found: &Found<'_>, bytes: &[u8]) -> Result<(), Failure> {
        self.packets = self.packets.saturating_add(1);
        write!(self.out, "#{} {}  ", self.packets, head(found))?;
        match msmq::one(bytes, &self.options) {
            Ok(one) => {
                writeln!(self.out, "{}, {} bytes", one.at.structure, bytes.len())?;
                let msmq::Inspected { trace, deviations, .. } = one.inspected;
                tree::print(self.out, bytes, &trace, &deviations, self.args.show_secrets)?;
            }
            Err(error) => {
                let text = self.failed(found, &error)?;
                writeln!(self.out, "{text}")?;
            }
        }
        Ok(writeln!(self.out)?)
    }

    fn json(&mut self, found: &Found<'_>, bytes: &[u8]) -> Result<(), Failure> {
        self.packets = self.packets.saturating_add(1);
        let details = match msmq::one(bytes, &self.options) {
            Ok(one) => {
                let deviations: Vec<Value> = one.inspected.deviations.iter().map(deviation).collect();
                // An array, so that `encode` takes it as it is.
                let value = json!([one.inspected.value]);
                json!({ "packet": one.at.structure, "kind": "msmq", "value": value, "deviations": deviations })
            }
            Err(error) => json!({ "kind": "msmq", "error": self.failed(found, &error)? }),
        };
        self.line(found, details)
    }

    fn line(&mut self, found: &Found<'_>, details: Value) -> Result<(), Failure> {
        let mut json = json!({
            "time": found.time.map(Moment::to_json),
            "transport": found.transport,
            "from": found.from.to_string(),
            "to": found.to.to_string(),
        });
        if let (Value::Object(json), Value::Object(details)) = (&mut json, details) {
            json.extend(details);
        }
        if !self.args.show_secrets {
            redact(&mut json);
        }
        Ok(writeln!(self.out, "{json}")?)
    }
}

/// When, from where, to where.
fn head(found: &Found<'_>) -> String {
    let time = found.time.map_or_else(String::new, |time| format!("{time}  "));
    format!("{time}{} -> {}", found.from, found.to)
}
