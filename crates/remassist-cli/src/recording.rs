//! Recordings of what passed on the channels of a connection.

use std::fs::File;
use std::io::{self, LineWriter, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use ra_rdp::{Passed, Record, Recorder, RecordingReader, RecordingWriter};
use remassist::core::DecodeOptions;
use remassist::session::{Channel, describe};
use serde_json::{Value, json};

use crate::inspect::{deviation, redact};
use crate::kinds::by_name;
use crate::stub::Told;
use crate::transcript::Transcript;
use crate::{Failure, output};

/// A file that connections are recorded in, one after the other. Only the owner can read it.
pub struct Recording {
    file: Arc<Mutex<Tape>>,
    begin: Instant,
}

struct Tape {
    writer: Option<RecordingWriter<LineWriter<File>>>,
    /// Why there is no writer any more.
    error: Option<io::Error>,
}

impl Recording {
    /// Takes the place of a file that is there.
    pub fn create(path: &Path) -> Result<Self, Failure> {
        let file = output::beside(path).and_then(|file| Ok(file.persist(path)?));
        let writer = file.and_then(|file| RecordingWriter::new(LineWriter::new(file)));
        let writer = Some(writer.map_err(|e| Failure::Usage(format!("{}: {e}", path.display())))?);
        let file = Arc::new(Mutex::new(Tape { writer, error: None }));
        Ok(Self { file, begin: Instant::now() })
    }

    /// The recorder of a connection.
    pub fn recorder(&self) -> impl Recorder + use<> {
        let (file, begin) = (Arc::clone(&self.file), self.begin);
        move |record: &Record<'_>| {
            let mut tape = file.lock().unwrap_or_else(PoisonError::into_inner);
            let record = Record { time: begin.elapsed(), ..record.clone() };
            if let Some(Err(error)) = tape.writer.as_mut().map(|writer| writer.write(&record)) {
                *tape = Tape { writer: None, error: Some(error) };
            }
        }
    }

    /// What went wrong with the file, once.
    pub fn error(&self) -> Option<io::Error> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner).error.take()
    }
}

/// Prints a recording as a transcript.
pub fn print(input: &[u8], out: &mut dyn Write) -> Result<(), Failure> {
    let mut transcript = Transcript::new(out);
    for record in read(input)? {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                transcript.flush()?;
                drop(transcript);
                out.flush()?;
                return Err(invalid(&error));
            }
        };
        transcript.record(&record)?;
    }
    Ok(transcript.flush()?)
}

fn read(input: &[u8]) -> Result<RecordingReader<&[u8]>, Failure> {
    RecordingReader::new(input).map_err(|error| invalid(&error))
}

fn invalid(error: &io::Error) -> Failure {
    Failure::Input(format!("recording: {error}"))
}

/// Prints a recording as JSON: one object in a line for each record.
pub fn print_json(
    input: &[u8],
    options: &DecodeOptions,
    show_secrets: bool,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    for record in read(input)? {
        let mut json = json(&record.map_err(|error| invalid(&error))?, options);
        if !show_secrets {
            redact(&mut json);
        }
        writeln!(out, "{json}")?;
    }
    Ok(())
}

fn json(record: &Record<'_>, options: &DecodeOptions) -> Value {
    let Record { time, from, channel, what } = record;
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let mut json = json!({ "ms": millis, "from": from.to_string(), "channel": channel.to_string() });
    let details = match what {
        Passed::Opened => json!({ "opened": true }),
        Passed::Closed => json!({ "closed": true }),
        Passed::Message(bytes) => message(*channel, bytes, options),
    };
    if let (Value::Object(json), Value::Object(details)) = (&mut json, details) {
        json.extend(details);
    }
    json
}

fn message(channel: Channel, bytes: &[u8], options: &DecodeOptions) -> Value {
    let messages: Vec<Value> = describe(channel, bytes)
        .iter()
        .map(|d| json!({ "channel": d.channel.to_string(), "name": d.name, "detail": d.detail, "section": d.section }))
        .collect();
    let mut json = json!({ "bytes": bytes.len(), "messages": messages });
    let kind = match channel {
        Channel::Control | Channel::Remdesk => "rc-ctl",
        Channel::Chat => "chat",
        Channel::Commands => "rccommand",
        Channel::Encomsp => "encomsp",
        // Its data is that of a file.
        _ => return json,
    };
    let decoded = by_name(kind).map(|kind| (kind.inspect)(bytes, options, &Told::default()));
    let details = match decoded {
        Some(Ok(inspected)) => {
            let deviations: Vec<Value> = inspected.deviations.iter().map(deviation).collect();
            json!({ "kind": kind, "value": inspected.value, "deviations": deviations })
        }
        Some(Err(error)) => json!({ "kind": kind, "error": error.to_string() }),
        None => return json,
    };
    if let (Value::Object(json), Value::Object(details)) = (&mut json, details) {
        json.extend(details);
    }
    json
}
