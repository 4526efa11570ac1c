#!/usr/bin/env python3
"""A queue manager out of impacket's NDR classes, without authentication: prints its port; when its input ends, what it was told.

It answers RemoteRead, qmmgmt, qmcomm and qmcomm2 for one queue, OS:HOST\\private$\\orders, with three messages that are made
by hand out of [MS-MQMQ] 2.2.19.
"""

import json
import socketserver
import sys
import threading
from struct import pack, unpack_from

from impacket.uuid import bin_to_uuidtup, string_to_bin, uuidtup_to_bin

import msmq
import msmq_programs as programs

NDR = uuidtup_to_bin(("8a885d04-1ceb-11c9-9fe8-08002b104860", "2.0"))
REQUEST, RESPONSE, FAULT, BIND, BIND_ACK, ALTER, ALTER_RESP = 0, 2, 3, 11, 12, 14, 15
FRAGMENT = 4280
SOURCE = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
TIMEOUT, NOT_FOUND, INVALID, NO_HANDLE = 0xC00E001B, 0xC00E0003, 0xC00E0006, 0xC00E0007
HANDLE = b"\0" * 4 + bytes(range(16))


class Fault(Exception):
    pass


def rounded(data):
    return data + b"\0" * (-len(data) % 4)


def wide(text):
    return text.encode("utf-16le") + b"\0\0"


def message_packet(number, label, body):
    """UserMessage of [MS-MQMQ] 2.2.20, then the headers of [MS-MQRR] 2.2.5.2, 2.2.5.3 and 2.2.5.5."""
    destination = wide("OS:box\\private$\\orders")
    name = rounded(pack("<H", len(destination)) + destination)
    flags = 1 << 5 | 1 << 8 | 7 << 10 | 1 << 21
    user = string_to_bin(SOURCE) + b"\0" * 16 + pack("<LLLL", 0xFFFFFFFF, 1700000000, number, flags) + name
    title, extension = wide(label), bytes.fromhex("fbbc64165117d211b58e00e0290e6c31")
    numbers = pack("<LLLLLLLL", 8, 42, len(body), len(body), 0, 0x800E, 0x660E, len(extension))
    properties = pack("<BBH", 0, len(label) + 1, 0) + bytes(range(20)) + numbers
    head = properties + title + extension
    front = 16 + len(user) + len(head)
    size = front + len(rounded(head + body)) - len(head)
    base = pack("<BBH4sLL", 0x10, 0, 5, b"LIOR", size, 1700000100)
    padding = rounded(head + body)[len(head) + len(body) :]
    trailers = pack("<LLB3x", 12, 176, 0x12) + pack("<L144x", 148) + pack("<LHHL4B12x", 28, 4, 1, 0, 10, 0, 0, 7)
    return base + user + head, body, padding + trailers


class Manager:
    def __init__(self):
        self.messages = [(n, f"label {n}", f"body number {n}".encode()) for n in (1, 2, 3)]
        self.held, self.cursors, self.sent, self.told = {}, {}, [], []

    def answers(self):
        return {
            (msmq.REMOTE_READ, 0): (msmq.R_GetServerPort, self.port),
            (msmq.REMOTE_READ, 2): (msmq.R_OpenQueue, self.open),
            (msmq.REMOTE_READ, 3): (msmq.R_CloseQueue, self.close),
            (msmq.REMOTE_READ, 4): (msmq.R_CreateCursor, self.create_cursor),
            (msmq.REMOTE_READ, 5): (msmq.R_CloseCursor, self.close_cursor),
            (msmq.REMOTE_READ, 6): (msmq.R_PurgeQueue, self.purge),
            (msmq.REMOTE_READ, 7): (msmq.R_StartReceive, self.start),
            (msmq.REMOTE_READ, 8): (msmq.R_CancelReceive, lambda call: status(INVALID)),
            (msmq.REMOTE_READ, 9): (msmq.R_EndReceive, self.end),
            (msmq.QMMGMT, 0): (msmq.R_QMMgmtGetInfo, self.info),
            (msmq.QMMGMT, 1): (msmq.R_QMMgmtAction, self.action),
            (msmq.QMCOMM, 19): (programs.rpc_QMOpenQueueInternal, self.open_internal),
            (msmq.QMCOMM, 20): (programs.rpc_ACCloseHandle, self.close_handle),
            (msmq.QMCOMM, 6): (programs.R_QMCreateObjectInternal, self.create_object),
            (msmq.QMCOMM, 12): (programs.R_QMObjectPathToObjectFormat, self.path),
            (msmq.QMCOMM, 31): (programs.R_QMGetRTQMServerPort, self.port),
            (msmq.QMCOMM2, 1): (programs.rpc_ACSendMessageEx, self.send),
            (msmq.QMCOMM2, 2): (programs.rpc_ACReceiveMessageEx, self.receive),
        }

    def note(self, step, **what):
        self.told.append({"call": step, **what})

    # RemoteRead

    def port(self, call):
        answer = msmq.R_GetServerPortResponse()
        answer["Port"] = 2103
        return answer

    def open(self, call):
        name = msmq.queue_text(call["pQueueFormat"])
        self.note(
            "open",
            name=name,
            access=call["dwAccess"],
            share=call["dwShareMode"],
            flags=[call["fNonRoutingServer"], call["fWorkgroup"], call["Major"], call["Minor"]],
        )
        if not name.lower().endswith("private$\\orders"):
            raise Fault(NOT_FOUND)
        answer = msmq.R_OpenQueueResponse()
        answer["pphContext"] = HANDLE
        return answer

    def close(self, call):
        self.check(call["pphContext"])
        self.note("close")
        answer = msmq.R_CloseQueueResponse()
        answer["pphContext"], answer["ErrorCode"] = msmq.NO_CONTEXT, 0
        return answer

    def check(self, handle):
        if handle != HANDLE:
            raise Fault(0x1C00001A)

    def create_cursor(self, call):
        self.check(call["phContext"])
        number = len(self.cursors) + 1
        self.cursors[number] = None
        answer = msmq.R_CreateCursorResponse()
        answer["phCursor"], answer["ErrorCode"] = number, 0
        return answer

    def close_cursor(self, call):
        del self.cursors[call["hCursor"]]
        return status(0)

    def purge(self, call):
        self.check(call["phContext"])
        self.messages = []
        return status(0)

    def free(self):
        return [m for m in self.messages if m not in self.held.values()]

    def start(self, call):
        self.check(call["phContext"])
        action, cursor = call["ulAction"], call["hCursor"]
        free = self.free()
        if cursor:
            at = self.cursors[cursor]
            later = [m for m in free if at is None or m[0] > at or (action != 0x80000001 and m[0] == at)]
            free = later
        answer = msmq.R_StartReceiveResponse()
        if not free:
            answer["pdwArriveTime"] = answer["pSequenceId"] = answer["pdwNumberOfSections"] = 0
            answer["ppPacketSections"], answer["ErrorCode"] = programs.NULL, TIMEOUT
            return answer
        message = free[0]
        if cursor:
            self.cursors[cursor] = message[0]
        if action == 0:
            self.held[call["dwRequestId"]] = message
        head, body, rest = message_packet(*message)
        answer["pdwArriveTime"], answer["pSequenceId"] = 1700000001, message[0]
        wanted = call["dwMaxBodySize"]
        if wanted >= len(body):
            sections = [(0, head + body + rest, 0)]
        else:
            sections = [(1, head + body[:wanted], len(body) - wanted), (2, rest, 0)]
        for kind, data, missing in sections:
            section = msmq.SectionBuffer()
            section["SectionBufferType"], section["SectionSize"] = kind, len(data)
            section["SectionSizeAlloc"], section["pSectionBuffer"] = len(data) + missing, data
            answer["ppPacketSections"].append(section)
        answer["pdwNumberOfSections"], answer["ErrorCode"] = len(sections), 0
        return answer

    def end(self, call):
        self.check(call["phContext"])
        message = self.held.pop(call["dwRequestId"], None)
        self.note("end", ack=call["dwAck"], message=message and message[0])
        if message is None:
            return status(NO_HANDLE)
        if call["dwAck"] == 2:
            self.messages.remove(message)
        return status(0)

    # qmmgmt

    def info(self, call):
        answer = msmq.R_QMMgmtGetInfoResponse()
        properties = list(call["aProp"])
        if len(properties) != call["cp"] or any(msmq.variant_value(v) is not None for v in call["apVar"]):
            raise ValueError("aProp, apVar")
        if call["pObjectFormat"]["type"] == 1:
            values = {1: msmq.texts_variant(["DIRECT=OS:box\\private$\\orders"]), 2: msmq.texts_variant(["box\\private$\\orders", "box\\private$\\a b"]), 6: msmq.number_variant(20, 1 << 40)}
        else:
            self.note("queue", name=msmq.queue_text(call["pObjectFormat"]["object"]["pQueueFormat"]))
            values = {
                1: msmq.text_variant("box\\private$\\orders"),
                2: msmq.text_variant("DIRECT=OS:box\\private$\\orders"),
                3: msmq.text_variant("PRIVATE"),
                5: msmq.text_variant("UNKNOWN"),
                7: msmq.number_variant(19, len(self.messages)),
                9: msmq.number_variant(19, 70000),
            }
        for number in properties:
            answer["apVar"].append(values.get(number) or msmq.null_variant())
        answer["ErrorCode"] = 0
        return answer

    def action(self, call):
        self.note("action", what=call["lpwszAction"].rstrip("\0"), type=call["pObjectFormat"]["type"])
        return status(0)

    # qmcomm

    def open_internal(self, call):
        self.note(
            "open internal",
            name=msmq.queue_text(call["pQueueFormat"]),
            access=call["dwDesiredAccess"],
            client=call["lpClientName"].rstrip("\0"),
        )
        answer = programs.rpc_QMOpenQueueInternalResponse()
        answer["lplpRemoteQueueName"] = programs.NULL
        answer["pdwQMContext"], answer["phQueue"], answer["ErrorCode"] = 77, HANDLE, 0
        return answer

    def close_handle(self, call):
        self.check(call["phQueue"])
        answer = programs.rpc_ACCloseHandleResponse()
        answer["phQueue"], answer["ErrorCode"] = msmq.NO_CONTEXT, 0
        return answer

    def create_object(self, call):
        values = [msmq.variant_value(value) for value in call["apVar"]]
        self.note("create", path=call["lpwcsPathName"].rstrip("\0"), properties=list(call["aProp"]), values=values)
        return status(0xC00E0005)

    def path(self, call):
        answer = programs.R_QMObjectPathToObjectFormatResponse()
        answer["pObjectFormat"]["ObjType"] = 1
        answer["pObjectFormat"]["object"]["tag"] = 1
        msmq.fill_private(answer["pObjectFormat"]["object"]["pQueueFormat"], SOURCE, 0x2A)
        answer["ErrorCode"] = 0
        return answer

    def send(self, call):
        self.check(call["hQueue"])
        buffer = call["ptb"]
        sending = buffer["transfer"]["Send"]
        queues = [programs.pointee(sending, name) for name in ("pAdminQueueFormat", "pResponseQueueFormat")]
        self.sent.append(
            {
                "body": programs.octets(buffer, "ppBody").decode(),
                "sizes": [buffer["ulBodyBufferSizeInBytes"], buffer["ulAllocBodyBufferInBytes"]],
                "label": programs.units(buffer, "ppTitle"),
                "extension": programs.octets(buffer, "ppMsgExtension").hex(),
                "queues": [queue and msmq.queue_text(queue) for queue in queues],
                "times": [buffer["ulAbsoluteTimeToQueue"], buffer["ulRelativeTimeToLive"]],
                "numbers": [
                    programs.number(buffer, name)
                    for name in ("pClass", "pPriority", "pDelivery", "pAcknowledge", "pAuditing", "pApplicationTag", "pulBodyType")
                ],
                "correlation": programs.octets(buffer, "ppCorrelationID").hex(),
                "wanted": programs.pointee(call, "pMessageID") is not None,
            }
        )
        answer = programs.rpc_ACSendMessageExResponse()
        answer["pMessageID"]["Lineage"] = string_to_bin(SOURCE)
        answer["pMessageID"]["Uniquifier"] = 4242
        answer["ErrorCode"] = 0
        return answer

    def receive(self, call):
        if call["hQMContext"] != 77:
            raise ValueError("hQMContext")
        buffer = call["ptb"]
        receiving = buffer["transfer"]["Receive"]
        answer = programs.rpc_ACReceiveMessageExResponse()
        answer.fields["ptb"] = buffer
        free = self.free()
        if not free:
            answer["ErrorCode"] = TIMEOUT
            return answer
        number, label, body = free[0]
        extension = b"\x09\x08"
        programs.set_pointer(buffer, "pBodySize", len(body))
        programs.set_pointer(buffer, "pMsgExtensionSize", len(extension))
        room = programs.octets(buffer, "ppBody")
        if room is not None:
            programs.set_pointer(buffer, "ppBody", body.ljust(len(room), b"\0"))
            programs.set_pointer(buffer, "ppMsgExtension", extension)
            programs.set_pointer(buffer, "ppTitle", [ord(c) for c in label + "\0"])
            buffer["ulTitleBufferSizeInWCHARs"] = len(label) + 1
            programs.set_pointer(buffer, "pulTitleBufferSizeInWCHARs", len(label) + 1)
            identifier = programs.pointee(buffer, "ppMessageID")
            identifier["Lineage"], identifier["Uniquifier"] = string_to_bin(SOURCE), number
            response = "DIRECT=OS:a\\b\0"
            programs.set_pointer(receiving, "ppResponseFormatName", [ord(c) for c in response])
            receiving["ulResponseFormatNameLen"] = len(response)
            programs.set_pointer(receiving, "pulResponseFormatNameLenProp", len(response))
            programs.set_pointer(receiving, "ppAdminFormatName", [0])
            receiving["ulAdminFormatNameLen"] = 1
            programs.set_pointer(receiving, "pulAdminFormatNameLenProp", 1)
            for name, value in (("pPriority", 6), ("pDelivery", 1), ("pSentTime", 1700000000), ("pulBodyType", 8)):
                programs.set_pointer(buffer, name, value)
            programs.set_pointer(buffer, "pulRelativeTimeToLive", 0xFFFFFFFF)
            programs.set_pointer(buffer, "pulRelativeTimeToQueue", 0xFFFFFFFF)
            sid = bytes.fromhex("010100000000000512000000")
            programs.set_pointer(buffer, "pulSenderIDType", 1)
            programs.set_pointer(buffer, "ppSenderID", sid.ljust(buffer["uSenderIDLen"], b"\0"))
            programs.set_pointer(buffer, "pulSenderIDLenProp", len(sid))
            if receiving["Action"] == 0:
                self.messages.pop(0)
        answer["ErrorCode"] = 0
        return answer


def status(code):
    answer = msmq.StatusResponse()
    answer["ErrorCode"] = code
    return answer


class Connection(socketserver.BaseRequestHandler):
    def handle(self):
        self.interfaces, stub = {}, b""
        while pdu := self.pdu():
            kind, flags, number = pdu[2], pdu[3], unpack_from("<L", pdu, 12)[0]
            if kind in (BIND, ALTER):
                self.bind(pdu, kind, number)
            elif kind == REQUEST:
                stub = (b"" if flags & 1 else stub) + pdu[24 + (16 if flags & 0x80 else 0) :]
                if flags & 2:
                    context, opnum = unpack_from("<HH", pdu, 20)
                    self.answer(number, context, opnum, stub)

    def pdu(self):
        head = self.exactly(16)
        return head and head + self.exactly(unpack_from("<H", head, 8)[0] - 16)

    def exactly(self, count):
        data = b""
        while len(data) < count:
            more = self.request.recv(count - len(data))
            if not more:
                return b""
            data += more
        return data

    def send(self, kind, flags, number, body):
        self.request.sendall(pack("<BBBBLHHL", 5, 0, kind, flags, 0x10, 16 + len(body), 0, number) + body)

    def bind(self, pdu, kind, number):
        results, at = b"", 28
        for _ in range(pdu[24]):
            context, count = unpack_from("<HB", pdu, at)
            syntax = pdu[at + 4 : at + 24]
            transfers = [pdu[at + 24 + 20 * i : at + 44 + 20 * i] for i in range(count)]
            at += 24 + 20 * count
            if NDR in transfers:
                uuid, version = bin_to_uuidtup(syntax)
                self.interfaces[context] = (uuid.lower(), version)
                results += pack("<HH", 0, 0) + NDR
            else:
                results += pack("<HH", 2, 2) + b"\0" * 20
        port = b"2103\0" if kind == BIND else b""
        head = pack("<HHLH", FRAGMENT, FRAGMENT, 0x1234, len(port)) + port
        head += b"\0" * (-(len(head) + 16) % 4) + pack("<B3x", pdu[24])
        self.send(BIND_ACK if kind == BIND else ALTER_RESP, 3, number, head + results)

    def answer(self, number, context, opnum, stub):
        manager = self.server.manager
        try:
            request, answer = manager.answers()[self.interfaces[context], opnum]
            call = request()
            used = call.fromString(stub)
            if used != len(stub):
                raise ValueError(f"{request.__name__}: {used} of {len(stub)} bytes")
            with self.server.lock:
                stub = answer(call).getData()
        except Fault as fault:
            self.send(FAULT, 3, number, pack("<LHBBLL", 32, context, 0, 0, fault.args[0], 0))
            return
        except Exception as e:
            manager.note("error", opnum=opnum, what=f"{type(e).__name__}: {e}", stub=stub[:200].hex())
            self.send(FAULT, 3, number, pack("<LHBBLL", 32, context, 0, 0, 0x6F7, 0))
            return
        most = FRAGMENT - 24
        for at in range(0, len(stub), most):
            flags = (1 if at == 0 else 0) | (2 if at + most >= len(stub) else 0)
            body = pack("<LHBB", len(stub) - at, context, 0, 0) + stub[at : at + most]
            self.send(RESPONSE, flags, number, body)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    manager, lock = Manager(), threading.Lock()


if __name__ == "__main__":
    with Server(("127.0.0.1", 0), Connection) as server:
        print(server.server_address[1], flush=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sys.stdin.read()
        manager = server.manager
        left = [message[0] for message in manager.messages]
        print(json.dumps({"told": manager.told, "sent": manager.sent, "left": left}), flush=True)
        server.shutdown()
