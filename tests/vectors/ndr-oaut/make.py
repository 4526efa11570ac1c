"""Encodes activation properties with the classes of impacket, and writes what a decoder must find in them.

    python3 -m venv env && env/bin/pip install impacket==0.13.1 && env/bin/python make.py > activation.json
"""

import json
import random
import uuid

from impacket.dcerpc.v5 import dcomrt
from impacket.dcerpc.v5.dtypes import DWORD, NULL
from impacket.dcerpc.v5.ndr import NDRPOINTERNULL

CLASS = "833e4010-aff7-4ac3-aac2-9f24c1457bce"
IID = "833e4100-aff7-4ac3-aac2-9f24c1457bce"
OTHER = "00000000-0000-0000-c000-000000000046"
UNKNOWN = "0f0e0d0c-0b0a-0908-0706-050403020100"

cases = []
# Of the referent ids.
random.seed(1)


def guid(text):
    return uuid.UUID(text).bytes_le


def array(kind, items):
    made = []
    for data in items:
        item = kind()
        item["Data"] = data
        made.append(item)
    return made


def pointer(data):
    value = dcomrt.MInterfacePointer()
    value["ulCntData"] = len(data)
    value["abData"] = list(data)
    return value


def marshal(value):
    return value.getData() + value.getDataReferents()


def padded(data, byte):
    """As the client of impacket does it: the length in the private header is without the padding."""
    return data + byte * (-len(data) % 8)


def blob(properties, **header):
    """properties: pairs of a CLSID and bytes."""
    value = dcomrt.ACTIVATION_BLOB()
    value["CustomHeader"]["destCtx"] = 2
    value["CustomHeader"]["pdwReserved"] = NULL
    for clsid, data in properties:
        value["CustomHeader"]["pclsid"].append(array(dcomrt.CLSID, [clsid])[0])
        value["CustomHeader"]["pSizes"].append(array(DWORD, [len(data)])[0])
    for name, field in header.items():
        value["CustomHeader"][name] = field
    value["Property"] = b"".join(data for _, data in properties)
    return value.getData()


def objref(direction, data, extra=8):
    value = dcomrt.OBJREF_CUSTOM()
    value["iid"] = getattr(dcomrt, f"IID_IActivationProperties{direction}")[:16]
    value["clsid"] = getattr(dcomrt, f"CLSID_ActivationProperties{direction}")
    value["pObjectData"] = data
    value["ObjectReferenceSize"] = len(data) + extra
    return value.getData()


def case(name, direction, properties, expected, extra=8):
    data = objref(direction, blob(properties), extra)
    cases.append({"name": name, "hex": data.hex(), "expected": expected})


def instantiation(iids, this_size=None):
    value = dcomrt.InstantiationInfoData()
    value["classId"] = guid(CLASS)
    value["classCtx"] = 0x14
    value["actvflags"] = 0x20
    value["cIID"] = len(iids)
    for iid in array(dcomrt.IID, [guid(iid) for iid in iids]):
        value["pIID"].append(iid)
    size = len(padded(marshal(value), b"\0"))
    value["thisSize"] = size if this_size is None else this_size
    expected = {"class_id": CLASS, "class_ctx": 0x14, "actv_flags": 0x20, "is_surrogate": 0, "inst_flag": 0,
                "iids": iids, "this_size": size if this_size is None else this_size,
                "client_version": {"major": 5, "minor": 7}}
    return (dcomrt.CLSID_InstantiationInfo, padded(marshal(value), b"\xfa")), {"InstantiationInfo": expected}


def special(session):
    value = dcomrt.SpecialPropertiesData()
    value["dwSessionId"] = session
    value["fRemoteThisSessionId"] = int(session != 0xFFFFFFFF)
    value["dwDefaultAuthnLvl"] = 6
    value["guidPartition"] = guid(OTHER)
    value["dwOrigClsctx"] = 0x14
    value["dwFlags"] = 1
    value["Reserved"] = b"\0" * 32
    expected = {"session_id": session, "remote_this_session_id": int(session != 0xFFFFFFFF), "partition": OTHER,
                "default_authn_level": 6, "orig_clsctx": 0x14, "flags": 1}
    return (dcomrt.CLSID_SpecialSystemProperties, padded(marshal(value), b"\0")), {"SpecialProperties": expected}


def instance(name, stg):
    value = dcomrt.InstanceInfoData()
    value["fileName"] = name + "\0" if name else NULL
    value["mode"] = 0x10
    value["ifdROT"] = NULL
    if stg is None:
        value["ifdStg"] = NULL
    else:
        value["ifdStg"] = pointer(stg)
    expected = {"file_name": name, "mode": 0x10, "rot": None, "stg": None if stg is None else stg.hex()}
    return (dcomrt.CLSID_InstanceInfo, padded(marshal(value), b"\xfa")), {"InstanceInfo": expected}


def context(client, prototype):
    value = dcomrt.ActivationContextInfoData()
    for field, data in [("pIFDClientCtx", client), ("pIFDPrototypeCtx", prototype)]:
        value[field] = NULL if data is None else pointer(data)
    expected = {"client_ok": 0, "client_ctx": client and client.hex(), "prototype_ctx": prototype and prototype.hex()}
    return (dcomrt.CLSID_ActivationContextInfo, padded(marshal(value), b"\xfa")), {"ActivationContextInfo": expected}


def location(name=None):
    value = dcomrt.LocationInfoData()
    value["machineName"] = name + "\0" if name else NULL
    return ((dcomrt.CLSID_ServerLocationInfo, padded(marshal(value), b"\xfa")),
            {"ServerLocationInfo": {"machine_name": name, "process_id": 0, "apartment_id": 0, "context_id": 0}})


def security(name):
    value = dcomrt.SecurityInfoData()
    value["pServerInfo"] = dcomrt.COSERVERINFO()
    value["pServerInfo"]["pwszName"] = name + "\0"
    value["pServerInfo"]["pdwReserved"] = NULL
    value["pdwReserved"] = NULL
    expected = {"authn_flags": 0, "pdw_reserved": None,
                "server_info": {"reserved1": 0, "name": name, "pdw_reserved": None, "reserved2": 0}}
    return (dcomrt.CLSID_SecurityInfo, padded(marshal(value), b"\xfa")), {"SecurityInfo": expected}


def request(protseqs):
    value = dcomrt.ScmRequestInfoData()
    value["pdwReserved"] = NULL
    value["remoteRequest"]["ClientImpLevel"] = 2
    value["remoteRequest"]["cRequestedProtseqs"] = len(protseqs)
    for protseq in protseqs:
        value["remoteRequest"]["pRequestedProtseqs"].append(protseq)
    expected = {"pdw_reserved": None,
                "remote_request": {"client_imp_level": 2, "requested_protseqs": protseqs}}
    return (dcomrt.CLSID_ScmRequestInfo, padded(marshal(value), b"\xfa")), {"ScmRequestInfo": expected}


def reply(units, security_offset):
    value = dcomrt.ScmReplyInfoData()
    value["pdwReserved"] = 0
    remote = value["remoteReply"]
    remote["Oxid"] = 0x1122334455667788
    remote["pdsaOxidBindings"]["wNumEntries"] = len(units)
    remote["pdsaOxidBindings"]["wSecurityOffset"] = security_offset
    remote["pdsaOxidBindings"]["aStringArray"] = units
    remote["ipidRemUnknown"] = guid(UNKNOWN)
    remote["authnHint"] = 6
    expected = {"pdw_reserved": None, "remote_reply": {
        "oxid": 0x1122334455667788,
        "oxid_bindings": {"security_offset": security_offset, "units": units},
        "ipid_rem_unknown": UNKNOWN, "authn_hint": 6, "server_version": {"major": 5, "minor": 7}}}
    return (dcomrt.CLSID_ScmReplyInfo, padded(marshal(value), b"\0")), {"ScmReplyInfo": expected}


def out(rows):
    value = dcomrt.PropsOutInfo()
    value["cIfs"] = len(rows)
    for iid in array(dcomrt.IID, [guid(iid) for iid, _, _ in rows]):
        value["piid"].append(iid)
    for _, hresult, data in rows:
        result = dcomrt.HRESULT()
        result["Data"] = hresult - (hresult >> 31 << 32)
        value["phresults"].append(result)
        item = NDRPOINTERNULL() if data is None else dcomrt.PMInterfacePointer()
        if data is not None:
            item["Data"] = pointer(data)
        value["ppIntfData"].append(item)
    expected = {"interfaces": [{"iid": iid, "hresult": hresult, "pointer": data and data.hex()}
                               for iid, hresult, data in rows]}
    return (dcomrt.CLSID_PropsOutInfo, padded(marshal(value), b"\0")), {"PropsOutInfo": expected}


def unknown(data):
    return (guid(UNKNOWN), data), {"Unknown": {"clsid": UNKNOWN, "data": data.hex()}}


def joined(*pairs):
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


case("request of the client of impacket", "In",
     *joined(instantiation([IID]), context(None, None), location(), request([7])))
case("request with all properties, in another order", "In",
     *joined(request([7, 31]), special(0xFFFFFFFF), instance("C:\\state.bin", b"MEOW..."), location("novice"),
             context(b"client", b"prototype"), security("novice.example"), instantiation([IID, OTHER])), 0)
case("request with an unknown property and without this size", "In",
     *joined(unknown(b"abc"), instantiation([OTHER], 0), special(3), location(), request([7])))

BINDINGS = [7] + [ord(c) for c in "192.0.2.1[49152]"] + [0, 0, 10, 0xFFFF, 0, 0]
case("reply", "Out", *joined(out([(IID, 0, b"MEOW...")]), reply(BINDINGS, 19)))
case("reply with a failure, in another order", "Out",
     *joined(reply(BINDINGS, 19), out([(IID, 0, b"MEOW...."), (OTHER, 0x80004002, None)])))


class Sent(Exception):
    pass


class Portmap:
    """Takes what the client sends."""

    def bind(self, _):
        pass

    def request(self, request):
        raise Sent(b"".join(request["pActProperties"]["abData"]) if isinstance(request["pActProperties"]["abData"][0], bytes)
                   else bytes(request["pActProperties"]["abData"]))


activator = dcomrt.IRemoteSCMActivator.__new__(dcomrt.IRemoteSCMActivator)
activator._IRemoteSCMActivator__portmap = Portmap()
for call in ["RemoteCreateInstance", "RemoteGetClassObject"]:
    try:
        getattr(activator, call)(guid(CLASS), guid(IID))
    except Sent as sent:
        cases.append({"name": f"{call} as the client of impacket sends it", "hex": sent.args[0].hex(), "expected": [
            {"InstantiationInfo": {"class_id": CLASS, "iids": [IID], "this_size": 0}},
            {"ActivationContextInfo": {"client_ctx": None, "prototype_ctx": None}},
            {"ServerLocationInfo": {"machine_name": None}},
            {"ScmRequestInfo": {"remote_request": {"requested_protseqs": [7]}}},
        ]})

print(json.dumps({"made_with": "impacket 0.13.1", "count": len(cases), "cases": cases}, indent=1))
