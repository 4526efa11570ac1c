"""Packs structures field by field as the figures of [C706] and [MS-RPCE] print them, with nothing but struct and uuid, and
writes what a decoder must find in them.

    python3 figures.py > figures.json
"""

import json
import struct
import uuid

SCM = uuid.UUID("000001a0-0000-0000-c000-000000000046")
NDR = uuid.UUID("8a885d04-1ceb-11c9-9fe8-08002b104860")
OBJECT = uuid.UUID("0f0e0d0c-0b0a-0908-0706-050403020100")
EXTENDED_ERROR = uuid.UUID("90740320-fad0-11d3-82d7-009027b130ab")
LITTLE, BIG = bytes([0x10, 0, 0, 0]), bytes(4)
FIRST_AND_LAST, OBJECT_UUID = 0x03, 0x80
REQUEST, FAULT, BIND, BIND_NAK = 0, 3, 11, 13

pdus, trailers = [], []


def case(cases, name, section, data, expected):
    cases.append({"name": name, "section": section, "hex": data.hex(), "expected": expected})


def pdu(order, kind, flags, call, body, sec_trailer=b"", token=b""):
    """The common header of [C706] 12.6.3.1, and what follows it."""
    rest = body + sec_trailer + token
    head = bytes([5, 0, kind, flags]) + (LITTLE if order == "<" else BIG)
    return head + struct.pack(order + "HHL", 16 + len(rest), len(token), call) + rest


def syntax(order, name, major):
    """p_syntax_id_t: the numbers inside the UUID have the order of the PDU."""
    return (name.bytes_le if order == "<" else name.bytes) + struct.pack(order + "L", major)


# Big-endian PDUs.
body = struct.pack(">HHL", 4280, 4280, 5) + bytes([1, 0, 0, 0])
body += struct.pack(">HBB", 2, 1, 0) + syntax(">", SCM, 0) + syntax(">", NDR, 2)
case(pdus, "big-endian bind", "[C706] 12.6.4.3, 14.2.5", pdu(">", BIND, FIRST_AND_LAST, 77, body), {
    "data_representation": [0, 0, 0, 0],
    "call_id": 77,
    "body": {
        "type": "bind",
        "max_xmit_frag": 4280,
        "assoc_group_id": 5,
        "contexts": [{
            "id": 2,
            "abstract_syntax": {"uuid": str(SCM), "version": 0},
            "transfer_syntaxes": [{"uuid": str(NDR), "version": 2}],
        }],
    },
})

token = b"\x11" * 16
body = struct.pack(">LHH", 3, 1, 9) + OBJECT.bytes + b"abc" + b"\0"
sec_trailer = bytes([10, 5, 1, 0]) + struct.pack(">L", 0x01020304)
data = pdu(">", REQUEST, FIRST_AND_LAST | OBJECT_UUID, 78, body, sec_trailer, token)
case(pdus, "big-endian request for an object with a signature", "[C706] 12.6.4.9, [MS-RPCE] 2.2.2.11", data, {
    "call_id": 78,
    "body": {
        "type": "request", "alloc_hint": 3, "context_id": 1, "opnum": 9, "object": str(OBJECT),
        "stub": b"abc".hex(),
    },
    "verifier": {
        "auth_type": 10, "auth_level": 5, "padding": "00", "context_id": 0x01020304, "token": token.hex(),
    },
})

# Extended error information, which has a form of its own: here only its place counts.
information = b"eeinfo"
body = struct.pack("<H", 4) + bytes([1, 5, 0])
# The signature stands at a multiple of 4.
tail = b"\0" * (-(16 + len(body)) % 4) + EXTENDED_ERROR.bytes_le + information
case(pdus, "bind_nak with extended error information", "[MS-RPCE] 2.2.2.9",
     pdu("<", BIND_NAK, FIRST_AND_LAST, 1, body + tail),
     {"body": {"type": "bind_nak", "reason": 4, "versions": [[5, 0]], "tail": tail.hex()}})

hint = 0x20 + len(information)
body = struct.pack("<LHBB", hint, 1, 0, 1) + struct.pack("<LL", 5, 0) + information
case(pdus, "fault with extended error information", "[MS-RPCE] 2.2.2.8",
     pdu("<", FAULT, FIRST_AND_LAST, 2, body),
     {"body": {
         "type": "fault", "alloc_hint": hint, "context_id": 1, "reserved": 1, "status": 5,
         "stub": information.hex(),
     }})

# Verification trailers ([MS-RPCE] 2.2.2.13), always little-endian.
SIGNATURE = bytes([0x8A, 0xE3, 0x13, 0x71, 0x02, 0xF4, 0x36, 0x71])
END, MUST_PROCESS = 0x4000, 0x8000
BITMASK, PCONTEXT, HEADER2 = 1, 2, 3


def command(kind, body):
    return struct.pack("<HH", kind, len(body)) + body


bits = struct.pack("<L", 1)
header2 = struct.pack("<BBH4sLHH", REQUEST, 0, 0, LITTLE, 9, 3, 4)
pcontext = syntax("<", SCM, 0) + syntax("<", NDR, 2)
bitmask = {"must_process": False, "body": {"type": "bitmask", "bits": 1}}

case(trailers, "bitmask", "2.2.2.13.2", SIGNATURE + command(BITMASK | END, bits), {"commands": [bitmask]})
data = SIGNATURE + command(BITMASK, bits) + command(HEADER2 | MUST_PROCESS, header2)
data += command(PCONTEXT | END, pcontext)
case(trailers, "bitmask, header2 and pcontext", "2.2.2.13.2 to 2.2.2.13.4", data, {"commands": [
    bitmask,
    {"must_process": True, "body": {
        "type": "header2", "packet_type": REQUEST, "reserved": [0, 0, 0],
        "data_representation": list(LITTLE), "call_id": 9, "context_id": 3, "opnum": 4,
    }},
    {"must_process": False, "body": {
        "type": "p_context",
        "interface": {"uuid": str(SCM), "version": 0},
        "transfer": {"uuid": str(NDR), "version": 2},
    }},
]})
body = struct.pack("<L", 7)
case(trailers, "unknown command", "2.2.2.13", SIGNATURE + command(5 | END | MUST_PROCESS, body), {"commands": [
    {"must_process": True, "body": {"type": "unknown", "command": 5, "body": body.hex()}},
]})

print(json.dumps({"pdus": pdus, "trailers": trailers}, indent=1))
