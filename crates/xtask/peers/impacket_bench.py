#!/usr/bin/env python3
"""What impacket takes for the work of our benchmarks: one line of JSON for each, nanoseconds per operation.

The values are made before and are not part of the time; encoding begins at NDR objects and ends at bytes, decoding
goes the other way, as with ours. `--seconds` is spent on each. With `--folder` it decodes what the file NAME in it holds
instead of its own bytes, and leaves those as NAME.impacket.

  session-info     GetSessionInfo (LPSAFEARRAY*), the answer with 500 sessions `DOMAIN\\user0001:1`
  activation       an activation properties BLOB of 64 properties: InstantiationInfoData with one IID, then 63 times
                   ServerLocationInfo with the machine name NOVICE
"""

import argparse
import json
import os
import pathlib
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from impacket.dcerpc.v5 import dcomrt
from impacket.dcerpc.v5.dtypes import NULL

import rai
from rpc import unmarshalled

SESSIONS, PROPERTIES = 500, 64


def session_info():
    response = rai.GetSessionInfo2Response()
    response["ORPCthat"]["flags"], response["ORPCthat"]["extensions"] = 0, NULL
    names = [f"DOMAIN\\user{number:04}:{number}" for number in range(SESSIONS)]
    response.fields["UserNames"] = rai.session_info("two", names).fields["UserNames"]
    response["Count"], response["ErrorCode"] = SESSIONS, 0

    def decode(stub):
        return rai.session_names(unmarshalled(rai.GetSessionInfo2Response, stub), "two")

    return response.getData, decode, lambda told: told == names


def activation():
    instantiation = rai.properties_in(rai.CLASSES["rasrv"], [rai.IIDS["IRASrv"]])[0]
    location = dcomrt.LocationInfoData()
    location["machineName"] = "NOVICE\0"
    location["processId"], location["apartmentId"], location["contextId"] = 1, 2, 3
    properties = [instantiation] + [(dcomrt.CLSID_ServerLocationInfo, location)] * (PROPERTIES - 1)
    kinds = {
        dcomrt.CLSID_InstantiationInfo: dcomrt.InstantiationInfoData,
        dcomrt.CLSID_ServerLocationInfo: dcomrt.LocationInfoData,
    }

    def decode(data):
        blob, at, told = dcomrt.ACTIVATION_BLOB(data), 0, []
        header = blob["CustomHeader"]
        for clsid, size in zip(header["pclsid"], header["pSizes"]):
            told.append(rai.serialized(kinds[clsid["Data"]], blob["Property"][at : at + size["Data"]]))
            at += size["Data"]
        return told

    def right(told):
        return len(told) == PROPERTIES and all(value["machineName"] == "NOVICE\0" for value in told[1:])

    return lambda: rai.activation_blob(properties), decode, right


def measured(work, seconds):
    begun, rounds = time.perf_counter_ns(), 0
    while rounds < 3 or time.perf_counter_ns() - begun < seconds * 1e9:
        work()
        rounds += 1
    return (time.perf_counter_ns() - begun) // rounds


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seconds", type=float, default=2)
    arguments.add_argument("--folder", type=pathlib.Path)
    options = arguments.parse_args()
    for name, make in (("session-info", session_info), ("activation", activation)):
        encode, decode, right = make()
        data = encode()
        if options.folder:
            (options.folder / f"{name}.impacket").write_bytes(data)
            data = (options.folder / name).read_bytes()
        if not right(decode(data)):
            sys.exit(f"{name}: what is decoded is not what was encoded")
        told = {"name": name, "bytes": len(data)}
        told["encode_ns"] = measured(encode, options.seconds)
        told["decode_ns"] = measured(lambda: decode(data), options.seconds)
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
