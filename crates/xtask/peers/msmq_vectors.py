#!/usr/bin/env python3
"""Stub data of MSMQ's RPC methods as impacket writes it: tests/vectors/comqc-msmq/rpc.json.

    msmq_vectors.py > tests/vectors/comqc-msmq/rpc.json
"""

import json
import random

from impacket.uuid import string_to_bin

import msmq
import msmq_programs as programs

# impacket draws referent ids.
random.seed(2103)
ROWS = []
HANDLE = b"\0\0\0\0" + bytes(range(16))
GUID = string_to_bin("0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0")


def row(name, kind, call):
    ROWS.append({"name": name, "type": kind, "hex": call.getData().hex()})


def open_queue():
    call = msmq.R_OpenQueue()
    call["dwAccess"], call["dwShareMode"], call["pClientId"] = 1, 0, GUID
    call["fNonRoutingServer"], call["Major"], call["Minor"] = 1, 6, 1
    call["BuildNumber"], call["fWorkgroup"] = 7601, 1
    return call


call = open_queue()
msmq.fill_queue(call["pQueueFormat"], "OS:server\\private$\\orders")
row("R_OpenQueue, direct", "OpenQueueRequest", call)
call = open_queue()
msmq.fill_private(call["pQueueFormat"], "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0", 42)
row("R_OpenQueue, private", "OpenQueueRequest", call)
call = msmq.R_OpenQueueResponse()
call["pphContext"] = HANDLE
row("R_OpenQueue, answer", "OpenQueueResponse", call)
call = msmq.R_StartReceive()
call["phContext"], call["LookupId"], call["hCursor"] = HANDLE, 0x0123456789ABCDEF, 3
call["ulAction"], call["ulTimeout"], call["dwRequestId"] = 0x80000001, 1000, 9
call["dwMaxBodySize"], call["dwMaxCompoundMessageSize"] = 4096, 8192
row("R_StartReceive", "StartReceiveRequest", call)
call = msmq.R_StartReceiveResponse()
call["pdwArriveTime"], call["pSequenceId"], call["pdwNumberOfSections"] = 1700000000, 0x00CDEF0123456789, 2
for kind, alloc, data in ((1, 30, b"the first"), (2, 6, b"second")):
    section = msmq.SectionBuffer()
    section["SectionBufferType"], section["SectionSizeAlloc"] = kind, alloc
    section["SectionSize"], section["pSectionBuffer"] = len(data), data
    call["ppPacketSections"].append(section)
call["ErrorCode"] = 0
row("R_StartReceive, two sections", "StartReceiveResponse", call)
call = msmq.R_StartReceiveResponse()
call["pdwArriveTime"] = call["pSequenceId"] = call["pdwNumberOfSections"] = 0
call["ppPacketSections"], call["ErrorCode"] = msmq.NULL, 0xC00E001B
row("R_StartReceive, nothing in time", "StartReceiveResponse", call)
call = msmq.R_EndReceive()
call["phContext"], call["dwAck"], call["dwRequestId"] = HANDLE, 2, 9
row("R_EndReceive", "EndReceiveRequest", call)
row("R_QMMgmtGetInfo, machine", "GetInfoRequest", msmq.get_info([1, 2, 6]))
row("R_QMMgmtGetInfo, queue", "GetInfoRequest", msmq.get_info([7], "OS:server\\private$\\orders"))
call = msmq.R_QMMgmtGetInfoResponse()
for value in (
    msmq.texts_variant(["DIRECT=OS:a\\b", "c"]),
    msmq.number_variant(20, 1 << 33),
    msmq.number_variant(11, 0xFFFF),
    msmq.number_variant(17, 200),
    msmq.number_variant(2, 7),
    msmq.null_variant(),
    msmq.text_variant("YES"),
    msmq.number_variant(19, 70000),
):
    call["apVar"].append(value)
call["ErrorCode"] = 0
row("R_QMMgmtGetInfo, values", "GetInfoResponse", call)
call = msmq.R_QMMgmtAction()
msmq.machine_object(call)
call["lpwszAction"] = "TIDY\0"
row("R_QMMgmtAction", "ActionRequest", call)
row("rpc_QMOpenQueueInternal", "mqmp::OpenQueueRequest", programs.open_queue("OS:server\\private$\\orders", 2))
call = programs.rpc_ACSendMessageEx()
call["hQueue"] = HANDLE
programs.to_send(call["ptb"], b"a body", "a label", b"\1\2\3", 5, admin="OS:a\\b", response="OS:c\\private$\\d")
call["pMessageID"] = programs.NULL
row("rpc_ACSendMessageEx", "SendMessageRequest", call)
call = programs.rpc_ACReceiveMessageEx()
call["hQMContext"] = 77
programs.to_receive(call["ptb"], 0x80000000, cursor=4, timeout=50, body=10, extension=3)
row("rpc_ACReceiveMessageEx", "ReceiveMessageRequest", call)

print("[\n" + ",\n".join("  " + json.dumps(row) for row in ROWS) + "\n]")
