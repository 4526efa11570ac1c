//! QUEUE_FORMAT ([MS-MQMQ] 2.2.7).

use comqc_session::{FormatName, MachineQueue};
use ndr_oaut::{Ndr, Reader, Writer};
use remassist_core::{At, DecodeError, DecodeErrorKind};
use uuid::Uuid;

use super::types::{ObjectId, Text};

/// QUEUE_FORMAT ([MS-MQMQ] 2.2.7): which queue is meant. m_qft u8, m_SuffixAndFlags u8, m_reserved u16, m_qft again as the
/// discriminant of the union, then its arm; aligned to 4.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueueFormat {
    /// m_SuffixAndFlags: type of the suffix in the lower 4 bits; 0x80 for queues of the system.
    pub suffix_and_flags: u8,
    /// m_qft, with what it chooses.
    pub id: QueueFormatId,
}

/// The arms of QUEUE_FORMAT, by QUEUE_FORMAT_TYPE ([MS-MQMQ] 2.2.6).
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum QueueFormatId {
    /// 0: none.
    #[default]
    Unknown,
    /// 1: a public queue by its GUID in the directory.
    Public(Uuid),
    /// 2: a private queue by the GUID of its machine, and its number.
    Private(ObjectId),
    /// 3: a direct format name without `DIRECT=`.
    Direct(Text),
    /// 4: a queue of a machine, by the machine's GUID.
    Machine(Uuid),
    /// 5: a connector queue.
    Connector(Uuid),
    /// 6: a distribution list and its domain.
    DistributionList(Uuid, Option<Text>),
    /// 7: an address and a port of multicast.
    Multicast(u32, u32),
    /// 8: a subqueue, by its direct format name without `DIRECT=`.
    Subqueue(Text),
}

/// Suffix types, with the flag of queues of the system.
const JOURNAL: u8 = 0x81;
const DEADLETTER: u8 = 0x82;
const DEADXACT: u8 = 0x83;
const XACTONLY: u8 = 0x04;
const SUBQUEUE: u8 = 0x05;

impl QueueFormat {
    /// A direct format name, as text without `DIRECT=`.
    #[must_use]
    pub fn direct(name: &str) -> Self {
        Self { suffix_and_flags: 0, id: QueueFormatId::Direct(name.into()) }
    }
}

/// As [MS-MQMQ] 2.2.7 puts the parts of a format name into the fields.
impl From<&FormatName> for QueueFormat {
    fn from(name: &FormatName) -> Self {
        let machine = |queue: Option<MachineQueue>| match queue {
            None => 0,
            Some(MachineQueue::Journal) => JOURNAL,
            Some(MachineQueue::DeadLetter) => DEADLETTER,
            Some(MachineQueue::DeadXact) => DEADXACT,
        };
        let (suffix_and_flags, id) = match name {
            FormatName::Direct(direct) => {
                use comqc_session::DirectQueue::{Machine, Private, Public};
                let text = Text(direct.to_string());
                match &direct.queue {
                    Public(queue) | Private(queue) if queue.is_journal() => {
                        (JOURNAL, QueueFormatId::Direct(text))
                    }
                    Public(queue) | Private(queue) if queue.subqueue().is_some() => {
                        (SUBQUEUE, QueueFormatId::Subqueue(text))
                    }
                    Public(_) | Private(_) => (0, QueueFormatId::Direct(text)),
                    Machine(queue) => (machine(Some(*queue)), QueueFormatId::Direct(text)),
                }
            }
            FormatName::Public(queue) => (0, QueueFormatId::Public(*queue)),
            FormatName::Private { computer, number, journal } => (
                if *journal { JOURNAL } else { 0 },
                QueueFormatId::Private(ObjectId { lineage: *computer, uniquifier: *number }),
            ),
            FormatName::DistributionList { list, domain } => {
                let domain = domain.as_ref().map(|domain| Text(domain.to_string()));
                (0, QueueFormatId::DistributionList(*list, domain))
            }
            FormatName::Machine { computer, queue } => (machine(*queue), QueueFormatId::Machine(*computer)),
            FormatName::Connector { system, transactional } => {
                (if *transactional { XACTONLY } else { 0 }, QueueFormatId::Connector(*system))
            }
            FormatName::Multicast(address) => (
                0,
                QueueFormatId::Multicast(
                    u32::from_le_bytes(address.ip().octets()),
                    u32::from(address.port()),
                ),
            ),
        };
        Self { suffix_and_flags, id }
    }
}

impl QueueFormat {
    /// The format name that is meant, `None` for none and for text that is no name.
    #[must_use]
    pub fn to_format_name(&self) -> Option<FormatName> {
        let journal = self.suffix_and_flags == JOURNAL;
        Some(match &self.id {
            QueueFormatId::Direct(name) | QueueFormatId::Subqueue(name) => {
                FormatName::Direct(name.0.parse().ok()?)
            }
            QueueFormatId::Public(queue) if !journal => FormatName::Public(*queue),
            QueueFormatId::Private(id) => {
                FormatName::Private { computer: id.lineage, number: id.uniquifier, journal }
            }
            QueueFormatId::Machine(computer) => FormatName::Machine {
                computer: *computer,
                queue: Some(match self.suffix_and_flags {
                    JOURNAL => MachineQueue::Journal,
                    DEADLETTER => MachineQueue::DeadLetter,
                    DEADXACT => MachineQueue::DeadXact,
                    _ => return None,
                }),
            },
            _ => return None,
        })
    }

    fn tag(&self) -> u8 {
        match self.id {
            QueueFormatId::Unknown => 0,
            QueueFormatId::Public(_) => 1,
            QueueFormatId::Private(_) => 2,
            QueueFormatId::Direct(_) => 3,
            QueueFormatId::Machine(_) => 4,
            QueueFormatId::Connector(_) => 5,
            QueueFormatId::DistributionList(..) => 6,
            QueueFormatId::Multicast(..) => 7,
            QueueFormatId::Subqueue(_) => 8,
        }
    }
}

static FORMAT: At = At::new("[MS-MQMQ]", "2.2.7", "QUEUE_FORMAT", "");
static TYPE: At = At::new("[MS-MQMQ]", "2.2.7", "QUEUE_FORMAT", "m_qft");
static SUFFIX: At = At::new("[MS-MQMQ]", "2.2.7", "QUEUE_FORMAT", "m_SuffixAndFlags");
static RESERVED: At = At::new("[MS-MQMQ]", "2.2.7", "QUEUE_FORMAT", "m_reserved");
static ARM: At = At::new("[MS-MQMQ]", "2.2.7", "QUEUE_FORMAT", "union");

/// What stands in place: with `true` a text follows.
pub struct FormatHead(QueueFormat, bool);

impl<'a> Ndr<'a> for QueueFormat {
    type Head = FormatHead;
    const ALIGN: usize = 4;

    fn head(r: &mut Reader<'_, 'a>, _: &'static At) -> Result<FormatHead, DecodeError> {
        r.align(4)?;
        r.group(&FORMAT, |r| {
            let qft = u8::head(r, &TYPE)?;
            let suffix_and_flags = u8::head(r, &SUFFIX)?;
            r.free(&RESERVED, remassist_core::Format::Uint, [0; 2])?;
            let tag = u8::head(r, &TYPE)?;
            if tag != qft {
                let rule = DecodeErrorKind::Rule("the discriminant of the union is not m_qft");
                return Err(r.error(&TYPE, rule));
            }
            let mut text = false;
            let id = match tag {
                0 => QueueFormatId::Unknown,
                1 => QueueFormatId::Public(r.value(&ARM)?),
                2 => QueueFormatId::Private(r.value(&ARM)?),
                3 | 8 => {
                    r.reference(&ARM)?;
                    text = true;
                    if tag == 3 {
                        QueueFormatId::Direct(Text::default())
                    } else {
                        QueueFormatId::Subqueue(Text::default())
                    }
                }
                4 => QueueFormatId::Machine(r.value(&ARM)?),
                5 => QueueFormatId::Connector(r.value(&ARM)?),
                6 => {
                    let list = r.value(&ARM)?;
                    text = r.referent(&ARM)?;
                    QueueFormatId::DistributionList(list, None)
                }
                7 => QueueFormatId::Multicast(r.u32(&ARM)?, r.u32(&ARM)?),
                _ => return Err(r.error(&TYPE, DecodeErrorKind::InvalidValue { got: tag.into() })),
            };
            Ok(FormatHead(Self { suffix_and_flags, id }, text))
        })
    }

    fn tail(head: FormatHead, r: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
        let FormatHead(mut format, text) = head;
        if text {
            let text: Text = r.value(&ARM)?;
            match &mut format.id {
                QueueFormatId::Direct(place) | QueueFormatId::Subqueue(place) => *place = text,
                QueueFormatId::DistributionList(_, place) => *place = Some(text),
                _ => {}
            }
        }
        Ok(format)
    }

    fn put_head(&self, w: &mut Writer<'_>, at: &'static At) {
        w.align(4);
        self.tag().put_head(w, at);
        self.suffix_and_flags.put_head(w, at);
        w.free([0; 2]);
        self.tag().put_head(w, at);
        match &self.id {
            QueueFormatId::Unknown => {}
            QueueFormatId::Public(id) | QueueFormatId::Machine(id) | QueueFormatId::Connector(id) => {
                w.guid(id)
            }
            QueueFormatId::Private(id) => id.put_head(w, at),
            QueueFormatId::Direct(_) | QueueFormatId::Subqueue(_) => w.referent(true),
            QueueFormatId::DistributionList(list, domain) => {
                w.guid(list);
                w.referent(domain.is_some());
            }
            QueueFormatId::Multicast(address, port) => {
                w.u32(*address);
                w.u32(*port);
            }
        }
    }

    fn put_tail(&self, w: &mut Writer<'_>, at: &'static At) {
        match &self.id {
            QueueFormatId::Direct(text)
            | QueueFormatId::Subqueue(text)
            | QueueFormatId::DistributionList(_, Some(text)) => w.value(text, at),
            _ => {}
        }
    }
}
