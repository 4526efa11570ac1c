"""Encodes PDUs with the classes of impacket, and writes what a decoder must find in them.

    python3 -m venv env && env/bin/pip install impacket==0.13.1 && env/bin/python make.py > impacket.json
"""

import json
import struct
import uuid

from impacket.dcerpc.v5 import rpcrt
from impacket.uuid import uuidtup_to_bin

SCM = ("000001a0-0000-0000-c000-000000000046", "0.0")
NDR = ("8a885d04-1ceb-11c9-9fe8-08002b104860", "2.0")
NDR64 = ("71710533-beba-4937-8319-b5dbef9ccc36", "1.0")
FEATURES = ("6cb71c2c-9812-4540-0300-000000000000", "1.0")
OBJECT = "0f0e0d0c-0b0a-0908-0706-050403020100"
FAULT_STATUS = 0x1C010002

cases = []


def case(name, pdu, expected):
    data = pdu.get_packet() if hasattr(pdu, "get_packet") else pdu
    cases.append({"name": name, "hex": data.hex(), "expected": expected})


def syntax(pair):
    major, minor = pair[1].split(".")
    return {"uuid": pair[0], "version": int(minor) << 16 | int(major)}


def item(identifier, interface, transfer):
    context = rpcrt.CtxItem()
    context["ContextID"] = identifier
    context["TransItems"] = 1
    context["AbstractSyntax"] = uuidtup_to_bin(interface)
    context["TransferSyntax"] = uuidtup_to_bin(transfer)
    return context


def trailer(level, context, pad=0):
    value = rpcrt.SEC_TRAILER()
    value["auth_type"] = rpcrt.RPC_C_AUTHN_WINNT
    value["auth_level"] = level
    value["auth_pad_len"] = pad
    value["auth_ctx_id"] = context
    return value


def verifier(level, context, token, padding=""):
    return {"auth_type": 10, "auth_level": level, "context_id": context, "token": token.hex(), "padding": padding}


def bind(kind, call, transfers, token=b"", level=6, context=7):
    body = rpcrt.MSRPCBind()
    for identifier, transfer in enumerate(transfers):
        body.addCtxItem(item(identifier, SCM, transfer))
    pdu = rpcrt.MSRPCHeader()
    pdu["type"] = kind
    pdu["call_id"] = call
    pdu["pduData"] = body.getData()
    if token:
        pdu["sec_trailer"] = trailer(level, context)
        pdu["auth_data"] = token
    expected = {
        "flags": 3,
        "call_id": call,
        "body": {
            "type": "bind" if kind == rpcrt.MSRPC_BIND else "alter_context",
            "max_xmit_frag": 4280,
            "max_recv_frag": 4280,
            "assoc_group_id": 0,
            "contexts": [
                {"id": n, "abstract_syntax": syntax(SCM), "transfer_syntaxes": [syntax(t)]}
                for n, t in enumerate(transfers)
            ],
        },
        "verifier": verifier(level, context, token) if token else None,
    }
    return pdu, expected


TOKEN = b"NTLMSSP\0" + bytes(range(24))
MAC = bytes(range(16))

case("bind", *bind(rpcrt.MSRPC_BIND, 1, [NDR]))
case("bind with NDR64, features and a token", *bind(rpcrt.MSRPC_BIND, 2, [NDR, NDR64, FEATURES], TOKEN))
case("alter_context with a token", *bind(rpcrt.MSRPC_ALTERCTX, 3, [NDR], TOKEN, 5, 79231))

auth3 = rpcrt.MSRPCHeader()
auth3["type"] = rpcrt.MSRPC_AUTH3
auth3["call_id"] = 2
auth3["pduData"] = b"    "
auth3["sec_trailer"] = trailer(6, 7)
auth3["auth_data"] = TOKEN
case("auth3", auth3, {"call_id": 2, "body": {"type": "auth3", "pad": "20202020"}, "verifier": verifier(6, 7, TOKEN)})

for name, stub, token, uid, pad in [
    ("request", b"stubdata", b"", None, b""),
    ("request for an object", b"stub", b"", OBJECT, b""),
    ("request with a signature", b"stubdata12", MAC, None, b"\xbb\xbb"),
    ("request for an object with a signature", b"stubdata1", MAC, OBJECT, b"\xbb\xbb\xbb"),
]:
    request = rpcrt.MSRPCRequestHeader()
    request["call_id"] = 9
    request["ctx_id"] = 3
    request["op_num"] = 4
    request["alloc_hint"] = len(stub)
    if uid:
        request["flags"] |= rpcrt.PFC_OBJECT_UUID
        request["uuid"] = uuid.UUID(uid).bytes_le
    request["pduData"] = stub
    if token:
        request["pad"] = pad
        request["sec_trailer"] = trailer(5, 7, len(pad))
        request["auth_data"] = token
    case(name, request, {
        "flags": 0x83 if uid else 3,
        "call_id": 9,
        "body": {"type": "request", "alloc_hint": len(stub), "context_id": 3, "opnum": 4, "object": uid,
                 "stub": stub.hex()},
        "verifier": verifier(5, 7, token, pad.hex()) if token else None,
    })

response = rpcrt.MSRPCRespHeader()
response["call_id"] = 9
response["ctx_id"] = 3
response["cancel_count"] = 1
response["alloc_hint"] = 6
response["pduData"] = b"result"
response["pad"] = b"\0\0"
response["sec_trailer"] = trailer(6, 7, 2)
response["auth_data"] = MAC
case("response with a signature", response, {
    "body": {"type": "response", "alloc_hint": 6, "context_id": 3, "cancel_count": 1, "stub": b"result".hex()},
    "verifier": verifier(6, 7, MAC, "0000"),
})

fault = rpcrt.MSRPCRespHeader()
fault["type"] = rpcrt.MSRPC_FAULT
fault["flags"] = 0x23
fault["call_id"] = 10
fault["pduData"] = struct.pack("<LL", FAULT_STATUS, 0)
case("fault", fault, {
    "flags": 0x23,
    "call_id": 10,
    "body": {"type": "fault", "context_id": 0, "status": FAULT_STATUS, "stub": ""},
    "verifier": None,
})

for address in ["", "135", "49152", "\\PIPE\\samr"]:
    ack = rpcrt.MSRPCRelayBindAck()
    ack["max_tfrag"] = 4280
    ack["max_rfrag"] = 5840
    ack["assoc_group"] = 0x12345
    ack["SecondaryAddr"] = address
    for result, reason, transfer in [(0, 0, NDR), (2, 2, None), (3, 3, None)]:
        entry = rpcrt.CtxItemResult()
        entry["Result"] = result
        entry["Reason"] = reason
        entry["TransferSyntax"] = uuidtup_to_bin(transfer) if transfer else b"\0" * 20
        ack.addCtxItem(entry)
    pdu = rpcrt.MSRPCHeader()
    pdu["type"] = rpcrt.MSRPC_BINDACK
    pdu["pduData"] = ack.getData()
    nil = {"uuid": "00000000-0000-0000-0000-000000000000", "version": 0}
    case(f"bind_ack of {address!r}", pdu, {
        "body": {
            "type": "bind_ack",
            "max_xmit_frag": 4280,
            "max_recv_frag": 5840,
            "assoc_group_id": 0x12345,
            "secondary_address": (address.encode() + b"\0").hex(),
            "results": [
                {"result": 0, "reason": 0, "transfer_syntax": syntax(NDR)},
                {"result": 2, "reason": 2, "transfer_syntax": nil},
                {"result": 3, "reason": 3, "transfer_syntax": nil},
            ],
        },
    })

nak = rpcrt.MSRPCBindNak()
nak["RejectedReason"] = 8
nak["SupportedVersions"] = b"\x01\x05\x00"
pdu = rpcrt.MSRPCHeader()
pdu["type"] = rpcrt.MSRPC_BINDNAK
pdu["pduData"] = nak.getData()
case("bind_nak", pdu, {"body": {"type": "bind_nak", "reason": 8, "versions": [[5, 0]], "tail": ""}})

for kind, name in [(17, "shutdown"), (18, "co_cancel"), (19, "orphaned")]:
    pdu = rpcrt.MSRPCHeader()
    pdu["type"] = kind
    pdu["call_id"] = 11
    case(name, pdu, {"call_id": 11, "body": {"type": name}, "verifier": None})


class Transport:
    """Takes what the client sends, and answers nothing."""

    def __init__(self):
        self.sent = b""

    def send(self, data, *_, **__):
        self.sent += data

    def recv(self, *_, **__):
        raise EOFError

    def __getattr__(self, _):
        return lambda *_, **__: None


transport = Transport()
try:
    rpcrt.DCERPC_v5(transport).bind(uuidtup_to_bin(SCM))
except EOFError:
    pass
case("bind as the client of impacket sends it", transport.sent, {
    "body": {"type": "bind", "contexts": [{"abstract_syntax": syntax(SCM), "transfer_syntaxes": [syntax(NDR)]}]},
    "verifier": None,
})

print(json.dumps({"made_with": "impacket 0.13.1", "count": len(cases), "cases": cases}, indent=1))
