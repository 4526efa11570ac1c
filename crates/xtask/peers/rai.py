"""The calls of [MS-RAI] and activation, out of impacket's NDR classes."""

from struct import pack

from impacket.dcerpc.v5 import dcomrt, dtypes
from impacket.dcerpc.v5.dcom import oaut
from impacket.dcerpc.v5.dcomrt import DCOMANSWER, DCOMCALL, PMInterfacePointer
from impacket.dcerpc.v5.dtypes import DWORD, HRESULT, LONG, LPWSTR, NULL, ULONG, USHORT
from impacket.dcerpc.v5.ndr import NDRPOINTER, NDRPOINTERNULL
from impacket.uuid import bin_to_string, generate, string_to_bin, uuidtup_to_bin

from rpc import Malformed

CLASSES = {
    "rasrv": string_to_bin("3C3A70A7-A468-49B9-8ADA-28E11FCCAD5D"),
    "pchservice": string_to_bin("833E4010-AFF7-4AC3-AAC2-9F24C1457BCE"),
    "unknown": string_to_bin("11111111-2222-3333-4444-555555555555"),
}
INTERFACES = {
    "IRASrv": "F120A684-B926-447F-9DF4-C966CB785648",
    "IPCHService": "833E4200-AFF7-4AC3-AAC2-9F24C1457BCE",
    "IPCHCollection": "833E4100-AFF7-4AC3-AAC2-9F24C1457BCE",
    "ISAFSession": "833E41AA-AFF7-4AC3-AAC2-9F24C1457BCE",
    "IDispatch": "00020400-0000-0000-C000-000000000046",
    "IEnumVARIANT": "00020404-0000-0000-C000-000000000046",
    "IUnknown": "00000000-0000-0000-C000-000000000046",
    "IClassFactory": "00000001-0000-0000-C000-000000000046",
    "IRemUnknown": "00000131-0000-0000-C000-000000000046",
    "IRemUnknown2": "00000143-0000-0000-C000-000000000046",
    "IObjectExporter": "99FCFEC4-5260-101B-BBCB-00AA0021347A",
    "IActivation": "4D9F4AB8-7D1C-11CF-861E-0020AF6E7C57",
    "IRemoteSCMActivator": "000001A0-0000-0000-C000-000000000046",
    "nobody's": "11111111-2222-3333-4444-666666666666",
}
IIDS = {name: uuidtup_to_bin((iid, "0.0")) for name, iid in INTERFACES.items()}
NAMES = {string_to_bin(iid): name for name, iid in INTERFACES.items()}


class DCERPCSessionError(dcomrt.DCERPCSessionError):
    """impacket looks for it in the module of a request."""


# Strings


def bstr(text):
    """A BSTR. impacket's own setter cannot do characters beyond the BMP, nor the NULL of [MS-OAUT] 2.2.23.1."""
    value = oaut.BSTR()
    blob = value.fields["Data"]
    units = b"" if text is None else text.encode("utf-16le", "surrogatepass")
    numbers = [units[at] | units[at + 1] << 8 for at in range(0, len(units), 2)]
    blob.fields["asData"]["Data"] = numbers
    blob["cBytes"] = 0xFFFFFFFF if text is None else len(units)
    blob["clSize"] = len(numbers)
    return value


def put(call, name, text, null="blob"):
    """`null`: NULL is a blob that says so, as other clients write it, or a pointer of 0."""
    if text is None and null == "pointer":
        call[name] = NULL
    else:
        call.fields[name].fields["Data"] = bstr(text).fields["Data"]


def text_of(pointer):
    """The text of a BSTR; None for NULL."""
    if pointer.fields["ReferentID"] == 0:
        return None
    blob = pointer.fields["Data"]
    numbers = blob.fields["asData"].fields["Data"]
    if blob["clSize"] != len(numbers):
        raise Malformed(f"clSize {blob['clSize']}, max_count {len(numbers)}")
    if blob["cBytes"] == 0xFFFFFFFF and not numbers:
        return None
    if blob["cBytes"] != 2 * len(numbers):
        raise Malformed(f"cBytes {blob['cBytes']}, clSize {len(numbers)}")
    return pack(f"<{len(numbers)}H", *numbers).decode("utf-16le")


# IRASrv


class GetNoviceUserInfo(DCOMCALL):
    opnum = 7
    structure = (("szName", LPWSTR),)


class GetNoviceUserInfoResponse(DCOMANSWER):
    structure = (("szName", LPWSTR), ("ErrorCode", HRESULT))


class PPSAFEARRAY(NDRPOINTER):
    referent = (("Data", oaut.PSAFEARRAY),)


# The macro SAFEARRAY(type) read literally: a SAFEARRAY* of [MS-OAUT] 2.2.30.10.
class GetSessionInfo(DCOMCALL):
    opnum = 8
    structure = (("UserNames", oaut.PSAFEARRAY), ("Count", LONG))


class GetSessionInfoResponse(DCOMANSWER):
    structure = (("UserNames", oaut.PSAFEARRAY), ("Count", LONG), ("ErrorCode", HRESULT))


# As MIDL reads it: LPSAFEARRAY*.
class GetSessionInfo2(DCOMCALL):
    opnum = 8
    structure = (("UserNames", PPSAFEARRAY), ("Count", LONG))


class GetSessionInfo2Response(DCOMANSWER):
    structure = (("UserNames", PPSAFEARRAY), ("Count", LONG), ("ErrorCode", HRESULT))


def safearray(texts):
    """A SAFEARRAY(BSTR) of one dimension."""
    array = oaut.SAFEARRAY()
    array["cDims"] = 1
    array["fFeatures"] = 0x0180
    array["cbElements"] = 4
    # FADF_HAVEVARTYPE: the high word tells the type.
    array["cLocks"] = 8 << 16
    union = array.fields["uArrayStructs"]
    union["tag"] = 8
    strings = union.fields["BstrStr"]
    strings["Size"] = len(texts)
    strings["aBstr"] = [bstr(text) for text in texts]
    bound = oaut.SAFEARRAYBOUND()
    bound["cElements"], bound["lLbound"] = len(texts), 0
    array["rgsabound"] = [bound]
    return array


def session_info(form, texts):
    """A request; `texts` None: no array."""
    request = GetSessionInfo() if form == "one" else GetSessionInfo2()
    request["Count"] = len(texts or [])
    pointer = request.fields["UserNames"]
    if form == "one" and texts is None:
        request["UserNames"] = NULL
    elif texts is None:
        pointer.fields["Data"] = NDRPOINTERNULL()
    elif form == "one":
        pointer.fields["Data"] = safearray(texts)
    else:
        pointer.fields["Data"].fields["Data"] = safearray(texts)
    return request


def session_names(response, form):
    """The strings of an answer; None when there is no array."""
    pointer = response.fields["UserNames"]
    if form != "one":
        if pointer.fields["ReferentID"] == 0:
            raise Malformed("the outer pointer is 0")
        pointer = pointer.fields["Data"]
    if pointer.fields["ReferentID"] == 0:
        return None
    array = pointer.fields["Data"]
    union = array.fields["uArrayStructs"]
    strings = union.fields["BstrStr"]
    items = strings.fields["aBstr"].fields["Data"].fields["Data"] if strings["Size"] else []
    bounds = [(b["cElements"], b["lLbound"]) for b in array["rgsabound"]]
    told = (array["cDims"], array["cbElements"], union["tag"], strings["Size"], len(items), bounds)
    if told != (1, 4, 8, len(items), len(items), [(len(items), bounds[0][1])]):
        raise Malformed(f"SAFEARRAY: cDims, cbElements, tag, Size, elements, bounds: {told}")
    return [text_of(item) for item in items]


# IPCHService


class RemoteConnectionParms(DCOMCALL):
    opnum = 19
    structure = (
        ("bstrUserName", oaut.BSTR),
        ("bstrDomainName", oaut.BSTR),
        ("lSessionID", LONG),
        ("bstrUserHelpBlob", oaut.BSTR),
    )


class TextResponse(DCOMANSWER):
    structure = (("pVal", oaut.BSTR), ("ErrorCode", HRESULT))


class InterfaceResponse(DCOMANSWER):
    structure = (("pVal", PMInterfacePointer), ("ErrorCode", HRESULT))


class LongResponse(DCOMANSWER):
    structure = (("pVal", ULONG), ("ErrorCode", HRESULT))


class EnumResponse(DCOMANSWER):
    structure = (("pVal", USHORT), ("ErrorCode", HRESULT))


class VariantResponse(DCOMANSWER):
    structure = (("ppEntry", oaut.VARIANT), ("ErrorCode", HRESULT))


class HresultResponse(DCOMANSWER):
    structure = (("ErrorCode", HRESULT),)


class InvokeResponse(DCOMANSWER):
    """IDispatch::Invoke; impacket's leaves out rgVarRef."""

    structure = (
        ("pVarResult", oaut.VARIANT),
        ("pExcepInfo", oaut.EXCEPINFO),
        ("pArgErr", dtypes.UINT),
        ("rgVarRef", oaut.VARIANT_ARRAY),
        ("ErrorCode", HRESULT),
    )


def getter(opnum):
    """A call without parameters."""
    return type("Getter", (DCOMCALL,), {"opnum": opnum, "structure": ()})()


def setter(opnum, kind, value):
    call = type("Setter", (DCOMCALL,), {"opnum": opnum, "structure": (("pVal", kind),)})()
    if kind is oaut.BSTR:
        put(call, "pVal", value)
    else:
        call["pVal"] = value
    return call


class Item(DCOMCALL):
    opnum = 8
    structure = (("vIndex", LONG),)


# Activation


def this(version=(5, 7), flags=1):
    """An ORPCTHIS."""
    header = dcomrt.ORPCTHIS()
    header["version"]["MajorVersion"], header["version"]["MinorVersion"] = version
    header["cid"] = generate()
    header["extensions"] = NULL
    header["flags"] = flags
    return header


def property_bytes(value):
    """A property, padded as clients do."""
    if isinstance(value, bytes):
        return value
    data = value.getData()
    data += value.getDataReferents(len(data))
    return data + b"\xfa" * (-len(data) % 8)


def properties_in(clsid, iids, session=None, this_size=True, version=(5, 7), surplus=0):
    """The properties of a request, as (CLSID, value): what Windows clients send that must be there.

    `surplus`: so many properties of a CLSID that nobody knows.
    """
    instantiation = dcomrt.InstantiationInfoData()
    instantiation["classId"] = clsid
    instantiation["cIID"] = len(iids)
    instantiation["classCtx"] = 0x14
    for iid in iids:
        item = dcomrt.IID()
        item["Data"] = iid[:16]
        instantiation["pIID"].append(item)
    instantiation["clientCOMVersion"]["MajorVersion"] = version[0]
    instantiation["clientCOMVersion"]["MinorVersion"] = version[1]
    if this_size:
        instantiation["thisSize"] = len(property_bytes(instantiation))
    context = dcomrt.ActivationContextInfoData()
    context["pIFDClientCtx"] = context["pIFDPrototypeCtx"] = NULL
    location = dcomrt.LocationInfoData()
    location["machineName"] = NULL
    request = dcomrt.ScmRequestInfoData()
    request["pdwReserved"] = NULL
    request["remoteRequest"]["ClientImpLevel"] = 2
    request["remoteRequest"]["cRequestedProtseqs"] = 1
    request["remoteRequest"]["pRequestedProtseqs"].append(7)
    told = [
        (dcomrt.CLSID_InstantiationInfo, instantiation),
        (dcomrt.CLSID_ActivationContextInfo, context),
        (dcomrt.CLSID_ServerLocationInfo, location),
        (dcomrt.CLSID_ScmRequestInfo, request),
    ]
    if session is not None:
        special = dcomrt.SpecialPropertiesData()
        special["dwSessionId"] = session
        special["fRemoteThisSessionId"] = 1
        special["dwDefaultAuthnLvl"] = 6
        special["guidPartition"] = bytes(16)
        special["Reserved"] = bytes(32)
        told.insert(0, (dcomrt.CLSID_SpecialSystemProperties, special))
    return told + [(CLASSES["unknown"], b"\x00\xff" * 12)] * surplus


def activation_blob(properties):
    blob = dcomrt.ACTIVATION_BLOB()
    header = blob["CustomHeader"]
    header["destCtx"] = 2
    header["pdwReserved"] = NULL
    data = b""
    for clsid, value in properties:
        item = dcomrt.CLSID()
        item["Data"] = clsid
        header["pclsid"].append(item)
        marshalled = property_bytes(value)
        size = DWORD()
        size["Data"] = len(marshalled)
        header["pSizes"].append(size)
        data += marshalled
    blob["Property"] = data
    return blob.getData()


def activation(via, properties, version=(5, 7), more=8):
    """RemoteCreateInstance or RemoteGetClassObject; `more`: what the size field of the OBJREF says beyond the size."""
    request = dcomrt.RemoteCreateInstance() if via == "create" else dcomrt.RemoteGetClassObject()
    request["ORPCthis"] = this(version)
    if via == "create":
        request["pUnkOuter"] = NULL
    reference = dcomrt.OBJREF_CUSTOM()
    reference["iid"] = dcomrt.IID_IActivationPropertiesIn[:-4]
    reference["clsid"] = dcomrt.CLSID_ActivationPropertiesIn
    reference["pObjectData"] = activation_blob(properties)
    reference["ObjectReferenceSize"] = len(reference["pObjectData"]) + more
    data = reference.getData()
    request["pActProperties"]["ulCntData"] = len(data)
    request["pActProperties"]["abData"] = list(data)
    return request


def properties_out(data):
    """The properties of an answer: PropsOutInfo, ScmReplyInfoData, and what is remarkable about the blob."""
    reference = dcomrt.OBJREF_CUSTOM(data)
    if reference["flags"] != dcomrt.FLAGS_OBJREF_CUSTOM or reference["clsid"] != dcomrt.CLSID_ActivationPropertiesOut:
        raise Malformed(f"activation properties: {data[:64].hex()}")
    blob = dcomrt.ACTIVATION_BLOB(reference["pObjectData"])
    header = blob["CustomHeader"]
    sizes = [size["Data"] for size in header["pSizes"]]
    clsids = [clsid["Data"] for clsid in header["pclsid"]]
    told = {
        "properties": [bin_to_string(clsid) for clsid in clsids],
        "object_reference_size": reference["ObjectReferenceSize"] - len(reference["pObjectData"]),
        "sizes_exact": header["totalSize"] == blob["dwSize"] == len(reference["pObjectData"]) - 8
        and header["headerSize"] + sum(sizes) == header["totalSize"]
        and len(blob["Property"]) == sum(sizes),
    }
    found, at = {}, 0
    for clsid, size in zip(clsids, sizes):
        found[clsid] = blob["Property"][at : at + size]
        at += size
    return (
        serialized(dcomrt.PropsOutInfo, found[dcomrt.CLSID_PropsOutInfo]),
        serialized(dcomrt.ScmReplyInfoData, found[dcomrt.CLSID_ScmReplyInfo]),
        told,
    )


def serialized(kind, data):
    value = kind()
    used = value.fromString(data)
    value.fromStringReferents(data, used)
    return value


def pointer_bytes(pointer):
    """The OBJREF of an interface pointer; None for NULL."""
    if pointer.fields["ReferentID"] == 0:
        return None
    inner = pointer.fields["Data"]
    data = b"".join(inner["abData"])
    if inner["ulCntData"] != len(data):
        raise Malformed(f"ulCntData {inner['ulCntData']}, max_count {len(data)}")
    return data


def bindings(array):
    """String and security bindings of a DUALSTRINGARRAY, [MS-DCOM] 2.2.19.

    Read from its words: impacket's SECURITYBINDING cannot do the empty name that is in all of them.
    """
    words, offset = array["aStringArray"], array["wSecurityOffset"]
    if array["wNumEntries"] != len(words):
        raise Malformed(f"wNumEntries {array['wNumEntries']}, max_count {len(words)}")

    def entries(words, head):
        while words and words[0]:
            end = words.index(0, head)
            yield words[0], pack(f"<{end - head}H", *words[head:end]).decode("utf-16le")
            words = words[end + 1 :]
        if words != [0]:
            raise Malformed(f"no zero, or more than a zero, at the end of bindings: {words}")

    strings = [list(entry) for entry in entries(list(words[:offset]), 1)]
    return strings, [service for service, _ in entries(list(words[offset:]), 2)]


def help_blob(expert, padding=0):
    """[MS-RAI] 3.1.4.1.1. `padding`: so many more characters in the name."""
    name = f"ID={expert}" + "x" * padding
    return f"13;UNSOLICITED=1{len(name)};{name}"
