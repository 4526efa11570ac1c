"""qmcomm and qmcomm2 ([MS-MQMP] 6), out of impacket's NDR classes."""

from impacket.dcerpc.v5.dtypes import GUID, NULL, UCHAR, ULONG, USHORT, WSTR
from impacket.dcerpc.v5.ndr import NDRCALL, NDRPOINTER, NDRPOINTERNULL, NDRSTRUCT
from impacket.uuid import bin_to_string

from msmq import (
    CONTEXT_HANDLE,
    NO_CONTEXT,
    OBJECTID,
    POBJECTID,
    PPBYTES,
    PPGUID,
    PPOBJECTID,
    PPVARYING_BYTES,
    PPVARYING_WCHARS,
    PPWCHARS,
    PQUEUE_FORMAT,
    PROPVARIANTS,
    PUCHAR,
    PULONG,
    PUSHORT,
    PBYTES,
    QUEUE_FORMAT,
    ULONGS,
    Union,
    DCERPCSessionError,
    fill_queue,
    queue_text,
)


class UOW(NDRSTRUCT):
    align = 1
    structure = (("Data", "16s=b''"),)

    def getAlignment(self):
        return 1


class PUOW(NDRPOINTER):
    referent = (("Data", UOW),)


class SEND(NDRSTRUCT):
    structure = (("pAdminQueueFormat", PQUEUE_FORMAT), ("pResponseQueueFormat", PQUEUE_FORMAT))


class RECEIVE(NDRSTRUCT):
    structure = (
        ("RequestTimeout", ULONG),
        ("Action", ULONG),
        ("Asynchronous", ULONG),
        ("Cursor", ULONG),
        ("ulResponseFormatNameLen", ULONG),
        ("ppResponseFormatName", PPWCHARS),
        ("pulResponseFormatNameLenProp", PULONG),
        ("ulAdminFormatNameLen", ULONG),
        ("ppAdminFormatName", PPWCHARS),
        ("pulAdminFormatNameLenProp", PULONG),
        ("ulDestFormatNameLen", ULONG),
        ("ppDestFormatName", PPWCHARS),
        ("pulDestFormatNameLenProp", PULONG),
        ("ulOrderingFormatNameLen", ULONG),
        ("ppOrderingFormatName", PPWCHARS),
        ("pulOrderingFormatNameLenProp", PULONG),
    )


class CREATE_CURSOR(NDRSTRUCT):
    structure = (("hCursor", ULONG), ("srv_hACQueue", ULONG), ("cli_pQMQueue", ULONG))


class TRANSFER(Union):
    commonHdr = (("tag", ULONG),)
    union = {0: ("Send", SEND), 1: ("Receive", RECEIVE), 2: ("CreateCursor", CREATE_CURSOR)}


class CACTransferBufferV2(NDRSTRUCT):
    """`old` stands in place: its members and those behind it are one list."""

    structure = (
        ("uTransferType", ULONG),
        ("transfer", TRANSFER),
        ("pClass", PUSHORT),
        ("ppMessageID", PPOBJECTID),
        ("ppCorrelationID", PPVARYING_BYTES),
        ("pSentTime", PULONG),
        ("pArrivedTime", PULONG),
        ("pPriority", PUCHAR),
        ("pDelivery", PUCHAR),
        ("pAcknowledge", PUCHAR),
        ("pAuditing", PUCHAR),
        ("pApplicationTag", PULONG),
        ("ppBody", PPVARYING_BYTES),
        ("ulBodyBufferSizeInBytes", ULONG),
        ("ulAllocBodyBufferInBytes", ULONG),
        ("pBodySize", PULONG),
        ("ppTitle", PPVARYING_WCHARS),
        ("ulTitleBufferSizeInWCHARs", ULONG),
        ("pulTitleBufferSizeInWCHARs", PULONG),
        ("ulAbsoluteTimeToQueue", ULONG),
        ("pulRelativeTimeToQueue", PULONG),
        ("ulRelativeTimeToLive", ULONG),
        ("pulRelativeTimeToLive", PULONG),
        ("pTrace", PUCHAR),
        ("pulSenderIDType", PULONG),
        ("ppSenderID", PPBYTES),
        ("pulSenderIDLenProp", PULONG),
        ("pulPrivLevel", PULONG),
        ("ulAuthLevel", ULONG),
        ("pAuthenticated", PUCHAR),
        ("pulHashAlg", PULONG),
        ("pulEncryptAlg", PULONG),
        ("ppSenderCert", PPBYTES),
        ("ulSenderCertLen", ULONG),
        ("pulSenderCertLenProp", PULONG),
        ("ppwcsProvName", PPWCHARS),
        ("ulProvNameLen", ULONG),
        ("pulAuthProvNameLenProp", PULONG),
        ("pulProvType", PULONG),
        ("fDefaultProvider", ULONG),
        ("ppSymmKeys", PPBYTES),
        ("ulSymmKeysSize", ULONG),
        ("pulSymmKeysSizeProp", PULONG),
        ("bEncrypted", UCHAR),
        ("bAuthenticated", UCHAR),
        ("uSenderIDLen", USHORT),
        ("ppSignature", PPBYTES),
        ("ulSignatureSize", ULONG),
        ("pulSignatureSizeProp", PULONG),
        ("ppSrcQMID", PPGUID),
        ("pUow", PUOW),
        ("ppMsgExtension", PPVARYING_BYTES),
        ("ulMsgExtensionBufferInBytes", ULONG),
        ("pMsgExtensionSize", PULONG),
        ("ppConnectorType", PPGUID),
        ("pulBodyType", PULONG),
        ("pulVersion", PULONG),
        ("pbFirstInXact", PUCHAR),
        ("pbLastInXact", PUCHAR),
        ("ppXactID", PPOBJECTID),
    )


def empty(structure):
    """All pointers null."""
    for name, kind in structure.structure:
        if isinstance(kind, type) and issubclass(kind, NDRPOINTER):
            structure[name] = NULL
    return structure


def pointer(kind, value):
    """A pointer, or a pointer to a pointer, to a value."""
    made = kind()
    target = kind.referent[0][1]
    if issubclass(target, NDRPOINTER):
        made.fields["Data"] = pointer(target, value)
    elif value is not None:
        made.fields["Data"]["Data"] = value
    return made


def set_pointer(structure, name, value):
    kind = dict(structure.structure)[name]
    structure.fields[name] = pointer(kind, value)


def pointee(structure, name):
    """What a pointer, or a pointer to a pointer, leads to; None for null."""
    field = structure.fields[name]
    while isinstance(field, (NDRPOINTER, NDRPOINTERNULL)):
        if isinstance(field, NDRPOINTERNULL) or field.fields["ReferentID"] == 0:
            return None
        field = field.fields["Data"]
    return field


def number(structure, name):
    field = pointee(structure, name)
    return None if field is None else field["Data"]


def octets(structure, name):
    field = pointee(structure, name)
    return None if field is None else b"".join(field["Data"])


def units(structure, name):
    field = pointee(structure, name)
    if field is None:
        return None
    return "".join(map(chr, field["Data"])).split("\0")[0]


def transfer(buffer, kind):
    empty(buffer)
    buffer["uTransferType"] = kind
    buffer["transfer"]["tag"] = kind
    empty(buffer["transfer"][TRANSFER.union[kind][0]])
    return buffer


def to_send(buffer, body, label, extension=b"", priority=3, admin=None, response=None):
    """Fills a buffer to send a message."""
    transfer(buffer, 0)
    send = buffer["transfer"]["Send"]
    for field, name in (("pAdminQueueFormat", admin), ("pResponseQueueFormat", response)):
        if name:
            send.fields[field] = PQUEUE_FORMAT()
            fill_queue(send.fields[field].fields["Data"], name)
    set_pointer(buffer, "pClass", 0)
    set_pointer(buffer, "pPriority", priority)
    set_pointer(buffer, "pDelivery", 1)
    set_pointer(buffer, "pAcknowledge", 0)
    set_pointer(buffer, "pAuditing", 1)
    set_pointer(buffer, "pApplicationTag", 4711)
    set_pointer(buffer, "ppCorrelationID", bytes(range(20)))
    set_pointer(buffer, "ppBody", body)
    buffer["ulBodyBufferSizeInBytes"] = buffer["ulAllocBodyBufferInBytes"] = len(body)
    set_pointer(buffer, "ppTitle", [ord(c) for c in label])
    buffer["ulTitleBufferSizeInWCHARs"] = len(label)
    buffer["ulAbsoluteTimeToQueue"] = 0xFFFFFFFF
    buffer["ulRelativeTimeToLive"] = 3600
    set_pointer(buffer, "pulPrivLevel", 0)
    set_pointer(buffer, "pulBodyType", 8)
    set_pointer(buffer, "ppMsgExtension", extension)
    buffer["ulMsgExtensionBufferInBytes"] = len(extension)
    return buffer


def to_receive(buffer, action, cursor=0, timeout=0, body=0, extension=0):
    """Fills a buffer with room for a message."""
    transfer(buffer, 1)
    receive = buffer["transfer"]["Receive"]
    receive["RequestTimeout"], receive["Action"], receive["Asynchronous"] = timeout, action, 0
    receive["Cursor"] = cursor
    for name in ("ulAdminFormatNameLen", "ulDestFormatNameLen", "ulOrderingFormatNameLen"):
        receive[name] = 0
    receive["ulResponseFormatNameLen"] = 64
    set_pointer(receive, "ppResponseFormatName", [0] * 64)
    set_pointer(receive, "pulResponseFormatNameLenProp", 64)
    set_pointer(receive, "ppDestFormatName", [0] * 128)
    receive["ulDestFormatNameLen"] = 128
    set_pointer(receive, "pulDestFormatNameLenProp", 128)
    for name in ("pClass", "pSentTime", "pArrivedTime", "pPriority", "pDelivery", "pAuditing", "pApplicationTag"):
        set_pointer(buffer, name, 0)
    for name in ("pBodySize", "pMsgExtensionSize", "pulBodyType", "pulRelativeTimeToLive", "pulVersion"):
        set_pointer(buffer, name, 0)
    set_pointer(buffer, "ppMessageID", None)
    set_pointer(buffer, "ppSrcQMID", b"\0" * 16)
    set_pointer(buffer, "ppCorrelationID", b"\0" * 20)
    set_pointer(buffer, "ppBody", b"\0" * body)
    buffer["ulBodyBufferSizeInBytes"] = buffer["ulAllocBodyBufferInBytes"] = body
    set_pointer(buffer, "ppTitle", [0] * 250)
    buffer["ulTitleBufferSizeInWCHARs"] = 250
    set_pointer(buffer, "pulTitleBufferSizeInWCHARs", 250)
    set_pointer(buffer, "ppMsgExtension", b"\0" * extension)
    buffer["ulMsgExtensionBufferInBytes"] = extension
    return buffer


def message_of(buffer):
    """What a buffer says that was filled."""
    size, extension = number(buffer, "pBodySize"), number(buffer, "pMsgExtensionSize")
    identifier = pointee(buffer, "ppMessageID")
    receive = buffer["transfer"]["Receive"]
    return {
        "id": f"{bin_to_string(identifier['Lineage']).lower()}\\{identifier['Uniquifier']}",
        "body": octets(buffer, "ppBody")[:size].decode(),
        "size": size,
        "extension": octets(buffer, "ppMsgExtension")[:extension].hex(),
        "label": units(buffer, "ppTitle"),
        "label_units": buffer["ulTitleBufferSizeInWCHARs"],
        "priority": number(buffer, "pPriority"),
        "delivery": number(buffer, "pDelivery"),
        "auditing": number(buffer, "pAuditing"),
        "tag": number(buffer, "pApplicationTag"),
        "body_type": number(buffer, "pulBodyType"),
        "live": number(buffer, "pulRelativeTimeToLive"),
        "correlation": octets(buffer, "ppCorrelationID").hex(),
        "response": units(receive, "ppResponseFormatName"),
        "destination": units(receive, "ppDestFormatName"),
    }


class OBJECT_UNION(Union):
    commonHdr = (("tag", ULONG),)
    union = {1: ("pQueueFormat", PQUEUE_FORMAT)}


class OBJECT_FORMAT(NDRSTRUCT):
    structure = (("ObjType", ULONG), ("object", OBJECT_UNION))


class PTEXT(NDRPOINTER):
    referent = (("Data", WSTR),)


class R_QMGetRTQMServerPort(NDRCALL):
    opnum = 31
    structure = (("fIP", ULONG),)


class R_QMGetRTQMServerPortResponse(NDRCALL):
    structure = (("Port", ULONG),)


class rpc_QMOpenQueueInternal(NDRCALL):
    opnum = 19
    structure = (
        ("pQueueFormat", QUEUE_FORMAT),
        ("dwDesiredAccess", ULONG),
        ("dwShareMode", ULONG),
        ("hRemoteQueue", ULONG),
        ("lplpRemoteQueueName", PTEXT),
        ("dwpQueue", ULONG),
        ("pLicGuid", GUID),
        ("lpClientName", WSTR),
        ("dwRemoteProtocol", ULONG),
        ("dwpRemoteContext", ULONG),
    )


class rpc_QMOpenQueueInternalResponse(NDRCALL):
    structure = (
        ("lplpRemoteQueueName", PTEXT),
        ("pdwQMContext", ULONG),
        ("phQueue", CONTEXT_HANDLE),
        ("ErrorCode", ULONG),
    )


class rpc_ACCloseHandle(NDRCALL):
    opnum = 20
    structure = (("phQueue", CONTEXT_HANDLE),)


class rpc_ACCloseHandleResponse(NDRCALL):
    structure = (("phQueue", CONTEXT_HANDLE), ("ErrorCode", ULONG))


class rpc_ACPurgeQueue(NDRCALL):
    opnum = 27
    structure = (("hQueue", CONTEXT_HANDLE),)


class R_QMCreateObjectInternal(NDRCALL):
    opnum = 6
    structure = (
        ("dwObjectType", ULONG),
        ("lpwcsPathName", WSTR),
        ("SDSize", ULONG),
        ("pSecurityDescriptor", PBYTES),
        ("cp", ULONG),
        ("aProp", ULONGS),
        ("apVar", PROPVARIANTS),
    )


class R_QMGetObjectProperties(NDRCALL):
    opnum = 10
    structure = (("pObjectFormat", OBJECT_FORMAT), ("cp", ULONG), ("aProp", ULONGS), ("apVar", PROPVARIANTS))


class R_QMObjectPathToObjectFormat(NDRCALL):
    opnum = 12
    structure = (("lpwcsPathName", WSTR), ("pObjectFormat", OBJECT_FORMAT))


class R_QMObjectPathToObjectFormatResponse(NDRCALL):
    structure = (("pObjectFormat", OBJECT_FORMAT), ("ErrorCode", ULONG))


class rpc_ACSendMessageEx(NDRCALL):
    opnum = 1
    structure = (("hQueue", CONTEXT_HANDLE), ("ptb", CACTransferBufferV2), ("pMessageID", POBJECTID))


class rpc_ACSendMessageExResponse(NDRCALL):
    structure = (("pMessageID", POBJECTID), ("ErrorCode", ULONG))


class rpc_ACReceiveMessageEx(NDRCALL):
    opnum = 2
    structure = (("hQMContext", ULONG), ("ptb", CACTransferBufferV2))


class rpc_ACReceiveMessageExResponse(NDRCALL):
    structure = (("ptb", CACTransferBufferV2), ("ErrorCode", ULONG))


class rpc_ACCreateCursorEx(NDRCALL):
    opnum = 3
    structure = (("hQueue", CONTEXT_HANDLE), ("pcc", CREATE_CURSOR))


class rpc_ACCreateCursorExResponse(NDRCALL):
    structure = (("pcc", CREATE_CURSOR), ("ErrorCode", ULONG))


def open_queue(name, access):
    call = rpc_QMOpenQueueInternal()
    fill_queue(call["pQueueFormat"], name)
    call["dwDesiredAccess"], call["dwShareMode"], call["hRemoteQueue"], call["dwpQueue"] = access, 0, 0, 0
    call["lplpRemoteQueueName"] = NULL
    call["pLicGuid"] = b"\0" * 16
    call["lpClientName"] = "client\0"
    call["dwRemoteProtocol"] = call["dwpRemoteContext"] = 0
    return call
