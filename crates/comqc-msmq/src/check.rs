//! Which messages a queue takes.

use comqc_session::{PrivacyLevel, Properties, QueueMessage, SignatureLevel};

use crate::QueueError;

/// The most bytes of a message, with its properties ([MS-MQMQ] 2.2.19.1: PacketSize).
pub const MAX_MESSAGE: usize = 0x0040_0000;

/// The most characters of a label, in UTF-16 ([MS-MQDMPR] 3.1.1.12).
const MAX_LABEL: usize = 249;

/// Whether a message can be sent as its sender wants it.
///
/// # Errors
/// [`QueueError::Unsendable`] for a label, a priority, or a size that no queue takes; and where the message is to be
/// encrypted or signed, since queues keep it as it is.
pub fn check(message: &QueueMessage) -> Result<(), QueueError> {
    let Properties { privacy, signature_level, .. } = message.properties;
    let wrong = if privacy != PrivacyLevel::NONE {
        "it is to be encrypted, which this queue does not"
    } else if signature_level != SignatureLevel::NONE {
        "it is to be signed, which this queue does not"
    } else {
        return check_carried(message);
    };
    Err(QueueError::Unsendable(wrong.into()))
}

/// Whether a message that was sent elsewhere can be carried.
pub(crate) fn check_carried(message: &QueueMessage) -> Result<(), QueueError> {
    let properties = &message.properties;
    let texts = [&properties.label, &properties.administration_queue, &properties.response_queue];
    let size = texts
        .iter()
        .map(|text| text.len())
        .chain([properties.extension.len(), message.body.len()])
        .fold(0, usize::saturating_add);
    let wrong = if properties.label.encode_utf16().count() > MAX_LABEL {
        format!("its label is longer than {MAX_LABEL} characters")
    } else if properties.priority > 7 {
        format!("its priority is {}, not 0 to 7", properties.priority)
    } else if size > MAX_MESSAGE {
        format!("it has {size} bytes; {MAX_MESSAGE} are the most")
    } else {
        return Ok(());
    };
    Err(QueueError::Unsendable(wrong))
}
