//! Frames out of files of libpcap and pcapng.

use std::fmt;

use pcap_parser::nom::{self, Err as NomError};
use pcap_parser::pcapng::{Block, InterfaceDescriptionBlock};
use pcap_parser::{
    LegacyPcapBlock, PcapBlockOwned, PcapError, PcapHeader, PcapNGSlice, parse_pcap_frame,
    parse_pcap_frame_be, parse_pcap_frame_modified, parse_pcap_header,
};

use crate::Failure;

/// Interfaces that a section may describe.
const MAX_INTERFACES: usize = 1024;

/// When a frame was captured: Unix time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    pub seconds: u64,
    pub nanoseconds: u32,
}

/// What one frame holds, from the link layer on.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    pub time: Option<Moment>,
    /// LINKTYPE_ of tcpdump.org.
    pub link: i32,
    pub data: &'a [u8],
}

/// Whether the input begins as a file of libpcap or pcapng.
pub fn recognises(input: &[u8]) -> bool {
    matches!(
        input,
        [0xA1, 0xB2, 0xC3, 0xD4, ..]
            | [0xD4, 0xC3, 0xB2, 0xA1, ..]
            | [0xA1, 0xB2, 0x3C, 0x4D, ..]
            | [0x4D, 0x3C, 0xB2, 0xA1, ..]
            | [0x0A, 0x0D, 0x0D, 0x0A, ..]
    )
}

/// The frames of a file. An error is the last item.
pub(crate) fn frames(input: &[u8]) -> Result<Frames<'_>, Failure> {
    if input.starts_with(&[0x0A, 0x0D, 0x0D, 0x0A]) {
        let blocks = PcapNGSlice::from_slice(input).map_err(|e| failure(&e))?;
        return Ok(Frames::Blocks { blocks, interfaces: Vec::new() });
    }
    let (rest, header) = parse_pcap_header(input).map_err(|e| failure(&e))?;
    Ok(Frames::Records { header, rest })
}

/// See [`frames`].
pub(crate) enum Frames<'a> {
    Records { header: PcapHeader, rest: &'a [u8] },
    Blocks { blocks: PcapNGSlice<'a>, interfaces: Vec<Interface> },
    Ended,
}

/// What is needed of an interface: link type, units per second, and its offset in seconds.
#[derive(Debug, Clone, Copy)]
pub struct Interface {
    link: i32,
    resolution: u64,
    offset: i64,
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<Frame<'a>, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = match self {
            Self::Records { rest: [], .. } | Self::Ended => None,
            Self::Records { header, rest } => Some(record(header, rest)),
            Self::Blocks { blocks, interfaces } => block(blocks, interfaces),
        };
        if !matches!(item, Some(Ok(_))) {
            *self = Self::Ended;
        }
        item
    }
}

fn record<'a>(header: &PcapHeader, rest: &mut &'a [u8]) -> Result<Frame<'a>, Failure> {
    let parse = match (header.is_modified_format(), header.is_bigendian()) {
        (true, _) => parse_pcap_frame_modified,
        (false, true) => parse_pcap_frame_be,
        (false, false) => parse_pcap_frame,
    };
    let (after, LegacyPcapBlock { ts_sec, ts_usec, data, .. }) = parse(rest).map_err(|e| failure(&e))?;
    *rest = after;
    let unit = if header.is_nanosecond_precision() { 1 } else { 1000 };
    let time = Moment { seconds: ts_sec.into(), nanoseconds: ts_usec.saturating_mul(unit) };
    Ok(Frame { time: Some(time), link: header.network.0, data })
}

/// The frame of the next block that has one.
fn block<'a>(
    blocks: &mut PcapNGSlice<'a>,
    interfaces: &mut Vec<Interface>,
) -> Option<Result<Frame<'a>, Failure>> {
    loop {
        let block = match blocks.next()? {
            Ok(PcapBlockOwned::NG(block)) => block,
            Ok(_) => continue,
            Err(error) => return Some(Err(failure(&error))),
        };
        match block {
            Block::SectionHeader(_) => interfaces.clear(),
            Block::InterfaceDescription(description) if interfaces.len() < MAX_INTERFACES => {
                interfaces.push(Interface::of(&description));
            }
            Block::EnhancedPacket(packet) => {
                let Some(interface) = usize::try_from(packet.if_id).ok().and_then(|id| interfaces.get(id))
                else {
                    return Some(Err(Failure::Input("capture: a frame of no interface".to_owned())));
                };
                let time = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
                let data = captured(packet.data, packet.caplen);
                return Some(Ok(Frame { time: interface.moment(time), link: interface.link, data }));
            }
            Block::SimplePacket(packet) => {
                let Some(interface) = interfaces.first() else {
                    return Some(Err(Failure::Input("capture: a frame of no interface".to_owned())));
                };
                let data = captured(packet.data, packet.origlen);
                return Some(Ok(Frame { time: None, link: interface.link, data }));
            }
            _ => {}
        }
    }
}

/// What was captured, without the bytes that round the block up.
fn captured(data: &[u8], len: u32) -> &[u8] {
    usize::try_from(len).ok().and_then(|len| data.get(..len)).unwrap_or(data)
}

impl Interface {
    fn of(description: &InterfaceDescriptionBlock<'_>) -> Self {
        let resolution = description.ts_resolution().filter(|r| *r > 0).unwrap_or(1_000_000);
        Self { link: description.linktype.0, resolution, offset: description.ts_offset() }
    }

    fn moment(&self, time: u64) -> Option<Moment> {
        let seconds = time.checked_div(self.resolution)?.checked_add_signed(self.offset)?;
        let fraction = u128::from(time.checked_rem(self.resolution)?).checked_mul(1_000_000_000)?;
        let nanoseconds = u32::try_from(fraction.checked_div(self.resolution.into())?).ok()?;
        Some(Moment { seconds, nanoseconds })
    }
}

impl Moment {
    /// Year, month and day of the Gregorian calendar, by the days since 1970-01-01 ("days from civil", backwards).
    fn date(self) -> (u64, u64, u64) {
        let days = (self.seconds / 86_400).saturating_add(719_468);
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let leap_days = day_of_era / 1460 + day_of_era / 146_096 - day_of_era / 36_524;
        let year_of_era = (day_of_era - leap_days) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = year_of_era.saturating_add(era.saturating_mul(400)).saturating_add(u64::from(month <= 2));
        (year, month, day)
    }

    /// In the form of RFC 3339.
    pub fn to_json(self) -> String {
        self.to_string().replacen(' ', "T", 1).replace(" UTC", "Z")
    }
}

/// `2026-11-22 00:23:08.123456 UTC`; nine digits where they say more than six.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.date();
        let second = self.seconds % 86_400;
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.")?;
        match self.nanoseconds {
            nanos if nanos.is_multiple_of(1000) => write!(f, "{:06} UTC", nanos / 1000),
            nanos => write!(f, "{nanos:09} UTC"),
        }
    }
}

fn failure<I>(error: &nom::Err<PcapError<I>>) -> Failure
where
    I: fmt::Debug,
{
    Failure::Input(match error {
        NomError::Incomplete(_) => "capture: the file ends inside a frame".to_owned(),
        NomError::Error(PcapError::Incomplete(_)) | NomError::Failure(PcapError::Incomplete(_)) => {
            "capture: the file ends inside a frame".to_owned()
        }
        _ => "capture: a block or frame that cannot be read".to_owned(),
    })
}
