//! Frames of AMQP 0-9-1 without the headers that a client library cannot read: no I/O.

use std::io;

/// Tables and arrays in one another.
const DEEPEST: usize = 32;
/// Bytes of the properties and headers of a message: what is sent here needs less.
const LONGEST: usize = 32 * 1024;
/// Bytes of what the broker may send as properties and headers.
const MOST: usize = 1024 * 1024;
/// Type, channel and size stand before the payload of a frame ([AMQP] 4.2.3).
const HEAD: usize = 7;
const HEADER: u8 = 2;
/// The last type of a frame.
const HEARTBEAT: u8 = 8;
/// Class, weight and size of the body stand before the flags of a header frame.
const BEFORE_FLAGS: usize = 12;
const FLAGS: usize = 2;

/// Takes the broker's bytes as they come, and lets them through, but for header frames that are not fit.
#[derive(Debug, Default)]
pub struct Filter {
    /// The beginning of a frame, or all of a header frame.
    held: Vec<u8>,
    /// Bytes of a frame that are let through as they are.
    through: usize,
    /// No frames: the broker has answered with the version that it speaks.
    raw: bool,
}

impl Filter {
    /// Lets bytes through.
    ///
    /// # Errors
    /// When a header frame is so large that no publisher can have sent it, or too short to be one.
    pub fn feed(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.raw {
                out.extend_from_slice(bytes);
                return Ok(());
            }
            let wanted = if self.through > 0 { self.through } else { self.wanted()? };
            let (now, later) = bytes.split_at_checked(wanted).unwrap_or((bytes, &[]));
            bytes = later;
            if self.through > 0 {
                self.through = self.through.saturating_sub(now.len());
                out.extend_from_slice(now);
                continue;
            }
            self.held.extend_from_slice(now);
            if self.wanted()? == 0 {
                let frame = std::mem::take(&mut self.held);
                self.release(frame, out);
            }
        }
        Ok(())
    }

    /// How many bytes are still to be held back.
    fn wanted(&self) -> io::Result<usize> {
        let Some((kind, size)) = head(&self.held) else { return Ok(HEAD.saturating_sub(self.held.len())) };
        if kind != HEADER {
            return Ok(0);
        }
        if size > MOST {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a header frame over 1 MiB"));
        }
        if size < BEFORE_FLAGS.saturating_add(FLAGS) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a header frame under 14 bytes"));
        }
        // And its end octet.
        Ok(HEAD.saturating_add(size).saturating_add(1).saturating_sub(self.held.len()))
    }

    fn release(&mut self, mut frame: Vec<u8>, out: &mut Vec<u8>) {
        let (kind, size) = head(&frame).unwrap_or_default();
        if kind != HEADER {
            self.raw = !(1..=HEARTBEAT).contains(&kind);
            self.through = size.saturating_add(1);
        } else if !frame.get(HEAD..frame.len().saturating_sub(1)).is_some_and(is_fit) {
            // The flags say that there is nothing, and the size says so, too.
            frame.truncate(HEAD.saturating_add(BEFORE_FLAGS));
            frame.splice(3..HEAD.min(frame.len()), [0, 0, 0, 14]);
            frame.extend([0, 0, 0xCE]);
        }
        out.append(&mut frame);
    }
}

/// Type and size of a frame.
fn head(frame: &[u8]) -> Option<(u8, usize)> {
    let (&[kind, _, _, a, b, c, d], _) = frame.split_first_chunk::<HEAD>()?;
    Some((kind, usize::try_from(u32::from_be_bytes([a, b, c, d])).ok()?))
}

/// Whether the payload of a header frame can be read by the library.
fn is_fit(payload: &[u8]) -> bool {
    payload.len() <= LONGEST && headers_are_fit(payload).unwrap_or(false)
}

/// content-type and content-encoding stand before the headers, the other properties after them.
fn headers_are_fit(payload: &[u8]) -> Option<bool> {
    let (flags, mut rest) = payload.get(BEFORE_FLAGS..)?.split_first_chunk()?;
    let flags = u16::from_be_bytes(*flags);
    for flag in [0x8000, 0x4000] {
        if flags & flag != 0 {
            name(&mut rest)?;
        }
    }
    if flags & 0x2000 == 0 {
        return Some(true);
    }
    // What is left of each table and array that is open, from the outermost; keys are those of tables.
    let mut open: Vec<(&[u8], bool)> = vec![(sized(&mut rest)?, true)];
    while let Some((inner, keys)) = open.last_mut() {
        if inner.is_empty() {
            open.pop();
            continue;
        }
        if *keys {
            name(inner)?;
        }
        let (kind, after) = inner.split_first()?;
        *inner = after;
        let fixed = match kind {
            b'V' => 0,
            b't' | b'b' | b'B' => 1,
            b's' | b'U' | b'u' => 2,
            b'I' | b'i' | b'f' => 4,
            b'D' => 5,
            b'L' | b'l' | b'd' | b'T' => 8,
            b'S' | b'x' => {
                sized(inner)?;
                0
            }
            b'F' | b'A' => {
                let nested = (sized(inner)?, *kind == b'F');
                if open.len() >= DEEPEST {
                    return Some(false);
                }
                open.push(nested);
                continue;
            }
            _ => return Some(false),
        };
        *inner = inner.get(fixed..)?;
    }
    Some(true)
}

/// A short string, which the library wants to be UTF-8.
fn name(rest: &mut &[u8]) -> Option<()> {
    let (len, after) = rest.split_first()?;
    let (text, after) = after.split_at_checked((*len).into())?;
    *rest = after;
    std::str::from_utf8(text).ok().map(|_| ())
}

/// Bytes with their count before them.
fn sized<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (len, after) = rest.split_first_chunk()?;
    let (bytes, after) = after.split_at_checked(usize::try_from(u32::from_be_bytes(*len)).ok()?)?;
    *rest = after;
    Some(bytes)
}
