"""Assembles packets field by field from the tables of the specifications, and writes where each field must be found.

    python3 make.py > packets.json

It knows nothing of the crate: names, sizes and order are those of [MS-MQMQ] 2.2.18 to 2.2.20, [MS-MQQB] 2.2 and
[MS-MQRR] 2.2.5.
"""

import json
import struct
import uuid

SENDER = uuid.UUID("0f0e0d0c-0b0a-0908-0706-050403020100")
RECEIVER = uuid.UUID("a0a1a2a3-a4a5-a6a7-a8a9-aaabacadaeaf")
QUEUE = uuid.UUID("deadbeef-0001-0002-0003-000400050006")
CONNECTOR = uuid.UUID("c0c1c2c3-c4c5-c6c7-c8c9-cacbcccdcecf")
NULL = uuid.UUID(int=0)
COMQC = uuid.UUID("1664bcfb-1751-11d2-b58e-00e0290e6c31")


class Packet:
    """Bytes with the names of their fields; padding has no name."""

    def __init__(self):
        self.data = b""
        self.fields = []

    def add(self, name, data):
        if data:
            self.fields.append([name, len(self.data), data.hex()])
            self.data += data

    def u8(self, name, value):
        self.add(name, struct.pack("<B", value))

    def u16(self, name, value):
        self.add(name, struct.pack("<H", value))

    def u32(self, name, value):
        self.add(name, struct.pack("<I", value))

    def u64(self, name, value):
        self.add(name, struct.pack("<Q", value))

    def guid(self, name, value):
        self.add(name, value.bytes_le)

    def pad(self, start, fill=0xEE):
        """Up to a multiple of 4 from `start`."""
        self.data += bytes([fill]) * (-(len(self.data) - start) % 4)

    def patch(self, name, value):
        """Sets a u32 field that was written before, now that it is known."""
        for field in self.fields:
            if field[0] == name:
                field[2] = struct.pack("<I", value).hex()
                self.data = self.data[: field[1]] + struct.pack("<I", value) + self.data[field[1] + 4 :]
                return
        raise KeyError(name)


def wide(text):
    return text.encode("utf-16-le") + b"\0\0"


def base(p, flags, time=0xFFFFFFFF, reserved=0xC0):
    p.u8("BaseHeader.VersionNumber", 0x10)
    p.u8("BaseHeader.Reserved", reserved)
    p.u16("BaseHeader.Flags", flags)
    p.add("BaseHeader.Signature", b"LIOR")
    p.u32("BaseHeader.PacketSize", 0)
    p.u32("BaseHeader.TimeToReachQueue", time)


def internal(p, flags, reserved=0):
    p.u16("InternalHeader.Reserved", reserved)
    p.u16("InternalHeader.Flags", flags)


def session(p, ack=3, disk=2, flags=0x80000001, sent=7, recoverable=5, window=64, reserved=0):
    p.u16("SessionHeader.AckSequenceNumber", ack)
    p.u16("SessionHeader.RecoverableMsgAckSeqNumber", disk)
    p.u32("SessionHeader.RecoverableMsgAckFlags", flags)
    p.u16("SessionHeader.UserMsgSequenceNumber", sent)
    p.u16("SessionHeader.RecoverableMsgSeqNumber", recoverable)
    p.u16("SessionHeader.WindowSize", window)
    p.u16("SessionHeader.Reserved", reserved)


def queue(p, kind, value):
    """A queue as the types 0 to 7 of UserHeader have it."""
    if kind in (2, 3, 4):
        p.u32("PrivateQueueFormatNameId.PrivateQueueIdentifier", value)
    elif kind == 5:
        p.guid("PublicQueueFormatName.PublicQueueIdentifier", value)
    elif kind == 6:
        p.guid("PrivateQueueFormatName.SourceQueueManager", value[0])
        p.u32("PrivateQueueFormatName.PrivateQueueIdentifier", value[1])
    elif kind == 7:
        start = len(p.data)
        p.u16("DirectQueueFormatName.Count", len(wide(value)))
        p.add("DirectQueueFormatName.DirectFormatName", wide(value))
        p.pad(start)


SAMPLE = {0: None, 1: None, 2: 0x11, 3: 0x22, 4: 0x33, 5: QUEUE, 6: (RECEIVER, 0x44), 7: "OS:srv\\private$\\app"}


def user(p, flags, dq=7, aq=0, rq=0, names=SAMPLE, address=None, connector=False, received=0xFFFFFFFF):
    if address is None:
        address = NULL if dq == 7 else RECEIVER
    p.guid("UserHeader.SourceQueueManager", SENDER)
    p.add("UserHeader.QueueManagerAddress", address if isinstance(address, bytes) else address.bytes_le)
    p.u32("UserHeader.TimeToBeReceived", received)
    p.u32("UserHeader.SentTime", 1700000000)
    p.u32("UserHeader.MessageID", 0x1234)
    p.u32("UserHeader.Flags", flags | dq << 10 | aq << 13 | rq << 16 | 1 << 21 | connector << 22)
    for kind in (dq, aq, rq):
        queue(p, kind, names[kind])
    if connector:
        p.guid("UserHeader.ConnectorType", CONNECTOR)


def identifier(p, manager, ordinal):
    p.guid("MessageIdentifier.QueueManagerGuid", manager)
    p.u32("MessageIdentifier.Ordinal", ordinal)


def properties(p, label="", extension=b"", body=b"", flags=0, klass=0, slack=b"", privacy=0, cipher=0x660E):
    name = "MessagePropertiesHeader."
    start = len(p.data)
    text = wide(label) if label else b""
    p.u8(name + "Flags", flags)
    p.u8(name + "LabelLength", len(text) // 2)
    p.u16(name + "MessageClass", klass)
    identifier(p, RECEIVER, 77)
    p.u32(name + "BodyType", 8)
    p.u32(name + "ApplicationTag", 0xCAFE)
    p.u32(name + "MessageSize", len(body))
    p.u32(name + "AllocationBodySize", len(body) + len(slack))
    p.u32(name + "PrivacyLevel", privacy)
    p.u32(name + "HashAlgorithm", 0x800E)
    p.u32(name + "EncryptionAlgorithm", cipher)
    p.u32(name + "ExtensionSize", len(extension))
    p.add(name + "Label", text)
    p.add(name + "ExtensionData", extension)
    p.add(name + "MessageBody", body)
    p.add(name + "MessageBody (allocated)", slack)
    p.pad(start)


def transaction(p, flags=0x1230C, ident=0x0000000500000009, number=3, previous=2, connector=False):
    p.u32("TransactionHeader.Flags", flags | connector)
    p.u64("TransactionHeader.TxSequenceID", ident)
    p.u32("TransactionHeader.TxSequenceNumber", number)
    p.u32("TransactionHeader.PreviousTxSequenceNumber", previous)
    if connector:
        p.guid("TransactionHeader.ConnectorQMGuid", CONNECTOR)


def security(p, kind=1, items=(b"", b"", b"", b"", b""), more=0):
    name = "SecurityHeader."
    start = len(p.data)
    p.u16(name + "Flags", kind | more)
    for field, item in zip(("SenderIdSize", "EncryptionKeySize", "SignatureSize"), items):
        p.u16(name + field, len(item))
    p.u32(name + "SenderCertSize", len(items[3]))
    p.u32(name + "ProviderInfoSize", len(items[4]))
    for field, item in zip(("SecurityID", "EncryptionKey", "Signature", "SenderCert", "ProviderInfo"), items):
        p.add(name + field, item)
        p.pad(start)


def debug(p, target):
    p.u16("DebugHeader.Flags", 1 if target else 0)
    p.u16("DebugHeader.Reserved", 0)
    if target:
        p.guid("DebugHeader.QueueIdentifier", target)


def soap(p, header="<h/>", body="<bb/>"):
    for ident, reserved, length, text, value in (
        ("HeaderSectionID", "Reserved", "HeaderDataLength", "Header", header),
        ("BodySectionID", "Reserved1", "BodyDataLength", "Body", body),
    ):
        p.u16("SoapHeader." + ident, 0x0320 if value is header else 0x0384)
        p.u16("SoapHeader." + reserved, 0)
        p.u32("SoapHeader." + length, len(wide(value)) // 2)
        p.add("SoapHeader." + text, wide(value))


def addresses(p, ident, names):
    """MQFAddressHeader; HeaderSize does not count what rounds it up."""
    start = len(p.data)
    index = len(p.fields)
    p.u32("MQFAddressHeader.HeaderSize", 0)
    p.u16("MQFAddressHeader.HeaderID", ident)
    p.u16("MQFAddressHeader.Reserved", 0)
    p.u32("MQFAddressHeader.ElementCount", len(names))
    for kind, value in names:
        p.u16("MQFFormatNameElement.FormatType", kind)
        if kind == 3:
            p.add("MQFDirectQueueFormatName.DirectFormatName", wide(value))
            continue
        p.pad(start)
        if kind == 1:
            p.guid("PublicQueueFormatName.PublicQueueIdentifier", value)
        elif kind == 2:
            p.guid("PrivateQueueFormatName.SourceQueueManager", value[0])
            p.u32("PrivateQueueFormatName.PrivateQueueIdentifier", value[1])
        else:
            p.guid("MQFDistributionQueueFormatName.DistributionListIdentifier", value)
    size = struct.pack("<I", len(p.data) - start)
    p.fields[index][2] = size.hex()
    p.data = p.data[:start] + size + p.data[start + 4 :]
    p.pad(start)


def multi(p, destinations, signature=b""):
    addresses(p, 0x64, destinations)
    addresses(p, 0xC8, [])
    addresses(p, 0x12C, [(3, "OS:me\\private$\\answer")])
    p.u16("MQFSignatureHeader.ID", 0x15E)
    p.u16("MQFSignatureHeader.Reserved", 0)
    p.u32("MQFSignatureHeader.Size", len(signature))
    p.add("MQFSignatureHeader.Signature", signature)


cases = []


def case(name, kind, p, size=None):
    if kind != "ping":
        p.patch("BaseHeader.PacketSize", len(p.data) if size is None else size)
    cases.append({"name": name, "type": kind, "hex": p.data.hex(), "fields": p.fields})


def message(name, flags=0, base_flags=3, behind=None, **parts):
    """A UserMessage; parts are arguments of the functions above."""
    p = Packet()
    flags |= (1 << 20) * ("transaction" in parts) | (1 << 19) * ("security" in parts)
    flags |= (1 << 28) * ("soap" in parts) | (1 << 23) * ("multi" in parts)
    base_flags |= 0x20 * ("debug" in parts) | 0x10 * (behind is not None)
    base(p, base_flags, parts.get("time", 0xFFFFFFFF))
    user(p, flags, **parts.get("user", {}))
    if "transaction" in parts:
        transaction(p, **parts["transaction"])
    if "security" in parts:
        security(p, **parts["security"])
    properties(p, **parts.get("properties", {}))
    if "debug" in parts:
        debug(p, parts["debug"])
    if "soap" in parts:
        soap(p, **parts["soap"])
        if "multi" in parts:
            p.pad(0)
    if "multi" in parts:
        multi(p, **parts["multi"])
    size = len(p.data)
    if behind is not None:
        session(p, **behind)
    case(name, "packet", p, size)


def sessions():
    p = Packet()
    base(p, 0x000B)
    internal(p, 0x0002)
    p.guid("EstablishConnectionHeader.ClientGuid", SENDER)
    p.guid("EstablishConnectionHeader.ServerGuid", NULL)
    p.u32("EstablishConnectionHeader.TimeStamp", 0x01020304)
    p.u16("EstablishConnectionHeader.OperatingSystem", 0x0310)
    p.u16("EstablishConnectionHeader.Reserved", 0)
    p.add("EstablishConnectionHeader.Padding", bytes(range(256)) * 2)
    case("EstablishConnection request", "packet", p)

    p = Packet()
    base(p, 0x000B)
    internal(p, 0x0012)
    p.guid("EstablishConnectionHeader.ClientGuid", SENDER)
    p.guid("EstablishConnectionHeader.ServerGuid", RECEIVER)
    p.u32("EstablishConnectionHeader.TimeStamp", 0x01020304)
    p.u16("EstablishConnectionHeader.OperatingSystem", 0x0110)
    p.u16("EstablishConnectionHeader.Reserved", 0)
    p.add("EstablishConnectionHeader.Padding", b"\x5A" * 512)
    case("EstablishConnection refused", "packet", p)

    p = Packet()
    base(p, 0x000B)
    internal(p, 0x0003)
    p.u32("ConnectionParametersHeader.RecoverableAckTimeout", 500)
    p.u32("ConnectionParametersHeader.AckTimeout", 20000)
    p.u16("ConnectionParametersHeader.Reserved", 0)
    p.u16("ConnectionParametersHeader.WindowSize", 64)
    case("ConnectionParameters", "packet", p)

    p = Packet()
    base(p, 0x001B)
    internal(p, 0x0001)
    session(p)
    case("SessionAck", "packet", p)

    for name, flags in (("request", 0x7D01), ("refused", 0x0003)):
        p = Packet()
        p.u16("Ping Packet.Flags", flags)
        p.u16("Ping Packet.Signature", 0x5548)
        p.u32("Ping Packet.Cookie", 0x01020304)
        p.guid("Ping Packet.QMGuid", SENDER)
        case("Ping " + name, "ping", p)


def messages():
    for dq in (0, 3, 5, 7):
        message(f"destination of type {dq}", user={"dq": dq})
    for aq in (2, 3, 5, 6, 7):
        message(f"administration queue of type {aq}", user={"aq": aq}, properties={"flags": 0x0F})
    for rq in range(1, 8):
        message(f"response queue of type {rq}", user={"aq": 5, "rq": rq}, properties={"flags": 1})
    for length in range(1, 6):
        names = {**SAMPLE, 7: "x" * length}
        message(f"direct name of {length} letters", user={"names": names})
        message(f"body of {length} bytes", properties={"body": b"b" * length, "extension": b"e"})
    message("connector", user={"connector": True})
    message("all reserved flags", 0xEC000080, 0xFEC3)
    message("journals, recoverable, 29 servers", 0x33D, 7, time=345600, user={"received": 60})
    message("transaction", 0x20, 0, transaction={})
    message("transaction with connector", 0x20, 0, transaction={"connector": True, "flags": 0xFF12340A})
    message("class", properties={"klass": 0xC004, "label": "rejected"})
    message("longest label", properties={"label": "l" * 249})
    message("allocated behind the body", properties={"body": b"body!", "slack": b"slack"})
    message("encrypted", properties={"body": bytes(16), "privacy": 5, "cipher": 0x6610},
            security={"kind": 0, "more": 0xE0, "items": (b"", b"k" * 76, b"", b"", b"")})
    sid = bytes.fromhex("010500000000000515000000ad4a9ebd36d9fa3d63a656dae8030000")
    message("sender", security={"items": (sid, b"", b"", b"", b"")})
    provider = struct.pack("<I", 24) + wide("Provider")
    message("all security data", properties={"body": b"x"},
            security={"kind": 2, "more": 0xF0A0, "items": (SENDER.bytes_le, b"key", b"signa", b"certif", provider)})
    message("traced", 0, 0x103, debug=QUEUE)
    message("traced to no queue", debug=None)
    message("SOAP", soap={})
    message("SOAP, odd header", soap={"header": "<hh/>", "body": ""})
    everywhere = [(3, "OS:a\\q"), (1, QUEUE), (2, (RECEIVER, 9)), (3, "TCP:10.0.0.1\\private$\\q"), (6, CONNECTOR)]
    message("many queues", multi={"destinations": everywhere, "signature": b"signed"})
    message("no queues", multi={"destinations": []})
    message("acknowledgment behind it", behind={}, properties={"body": b"x"})
    message("COMQC", 0x20, 0, transaction={"flags": 0x1C, "number": 1, "previous": 0},
            properties={"label": "App", "extension": COMQC.bytes_le, "body": b"CHDR" + bytes(9)})
    message("everything", 0x33D, 0x100, behind={"window": 1}, time=1,
            user={"dq": 5, "aq": 7, "rq": 6, "connector": True},
            transaction={"connector": True},
            security={"items": (sid, b"key", b"s", b"cert", provider), "more": 0xC0},
            properties={"label": "label", "extension": b"ext", "body": b"body", "flags": 5},
            debug=QUEUE, soap={"header": "h", "body": "b"},
            multi={"destinations": everywhere, "signature": b"0123456789"})


def acknowledgment(name, klass, flags, rest, dq=7):
    p = Packet()
    base(p, 0, reserved=0)
    names = {3: 4, 7: "TCP:10.0.0.5\\PRIVATE$\\order_queue$", 0: None}
    user(p, flags, dq=dq, names=names)
    body = struct.pack("<QII", 0x0000000500000009, 3, 2) + rest
    properties(p, label="QM Ordering Ack", body=body, klass=klass)
    case(name, "packet", p)


def remote(name, names=SAMPLE, dq=7, flags=0, base_flags=3, address=None, behind=None, srmp=None, extension=None,
           whole=False, body=b"body", rest=None):
    p = Packet()
    base(p, base_flags | 0x10 * (behind is not None), 1800000000)
    user(p, flags | 0x2000000 * (srmp is not None), dq=dq, names=names, address=address)
    properties(p, label="remote", body=body)
    if srmp:
        text, http, offset, length = srmp
        p.u16("SRMPEnvelopeHeader.HeaderId", 400)
        p.u16("SRMPEnvelopeHeader.Reserved", 0)
        p.u32("SRMPEnvelopeHeader.DataLength", len(wide(text)) // 2)
        p.add("SRMPEnvelopeHeader.Data", wide(text))
        p.pad(0)
        p.u16("CompoundMessageHeader.HeaderId", 500)
        p.u16("CompoundMessageHeader.Reserved", 0)
        p.u32("CompoundMessageHeader.HTTPBodySize", len(http))
        p.u32("CompoundMessageHeader.MsgBodySize", length)
        p.u32("CompoundMessageHeader.MsgBodyOffset", offset)
        p.add("CompoundMessageHeader.Data", http)
        p.pad(0)
    size = len(p.data)
    if behind is not None:
        session(p, **behind)
    if extension is not None:
        path, kind, source = extension
        dead = b"" if path is None else wide(path) + b"\0" * (-len(wide(path)) % 4)
        p.u32("ExtensionHeader.HeaderSize", 12)
        p.u32("ExtensionHeader.RemainingHeadersSize", 148 + (4 + len(dead) if dead else 0) + 28)
        p.u8("ExtensionHeader.Flags", 0x12 | bool(dead))
        p.add("ExtensionHeader.Reserved", b"\1\2\3")
        p.u32("SubqueueHeader.HeaderSize", 148)
        p.u32("SubqueueHeader.TM and AcknowledgementClass", 0x4000 << 1)
        p.u32("SubqueueHeader.AbortCounter", 1)
        p.u32("SubqueueHeader.MoveCounter", 2)
        p.u32("SubqueueHeader.LastMoveTime", 3)
        p.add("SubqueueHeader.SubqueueName", "retry".encode("utf-16-le").ljust(64, b"\0"))
        p.add("SubqueueHeader.TargetSubqueueName", bytes(64))
        if dead:
            p.u32("DeadLetterHeader.HeaderSize", 4 + len(dead))
            p.add("DeadLetterHeader.DeadLetterPathName", wide(path))
            p.data += dead[len(wide(path)) :]
        p.u32("ExtendedAddressHeader.HeaderSize", 28)
        p.u16("ExtendedAddressHeader.AddressLength", len(source))
        p.u16("ExtendedAddressHeader.AddressType", kind)
        p.u32("ExtendedAddressHeader.AddressScope", 0)
        p.add("ExtendedAddressHeader.Address", source.ljust(16, b"\0"))
    case(name, "remote", p, len(p.data) if whole else size)


sessions()
messages()
acknowledgment("OrderAck", 0x00FF, 0, bytes(20))
acknowledgment("OrderAck to private queue 4", 0x00FF, 0, bytes(20), dq=3)
acknowledgment("FinalAck", 0x8004, 0x20, SENDER.bytes_le + struct.pack("<I", 0x1234))
acknowledgment("FinalAck of a taken message", 0x4000, 0x20, SENDER.bytes_le + struct.pack("<I", 0x1234))
OVERLAY = struct.pack("<HHI", 4, 1, 0) + bytes([10, 0, 0, 7]) + bytes(4)
remote("remote, Windows Server 2003", address=OVERLAY)
remote("remote, IPv4", address=OVERLAY, extension=(None, 1, bytes([10, 0, 0, 7])))
remote("remote, IPv6", extension=(None, 6, bytes(range(16))), whole=True, address=OVERLAY)
remote("remote, dead-letter queue", dq=3, extension=("OS:me\\private$\\dead", 1, bytes([10, 0, 0, 8])), body=b"abc")
remote("remote, dead-letter queue, rounded", dq=5, extension=("OS:me\\private$\\dead1", 0, b""), behind={})
remote("remote, over HTTP", address=OVERLAY, srmp=("<env/>", b"POST / HTTP/1.1\r\n\r\nBODY", 19, 4),
       extension=(None, 0, b""))
print(json.dumps({"cases": cases}, indent=1))
