#!/usr/bin/env python3
"""impacket packs and unpacks what the expert sends and reads, without a novice.

    self_check.py [rai-calls.json]

With the vectors (made by Wine, whose deviations D1 and D8 are taken out) their answers are read, too.
"""

import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from impacket.dcerpc.v5 import dcomrt
from impacket.dcerpc.v5.dcom import oaut
from impacket.dcerpc.v5.dtypes import NULL, ULONG, USHORT

import rai
from rpc import unmarshalled

TEXTS = [None, [], [None], ["DOM\\alice:1", "DOM\\bob:2"], ["D\u00d6M\\\u65e5\u672c\U0001f600:3", None, ""]]
THAT = bytes(8)


def packed(call):
    call["ORPCthis"] = rai.this(flags=0)
    return call.getData()


def sessions():
    for form, answer in (("one", rai.GetSessionInfoResponse), ("two", rai.GetSessionInfo2Response)):
        for texts in TEXTS + [[f"DOM\\user{number}:{number}" for number in range(500)]]:
            request = packed(rai.session_info(form, texts))
            again = rai.session_info(form, None).__class__()
            assert again.fromString(request) == len(request)
            stub = THAT + request[32:]
            response = unmarshalled(answer, stub + b"\0" * (-len(stub) % 4 + 4))
            assert rai.session_names(response, form) == texts, (form, texts)
            assert response["Count"] == len(texts or [])


def strings():
    for text in (None, "", "abc", "abcd", "D\u00d6M", "\U0001f600", "x" * 100_000):
        for null in ("blob", "pointer"):
            call = rai.RemoteConnectionParms()
            for name in ("bstrUserName", "bstrDomainName", "bstrUserHelpBlob"):
                rai.put(call, name, text, null)
            call["lSessionID"] = -1
            data = packed(call)
            again = rai.RemoteConnectionParms()
            assert again.fromString(data) == len(data)
            assert rai.text_of(again.fields["bstrUserHelpBlob"]) == text and again["lSessionID"] == -1
    for kind, value in ((ULONG, 7), (USHORT, 7), (oaut.BSTR, "\U0001f600"), (oaut.BSTR, None)):
        assert len(packed(rai.setter(8, kind, value))) >= 34


def activation():
    for session in (None, 0, 3, 0xFFFFFFFF):
        for surplus in (0, 3):
            properties = rai.properties_in(rai.CLASSES["rasrv"], [rai.IIDS["IRASrv"]], session, surplus=surplus)
            for via, kind in (("create", dcomrt.RemoteCreateInstance), ("class-object", dcomrt.RemoteGetClassObject)):
                data = rai.activation(via, properties[::-1]).getData()
                request = kind()
                assert request.fromString(data) == len(data)
                blob = dcomrt.ACTIVATION_BLOB(
                    dcomrt.OBJREF_CUSTOM(rai.pointer_bytes(request.fields["pActProperties"]))["pObjectData"]
                )
                header = blob["CustomHeader"]
                sizes = [size["Data"] for size in header["pSizes"]]
                assert len(sizes) == len(properties) and header["headerSize"] + sum(sizes) == header["totalSize"]
                clsids = [clsid["Data"] for clsid in header["pclsid"]]
                assert (dcomrt.CLSID_SpecialSystemProperties in clsids) == (session is not None)
                if session is not None:
                    at = clsids.index(dcomrt.CLSID_SpecialSystemProperties)
                    data = blob["Property"][sum(sizes[:at]) : sum(sizes[: at + 1])]
                    special = rai.serialized(dcomrt.SpecialPropertiesData, data)
                    # [MS-DCOM] 2.2.22.2.2: 88 bytes, behind headers of 16.
                    assert special["dwSessionId"] == session and len(data) == 104


def vectors(path):
    answers = {
        "RemoteConnectionParms": (rai.TextResponse, "D1"),
        "get_DomainName": (rai.TextResponse, "D1"),
        "get_UserName": (rai.TextResponse, "D1"),
        "get_Count": (rai.LongResponse, ""),
        "get_SessionID": (rai.LongResponse, ""),
        "get_SessionState": (rai.EnumResponse, ""),
        "get_Item": (rai.VariantResponse, ""),
        "GetNoviceUserInfo": (rai.GetNoviceUserInfoResponse, ""),
    }
    read = 0
    with open(path, encoding="utf-8") as file:
        rows = json.load(file)["vectors"]
    for row in rows:
        kind, deviation = answers.get(row["call"], (None, ""))
        if kind is None:
            continue
        stub = bytes.fromhex(row["response"])
        if deviation == "D1":
            stub = stub[:4] + stub[8:]
        response = unmarshalled(kind, THAT + stub)
        assert response["ErrorCode"] & 0xFFFFFFFF == int(row["client_hresult"], 0), row["name"]
        out = row["input"].get("out")
        if kind is rai.TextResponse and row["name"] != "midl-000":
            assert (rai.text_of(response.fields["pVal"]) or None) == (out or None), row["name"]
        if kind in (rai.LongResponse, rai.EnumResponse):
            assert response["pVal"] == out, row["name"]
        if kind is rai.VariantResponse:
            assert response.fields["ppEntry"].fields["Data"]["vt"] == int(out["vt"], 0), row["name"]
        read += 1
    return read


if __name__ == "__main__":
    sessions()
    strings()
    activation()
    empty = rai.GetNoviceUserInfo()
    empty["szName"] = NULL
    assert packed(empty)[32:] == bytes(4)
    print(json.dumps({"result": "ok", "vectors": vectors(sys.argv[1]) if len(sys.argv) > 1 else 0}))
