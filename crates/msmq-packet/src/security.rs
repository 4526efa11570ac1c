//! Who sent a message, as it claims.

use bytes::BufMut;
use remassist_core::{
    At, Blob, Cursor, DecodeError, DecodeErrorKind, EncodeError, Format, MAX_U16, MAX_U32, Utf16Le,
    check_len, len_u16, len_u32, usize_from,
};
use uuid::Uuid;

use crate::SenderIdType;
use crate::wire::{Padding, bits, invalid, places, rounded, sum};

places!("[MS-MQMQ]", "2.2.20.6", "SecurityHeader":
    SECURITY = "", FLAGS = "Flags", SENDER_TYPE = "Flags.ST", AUTHENTICATED = "Flags.AU",
    SIGNATURE_TYPE = "Flags.AS", DATA = "Flags.AI", ID_SIZE = "SenderIdSize", KEY_SIZE = "EncryptionKeySize",
    SIGNATURE_SIZE = "SignatureSize", CERTIFICATE_SIZE = "SenderCertSize", PROVIDER_SIZE = "ProviderInfoSize",
    ID = "SecurityID", KEY = "EncryptionKey", SIGNATURE = "Signature", CERTIFICATE = "SenderCert",
    PROVIDER = "ProviderInfo", PADDING = "(padding)");

bits! {
    /// The field Flags of a [`SecurityHeader`], a u16: ST (bits 0 to 3), AU, EB, DE, AI, AS (bits 8 to 11), unused.
    SecurityFlags(u16) {
        /// ST, the bits of the [`SenderIdType`].
        SENDER_TYPE = 0x000F;
        /// AU: only set by a queue manager for itself, never on the wire.
        AUTHENTICATED = 0x0010;
        /// EB: the body is encrypted.
        ENCRYPTED = 0x0020;
        /// DE: the usual cryptographic provider.
        DEFAULT_PROVIDER = 0x0040;
        /// AI: there are security data. They may be there without it (erratum Q8).
        DATA = 0x0080;
        /// AS, the bits of the type of signature: 0.
        SIGNATURE_TYPE = 0x0F00;
    }
}

/// One item of SecurityData, rounded up to a multiple of 4; without bytes it is not there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SecurityItem<'a> {
    /// The bytes that its size counts.
    pub data: Blob<'a>,
    /// Bytes up to a multiple of 4.
    #[cfg_attr(feature = "serde", serde(default))]
    pub padding: Padding,
}

/// Security data of a message ([MS-MQMQ] 2.2.20.6), 16 bytes and the items: Flags u16, SenderIdSize u16,
/// EncryptionKeySize u16, SignatureSize u16, SenderCertSize u32, ProviderInfoSize u32, then SecurityID, EncryptionKey,
/// Signature, SenderCert and ProviderInfo, each rounded up to a multiple of 4.
///
/// Nothing here was verified: it is what the sender claims.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SecurityHeader<'a> {
    /// Flags.
    pub flags: SecurityFlags,
    /// SecurityID: a SID or the GUID of a queue manager.
    pub sender_id: SecurityItem<'a>,
    /// EncryptionKey: the key of the body, encrypted for the receiver (a SIMPLEBLOB, [MS-MQQB] 2.4.2).
    pub encryption_key: SecurityItem<'a>,
    /// Signature.
    pub signature: SecurityItem<'a>,
    /// SenderCert: an X.509 certificate.
    pub sender_certificate: SecurityItem<'a>,
    /// ProviderInfo: ProviderType u32 and the name of the provider.
    pub provider_info: SecurityItem<'a>,
}

impl<'a> SecurityItem<'a> {
    /// Bytes with zeros behind.
    #[must_use]
    pub fn new(data: impl Into<Blob<'a>>) -> Self {
        Self { data: data.into(), padding: Padding::default() }
    }

    fn into_owned(self) -> SecurityItem<'static> {
        SecurityItem { data: self.data.into_owned(), padding: self.padding }
    }

    fn parse(cursor: &mut Cursor<'_, 'a>, size: usize, at: &'static At) -> Result<Self, DecodeError> {
        let format = if size == 16 && at.field == ID.field { Format::Guid } else { Format::Bytes };
        let data = cursor.take(size, at, format)?.into();
        let padding = Padding::parse(cursor, size, &PADDING)?;
        Ok(Self { data, padding })
    }

    fn put(&self, dst: &mut dyn BufMut) {
        dst.put_slice(&self.data);
        self.padding.put(self.data.len(), dst);
    }
}

impl<'a> SecurityHeader<'a> {
    /// A header that names the sender by SID and has nothing else, as Windows sends it (frame 7 of [MS-MQQB] 4.1).
    #[must_use]
    pub fn of_sid(sid: impl Into<Blob<'a>>) -> Self {
        Self {
            flags: SecurityFlags(SenderIdType::SID.0.into()),
            sender_id: SecurityItem::new(sid),
            ..Self::default()
        }
    }

    /// ST: what SecurityID is.
    #[must_use]
    pub const fn sender_id_type(&self) -> SenderIdType {
        let [low, _] = self.flags.0.to_le_bytes();
        SenderIdType(low & 0x0F)
    }

    /// The SID of the sender in the form of the wire ([MS-DTYP] 2.4.2.2), as claimed.
    #[must_use]
    pub fn sid(&self) -> Option<&[u8]> {
        (self.sender_id_type() == SenderIdType::SID).then_some(&*self.sender_id.data)
    }

    /// The queue manager that sent the message, as claimed.
    #[must_use]
    pub fn queue_manager(&self) -> Option<Uuid> {
        let guid = self.sender_id.data.as_ref().try_into().ok()?;
        (self.sender_id_type() == SenderIdType::QUEUE_MANAGER).then(|| Uuid::from_bytes_le(guid))
    }

    /// Type and name of the cryptographic provider in ProviderInfo.
    #[must_use]
    pub fn provider(&self) -> Option<(u32, Utf16Le<'_>)> {
        let (number, name) = self.provider_info.data.split_first_chunk()?;
        Some((u32::from_le_bytes(*number), Utf16Le::from(name)))
    }

    /// The same header, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> SecurityHeader<'static> {
        SecurityHeader {
            flags: self.flags,
            sender_id: self.sender_id.into_owned(),
            encryption_key: self.encryption_key.into_owned(),
            signature: self.signature.into_owned(),
            sender_certificate: self.sender_certificate.into_owned(),
            provider_info: self.provider_info.into_owned(),
        }
    }

    fn items(&self) -> [(&SecurityItem<'a>, &'static At); 5] {
        [
            (&self.sender_id, &ID_SIZE),
            (&self.encryption_key, &KEY_SIZE),
            (&self.signature, &SIGNATURE_SIZE),
            (&self.sender_certificate, &CERTIFICATE_SIZE),
            (&self.provider_info, &PROVIDER_SIZE),
        ]
    }

    pub(crate) fn parse(cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError> {
        cursor.group(&SECURITY, |cursor| {
            let flags_at = cursor.offset();
            let flags = SecurityFlags(cursor.flags16(&FLAGS)?);
            let id = usize::from(cursor.u16(&ID_SIZE)?);
            let key = usize::from(cursor.u16(&KEY_SIZE)?);
            let signature = usize::from(cursor.u16(&SIGNATURE_SIZE)?);
            let certificate_at = cursor.offset();
            let certificate = cursor.u32(&CERTIFICATE_SIZE)?;
            let provider = usize_from(cursor.u32(&PROVIDER_SIZE)?);

            let kind = DecodeErrorKind::OutOfBounds { got: certificate.into(), max: MAX_U16 };
            cursor.must(usize_from(certificate) <= MAX_U16, certificate_at, &CERTIFICATE_SIZE, kind)?;
            let rule = |ok, at, text| cursor.must(ok, flags_at, at, DecodeErrorKind::Rule(text));
            let any = sum([id, key, signature, usize_from(certificate), provider]) > 0;
            rule(any, &SECURITY, "nothing in it")?;
            rule(any || !flags.contains(SecurityFlags::DATA), &DATA, "no data")?;
            rule(!flags.contains(SecurityFlags::AUTHENTICATED), &AUTHENTICATED, "not 0")?;
            rule(flags.0 & SecurityFlags::SIGNATURE_TYPE.0 == 0, &SIGNATURE_TYPE, "not 0")?;

            let header = Self {
                flags,
                sender_id: SecurityItem::parse(cursor, id, &ID)?,
                encryption_key: SecurityItem::parse(cursor, key, &KEY)?,
                signature: SecurityItem::parse(cursor, signature, &SIGNATURE)?,
                sender_certificate: SecurityItem::parse(cursor, usize_from(certificate), &CERTIFICATE)?,
                provider_info: SecurityItem::parse(cursor, provider, &PROVIDER)?,
            };
            let sender = header.sender_id_type();
            let known = sender.name().is_some();
            cursor.must(known, flags_at, &SENDER_TYPE, invalid(sender.0.into()))?;
            let named = sender != SenderIdType::NONE || id == 0;
            let kind = DecodeErrorKind::Rule("a sender of no type");
            cursor.must(named, flags_at, &SENDER_TYPE, kind)?;
            Ok(header)
        })
    }

    pub(crate) fn check(&self) -> Result<(), EncodeError> {
        for ((item, at), max) in self.items().into_iter().zip([MAX_U16, MAX_U16, MAX_U16, MAX_U32, MAX_U32]) {
            check_len(item.data.len(), max, at)?;
        }
        Ok(())
    }

    pub(crate) fn size(&self) -> usize {
        self.items().iter().map(|(item, _)| rounded(item.data.len())).fold(16, usize::saturating_add)
    }

    pub(crate) fn put(&self, dst: &mut dyn BufMut) {
        let sizes = [&self.sender_id, &self.encryption_key, &self.signature].map(|i| len_u16(i.data.len()));
        let [id, key, signature] = sizes;
        dst.put_slice([self.flags.0, id, key, signature].map(u16::to_le_bytes).as_flattened());
        let sizes = [&self.sender_certificate, &self.provider_info].map(|i| len_u32(i.data.len()));
        dst.put_slice(sizes.map(u32::to_le_bytes).as_flattened());
        for (item, _) in self.items() {
            item.put(dst);
        }
    }
}
