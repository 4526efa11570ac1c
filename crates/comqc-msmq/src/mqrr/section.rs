//! Message packets in sections ([MS-MQRR] 2.2.6, 3.1.4.7).

use remassist_core::{len_u32, usize_from};

use super::idl::{SectionBuffer, SectionType};
use crate::rpc::{Packed, RpcError};

/// The sections of a message packet of which so many bytes of the body are wanted.
#[must_use]
pub fn sections(packet: &Packed, max_body_size: u32) -> Vec<SectionBuffer> {
    let Packed { bytes, body } = packet;
    let wanted = usize_from(max_body_size);
    if wanted >= body.len() {
        return vec![SectionBuffer {
            kind: SectionType::FULL_PACKET,
            size_alloc: len_u32(bytes.len()),
            bytes: bytes.clone(),
        }];
    }
    let first = bytes.get(..body.start.saturating_add(wanted)).unwrap_or_default();
    let trailers = bytes.get(body.end..).unwrap_or_default();
    let mut sections = vec![SectionBuffer {
        kind: SectionType::BINARY_FIRST,
        size_alloc: len_u32(body.end),
        bytes: first.into(),
    }];
    if !trailers.is_empty() {
        sections.push(SectionBuffer {
            kind: SectionType::BINARY_SECOND,
            size_alloc: len_u32(trailers.len()),
            bytes: trailers.into(),
        });
    }
    sections
}

/// A message packet out of its sections, with zeros for the part of the body that was not wanted, and how many those are.
///
/// # Errors
/// For sections that are not those of one packet, or that are too large together.
pub fn join(sections: Vec<SectionBuffer>, most: usize) -> Result<(Vec<u8>, usize), RpcError> {
    let wrong = |reason| RpcError::Wrong { call: "R_StartReceive", reason };
    let total = sections.iter().map(|section| usize_from(section.size_alloc)).fold(0, usize::saturating_add);
    if total > most {
        return Err(wrong("a message packet is too large"));
    }
    let mut sections = sections.into_iter();
    let first = sections.next().ok_or(wrong("no section of a message packet"))?;
    let second = sections.next();
    let fits = match (first.kind, second.as_ref().map(|section| section.kind)) {
        (SectionType::FULL_PACKET, None) => usize_from(first.size_alloc) == first.bytes.len(),
        (SectionType::BINARY_FIRST, None | Some(SectionType::BINARY_SECOND))
        | (SectionType::SRMP_FIRST, None | Some(SectionType::SRMP_SECOND)) => true,
        _ => false,
    };
    if !fits || sections.next().is_some() {
        return Err(wrong("sections that are not those of one message packet"));
    }
    let mut packet = first.bytes;
    let missing = usize_from(first.size_alloc).saturating_sub(packet.len());
    packet.resize(packet.len().saturating_add(missing), 0);
    if let Some(second) = second {
        if usize_from(second.size_alloc) != second.bytes.len() {
            return Err(wrong("a second section is not whole"));
        }
        packet.extend(second.bytes);
    }
    Ok((packet, missing))
}
