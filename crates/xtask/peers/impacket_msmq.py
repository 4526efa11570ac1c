#!/usr/bin/env python3
"""A client of MSMQ's RPC interfaces out of impacket: reads, sends and asks, and prints one line of JSON for each step.

    impacket_msmq.py HOST PORT USER PASSWORD DOMAIN mapper|remote_read|management|programs
"""

import json
import sys
from struct import unpack_from

from impacket.dcerpc.v5 import epm, transport
from impacket.dcerpc.v5.rpcrt import RPC_C_AUTHN_LEVEL_PKT_INTEGRITY, RPC_C_AUTHN_LEVEL_PKT_PRIVACY
from impacket.uuid import uuidtup_to_bin

import msmq
import msmq_programs as programs
from rpc import Fault, Rpc, call

RECEIVE, PEEK, NEXT = 0, 0x80000000, 0x80000001
ORDERS = "OS:box\\private$\\orders"


class Client:
    def __init__(self, host, port, user, password, domain):
        self.binding = f"ncacn_ip_tcp:{host}[{port}]"
        self.credentials = user, password, domain

    def bound(self, interface, level=RPC_C_AUTHN_LEVEL_PKT_PRIVACY):
        rpc = self.connected(level)
        rpc.bind(uuidtup_to_bin(interface))
        return rpc

    def connected(self, level):
        carrier = transport.DCERPCTransportFactory(self.binding)
        carrier.set_connect_timeout(20)
        rpc = Rpc(carrier)
        if level:
            carrier.set_credentials(*self.credentials)
            rpc.set_credentials(*self.credentials)
            rpc.set_auth_level(level)
        rpc.connect()
        return rpc


def say(step, **told):
    print(json.dumps({"step": step, **told}), flush=True)


def faulted(step, action):
    try:
        action()
    except Fault as fault:
        say(step, fault=f"{fault.status:#010x}")
    else:
        say(step, fault=None)


def packet(sections):
    """A message packet as [MS-MQRR] 2.2.5 and [MS-MQMQ] 2.2.19 have it, read by hand."""
    whole = b"".join(b"".join(section["pSectionBuffer"]) for section in sections)
    version, signature, size, reach = whole[0], whole[4:8], *unpack_from("<LL", whole, 8)
    at = 16 + 48
    flags, = unpack_from("<L", whole, 60)
    if flags >> 10 & 7 == 7:
        count, = unpack_from("<H", whole, at)
        destination = whole[at + 2 : at + 2 + count].decode("utf-16le").rstrip("\0")
        at += (2 + count + 3) & ~3
    else:
        destination = None
    label, body, extension = whole[at + 1] * 2, *unpack_from("<L", whole, at + 32), *unpack_from("<L", whole, at + 52)
    begin = at + 56 + label + extension
    trailer = whole[size:]
    return {
        "version": version,
        "signature": signature.decode(),
        "reach": reach,
        "destination": destination,
        "label": whole[at + 56 : at + 56 + label].decode("utf-16le").rstrip("\0"),
        "extension": whole[at + 56 + label : begin].hex(),
        "body": whole[begin : begin + body].decode(errors="replace"),
        "trailers": [len(trailer), *unpack_from("<LLB", trailer), *unpack_from("<L", trailer, 12), *unpack_from("<L", trailer, 160)],
    }


def remote_read(client):
    rpc = client.bound(msmq.REMOTE_READ)
    say("port", port=call(rpc, msmq.R_GetServerPort(), msmq.R_GetServerPortResponse)["Port"])

    def opened(name, access=1):
        request = msmq.R_OpenQueue()
        msmq.fill_queue(request["pQueueFormat"], name)
        request["dwAccess"], request["dwShareMode"], request["pClientId"] = access, 0, b"\x11" * 16
        request["fNonRoutingServer"], request["Major"], request["Minor"] = 1, 6, 1
        request["BuildNumber"], request["fWorkgroup"] = 7601, 1
        return call(rpc, request, msmq.R_OpenQueueResponse)["pphContext"]

    def start(context, action, number=0, cursor=0, timeout=0, size=1000, of=rpc):
        request = msmq.R_StartReceive()
        request["phContext"], request["LookupId"], request["hCursor"] = context, 0, cursor
        request["ulAction"], request["ulTimeout"], request["dwRequestId"] = action, timeout, number
        request["dwMaxBodySize"] = request["dwMaxCompoundMessageSize"] = size
        answer = call(of, request, msmq.R_StartReceiveResponse)
        if answer["ErrorCode"]:
            return f"{answer['ErrorCode']:#010x}"
        sections = list(answer["ppPacketSections"])
        if len(sections) != answer["pdwNumberOfSections"]:
            raise ValueError("pdwNumberOfSections")
        return answer, sections

    def end(context, number, ack, of=rpc):
        request = msmq.R_EndReceive()
        request["phContext"], request["dwAck"], request["dwRequestId"] = context, ack, number
        return f"{call(of, request, msmq.StatusResponse)['ErrorCode']:#010x}"

    faulted("unknown queue", lambda: opened("OS:box\\private$\\nothing"))
    context = opened(ORDERS)
    say("open", null=context == msmq.NO_CONTEXT)
    answer, sections = start(context, PEEK)
    say("peek", sections=len(sections), type=sections[0]["SectionBufferType"], **packet(sections))
    _, sections = start(context, PEEK, size=2)
    say(
        "part",
        types=[section["SectionBufferType"] for section in sections],
        sizes=[(section["SectionSizeAlloc"] - section["SectionSize"]) for section in sections],
    )
    answer, sections = start(context, RECEIVE, 1)
    say("receive", arrived=answer["pdwArriveTime"] > 0, lookup=answer["pSequenceId"], **packet(sections))
    say("the same number", status=start(context, RECEIVE, 1))
    say("nack", status=end(context, 1, 1))
    _, sections = start(context, RECEIVE, 2)
    say("again", body=packet(sections)["body"])
    say("neither", status=end(context, 2, 3))
    say("ack", status=end(context, 2, 2))
    say("ack again", status=end(context, 2, 2))
    request = msmq.R_CreateCursor()
    request["phContext"] = context
    answer = call(rpc, request, msmq.R_CreateCursorResponse)
    say("cursor", status=f"{answer['ErrorCode']:#010x}")
    cursor, bodies, action = answer["phCursor"], [], PEEK
    while True:
        found = start(context, action, cursor=cursor)
        if isinstance(found, str):
            say("walk", bodies=bodies, status=found)
            break
        bodies.append(packet(found[1])["body"])
        action = NEXT
    request = msmq.R_CloseCursor()
    request["phContext"], request["hCursor"] = context, cursor
    say("close cursor", status=f"{call(rpc, request, msmq.StatusResponse)['ErrorCode']:#010x}")
    request = msmq.R_CancelReceive()
    request["phContext"], request["dwRequestId"] = context, 99
    say("cancel nothing", status=f"{call(rpc, request, msmq.StatusResponse)['ErrorCode']:#010x}")
    # The handle on another connection of the same account.
    other = client.bound(msmq.REMOTE_READ)
    faulted("another connection", lambda: start(context, PEEK, of=other))
    # A message in hand when the connection ends.
    third = client.bound(msmq.REMOTE_READ)
    request = msmq.R_OpenQueue()
    msmq.fill_queue(request["pQueueFormat"], ORDERS)
    request["dwAccess"], request["dwShareMode"], request["pClientId"] = 1, 0, b"\0" * 16
    there = call(third, request, msmq.R_OpenQueueResponse)["pphContext"]
    _, sections = start(there, RECEIVE, 5, of=third)
    say("held elsewhere", body=packet(sections)["body"])
    third.disconnect()
    found = start(context, RECEIVE, 6, timeout=20000)
    say("after the rundown", body=packet(found[1])["body"], status=end(context, 6, 1))
    request = msmq.R_PurgeQueue()
    request["phContext"] = context
    say("purge", status=f"{call(rpc, request, msmq.StatusResponse)['ErrorCode']:#010x}")
    say("empty", status=start(context, RECEIVE, 7, timeout=20))
    request = msmq.R_CloseQueue()
    request["pphContext"] = context
    answer = call(rpc, request, msmq.R_CloseQueueResponse)
    say("close", null=answer["pphContext"] == msmq.NO_CONTEXT, status=f"{answer['ErrorCode']:#010x}")
    faulted("after closing", lambda: start(context, PEEK))
    for name, level in (("nobody", 0), ("integrity", RPC_C_AUTHN_LEVEL_PKT_INTEGRITY)):
        weak = client.bound(msmq.REMOTE_READ, level)
        faulted(name, lambda: call(weak, msmq.R_GetServerPort(), msmq.R_GetServerPortResponse))


def management(client):
    rpc = client.bound(msmq.QMMGMT)

    def values(properties, name=None):
        answer = call(rpc, msmq.get_info(properties, name), msmq.R_QMMgmtGetInfoResponse)
        if answer["ErrorCode"]:
            return f"{answer['ErrorCode']:#010x}"
        return [msmq.variant_value(value) for value in answer["apVar"]]

    say("machine", values=values([1, 2, 3, 4, 5, 6]))
    say("queue", values=values([1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 26, 27], ORDERS))
    say("outgoing", values=values([12, 13, 25], ORDERS))
    say("no property", values=values([99]))
    request = msmq.R_QMMgmtAction()
    msmq.machine_object(request)
    request["lpwszAction"] = "TIDY\0"
    say("action", status=f"{call(rpc, request, msmq.StatusResponse)['ErrorCode']:#010x}")


def queue_programs(client):
    nobody = client.bound(msmq.QMCOMM, 0)
    request = programs.R_QMGetRTQMServerPort()
    request["fIP"] = 0
    say("port", port=call(nobody, request, programs.R_QMGetRTQMServerPortResponse)["Port"])
    rpc = client.bound(msmq.QMCOMM)
    second = rpc.alter_ctx(uuidtup_to_bin(msmq.QMCOMM2))

    def opened(access):
        answer = call(rpc, programs.open_queue(ORDERS, access), programs.rpc_QMOpenQueueInternalResponse)
        return answer["phQueue"], answer["pdwQMContext"], f"{answer['ErrorCode']:#010x}"

    to, _, status = opened(2)
    say("open to send", status=status, null=to == msmq.NO_CONTEXT)
    request = programs.rpc_ACSendMessageEx()
    request["hQueue"] = to
    response = "OS:answers\\private$\\there"
    programs.to_send(request["ptb"], b"from python", "a label", b"\x01\x02\x03", 5, response=response)
    request["pMessageID"]["Lineage"], request["pMessageID"]["Uniquifier"] = b"\0" * 16, 0
    answer = call(second, request, programs.rpc_ACSendMessageExResponse)
    identifier = programs.pointee(answer, "pMessageID")
    text = f"{programs.bin_to_string(identifier['Lineage']).lower()}\\{identifier['Uniquifier']}"
    say("send", status=f"{answer['ErrorCode']:#010x}", id=text)
    request["pMessageID"] = programs.NULL
    answer = call(second, request, programs.rpc_ACSendMessageExResponse)
    say("send without id", status=f"{answer['ErrorCode']:#010x}", id=programs.pointee(answer, "pMessageID"))

    handle, context, status = opened(1)
    say("open to receive", status=status)

    def receive(action, **room):
        request = programs.rpc_ACReceiveMessageEx()
        request["hQMContext"] = context
        programs.to_receive(request["ptb"], action, **room)
        answer = call(second, request, programs.rpc_ACReceiveMessageExResponse)
        if answer["ErrorCode"]:
            return {"status": f"{answer['ErrorCode']:#010x}"}
        return programs.message_of(answer["ptb"])

    say("too small", **receive(RECEIVE, body=3, extension=10))
    say("peek", **receive(PEEK, body=20, extension=10))
    request = programs.rpc_ACCreateCursorEx()
    request["hQueue"] = handle
    answer = call(second, request, programs.rpc_ACCreateCursorExResponse)
    cursor = answer["pcc"]["hCursor"]
    say("cursor", status=f"{answer['ErrorCode']:#010x}")
    say("at the cursor", **receive(PEEK, cursor=cursor, body=20, extension=10))
    say("next", **receive(NEXT, cursor=cursor, body=20, extension=10))
    say("no more", **receive(NEXT, cursor=cursor, body=20, extension=10))
    say("receive", **receive(RECEIVE, body=20, extension=10))
    request = programs.rpc_ACPurgeQueue()
    request["hQueue"] = handle
    say("purge", status=f"{call(rpc, request, msmq.StatusResponse)['ErrorCode']:#010x}")
    say("empty", **receive(RECEIVE, timeout=20))
    request = programs.R_QMObjectPathToObjectFormat()
    request["lpwcsPathName"] = ".\\private$\\orders\0"
    request["pObjectFormat"]["ObjType"] = 1
    request["pObjectFormat"]["object"]["tag"] = 1
    queue = request["pObjectFormat"]["object"]["pQueueFormat"]
    msmq.fill_queue(queue, "OS:x\\y")
    answer = call(rpc, request, programs.R_QMObjectPathToObjectFormatResponse)
    found = msmq.queue_text(answer["pObjectFormat"]["object"]["pQueueFormat"])
    say("path", status=f"{answer['ErrorCode']:#010x}", queue=found.lower())
    request = programs.R_QMGetObjectProperties()
    request["pObjectFormat"] = answer["pObjectFormat"]
    request["cp"], request["aProp"] = 4, [101, 103, 108, 113]
    for _ in range(4):
        request["apVar"].append(msmq.null_variant())
    answer = call(rpc, request, msmq.R_QMMgmtGetInfoResponse)
    values = [msmq.variant_value(value) for value in answer["apVar"]]
    say("properties", status=f"{answer['ErrorCode']:#010x}", values=values[1:], instance=len(values[0]))
    request = programs.R_QMCreateObjectInternal()
    request["dwObjectType"], request["lpwcsPathName"], request["SDSize"] = 1, ".\\private$\\new\0", 0
    request["pSecurityDescriptor"] = programs.NULL
    request["cp"], request["aProp"] = 1, [108]
    request["apVar"].append(msmq.text_variant("x"))
    say("create", status=f"{call(rpc, request, msmq.StatusResponse)['ErrorCode']:#010x}")
    request = programs.rpc_ACCloseHandle()
    request["phQueue"] = handle
    answer = call(rpc, request, programs.rpc_ACCloseHandleResponse)
    say("close", null=answer["phQueue"] == msmq.NO_CONTEXT, status=f"{answer['ErrorCode']:#010x}")
    say("after closing", **receive(PEEK))


def mapper(client):
    for name, interface in (("RemoteRead", msmq.REMOTE_READ), ("qmmgmt", msmq.QMMGMT)):
        # It binds by itself.
        rpc = client.connected(0)
        try:
            binding = epm.hept_map("127.0.0.1", uuidtup_to_bin(interface), protocol="ncacn_ip_tcp", dce=rpc)
        except Exception as e:
            say(name, binding=None, why=str(e))
        else:
            say(name, binding=binding)


if __name__ == "__main__":
    host, port, user, password, domain, what = sys.argv[1:]
    parts = {"mapper": mapper, "remote_read": remote_read, "management": management, "programs": queue_programs}
    parts[what](Client(host, port, user, password, domain))
