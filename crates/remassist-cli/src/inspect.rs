//! `remassist inspect`.

use std::io::Write;

use ra_rdp::RecordingReader;
use remassist::connstring::ConnectionString;
use remassist::core::text::{TextDocument, TextFormat as _};
use remassist::core::{Decode as _, DecodeOptions, Deviation};
use remassist::invitation::{self, Invitation, TicketError};
use serde_json::{Value, json};

use crate::args::{InspectArgs, KindArg};
use crate::kinds::{Inspected, Kind, by_name};
use crate::{Failure, bindings, capture, detect, input, recording, tree};

impl KindArg {
    /// The kind named; `None` for `auto`.
    pub fn kind(self) -> Option<&'static Kind> {
        by_name(match self {
            Self::Auto | Self::Recording | Self::Capture => return None,
            Self::Invitation => "invitation",
            Self::Connstring => "connstring",
            Self::RcCtl => "rc-ctl",
            Self::Encomsp => "encomsp",
            Self::Rccommand => "rccommand",
            Self::Contact => "contact",
            Self::ExpertBlob => "expert-blob",
            Self::HelpBlob => "help-blob",
            Self::Chat => "chat",
            Self::Comqc => "comqc",
            Self::OautBstr => "oaut-bstr",
            Self::OautVariant => "oaut-variant",
            Self::OautSafearray => "oaut-safearray",
            Self::Objref => "objref",
            Self::RaiCall => "rai-call",
            Self::RpcPdu => "rpc-pdu",
            Self::Msmq => "msmq",
        })
    }
}

pub fn run(args: &InspectArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let password = args.password.read()?;
    let told = args.stub.told(args.kind)?;
    let mut input = input::read(&args.file)?;
    if args.hex {
        input = input::unhex(&input)?;
    }
    if is_recording(args.kind, &input) {
        return match args.json {
            true => recording::print_json(&input, &options(args), args.show_secrets, out),
            false => recording::print(&input, out),
        };
    }
    if args.kind == KindArg::Capture || (args.kind == KindArg::Auto && capture::recognises(&input)) {
        return capture::run(args, &input, out);
    }
    let kind = args.kind.kind().or_else(|| detect::detect(&input));
    let unknown = || Failure::Input("not recognised as any kind: try --kind".to_owned());
    let kind = kind.ok_or_else(unknown)?;
    let options = options(args).with_trace(!args.json);
    let inspected =
        (kind.inspect)(&input, &options, &told).map_err(|e| Failure::Input(format!("{}: {e}", kind.name)))?;
    let ticket = match password {
        Some(password) if kind.name == "invitation" => Ticket::decrypt(&input, password.expose())?,
        _ => None,
    };
    if args.json {
        return print_json(args, kind, inspected, ticket, out);
    }
    writeln!(out, "{}, {} bytes", kind.name, input.len())?;
    tree::print(out, &input, &inspected.trace, &inspected.deviations, args.show_secrets)?;
    if let Some(ticket) = ticket {
        ticket.print(args.show_secrets, &options, out)?;
    }
    Ok(())
}

pub fn options(args: &InspectArgs) -> DecodeOptions {
    let policy = if args.strict { DecodeOptions::STRICT } else { DecodeOptions::TOLERANT };
    policy.with_limits(input::limits())
}

fn is_recording(kind: KindArg, input: &[u8]) -> bool {
    kind == KindArg::Recording || (kind == KindArg::Auto && RecordingReader::recognises(input))
}

fn print_json(
    args: &InspectArgs,
    kind: &Kind,
    inspected: Inspected,
    ticket: Option<Ticket>,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let deviations: Vec<Value> = inspected.deviations.iter().map(deviation).collect();
    let mut json = json!({ "kind": kind.name, "value": inspected.value, "deviations": deviations });
    bindings::add(&mut json);
    if let (Some(ticket), Value::Object(map)) = (ticket, &mut json) {
        map.insert("ticket".to_owned(), ticket.json());
    }
    if !args.show_secrets {
        redact(&mut json);
    }
    serde_json::to_writer_pretty(&mut *out, &json).map_err(std::io::Error::from)?;
    writeln!(out)?;
    Ok(())
}

pub fn deviation(deviation: &Deviation) -> Value {
    let Deviation { offset, at, kind } = deviation;
    json!({
        "offset": offset,
        "structure": at.structure,
        "field": at.field,
        "section": format!("{} {}", at.doc, at.section),
        "problem": kind.to_string(),
    })
}

/// Takes the secrets out: `{"secret": ..}` becomes `{"secret": null}`, which `encode` refuses.
pub fn redact(json: &mut Value) {
    match json {
        Value::Object(map) => {
            if map.len() == 1
                && let Some(secret) = map.get_mut("secret")
            {
                *secret = Value::Null;
            } else {
                map.values_mut().for_each(redact);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact),
        _ => {}
    }
}

/// What an invitation's LHTICKET says under the password.
struct Ticket {
    text: invitation::Ticket,
}

impl Ticket {
    fn decrypt(file: &[u8], password: &str) -> Result<Option<Self>, Failure> {
        let limits = input::limits();
        let decoded =
            TextDocument::<Invitation<'_>>::decode_with(file, &DecodeOptions::TOLERANT.with_limits(limits));
        let Ok(document) = decoded else { return Ok(None) };
        match document.value.content.decrypt_ticket(password) {
            Ok(text) => Ok(Some(Self { text })),
            // Files of type 1 have their ticket in the clear.
            Err(TicketError::Absent) => Ok(None),
            Err(e) => Err(Failure::Input(e.to_string())),
        }
    }

    fn print(&self, show_secrets: bool, options: &DecodeOptions, out: &mut dyn Write) -> Result<(), Failure> {
        let text = self.text.expose();
        let decoded = ConnectionString::parse_with(text, options);
        let decoded = decoded.map_err(|e| Failure::Input(format!("decrypted LHTICKET: {e}")))?;
        writeln!(
            out,
            "\nLHTICKET decrypted, {} bytes; offsets count from the beginning of its text",
            text.len()
        )?;
        if show_secrets {
            writeln!(out, "{text}")?;
        }
        tree::print(out, text.as_bytes(), &decoded.trace, &decoded.deviations, show_secrets)?;
        Ok(())
    }

    fn json(&self) -> Value {
        json!({ "secret": self.text.expose() })
    }
}
