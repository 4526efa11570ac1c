//! What passes on the channels of a connection, for whoever wants to look into it.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::io::{self, BufRead, Read as _, Write};
use std::time::{Duration, Instant};

use ra_session::{Channel, Role};
use remassist_core::{Hex, from_hex};

/// The first line of a recording.
const HEAD: &str = "remassist recording 1";
/// Most characters of a line: 16 MiB of a message, and what stands before it.
const LINE: u64 = (32 << 20) + 256;

/// Is shown what passes on the channels of a connection, as it was sent or has come, before it is understood.
///
/// What it is shown has secrets: who has it can see what was said, and can try passwords at leisure.
pub trait Recorder: Send {
    /// Something has passed.
    fn record(&mut self, record: &Record<'_>);
}

impl<F: FnMut(&Record<'_>) + Send> Recorder for F {
    fn record(&mut self, record: &Record<'_>) {
        self(record);
    }
}

/// Something that passed on a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record<'a> {
    /// Since the recording began.
    pub time: Duration,
    /// Who sent it.
    pub from: Role,
    /// Where.
    pub channel: Channel,
    /// What.
    pub what: Passed<'a>,
}

/// What passes on a channel.
#[derive(Clone, PartialEq, Eq)]
pub enum Passed<'a> {
    /// The channel is there from now on.
    Opened,
    /// The channel is there no more.
    Closed,
    /// A message, whole.
    Message(Cow<'a, [u8]>),
}

impl Record<'_> {
    /// With a message of its own.
    #[must_use]
    pub fn into_owned(self) -> Record<'static> {
        let what = match self.what {
            Passed::Opened => Passed::Opened,
            Passed::Closed => Passed::Closed,
            Passed::Message(bytes) => Passed::Message(Cow::Owned(bytes.into_owned())),
        };
        Record { time: self.time, from: self.from, channel: self.channel, what }
    }
}

/// Bytes are counted, not shown.
impl fmt::Debug for Passed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opened => f.write_str("Opened"),
            Self::Closed => f.write_str("Closed"),
            Self::Message(bytes) => write!(f, "Message({} bytes)", bytes.len()),
        }
    }
}

/// A recorder, and since when it records.
pub(crate) struct Tape {
    recorder: Box<dyn Recorder>,
    begin: Instant,
}

impl Tape {
    pub(crate) fn new(recorder: Box<dyn Recorder>) -> Self {
        Self { recorder, begin: Instant::now() }
    }

    pub(crate) fn record(&mut self, from: Role, channel: Channel, what: Passed<'_>) {
        let time = self.begin.elapsed();
        self.recorder.record(&Record { time, from, channel, what });
    }
}

impl fmt::Debug for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tape").finish_non_exhaustive()
    }
}

/// Writes a recording: a first line that says so, then a line for each record: milliseconds, `expert` or `novice`, the name of
/// the channel, and `opened`, `closed` or the bytes in hexadecimal digits, with one blank between them.
///
/// ```text
/// remassist recording 1
/// 12 novice remdesk opened
/// 15 novice remdesk 0e0000000c000000520043005f00430054004c00000001000000010000000000000000
/// ```
#[derive(Debug)]
pub struct RecordingWriter<W> {
    out: W,
}

impl<W: Write> RecordingWriter<W> {
    /// Begins a recording.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn new(mut out: W) -> io::Result<Self> {
        writeln!(out, "{HEAD}")?;
        Ok(Self { out })
    }

    /// Adds a record: one call of `write` with a whole line.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&mut self, record: &Record<'_>) -> io::Result<()> {
        let mut line = format!("{} {} {} ", record.time.as_millis(), record.from, record.channel);
        match &record.what {
            Passed::Opened => line.push_str("opened"),
            Passed::Closed => line.push_str("closed"),
            Passed::Message(bytes) => {
                let _never_fails = write!(line, "{:x}", Hex(bytes));
            }
        }
        line.push('\n');
        self.out.write_all(line.as_bytes())
    }
}

/// Reads a recording, record by record.
#[derive(Debug)]
pub struct RecordingReader<R> {
    input: R,
    line: u64,
    buffer: Vec<u8>,
}

impl RecordingReader<()> {
    /// Whether a file with this beginning is a recording.
    #[must_use]
    pub fn recognises(head: &[u8]) -> bool {
        head.strip_prefix(HEAD.as_bytes()).is_some_and(|rest| matches!(rest.first(), Some(b'\n' | b'\r')))
    }
}

impl<R: BufRead> RecordingReader<R> {
    /// Reads the first line.
    ///
    /// # Errors
    /// Those of `input`; [`io::ErrorKind::InvalidData`] when it is no recording.
    pub fn new(input: R) -> io::Result<Self> {
        let mut this = Self { input, line: 0, buffer: Vec::new() };
        if this.next_line()?.is_none_or(|line| line != HEAD.as_bytes()) {
            return Err(this.invalid("not the beginning of a recording"));
        }
        Ok(this)
    }

    fn invalid(&self, what: &str) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, format!("line {}: {what}", self.line))
    }

    /// The next line without its end.
    fn next_line(&mut self) -> io::Result<Option<&[u8]>> {
        self.buffer.clear();
        self.line = self.line.saturating_add(1);
        let read = self.input.by_ref().take(LINE).read_until(b'\n', &mut self.buffer)?;
        if read == 0 {
            return Ok(None);
        }
        let Some(line) = self.buffer.strip_suffix(b"\n") else {
            return Err(self.invalid("it has no end"));
        };
        Ok(Some(line.strip_suffix(b"\r").unwrap_or(line)))
    }

    /// The next record.
    ///
    /// # Errors
    /// Those of the input; [`io::ErrorKind::InvalidData`] with the number of a line that is no record.
    fn next_record(&mut self) -> io::Result<Option<Record<'static>>> {
        let Some(line) = self.next_line()? else { return Ok(None) };
        let record = std::str::from_utf8(line).map_err(|_| "it is no text").and_then(parse);
        record.map(Some).map_err(|what| self.invalid(what))
    }
}

impl<R: BufRead> Iterator for RecordingReader<R> {
    type Item = io::Result<Record<'static>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_record().transpose()
    }
}

fn parse(line: &str) -> Result<Record<'static>, &'static str> {
    let mut fields = line.split(' ');
    let mut field = || fields.next().ok_or("a field is missing");
    let time = field()?.parse().map(Duration::from_millis).map_err(|_| "the time is no number")?;
    let from = match field()? {
        "expert" => Role::Expert,
        "novice" => Role::Novice,
        _ => return Err("it came neither from the expert nor from the novice"),
    };
    let channel = Channel::parse(field()?).ok_or("the channel is unknown")?;
    let what = match field()? {
        "opened" => Passed::Opened,
        "closed" => Passed::Closed,
        digits => Passed::Message(from_hex(digits).ok_or("the bytes are no hexadecimal digits")?.into()),
    };
    if field().is_ok() {
        return Err("something follows the bytes");
    }
    Ok(Record { time, from, channel, what })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ra_session::{Channel, Role};

    use super::{Passed, Record, RecordingReader, RecordingWriter};

    fn read(text: &str) -> Result<Vec<Record<'static>>, String> {
        let reader = RecordingReader::new(text.as_bytes()).map_err(|e| e.to_string())?;
        reader.map(|record| record.map_err(|e| e.to_string())).collect()
    }

    #[test]
    fn what_is_written_is_read() {
        let record = |millis, from, channel: &str, what| Record {
            time: Duration::from_millis(millis),
            from,
            channel: Channel::parse(channel).unwrap(),
            what,
        };
        let records = [
            record(0, Role::Novice, "remdesk", Passed::Opened),
            record(15, Role::Expert, "RA_FX", Passed::Message((0..=255).collect::<Vec<u8>>().into())),
            record(16, Role::Expert, "70", Passed::Message(Vec::new().into())),
            record(u64::MAX, Role::Novice, "encomsp", Passed::Closed),
        ];
        let mut out = Vec::new();
        let mut writer = RecordingWriter::new(&mut out).unwrap();
        records.iter().for_each(|record| writer.write(record).unwrap());
        let text = String::from_utf8(out).unwrap();
        assert!(RecordingReader::recognises(text.as_bytes()));
        assert_eq!(read(&text).unwrap(), records);
        assert_eq!(read(&text.replace('\n', "\r\n")).unwrap(), records);
        // Cut anywhere, it is an error or has fewer records; never a message that is shorter.
        for len in 0..text.len() {
            match read(&text[..len]) {
                Ok(fewer) => assert_eq!(fewer, records[..fewer.len()]),
                Err(error) => assert!(error.starts_with("line "), "{error}"),
            }
        }
        assert!(format!("{:?}", records[1]).ends_with("what: Message(256 bytes) }"));
    }

    #[test]
    fn what_is_no_recording() {
        assert!(!RecordingReader::recognises(b"remassist recording 12\n"));
        assert_eq!(read("remassist recording 2\n").unwrap_err(), "line 1: not the beginning of a recording");
        for (line, error) in [
            ("", "the time is no number"),
            ("1", "a field is missing"),
            ("-1 expert 70 00", "the time is no number"),
            ("1 nobody 70 00", "it came neither from the expert nor from the novice"),
            ("1 expert cliprdr 00", "the channel is unknown"),
            ("1 expert 70", "a field is missing"),
            ("1 expert 70 0", "the bytes are no hexadecimal digits"),
            ("1 expert 70 +1", "the bytes are no hexadecimal digits"),
            ("1 expert 70 00 ", "something follows the bytes"),
        ] {
            let text = format!("remassist recording 1\n{line}\n");
            assert_eq!(read(&text).unwrap_err(), format!("line 2: {error}"));
        }
    }
}
