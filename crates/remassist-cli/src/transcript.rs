//! What passes on the channels, line by line.

use std::io::{self, Write};
use std::time::Duration;

use anstyle::Style;
use ra_rdp::{Passed, Record};
use remassist::core::Role;
use remassist::session::{Description, describe};

/// Prints a transcript.
pub struct Transcript<'o> {
    out: &'o mut dyn Write,
    /// Everything that was printed.
    pub printed: String,
    /// File data that was not told yet: a line for each block is no transcript.
    blocks: Option<Blocks>,
    dim: Style,
    bold: Style,
}

/// Blocks of a file, one after the other.
struct Blocks {
    begin: Duration,
    from: Role,
    carrier: String,
    section: &'static str,
    count: u64,
    bytes: usize,
}

impl<'o> Transcript<'o> {
    pub fn new(out: &'o mut dyn Write) -> Self {
        let styled = anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never;
        let style = |style: Style| if styled { style } else { Style::new() };
        let (dim, bold) = (style(Style::new().dimmed()), style(Style::new().bold()));
        Self { out, printed: String::new(), blocks: None, dim, bold }
    }

    /// What passed on a channel.
    pub fn record(&mut self, record: &Record<'_>) -> io::Result<()> {
        let Record { time, from, channel, .. } = record;
        match &record.what {
            Passed::Opened => {
                self.passed(*time, *from, &channel.to_string(), "channel created", "[MS-RA] 2.1")
            }
            Passed::Closed => {
                self.passed(*time, *from, &channel.to_string(), "channel closed", "[MS-RA] 2.1")
            }
            Passed::Message(bytes) => {
                for description in describe(*channel, bytes) {
                    let carrier = match description.channel {
                        logical if logical == *channel => channel.to_string(),
                        logical => format!("{channel}/{logical}"),
                    };
                    if description.name == "file data" {
                        self.block(*time, *from, carrier, bytes.len(), description.section)?;
                        continue;
                    }
                    let Description { name, detail, section, .. } = description;
                    self.passed(*time, *from, &carrier, format!("{name} {detail}").trim_end(), section)?;
                }
                Ok(())
            }
        }
    }

    fn block(
        &mut self,
        time: Duration,
        from: Role,
        carrier: String,
        len: usize,
        section: &'static str,
    ) -> io::Result<()> {
        match &mut self.blocks {
            Some(blocks) if blocks.from == from && blocks.carrier == carrier => {
                blocks.count += 1;
                blocks.bytes += len;
                Ok(())
            }
            _ => {
                self.flush()?;
                self.blocks = Some(Blocks { begin: time, from, carrier, section, count: 1, bytes: len });
                Ok(())
            }
        }
    }

    /// Tells of blocks that were not told yet.
    pub fn flush(&mut self) -> io::Result<()> {
        let Some(Blocks { begin, from, carrier, section, count, bytes }) = self.blocks.take() else {
            return Ok(());
        };
        let messages = if count == 1 { "message" } else { "messages" };
        let said = format!("{count} {messages} of file data, {bytes} bytes");
        self.line(begin, from, &carrier, &said, section)
    }

    fn passed(
        &mut self,
        time: Duration,
        from: Role,
        carrier: &str,
        said: &str,
        section: &str,
    ) -> io::Result<()> {
        self.flush()?;
        self.line(time, from, carrier, said, section)
    }

    fn line(
        &mut self,
        time: Duration,
        from: Role,
        carrier: &str,
        said: &str,
        section: &str,
    ) -> io::Result<()> {
        let (to, dim) = (from.peer(), self.dim);
        self.print(time, &format!("{from} -> {to}  {carrier:<14} {said:<58} {dim}{section}{dim:#}"))
    }

    /// What a side makes of it.
    pub fn event(&mut self, time: Duration, role: Role, text: &str) -> io::Result<()> {
        self.flush()?;
        let bold = self.bold;
        self.print(time, &format!("{bold}{role:>6}: {text}{bold:#}"))
    }

    /// A line as it is.
    pub fn say(&mut self, text: &str) -> io::Result<()> {
        self.flush()?;
        self.printed.push_str(text);
        writeln!(self.out, "{text}")
    }

    fn print(&mut self, time: Duration, text: &str) -> io::Result<()> {
        let line = format!("{:>3}.{:03} s  {text}\n", time.as_secs(), time.subsec_millis());
        self.printed.push_str(&line);
        self.out.write_all(line.as_bytes())
    }
}
