#!/usr/bin/python3
"""Samba's own client asks a domain controller with Kerberos: the peer of the lane is in order.

    KRB5_CONFIG=krb5.conf kerberos_calls.py SMB.CONF ADDRESS HOST.REALM PASSWORD

Needs Debian's python3-samba, hence the system's Python. A line of JSON for each kind of protection.
"""

import json
import sys

from samba import credentials, param
from samba.dcerpc import samr

configuration, address, host, password = sys.argv[1:]
parameters = param.LoadParm()
parameters.load(configuration)
for binding in ("krb5,sign", "krb5,seal", "spnego,krb5,seal", "krb5,connect"):
    who = credentials.Credentials()
    who.guess(parameters)
    who.set_kerberos_state(credentials.MUST_USE_KERBEROS)
    who.set_username("Administrator")
    who.set_password(password)
    told = {"binding": binding}
    try:
        server = samr.samr(f"ncacn_ip_tcp:{address}[{binding},target_hostname={host}]", parameters, who)
        found = server.EnumDomains(server.Connect2(None, 0x02000000), 0, 1000)[1].entries
        told |= {"result": "ok", "found": [domain.name.string for domain in found]}
    except Exception as e:
        told |= {"result": "refused", "words": str(e.args[-1])}
    print(json.dumps(told))
