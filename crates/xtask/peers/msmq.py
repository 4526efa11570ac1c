"""MSMQ's protocols over RPC, written out of [MS-MQRR], [MS-MQMR], [MS-MQMP] and [MS-MQMQ] with impacket's NDR classes."""

from struct import pack, unpack_from

from impacket.dcerpc.v5.dtypes import GUID, LPWSTR, NULL, UCHAR, ULONG, USHORT, WSTR
from impacket.dcerpc.v5.ndr import (
    NDRCALL,
    NDRHYPER,
    NDRPOINTER,
    NDRPOINTERNULL,
    NDRSTRUCT,
    NDRUniConformantArray,
    NDRUniConformantVaryingArray,
    NDRUNION,
)
from impacket.dcerpc.v5.rpcrt import DCERPCException
from impacket.uuid import bin_to_string, string_to_bin

REMOTE_READ = ("1a9134dd-7b39-45ba-ad88-44d01ca47f28", "1.0")
QMMGMT = ("41208ee0-e970-11d1-9b9e-00e02c064c39", "1.0")
QMCOMM = ("fdb3a030-065f-11d1-bb9b-00a024ea5525", "1.0")
QMCOMM2 = ("76d12b80-3467-11d3-91ff-0090272f9ea3", "1.0")
MAPPER = ("e1af8308-5d1f-11c9-91a4-08002b14a0fa", "3.0")


class DCERPCSessionError(DCERPCException):
    """impacket looks for it in the module of a request."""

    def __init__(self, error_string=None, error_code=None, packet=None):
        DCERPCException.__init__(self, error_string, error_code, packet)


class ULONGLONG(NDRHYPER):
    pass


# Pointers and arrays


class PUCHAR(NDRPOINTER):
    referent = (("Data", UCHAR),)


class PUSHORT(NDRPOINTER):
    referent = (("Data", USHORT),)


class PULONG(NDRPOINTER):
    referent = (("Data", ULONG),)


class PGUID(NDRPOINTER):
    referent = (("Data", GUID),)


class PPGUID(NDRPOINTER):
    referent = (("Data", PGUID),)


class BYTES(NDRUniConformantArray):
    item = "c"


class PBYTES(NDRPOINTER):
    referent = (("Data", BYTES),)


class PPBYTES(NDRPOINTER):
    referent = (("Data", PBYTES),)


class VARYING_BYTES(NDRUniConformantVaryingArray):
    item = "c"


class PVARYING_BYTES(NDRPOINTER):
    referent = (("Data", VARYING_BYTES),)


class PPVARYING_BYTES(NDRPOINTER):
    referent = (("Data", PVARYING_BYTES),)


class WCHARS(NDRUniConformantArray):
    item = "<H"


class PWCHARS(NDRPOINTER):
    referent = (("Data", WCHARS),)


class PPWCHARS(NDRPOINTER):
    referent = (("Data", PWCHARS),)


class VARYING_WCHARS(NDRUniConformantVaryingArray):
    item = "<H"


class PVARYING_WCHARS(NDRPOINTER):
    referent = (("Data", VARYING_WCHARS),)


class PPVARYING_WCHARS(NDRPOINTER):
    referent = (("Data", PVARYING_WCHARS),)


class ULONGS(NDRUniConformantArray):
    item = "<L"


class PULONGS(NDRPOINTER):
    referent = (("Data", ULONGS),)


class LPWSTRS(NDRUniConformantArray):
    item = LPWSTR


class PLPWSTRS(NDRPOINTER):
    referent = (("Data", LPWSTRS),)


class Union(NDRUNION):
    """An arm is aligned by itself ([C706] 14.3.8), not to 4 in any case."""

    notAlign = True


# [MS-MQMQ] 2.2


class OBJECTID(NDRSTRUCT):
    structure = (("Lineage", GUID), ("Uniquifier", ULONG))


class POBJECTID(NDRPOINTER):
    referent = (("Data", OBJECTID),)


class PPOBJECTID(NDRPOINTER):
    referent = (("Data", POBJECTID),)


class DL_ID(NDRSTRUCT):
    structure = (("m_DlGuid", GUID), ("m_pwzDomain", LPWSTR))


class MULTICAST_ID(NDRSTRUCT):
    structure = (("m_address", ULONG), ("m_port", ULONG))


class QUEUE_FORMAT_UNION(Union):
    commonHdr = (("tag", UCHAR),)
    union = {
        1: ("m_gPublicID", GUID),
        2: ("m_oPrivateID", OBJECTID),
        3: ("m_pDirectID", LPWSTR),
        4: ("m_gMachineID", GUID),
        5: ("m_GConnectorID", GUID),
        6: ("m_DlID", DL_ID),
        7: ("m_MulticastID", MULTICAST_ID),
        8: ("m_pDirectSubqueueID", LPWSTR),
    }


class QUEUE_FORMAT(NDRSTRUCT):
    structure = (
        ("m_qft", UCHAR),
        ("m_SuffixAndFlags", UCHAR),
        ("m_reserved", USHORT),
        ("id", QUEUE_FORMAT_UNION),
    )

    def getAlignment(self):
        return 4


class PQUEUE_FORMAT(NDRPOINTER):
    referent = (("Data", QUEUE_FORMAT),)


def fill_queue(queue, name):
    """A direct format name, without DIRECT=."""
    journal = name.upper().endswith(";JOURNAL")
    queue["m_qft"], queue["m_SuffixAndFlags"], queue["m_reserved"] = 3, 0x81 if journal else 0, 0
    queue["id"]["tag"] = 3
    queue["id"]["m_pDirectID"] = name + "\0"


def fill_private(queue, machine, number):
    queue["m_qft"], queue["m_SuffixAndFlags"], queue["m_reserved"] = 2, 0, 0
    queue["id"]["tag"] = 2
    queue["id"]["m_oPrivateID"]["Lineage"] = string_to_bin(machine)
    queue["id"]["m_oPrivateID"]["Uniquifier"] = number


def queue_text(queue):
    """What a QUEUE_FORMAT says."""
    kind = queue["m_qft"]
    if kind in (3, 8):
        name = "m_pDirectID" if kind == 3 else "m_pDirectSubqueueID"
        return queue["id"][name].rstrip("\0")
    if kind == 2:
        private = queue["id"]["m_oPrivateID"]
        return f"{bin_to_string(private['Lineage'])}\\{private['Uniquifier']}"
    return f"type {kind}"


class BLOB(NDRSTRUCT):
    structure = (("cbSize", ULONG), ("pBlobData", PBYTES))


class CAUL(NDRSTRUCT):
    structure = (("cElems", ULONG), ("pElems", PULONGS))


class CALPWSTR(NDRSTRUCT):
    structure = (("cElems", ULONG), ("pElems", PLPWSTRS))


class VARIANT_UNION(Union):
    commonHdr = (("tag", USHORT),)
    union = {
        2: ("iVal", USHORT),
        3: ("lVal", ULONG),
        11: ("boolVal", USHORT),
        17: ("bVal", UCHAR),
        18: ("uiVal", USHORT),
        19: ("ulVal", ULONG),
        20: ("hVal", ULONGLONG),
        21: ("uhVal", ULONGLONG),
        31: ("pwszVal", LPWSTR),
        65: ("blob", BLOB),
        72: ("puuid", PGUID),
        0x1013: ("caul", CAUL),
        0x101F: ("calpwstr", CALPWSTR),
    }


# VT_EMPTY and VT_NULL: of what is not in its table impacket forgets the tag.
class NoArm(NDRSTRUCT):
    structure = (("Data", "0s=b''"),)

    def getAlignment(self):
        return 1


VARIANT_UNION.union[0] = ("empty", NoArm)
VARIANT_UNION.union[1] = ("null", NoArm)


class PROPVARIANT(NDRSTRUCT):
    structure = (
        ("vt", USHORT),
        ("wReserved1", UCHAR),
        ("wReserved2", UCHAR),
        ("wReserved3", ULONG),
        ("_varUnion", VARIANT_UNION),
    )

    def getAlignment(self):
        # Two arms are numbers of 8 bytes.
        return 8


class PROPVARIANTS(NDRSTRUCT):
    """A conformant array as a parameter. impacket's own forgets the 4 bytes of the size when it aligns elements to 8."""

    structure = ()

    def __init__(self, data=None, isNDR64=False):
        NDRSTRUCT.__init__(self, data, isNDR64)
        self.items = []

    def __iter__(self):
        return iter(self.items)

    def __len__(self):
        return len(self.items)

    def append(self, item):
        self.items.append(item)

    def getAlignment(self):
        return 4

    def getData(self, soFar=0):
        data = b"\xab" * (-soFar % 4) + pack("<L", len(self.items))
        for item in self.items:
            data += item.getData(soFar + len(data))
        for item in self.items:
            data += item.getDataReferents(soFar + len(data))
            data += item.getDataReferent(soFar + len(data))
        return data

    def getDataReferents(self, soFar=0):
        return b""

    getDataReferent = getDataReferents

    def fromString(self, data, offset=0):
        at = offset + -offset % 4
        count = unpack_from("<L", data, at)[0]
        at += 4
        self.items = [PROPVARIANT() for _ in range(count)]
        for item in self.items:
            at += item.fromString(data, at)
        for item in self.items:
            at += item.fromStringReferents(data, at)
            at += item.fromStringReferent(data, at)
        return at - offset

    def fromStringReferents(self, data, offset=0):
        return 0

    fromStringReferent = fromStringReferents


def null_variant():
    value = PROPVARIANT()
    value["vt"] = 1
    value["_varUnion"]["tag"] = 1
    return value


def text_variant(text):
    value = PROPVARIANT()
    value["vt"] = 31
    value["_varUnion"]["tag"] = 31
    value["_varUnion"]["pwszVal"] = text + "\0"
    return value


def number_variant(vt, number):
    value = PROPVARIANT()
    value["vt"] = vt
    value["_varUnion"]["tag"] = vt
    value["_varUnion"][VARIANT_UNION.union[vt][0]] = number
    return value


def texts_variant(texts):
    value = PROPVARIANT()
    value["vt"] = 0x101F
    value["_varUnion"]["tag"] = 0x101F
    value["_varUnion"]["calpwstr"]["cElems"] = len(texts)
    for text in texts:
        item = LPWSTR()
        item["Data"] = text + "\0"
        value["_varUnion"]["calpwstr"]["pElems"].append(item)
    return value


def variant_value(variant):
    """A PROPVARIANT as Python has it."""
    vt, union = variant["vt"], variant["_varUnion"]
    if union["tag"] != vt:
        raise ValueError(f"vt {vt}, discriminant {union['tag']}")
    if vt in (0, 1):
        return None
    if vt == 31:
        return union["pwszVal"].rstrip("\0")
    if vt == 0x101F:
        array = union["calpwstr"]
        texts = [item["Data"].rstrip("\0") for item in array["pElems"]] if array["cElems"] else []
        if len(texts) != array["cElems"]:
            raise ValueError("cElems")
        return texts
    if vt == 72:
        return bin_to_string(union["puuid"])
    return union[VARIANT_UNION.union[vt][0]]


class CONTEXT_HANDLE(NDRSTRUCT):
    align = 1
    structure = (("Data", "20s=b''"),)

    def getAlignment(self):
        return 4


NO_CONTEXT = b"\0" * 20


# [MS-MQRR] 6


class SectionBuffer(NDRSTRUCT):
    structure = (
        ("SectionBufferType", USHORT),
        ("SectionSizeAlloc", ULONG),
        ("SectionSize", ULONG),
        ("pSectionBuffer", PBYTES),
    )


class SectionBuffers(NDRUniConformantArray):
    item = SectionBuffer


class PSectionBuffers(NDRPOINTER):
    referent = (("Data", SectionBuffers),)


class R_GetServerPort(NDRCALL):
    opnum = 0
    structure = ()


class R_GetServerPortResponse(NDRCALL):
    structure = (("Port", ULONG),)


class R_OpenQueue(NDRCALL):
    opnum = 2
    structure = (
        ("pQueueFormat", QUEUE_FORMAT),
        ("dwAccess", ULONG),
        ("dwShareMode", ULONG),
        ("pClientId", GUID),
        ("fNonRoutingServer", ULONG),
        ("Major", UCHAR),
        ("Minor", UCHAR),
        ("BuildNumber", USHORT),
        ("fWorkgroup", ULONG),
    )


class R_OpenQueueResponse(NDRCALL):
    structure = (("pphContext", CONTEXT_HANDLE),)


class R_CloseQueue(NDRCALL):
    opnum = 3
    structure = (("pphContext", CONTEXT_HANDLE),)


class R_CloseQueueResponse(NDRCALL):
    structure = (("pphContext", CONTEXT_HANDLE), ("ErrorCode", ULONG))


class R_CreateCursor(NDRCALL):
    opnum = 4
    structure = (("phContext", CONTEXT_HANDLE),)


class R_CreateCursorResponse(NDRCALL):
    structure = (("phCursor", ULONG), ("ErrorCode", ULONG))


class R_CloseCursor(NDRCALL):
    opnum = 5
    structure = (("phContext", CONTEXT_HANDLE), ("hCursor", ULONG))


class StatusResponse(NDRCALL):
    structure = (("ErrorCode", ULONG),)


class R_PurgeQueue(NDRCALL):
    opnum = 6
    structure = (("phContext", CONTEXT_HANDLE),)


class R_StartReceive(NDRCALL):
    opnum = 7
    structure = (
        ("phContext", CONTEXT_HANDLE),
        ("LookupId", ULONGLONG),
        ("hCursor", ULONG),
        ("ulAction", ULONG),
        ("ulTimeout", ULONG),
        ("dwRequestId", ULONG),
        ("dwMaxBodySize", ULONG),
        ("dwMaxCompoundMessageSize", ULONG),
    )


class R_StartReceiveResponse(NDRCALL):
    structure = (
        ("pdwArriveTime", ULONG),
        ("pSequenceId", ULONGLONG),
        ("pdwNumberOfSections", ULONG),
        ("ppPacketSections", PSectionBuffers),
        ("ErrorCode", ULONG),
    )


class R_CancelReceive(NDRCALL):
    opnum = 8
    structure = (("phContext", CONTEXT_HANDLE), ("dwRequestId", ULONG))


class R_EndReceive(NDRCALL):
    opnum = 9
    structure = (("phContext", CONTEXT_HANDLE), ("dwAck", ULONG), ("dwRequestId", ULONG))


# [MS-MQMR] 6


class MGMT_UNION(Union):
    commonHdr = (("tag", USHORT),)
    union = {1: ("Reserved1", ULONG), 2: ("pQueueFormat", PQUEUE_FORMAT), 3: ("Reserved2", ULONG)}


class MGMT_OBJECT(NDRSTRUCT):
    structure = (("type", USHORT), ("object", MGMT_UNION))

    def getAlignment(self):
        return 4


class R_QMMgmtGetInfo(NDRCALL):
    opnum = 0
    structure = (
        ("pObjectFormat", MGMT_OBJECT),
        ("cp", ULONG),
        ("aProp", ULONGS),
        ("apVar", PROPVARIANTS),
    )


class R_QMMgmtGetInfoResponse(NDRCALL):
    structure = (("apVar", PROPVARIANTS), ("ErrorCode", ULONG))


class R_QMMgmtAction(NDRCALL):
    opnum = 1
    structure = (("pObjectFormat", MGMT_OBJECT), ("lpwszAction", WSTR))


def machine_object(call):
    call["pObjectFormat"]["type"] = 1
    call["pObjectFormat"]["object"]["tag"] = 1
    call["pObjectFormat"]["object"]["Reserved1"] = 0


def queue_object(call, name):
    call["pObjectFormat"]["type"] = 2
    call["pObjectFormat"]["object"]["tag"] = 2
    fill_queue(call["pObjectFormat"]["object"]["pQueueFormat"], name)


def get_info(properties, name=None):
    call = R_QMMgmtGetInfo()
    queue_object(call, name) if name else machine_object(call)
    call["cp"] = len(properties)
    call["aProp"] = list(properties)
    for _ in properties:
        call["apVar"].append(null_variant())
    return call
