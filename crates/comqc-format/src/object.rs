//! Objects that travel by value.

use bytes::BufMut;
use remassist_core::{At, Blob, Cursor, Decode, DecodeError, Encode, EncodeError, Format};
use uuid::Uuid;

use crate::rules;

const fn at(field: &'static str) -> At {
    At::new("[MC-COMQC]", "2.2.6.1.5", "ObjectReference", field)
}
const OBJECT_REFERENCE: At = at("");
const RESERVED1: At = at("Reserved1");
const SIZE: At = at("Size");
const RESERVED2: At = at("Reserved2");
const OBJECT_ID: At = at("ObjectID");
const PADDING: At = at("Padding");
const OBJECT: At = at("MarshaledObject");

/// The header's length, which is what its field Size says.
const HEADER: u32 = 32;

/// What stands in the place of an object reference ([MC-COMQC] 2.2.6.1.5), little-endian, 32 bytes and the object:
/// Reserved 1 u32, Size u32 (32), Reserved 2 u32, Object ID GUID, Padding 4 bytes, Marshaled Object.
///
/// The structure does not say where the object ends, so it fills the bytes given: those of `abData` of the
/// MInterfacePointer ([MS-DCOM] 2.2.14) that holds it, whose length is `ulCntData` (reading A14). Never make an object
/// of a CLSID that the application did not register: the bytes come from anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ObjectReference<'a> {
    /// Reserved 1: 0, ignored when read.
    pub reserved1: u32,
    /// Reserved 2: 1 or 3, ignored when read.
    pub reserved2: u32,
    /// CLSID of the object.
    pub object_id: Uuid,
    /// Padding: 0, ignored when read.
    pub padding: [u8; 4],
    /// The object in the binary form of its class; on Windows what `IPersistStream` writes.
    pub object: Blob<'a>,
}

impl<'a> ObjectReference<'a> {
    /// An object of the class given.
    #[must_use]
    pub fn new(object_id: Uuid, object: Blob<'a>) -> Self {
        Self { reserved1: 0, reserved2: 1, object_id, padding: [0; 4], object }
    }

    /// The same structure, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> ObjectReference<'static> {
        ObjectReference { object: self.object.into_owned(), ..self }
    }
}

impl<'a> Decode<'a> for ObjectReference<'a> {
    const AT: &'static At = &OBJECT_REFERENCE;

    fn parse(cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError> {
        if cursor.remaining() < remassist_core::usize_from(HEADER) {
            return Err(cursor.error(&OBJECT_REFERENCE, rules::OBJREF_TRUNC));
        }
        let reserved1 = cursor.u32(&RESERVED1)?;
        let offset = cursor.offset();
        if cursor.u32(&SIZE)? != HEADER {
            return Err(DecodeError::new(offset, &SIZE, rules::OBJREF_SIZE));
        }
        let reserved2 = cursor.u32(&RESERVED2)?;
        let object_id = cursor.guid(&OBJECT_ID)?;
        let padding = cursor.u32(&PADDING)?.to_le_bytes();
        let object = cursor.take_rest(&OBJECT, Format::Bytes).into();
        Ok(Self { reserved1, reserved2, object_id, padding, object })
    }
}

impl Encode for ObjectReference<'_> {
    fn encoded_len(&self) -> usize {
        self.object.len().saturating_add(remassist_core::usize_from(HEADER))
    }

    fn check(&self) -> Result<(), EncodeError> {
        Ok(())
    }

    fn write(&self, dst: &mut dyn BufMut) {
        dst.put_slice([self.reserved1, HEADER, self.reserved2].map(u32::to_le_bytes).as_flattened());
        dst.put_slice(&self.object_id.to_bytes_le());
        dst.put_slice(&self.padding);
        dst.put_slice(&self.object);
    }
}
