#!/usr/bin/env python3
"""impacket asks Samba: the peers of the lane are in order, and this is what Samba does.

    samba_calls.py --host 127.77.0.1 --user root --password secret [--port N]

A line of JSON for each interface, level and password. `--port`: another way to the interface, for a relay.
"""

import argparse
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from impacket.dcerpc.v5 import epm, rrp, samr, srvs, transport

from rpc import LEVELS, Closed, Fault, Malformed, Refused


def domains(rpc):
    server = samr.hSamrConnect(rpc, serverName="\\\\judge\0")["ServerHandle"]
    found = samr.hSamrEnumerateDomainsInSamServer(rpc, server)["Buffer"]["Buffer"]
    return [domain["Name"] for domain in found]


def shares(rpc):
    found = srvs.hNetrShareEnum(rpc, 1)["InfoStruct"]["ShareInfo"]["Level1"]["Buffer"]
    return [share["shi1_netname"].rstrip("\0") for share in found]


def keys(rpc):
    root = rrp.hOpenLocalMachine(rpc)["phKey"]
    return [rrp.hBaseRegEnumKey(rpc, root, 0)["lpNameOut"].rstrip("\0")]


INTERFACES = {
    "samr": (samr.MSRPC_UUID_SAMR, domains),
    "srvsvc": (srvs.MSRPC_UUID_SRVS, shares),
    "winreg": (rrp.MSRPC_UUID_RRP, keys),
}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--host", required=True)
    arguments.add_argument("--user", required=True)
    arguments.add_argument("--password", required=True)
    arguments.add_argument("--domain", default="JUDGE")
    arguments.add_argument("--port", type=int)
    arguments.add_argument("--levels", default="none,connect,integrity,privacy")
    arguments.add_argument("--interfaces", default=",".join(INTERFACES))
    options = arguments.parse_args()
    for name in options.interfaces.split(","):
        uuid, ask = INTERFACES[name]
        binding = f"ncacn_ip_tcp:{options.host}[{options.port}]"
        if options.port is None:
            binding = epm.hept_map(options.host, uuid, protocol="ncacn_ip_tcp")
        port = int(binding.partition("[")[2].rstrip("]"))
        for level in options.levels.split(","):
            told = {"interface": name, "level": level, "port": port}
            try:
                carrier = transport.DCERPCTransportFactory(binding)
                rpc = carrier.get_dce_rpc()
                if level != "none":
                    rpc.set_credentials(options.user, options.password, options.domain)
                    rpc.set_auth_level(LEVELS[level])
                rpc.connect()
                rpc.bind(uuid)
                told |= {"result": "ok", "found": ask(rpc)}
                rpc.disconnect()
            except Fault as e:
                told |= {"result": "fault", "status": f"{e.status:#010x}"}
            except (Refused, Closed, Malformed) as e:
                told |= {"result": type(e).__name__.lower(), "words": str(e)}
            print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
