//! Numbers with a meaning.

remassist_core::named_numbers! {
    /// The class of a message ([MS-MQMQ] 2.2.18.1.6), a u16: what it is, or what became of the message that it is about.
    /// An application may use others, of the bits 0xE1FF.
    MessageClass(u16) {
        /// A message of an application.
        NORMAL = 0x0000, "MQMSG_CLASS_NORMAL";
        /// A report about the way of another message.
        REPORT = 0x0001, "MQMSG_CLASS_REPORT";
        /// The message reached its queue.
        ACK_REACH_QUEUE = 0x0002, "MQMSG_CLASS_ACK_REACH_QUEUE";
        /// Transactional messages arrived in order ([`OrderAck`](crate::OrderAck)).
        ORDER_ACK = 0x00FF, "MQMSG_CLASS_ORDER_ACK";
        /// An application took the message.
        ACK_RECEIVE = 0x4000, "MQMSG_CLASS_ACK_RECEIVE";
        /// There is no such queue.
        NACK_BAD_DST_Q = 0x8000, "MQMSG_CLASS_NACK_BAD_DST_Q";
        /// An administrator deleted the message before it reached its queue.
        NACK_DELETED = 0x8001, "MQMSG_CLASS_NACK_DELETED";
        /// The time to reach the queue ran out.
        NACK_REACH_QUEUE_TIMEOUT = 0x8002, "MQMSG_CLASS_NACK_REACH_QUEUE_TIMEOUT";
        /// The queue is full.
        NACK_Q_EXCEED_QUOTA = 0x8003, "MQMSG_CLASS_NACK_Q_EXCEED_QUOTA";
        /// The sender may not write to the queue.
        NACK_ACCESS_DENIED = 0x8004, "MQMSG_CLASS_NACK_ACCESS_DENIED";
        /// Too many servers passed the message on.
        NACK_HOP_COUNT_EXCEEDED = 0x8005, "MQMSG_CLASS_NACK_HOP_COUNT_EXCEEDED";
        /// The signature is wrong.
        NACK_BAD_SIGNATURE = 0x8006, "MQMSG_CLASS_NACK_BAD_SIGNATURE";
        /// The body could not be decrypted.
        NACK_BAD_ENCRYPTION = 0x8007, "MQMSG_CLASS_NACK_BAD_ENCRYPTION";
        /// A transactional message for a queue that is not.
        NACK_NOT_TRANSACTIONAL_Q = 0x8009, "MQMSG_CLASS_NACK_NOT_TRANSACTIONAL_Q";
        /// A message that is not transactional for a transactional queue.
        NACK_NOT_TRANSACTIONAL_MSG = 0x800A, "MQMSG_CLASS_NACK_NOT_TRANSACTIONAL_MSG";
        /// The receiver does not have the cryptographic provider.
        NACK_UNSUPPORTED_CRYPTO_PROVIDER = 0x800B, "MQMSG_CLASS_NACK_UNSUPPORTED_CRYPTO_PROVIDER";
        /// The queue was deleted with the message in it.
        NACK_Q_DELETED = 0xC000, "MQMSG_CLASS_NACK_Q_DELETED";
        /// The queue was emptied with the message in it.
        NACK_Q_PURGED = 0xC001, "MQMSG_CLASS_NACK_Q_PURGED";
        /// Nobody took the message in time.
        NACK_RECEIVE_TIMEOUT = 0xC002, "MQMSG_CLASS_NACK_RECEIVE_TIMEOUT";
        /// The application rejected the message.
        NACK_RECEIVE_REJECTED = 0xC004, "MQMSG_CLASS_NACK_RECEIVE_REJECTED";
    }

    /// How far a message is kept ([MS-MQMQ] 2.2.19.2, DM), 2 bits.
    DeliveryMode(u8) {
        /// In memory: lost when a queue manager restarts.
        EXPRESS = 0, "express";
        /// On disk.
        RECOVERABLE = 1, "recoverable";
    }

    /// What is encrypted of a message, and how strongly ([MS-MQMQ] 2.2.19.3), a u32.
    PrivacyLevel(u32) {
        /// Nothing.
        NONE = 0, "no encryption";
        /// The body, 40 bits.
        BASE = 1, "40-bit encryption";
        /// The body, 128 bits.
        ENHANCED = 3, "128-bit encryption";
        /// The body, AES.
        AES = 5, "AES";
    }

    /// The hash that is signed ([MS-MQMQ] 2.2.19.3), a u32. Some texts have MD4 for 0x8003 (erratum Q11).
    HashAlgorithm(u32) {
        /// MD2.
        MD2 = 0x8001, "MD2";
        /// MD4.
        MD4 = 0x8002, "MD4";
        /// MD5.
        MD5 = 0x8003, "MD5";
        /// SHA-1.
        SHA1 = 0x8004, "SHA-1";
        /// SHA-256.
        SHA256 = 0x800C, "SHA-256";
        /// SHA-512.
        SHA512 = 0x800E, "SHA-512";
    }

    /// The cipher of the body ([MS-MQMQ] 2.2.19.3), a u32.
    EncryptionAlgorithm(u32) {
        /// RC2.
        RC2 = 0x6602, "RC2";
        /// AES with 256 bits.
        AES256 = 0x6610, "AES 256";
        /// AES with 128 bits.
        AES128 = 0x660E, "AES 128";
        /// AES with 192 bits.
        AES192 = 0x660F, "AES 192";
        /// RC4.
        RC4 = 0x6801, "RC4";
    }

    /// What SecurityID names ([MS-MQMQ] 2.2.20.6, ST), 4 bits.
    SenderIdType(u8) {
        /// Nobody: there is none.
        NONE = 0, "none";
        /// A user, by SID.
        SID = 1, "SID";
        /// A queue manager, by GUID.
        QUEUE_MANAGER = 2, "queue manager GUID";
    }

    /// Which packet an internal one is ([MS-MQQB] 2.2.1, PT), 4 bits.
    PacketType(u8) {
        /// [`SessionAck`](crate::SessionAck).
        SESSION_ACK = 1, "SessionAck";
        /// [`EstablishConnection`](crate::EstablishConnection).
        ESTABLISH_CONNECTION = 2, "EstablishConnection";
        /// [`ConnectionParameters`](crate::ConnectionParameters).
        CONNECTION_PARAMETERS = 3, "ConnectionParameters";
    }

    /// How a queue is named in a UserHeader ([MS-MQMQ] 2.2.19.2, DQ, AQ and RQ), 3 bits.
    QueueType(u8) {
        /// Not at all.
        NONE = 0, "none";
        /// The administration queue.
        SAME_AS_ADMIN = 1, "the administration queue";
        /// A private queue of the host that sent the message.
        PRIVATE_ON_SOURCE = 2, "private queue on the source host";
        /// A private queue of the host that the message is for.
        PRIVATE_ON_DESTINATION = 3, "private queue on the destination host";
        /// A private queue of the host of the administration queue.
        PRIVATE_ON_ADMIN_HOST = 4, "private queue on the host of the administration queue";
        /// A public queue.
        PUBLIC = 5, "public queue";
        /// A private queue of any host.
        PRIVATE = 6, "private queue";
        /// A direct format name.
        DIRECT = 7, "direct";
    }

    /// How a queue is named in a list ([MS-MQMQ] 2.2.18.1.4), a u16.
    FormatType(u16) {
        /// A public queue.
        PUBLIC = 1, "public";
        /// A private queue.
        PRIVATE = 2, "private";
        /// A direct format name.
        DIRECT = 3, "direct";
        /// A distribution list.
        DISTRIBUTION_LIST = 6, "distribution list";
    }

    /// What a list of queues is for ([MS-MQMQ] 2.2.20.2), a u16.
    AddressHeaderId(u16) {
        /// Destinations.
        DESTINATION = 0x0064, "Destination";
        /// Administration queues.
        ADMIN = 0x00C8, "Admin";
        /// Response queues.
        RESPONSE = 0x012C, "Response";
        /// No list but the signature ([MS-MQMQ] 2.2.20.3).
        SIGNATURE = 0x015E, "Signature";
    }

    /// Which address of a host follows ([MS-MQRR] 2.2.5.1), a u16.
    AddressType(u16) {
        /// None.
        NONE = 0, "none";
        /// IPv4, 4 bytes.
        IPV4 = 1, "IP_ADDRESS_TYPE";
        /// IPv6, 16 bytes.
        IPV6 = 6, "IPV6_ADDRESS_TYPE";
    }
}

impl Default for MessageClass {
    fn default() -> Self {
        Self::NORMAL
    }
}
