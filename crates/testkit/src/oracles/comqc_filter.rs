use comqc_msmq::filter::Filter;

use super::Oracle;

pub(super) const ALL: &[Oracle] = &[("comqc_filter", filter)];

/// Tables and arrays in one another that may come through.
const DEEPEST: usize = 32;

/// The first byte tells how the rest, a stream of AMQP frames, is cut. It comes through in the same way however it is cut; each
/// frame as it was, or a header frame without properties; and what came through comes through again.
fn filter(input: &[u8]) {
    let Some((cut, stream)) = input.split_first() else { return };
    let (whole, fault) = fed([stream]);
    let size = usize::from(*cut).max(1);
    let (pieced, same) = fed(stream.chunks(size));
    assert_eq!((&pieced, &same), (&whole, &fault), "cut every {size} bytes");
    let (mut read, mut written) = (stream, &whole[..]);
    while let Some((frame, rest)) = frame(read) {
        let Some((passed, left)) = self::frame(written) else { break };
        (read, written) = (rest, left);
        if passed != frame {
            let mut bare = vec![2, frame[1], frame[2], 0, 0, 0, 14];
            bare.extend_from_slice(&frame[7..19]);
            bare.extend([0, 0, 0xCE]);
            assert_eq!((frame[0], passed), (2, &bare[..]));
        } else if frame[0] == 2 {
            assert!(depth(&frame[7..frame.len() - 1]).is_some_and(|depth| depth <= DEEPEST));
        }
    }
    // What is no whole frame was let through, or is held back.
    assert!(read.starts_with(written));
    if fault.is_none() {
        assert_eq!(fed([&whole[..]]), (whole.clone(), None));
    }
}

/// What comes out of pieces, and whether that is an end.
fn fed<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u8>, Option<String>) {
    let (mut filter, mut out) = (Filter::default(), Vec::new());
    for piece in pieces {
        if let Err(error) = filter.feed(piece, &mut out) {
            return (out, Some(error.to_string()));
        }
    }
    (out, None)
}

/// The first frame: type, channel, size, payload, end octet. None where the rest is no frames.
fn frame(stream: &[u8]) -> Option<(&[u8], &[u8])> {
    let (head, _) = stream.split_first_chunk::<7>()?;
    let size = u32::from_be_bytes([head[3], head[4], head[5], head[6]]) as usize;
    (1..=8).contains(&head[0]).then(|| stream.split_at_checked(size + 8)).flatten()
}

/// How deep the headers of a header frame are nested; none when they cannot be read.
fn depth(payload: &[u8]) -> Option<usize> {
    let mut rest = payload.get(12..)?;
    let flags = number(&mut rest, 2)?;
    for flag in [0x8000, 0x4000] {
        if flags & flag != 0 {
            counted(&mut rest, 1)?;
        }
    }
    if flags & 0x2000 == 0 { Some(0) } else { values(counted(&mut rest, 4)?, true, 1) }
}

fn values(mut rest: &[u8], keys: bool, depth: usize) -> Option<usize> {
    let mut deepest = depth;
    while !rest.is_empty() {
        if keys {
            std::str::from_utf8(counted(&mut rest, 1)?).ok()?;
        }
        let kind = u8::try_from(number(&mut rest, 1)?).ok()?;
        let fixed = match kind {
            b'F' | b'A' if depth > DEEPEST => return Some(depth),
            b'F' | b'A' => {
                deepest = deepest.max(values(counted(&mut rest, 4)?, kind == b'F', depth + 1)?);
                0
            }
            b'S' | b'x' => counted(&mut rest, 4).map(|_| 0)?,
            b'V' => 0,
            b't' | b'b' | b'B' => 1,
            b's' | b'U' | b'u' => 2,
            b'I' | b'i' | b'f' => 4,
            b'D' => 5,
            b'L' | b'l' | b'd' | b'T' => 8,
            _ => return None,
        };
        rest = rest.get(fixed..)?;
    }
    Some(deepest)
}

fn number(rest: &mut &[u8], size: usize) -> Option<usize> {
    let (bytes, after) = rest.split_at_checked(size)?;
    *rest = after;
    Some(bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
}

fn counted<'a>(rest: &mut &'a [u8], size: usize) -> Option<&'a [u8]> {
    let count = number(rest, size)?;
    let (bytes, after) = rest.split_at_checked(count)?;
    *rest = after;
    Some(bytes)
}
