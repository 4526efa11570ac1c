//! The rules of the format, each with the name that vectors and reports know it by.

use remassist_core::{At, DecodeError, DecodeErrorKind, EncodeError};

use crate::MSMQ_EXTENSION_GUID;

macro_rules! rules {
    ($($const:ident = $name:literal, $text:literal;)*) => {$(
        pub(crate) const $const: DecodeErrorKind = DecodeErrorKind::Rule(concat!($name, ": ", $text));
    )*};
}

rules! {
    EXTENSION = "EXTENSION", "the MSMQ property is not the GUID of queued components";
    COMMON_TRUNC = "COMMON-TRUNC", "the message ends inside a header";
    COMMON_SIZE = "COMMON-SIZE", "Size does not cover the fixed fields or leads out of the message";
    COMMON_SIZE8 = "COMMON-SIZE8", "Size is not a multiple of 8";
    CONTAINER_FIRST = "CONTAINER-FIRST", "the message does not begin with a container header";
    CONTAINER_ONCE = "CONTAINER-ONCE", "a second container header";
    CHDR_MSGSIG = "CHDR-MSGSIG", "not the GUID of a container header";
    CHDR_MAXVER = "CHDR-MAXVER", "the maximum version is not 1";
    CHDR_MINVER = "CHDR-MINVER", "the minimum version is not 1";
    CHDR_MSGSIZE = "CHDR-MSGSIZE", "not the length of the message";
    CHDR_CTISIZE8 = "CHDR-CTISIZE8", "not a multiple of 8";
    CHDR_CTISIZE = "CHDR-CTISIZE", "not the size of the call target identifier with its padding";
    CTI_STRUCTID = "CTI-STRUCTID", "not the GUID of a call target identifier";
    CTI_STRUCTID_76 = "CTI-STRUCTID", "the identifier begins at byte 76: Reserved 4 was written with 4 bytes";
    CTI_STRSIZE = "CTI-STRSIZE", "the string is longer than the container header";
    CTI_UTF16 = "CTI-UTF16", "not UTF-16";
    CTI_NUL = "CTI-NUL", "not terminated by its only NUL";
    CTI_ABNF = "CTI-ABNF", "neither empty nor a UUID, with or without braces";
    CTI_PADDING = "CTI-PADDING", "more than 7 bytes of padding";
    PART_SIZE = "PART-SIZE", "not 24";
    ORDER_PART = "ORDER-PART", "the partition does not stand once, directly after the container";
    PART_TWICE = "ORDER-PART", "two different partitions";
    SECD_FIRST = "SECD-FIRST", "no security header stands before";
    SECD_DATASIZE = "SECD-DATASIZE", "the security data do not fit their header";
    SECD_PADDING = "SECD-PADDING", "more than 7 bytes of padding";
    SECR_SIZE = "SECR-SIZE", "not 16";
    SECR_OFFSET = "SECR-OFFSET", "not the offset of a security header before this one";
    ORDER_GROUP = "ORDER-GROUP", "security without a method header after it";
    METH_FIRST_IID = "METH-FIRST-IID", "the first method names no interface";
    METH_DREP = "METH-DREP", "not 0x10, the data representation of NDR";
    METH_FLAGS = "METH-FLAGS", "not 0x1000";
    METH_RESERVED = "METH-RESERVED", "not 1";
    METH_DATASIZE = "METH-DATASIZE", "the marshaled data do not fit their header";
    UNKNOWN_HEADER = "UNKNOWN-HEADER", "a header that no section defines";
    NO_METHOD = "NO-METHOD", "the message holds no method";
    SEC_TRUNC = "SEC-TRUNC", "the security data end inside a field";
    SEC_TRAILING = "SEC-TRAILING", "bytes after the last collection";
    SEC_VERSION = "SEC-VERSION", "not 1";
    SEC_STYLE = "SEC-STYLE", "neither 0 nor 2";
    SEC_COLLTYPE = "SEC-COLLTYPE", "not 0x0a01 in the first collection and 0x0a02 in the others";
    SEC_EMPTYCOLL = "SEC-EMPTYCOLL", "a collection without properties";
    SEC_PROPTYPE = "SEC-PROPTYPE", "no type that the table of properties has";
    SEC_PROPCOLL = "SEC-PROPCOLL", "a property that belongs into the other type of collection";
    SEC_DWORD = "SEC-DWORD", "not 4";
    SEC_SID = "SEC-SID", "not a SID";
    SEC_NAME = "SEC-NAME", "not a name terminated by its only NUL";
    SEC_PROPPAD = "SEC-PROPPAD", "not rounded up to a multiple of 4 with zeros";
    OBJREF_TRUNC = "OBJREF-TRUNC", "the object reference ends inside its header";
    OBJREF_SIZE = "OBJREF-SIZE", "not 32";
}

/// The name of the rule that an error or a deviation of this crate is about, such as `SECR-OFFSET`: what stands
/// before the colon of its text. `None` when it is about no rule but about a limit.
///
/// The names are stable; the texts after them are not. `CHDR-`, `CTI-`, `PART-`, `SECD-`, `SECR-` and `METH-` are
/// about fields of the header of that signature ([MC-COMQC] 2.2.2 to 2.2.6), `SEC-` about the security data
/// ([MS-COM] 2.2.3.2), `ORDER-` about the figures of [MC-COMQC] 2.2.
#[must_use]
pub fn rule_of(kind: DecodeErrorKind) -> Option<&'static str> {
    match kind {
        DecodeErrorKind::Rule(text) => text.split_once(": ").map(|(name, _)| name),
        _ => None,
    }
}

/// Checks the MSMQ property Extension, 16 bytes: anything but [`MSMQ_EXTENSION_GUID`] in packet form means that the
/// body is no queued component message, which must be ignored ([MC-COMQC] 2.1, 3.1.5).
///
/// # Errors
/// The rule `EXTENSION`, at the first byte that differs.
pub fn check_extension(extension: &[u8]) -> Result<(), DecodeError> {
    const AT: At = At::new("[MC-COMQC]", "2.1", "MSMQ message", "Extension");
    let expected = MSMQ_EXTENSION_GUID.to_bytes_le();
    if extension == expected {
        return Ok(());
    }
    let same = extension.iter().zip(expected).take_while(|(a, b)| **a == *b).count();
    Err(DecodeError::new(same, &AT, EXTENSION))
}

/// The error of a value that cannot be written because of a rule.
pub(crate) fn encode_error(at: &'static At, kind: DecodeErrorKind) -> EncodeError {
    let reason = if let DecodeErrorKind::Rule(text) = kind { text } else { "cannot be read again" };
    EncodeError::Invalid { at, reason }
}
