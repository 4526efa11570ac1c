//! The tokens of SPNEGO that a server needs (RFC 4178 4.2, [MS-SPNG]).

/// 1.3.6.1.5.5.2.
const SPNEGO: &[u8] = &[0x2B, 0x06, 0x01, 0x05, 0x05, 0x02];
/// 1.3.6.1.4.1.311.2.2.10.
const NTLM: &[u8] = &[0x2B, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x02, 0x0A];

const OCTETS: u8 = 0x04;
const OID: u8 = 0x06;
const ENUMERATED: u8 = 0x0A;
const SEQUENCE: u8 = 0x30;
const APPLICATION: u8 = 0x60;
/// Explicit context tags 0 to 3.
const CONTEXT: [u8; 4] = [0xA0, 0xA1, 0xA2, 0xA3];

/// The client's first token.
pub(crate) struct Init {
    /// The list of mechanisms as it came.
    pub(crate) mechanisms: Vec<u8>,
    /// Where NTLM stands in it.
    pub(crate) ntlm: usize,
    /// For the first mechanism.
    pub(crate) token: Option<Vec<u8>>,
}

impl Init {
    /// `None` when it is no such token, or NTLM is not offered.
    pub(crate) fn parse(token: &[u8]) -> Option<Self> {
        let mut whole = Der(token).only(APPLICATION)?;
        (whole.next(OID)? == SPNEGO).then_some(())?;
        let mut fields = whole.only(CONTEXT[0])?.only(SEQUENCE)?;
        let list = fields.next(CONTEXT[0])?;
        let mut offered = Der(list).only(SEQUENCE)?;
        let mut ntlm = None;
        for place in 0_usize.. {
            if offered.0.is_empty() {
                break;
            }
            if offered.next(OID)? == NTLM && ntlm.is_none() {
                ntlm = Some(place);
            }
        }
        fields.next(CONTEXT[1]);
        let token = fields.next(CONTEXT[2]).map(|field| Der(field).only(OCTETS));
        let token = token.map_or(Some(None), |token| Some(Some(Vec::from(token?.0))))?;
        Some(Self { mechanisms: Vec::from(list), ntlm: ntlm?, token })
    }
}

/// The field negState.
#[derive(Clone, Copy)]
pub(crate) enum NegState {
    AcceptCompleted,
    AcceptIncomplete,
    RequestMic,
}

/// All further tokens.
pub(crate) struct Response {
    pub(crate) token: Option<Vec<u8>>,
    pub(crate) mic: Option<Vec<u8>>,
}

impl Response {
    pub(crate) fn parse(token: &[u8]) -> Option<Self> {
        let mut fields = Der(token).only(CONTEXT[1])?.only(SEQUENCE)?;
        fields.next(CONTEXT[0]);
        fields.next(CONTEXT[1]);
        let mut octets = |tag| match fields.next(tag) {
            Some(field) => Some(Some(Vec::from(Der(field).only(OCTETS)?.0))),
            None => Some(None),
        };
        Some(Self { token: octets(CONTEXT[2])?, mic: octets(CONTEXT[3])? })
    }

    /// An answer of the server.
    pub(crate) fn answer(
        state: NegState,
        chosen: bool,
        token: Option<Vec<u8>>,
        mic: Option<Vec<u8>>,
    ) -> Vec<u8> {
        let state = match state {
            NegState::AcceptCompleted => 0,
            NegState::AcceptIncomplete => 1,
            NegState::RequestMic => 3,
        };
        let mut fields = der(CONTEXT[0], &der(ENUMERATED, &[state]));
        if chosen {
            fields.extend(der(CONTEXT[1], &der(OID, NTLM)));
        }
        for (tag, field) in [(CONTEXT[2], token), (CONTEXT[3], mic)] {
            if let Some(field) = field {
                fields.extend(der(tag, &der(OCTETS, &field)));
            }
        }
        der(CONTEXT[1], &der(SEQUENCE, &fields))
    }
}

/// A series of elements.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The content of the next element, when it has the tag.
    fn next(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (found, rest) = self.0.split_first()?;
        if *found != tag {
            return None;
        }
        let (first, mut rest) = rest.split_first()?;
        let mut len = usize::from(*first);
        if *first >= 0x80 {
            // No token is longer than a fragment: two bytes of length, three for those that waste one.
            let bytes = usize::from(*first & 0x7F);
            let (digits, after) = rest.split_at_checked(bytes)?;
            (1..=3).contains(&bytes).then_some(())?;
            len = digits.iter().fold(0, |len, digit| len << 8 | usize::from(*digit));
            rest = after;
        }
        let (content, rest) = rest.split_at_checked(len)?;
        self.0 = rest;
        Some(content)
    }

    /// The content of the only element.
    fn only(&mut self, tag: u8) -> Option<Self> {
        let content = self.next(tag)?;
        self.0.is_empty().then_some(Self(content))
    }
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut element = vec![tag];
    let [.., high, low] = content.len().to_be_bytes();
    match (high, low) {
        (0, low @ 0..=0x7F) => element.push(low),
        (0, low) => element.extend([0x81, low]),
        (high, low) => element.extend([0x82, high, low]),
    }
    element.extend_from_slice(content);
    element
}
