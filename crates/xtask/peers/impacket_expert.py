#!/usr/bin/env python3
"""An expert out of impacket: asks a novice over DCOM and prints one line of JSON for each step.

    impacket_expert.py --host 127.0.0.1 --port 1135 --user alice --password secret \\
        activate,class=rasrv get-session-info,form=two activate,class=rasrv,session=2 get-novice-user-info

A step is a name and its arguments, NAME[,KEY=VALUE]..; `--list` shows them all. What the novice refuses is a result,
not a failure: "result" is "ok", "hresult" (with "code"), "fault" (with "status"), "refused", "closed" or "malformed",
and the caller judges. The exit status is 2 when a step could not be tried at all.
"""

import argparse
import inspect
import json
import os
import sys
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from impacket import ntlm
from impacket.dcerpc.v5 import dcomrt, transport
from impacket.dcerpc.v5.dcom import oaut
from impacket.dcerpc.v5.dtypes import NULL, ULONG, USHORT
from impacket.uuid import bin_to_string, string_to_bin

import rai
from rai import CLASSES, IIDS, NAMES, getter, put, setter, text_of
from rpc import LEVELS, Closed, Fault, Malformed, Refused, Rpc, call, resolver_port, with_mic, without

DEFAULT = {"rasrv": "IRASrv", "pchservice": "IPCHService", "unknown": "IUnknown"}
STATES = ["Active", "Connected", "ConnectQuery", "Shadow", "Disconnected", "Idle", "Listen", "Reset", "Down", "Init"]


class Hresult(Exception):
    def __init__(self, code, told=None):
        super().__init__(f"{code:#010x}")
        self.code, self.told = code, told or {}


class CannotTry(Exception):
    """A step that lacks what another would have brought."""


def checked(response, field="ErrorCode"):
    code = response[field] & 0xFFFFFFFF
    if code:
        raise Hresult(code)
    return response


class REMQIRESULT_ARRAY(dcomrt.NDRUniConformantArray):
    item = dcomrt.REMQIRESULT


class PREMQIRESULT_ARRAY(dcomrt.NDRPOINTER):
    referent = (("Data", REMQIRESULT_ARRAY),)


class RemQueryInterfaceResponse(dcomrt.DCOMANSWER):
    """impacket's has a single element and no max_count."""

    structure = (("ppQIResults", PREMQIRESULT_ARRAY), ("ErrorCode", dcomrt.error_status_t))


class Object:
    """An interface of an object of the novice."""

    def __init__(self, reference, channel):
        if reference is None:
            raise Malformed("no interface pointer where there must be one")
        plain = dcomrt.OBJREF(reference)
        if plain["signature"] != 0x574F454D or plain["flags"] != dcomrt.FLAGS_OBJREF_STANDARD:
            raise Malformed(f"not an OBJREF_STANDARD: {reference.hex()}")
        standard = dcomrt.OBJREF_STANDARD(reference)
        self.channel = channel
        self.iid = plain["iid"]
        self.name = NAMES.get(self.iid, bin_to_string(self.iid))
        self.ipid, self.oid = standard["std"]["ipid"], standard["std"]["oid"]
        self.oxid, self.references = standard["std"]["oxid"], standard["std"]["cPublicRefs"]
        self.flags = standard["std"]["flags"]

    def call(self, request, answer, iid=None, ipid=None):
        """A call on the context of the interface."""
        request["ORPCthis"] = rai.this(self.channel.expert.version, 0)
        context = self.channel.context(iid or IIDS.get(self.name) or self.iid + b"\0\0\0\0")
        return call(context, request, answer, ipid or self.ipid)

    def told(self):
        return {
            "interface": self.name,
            "ipid": bin_to_string(self.ipid),
            "oid": f"{self.oid:#x}",
            "oxid": f"{self.oxid:#x}",
            "public_references": self.references,
            "flags": self.flags,
        }


class Channel:
    """A connection to an object exporter: a presentation and a security context for each interface."""

    def __init__(self, expert, bindings, remote_unknown):
        self.expert, self.bindings, self.remote_unknown = expert, bindings, remote_unknown
        self.contexts = {}
        self.newest = None

    def address(self):
        # As impacket chooses: the first with the name of the target in it.
        for tower, address in self.bindings:
            host, _, port = address.partition("[")
            if tower == 7 and self.expert.options.host.upper() in host.upper():
                return f"{host}[{self.expert.options.object_port or port.rstrip(']')}]"
        raise Malformed(f"no string binding for {self.expert.options.host} in {self.bindings}")

    def context(self, iid):
        if iid not in self.contexts:
            self.contexts[iid] = self.add(iid)
        return self.contexts[iid]

    def add(self, iid):
        """One more context, by BIND or ALTER_CONTEXT."""
        if self.newest is None:
            rpc = self.expert.connected("ncacn_ip_tcp:" + self.address())
            rpc.bind(iid)
        else:
            rpc = self.newest.alter_ctx(iid)
            if self.expert.options.fragment:
                rpc.set_max_fragment_size(self.expert.options.fragment)
        self.newest = rpc
        return rpc

    def remote(self, request, answer, iid="IRemUnknown"):
        """A call of IRemUnknown."""
        request["ORPCthis"] = rai.this(self.expert.version, 0)
        return call(self.context(IIDS[iid]), request, answer, self.remote_unknown)


class Expert:
    """What the steps share."""

    def __init__(self, options):
        self.options = options
        self.version = tuple(map(int, options.version.split(".")))
        self.resolvers = {}
        self.objects = {}
        self.activated = None
        self.set_id = 0
        self.sequence = 0

    # Connections

    def connected(self, binding, level=None):
        carrier = transport.DCERPCTransportFactory(binding)
        carrier.set_connect_timeout(self.options.timeout)
        rpc = carrier.get_dce_rpc()
        level = LEVELS[level or self.options.level]
        if level != 1:
            carrier.set_credentials(self.options.user, self.options.password, self.options.domain)
            rpc.set_credentials(self.options.user, self.options.password, self.options.domain)
        rpc.set_auth_level(level)
        if self.options.fragment:
            rpc.set_max_fragment_size(self.options.fragment)
        try:
            rpc.connect()
        except Exception as e:
            raise Closed(f"{type(e).__name__}: {e}") from e
        return rpc

    def resolver(self, interface, level=None):
        """The resolver, on a context of an interface; all on one connection (for each level)."""
        key = (interface, level)
        if key not in self.resolvers:
            newest = [rpc for (_, of), rpc in self.resolvers.items() if of == level]
            if newest:
                rpc = newest[-1].alter_ctx(IIDS[interface])
            else:
                rpc = self.connected(f"ncacn_ip_tcp:{self.options.host}", level)
                rpc.bind(IIDS[interface])
            self.resolvers[key] = rpc
        return self.resolvers[key]

    def object(self, name):
        if name not in self.objects:
            raise CannotTry(f"no {name}: activate, or ask for it, first")
        return self.objects[name]

    def keep(self, made):
        self.objects[made.name] = made
        return made

    # Object resolver

    def server_alive(self, level=None):
        checked(call(self.resolver("IObjectExporter", level), dcomrt.ServerAlive(), dcomrt.ServerAliveResponse))
        return {}

    def server_alive2(self, level=None):
        rpc = self.resolver("IObjectExporter", level)
        response = checked(call(rpc, dcomrt.ServerAlive2(), dcomrt.ServerAlive2Response))
        strings, security = rai.bindings(response["ppdsaOrBindings"])
        return {"version": version(response["pComVersion"]), "bindings": strings, "security": security}

    def resolve_oxid(self, oxid=None):
        return self.resolve(dcomrt.ResolveOxid(), dcomrt.ResolveOxidResponse, oxid)

    def resolve_oxid2(self, oxid=None):
        return self.resolve(dcomrt.ResolveOxid2(), dcomrt.ResolveOxid2Response, oxid)

    def resolve(self, request, answer, oxid):
        if oxid is None and self.activated is None:
            raise CannotTry("no OXID: activate first")
        request["pOxid"] = self.activated.oxid if oxid is None else int(oxid, 0)
        request["cRequestedProtseqs"] = 1
        request["arRequestedProtseqs"].append(7)
        response = call(self.resolver("IObjectExporter"), request, answer)
        checked(response)
        strings, security = rai.bindings(response["ppdsaOxidBindings"])
        told = {"bindings": strings, "security": security, "authn_hint": response["pAuthnHint"]}
        told["remote_unknown"] = bin_to_string(response["pipidRemUnknown"])
        if answer is dcomrt.ResolveOxid2Response:
            told["version"] = version(response["pComVersion"])
        if self.activated and oxid is None:
            told["same_as_activation"] = response["pipidRemUnknown"] == self.activated.channel.remote_unknown
        return told

    def simple_ping(self, set=None):
        request = dcomrt.SimplePing()
        request["pSetId"] = self.set_id if set is None else int(set, 0)
        checked(call(self.resolver("IObjectExporter"), request, dcomrt.SimplePingResponse))
        return {"set": f"{request['pSetId']:#x}"}

    def complex_ping(self, set=None, add="all", delete="none", sequence=None):
        """`add`, `delete`: all objects, none, or their OIDs with + between them."""
        self.sequence += 1
        request = dcomrt.ComplexPing()
        request["pSetId"] = self.set_id if set is None else int(set, 0)
        request["SequenceNum"] = self.sequence if sequence is None else int(sequence)
        for name, count, which in (("AddToSet", "cAddToSet", add), ("DelFromSet", "cDelFromSet", delete)):
            known = {made.oid for made in self.objects.values()}
            oids = {"all": sorted(known), "none": []}.get(which) if which in ("all", "none") else None
            oids = [int(oid, 0) for oid in which.split("+")] if oids is None else oids
            request[count] = len(oids)
            if not oids:
                request[name] = NULL
            for oid in oids:
                item = dcomrt.OID()
                item["Data"] = oid
                request[name].append(item)
        response = checked(call(self.resolver("IObjectExporter"), request, dcomrt.ComplexPingResponse))
        self.set_id = response["pSetId"]
        return {"set": f"{self.set_id:#x}", "backoff": response["pPingBackoffFactor"]}

    # Activation

    def activate(self, via="create", session=None, iids=None, surplus="0", order="usual", size="8", **options):
        """via=create|class-object|activation; session=N; iids=A+B; surplus=N; order=reversed; size=0|8;
        this-size=0; version=5.1; level=.."""
        clsid = CLASSES[options.get("class", "rasrv")]
        default = "IClassFactory" if via == "class-object" else DEFAULT[options.get("class", "rasrv")]
        wanted = [IIDS[name] for name in (iids or default).split("+")]
        of = tuple(map(int, options.get("version", self.options.version).split(".")))
        if via == "activation":
            return self.activate_old(clsid, wanted, of, options.get("level"))
        session = None if session is None else int(session, 0)
        asked = rai.properties_in(clsid, wanted, session, options.get("this-size") != "0", of, int(surplus))
        request = rai.activation(via, asked[::-1] if order == "reversed" else asked, of, int(size))
        answers = {"create": dcomrt.RemoteCreateInstanceResponse, "class-object": dcomrt.RemoteGetClassObjectResponse}
        response = call(self.resolver("IRemoteSCMActivator", options.get("level")), request, answers[via])
        checked(response)
        props, scm, told = rai.properties_out(rai.pointer_bytes(response.fields["ppActProperties"]))
        reply = scm["remoteReply"]
        strings, security = rai.bindings(reply["pdsaOxidBindings"])
        channel = Channel(self, strings, reply["ipidRemUnknown"])
        names = [NAMES[iid["Data"]] for iid in props["piid"]]
        results = [hresult["Data"] & 0xFFFFFFFF for hresult in props["phresults"]]
        pointers = [rai.pointer_bytes(pointer) for pointer in props["ppIntfData"]]
        told |= self.made(channel, names, results, pointers)
        if self.activated and self.activated.oxid != reply["Oxid"]:
            raise Malformed(f"OXID {reply['Oxid']:#x} in ScmReplyInfoData, {self.activated.oxid:#x} in the OBJREF")
        return told | {
            "version": version(reply["serverVersion"]),
            "authn_hint": reply["authnHint"],
            "remote_unknown": bin_to_string(reply["ipidRemUnknown"]),
            "bindings": strings,
            "security": security,
        }

    def activate_old(self, clsid, wanted, of, level):
        """IActivation::RemoteActivation."""
        request = dcomrt.RemoteActivation()
        request["ORPCthis"] = rai.this(of)
        request["Clsid"] = clsid
        request["pwszObjectName"] = request["pObjectStorage"] = NULL
        request["ClientImpLevel"], request["Mode"], request["Interfaces"] = 2, 0, len(wanted)
        for iid in wanted:
            item = dcomrt.IID()
            item["Data"] = iid[:16]
            request["pIIDs"].append(item)
        request["cRequestedProtseqs"] = 1
        request["aRequestedProtseqs"].append(7)
        response = call(self.resolver("IActivation", level), request, dcomrt.RemoteActivationResponse)
        checked(response)
        checked(response, "phr")
        strings, security = rai.bindings(response["ppdsaOxidBindings"])
        channel = Channel(self, strings, response["pipidRemUnknown"])
        results = [hresult["Data"] & 0xFFFFFFFF for hresult in response["pResults"]]
        pointers = [rai.pointer_bytes(pointer) for pointer in response["ppInterfaceData"]]
        told = self.made(channel, [NAMES[iid[:16]] for iid in wanted], results, pointers)
        return told | {
            "version": version(response["pServerVersion"]),
            "authn_hint": response["pAuthnHint"],
            "remote_unknown": bin_to_string(response["pipidRemUnknown"]),
            "bindings": strings,
            "security": security,
        }

    def made(self, channel, names, results, pointers):
        self.activated, interfaces = None, []
        for name, result, pointer in zip(names, results, pointers, strict=True):
            if result:
                interfaces.append({"interface": name, "code": f"{result:#010x}"})
                continue
            made = self.keep(Object(pointer, channel))
            if made.name != name:
                raise Malformed(f"{made.name} in place of {name}")
            self.activated = self.activated or made
            interfaces.append(made.told())
        return {"interfaces": interfaces}

    def impacket(self, **options):
        """impacket's own classes do all of it: CoCreateInstanceEx, RemQueryInterface, a call, RemRelease."""
        name = options.get("class", "rasrv")
        host = self.options.host
        dcom = dcomrt.DCOMConnection(
            host, self.options.user, self.options.password, self.options.domain,
            authLevel=LEVELS[self.options.level], oxidResolver=False,
        )
        try:
            made = dcom.CoCreateInstanceEx(CLASSES[name], IIDS[DEFAULT[name]])
            again = made.RemQueryInterface(1, (IIDS[DEFAULT[name]],))
            made.RemAddRef()
            if name == "rasrv":
                response = again.request(rai.session_info("two", None), IIDS["IRASrv"], again.get_iPid())
                told = {"names": rai.session_names(response, "two"), "count": response["Count"]}
            else:
                request = getter(20)
                request.__class__.__name__ = "Interface"
                request.__class__.__module__ = "rai"
                response = again.request(request, IIDS["IPCHService"], again.get_iPid())
                told = {"bytes": len(rai.pointer_bytes(response.fields["pVal"]))}
            made.RemRelease()
            return told
        finally:
            dcom.disconnect()

    # IRemUnknown

    def query_interface(self, of="IRASrv", iids=None, references="5", interface="IRemUnknown"):
        target = self.object(of)
        wanted = (iids or "IDispatch").split("+")
        request = dcomrt.RemQueryInterface()
        request["ripid"], request["cRefs"], request["cIids"] = target.ipid, int(references), len(wanted)
        for name in wanted:
            item = dcomrt.IID()
            item["Data"] = IIDS[name][:16]
            request["iids"].append(item)
        response = checked(target.channel.remote(request, RemQueryInterfaceResponse, interface))
        told = []
        for name, result in zip(wanted, response["ppQIResults"], strict=True):
            code = result["hResult"] & 0xFFFFFFFF
            entry = {"interface": name, "code": f"{code:#010x}"}
            if not code:
                entry["ipid"] = bin_to_string(result["std"]["ipid"])
                entry["same_object"] = result["std"]["oid"] == target.oid
                entry["public_references"] = result["std"]["cPublicRefs"]
                made = object.__new__(Object)
                made.__dict__ |= target.__dict__ | {"ipid": result["std"]["ipid"], "name": name, "iid": IIDS[name][:16]}
                self.objects.setdefault(name, made)
            told.append(entry)
        return {"interfaces": told}

    def add_ref(self, of="IRASrv", references="1"):
        target, request = self.object(of), dcomrt.RemAddRef()
        self.references(request, target, int(references))
        response = target.channel.remote(request, dcomrt.RemAddRefResponse)
        checked(response)
        return {"results": [f"{result['Data'] & 0xFFFFFFFF:#010x}" for result in response["pResults"]]}

    def release(self, of="IRASrv", references="5"):
        target, request = self.object(of), dcomrt.RemRelease()
        self.references(request, target, int(references))
        checked(target.channel.remote(request, dcomrt.RemReleaseResponse))
        return {}

    def references(self, request, target, count):
        request["cInterfaceRefs"] = 1
        element = dcomrt.REMINTERFACEREF()
        element["ipid"], element["cPublicRefs"], element["cPrivateRefs"] = target.ipid, count, 0
        request["InterfaceRefs"].append(element)

    # IRASrv

    def get_session_info(self, form="two", given="null", level=None):
        """form=one|two levels of pointers; given=null|empty|names (what the request holds)."""
        texts = {"null": None, "empty": [], "names": ["DOM\\alice:1", None, "D\u00d6M\\\u65e5\u672c\U0001f600:2"]}[given]
        answer = rai.GetSessionInfoResponse if form == "one" else rai.GetSessionInfo2Response
        response = self.object("IRASrv").call(rai.session_info(form, texts), answer)
        checked(response)
        return {"names": rai.session_names(response, form), "count": response["Count"]}

    def get_novice_user_info(self, given="null"):
        """given=null|TEXT."""
        request = rai.GetNoviceUserInfo()
        request["szName"] = NULL if given == "null" else given + "\0"
        response = checked(self.object("IRASrv").call(request, rai.GetNoviceUserInfoResponse))
        text = response["szName"]
        if text and not text.endswith("\0"):
            raise Malformed("szName without a terminator")
        return {"text": text[:-1] if text else None}

    # IPCHService, IPCHCollection, ISAFSession

    def remote_user_session_info(self):
        service = self.object("IPCHService")
        response = checked(service.call(getter(20), rai.InterfaceResponse))
        return self.keep(Object(rai.pointer_bytes(response.fields["pVal"]), service.channel)).told()

    def count(self):
        response = checked(self.object("IPCHCollection").call(getter(9), rai.LongResponse))
        return {"count": response["pVal"]}

    def item(self, index="1"):
        collection, request = self.object("IPCHCollection"), rai.Item()
        request["vIndex"] = int(index)
        response = checked(collection.call(request, rai.VariantResponse))
        pointer = response.fields["ppEntry"]
        if pointer.fields["ReferentID"] == 0:
            return {"vt": None}
        variant = pointer.fields["Data"]
        if variant["vt"] not in (9, 13):
            return {"vt": variant["vt"]}
        field = "pdispVal" if variant["vt"] == 9 else "punkVal"
        made = Object(rai.pointer_bytes(variant["_varUnion"].fields[field]), collection.channel)
        told = {"vt": variant["vt"]} | made.told()
        # Marshalled as IDispatch: ISAFSession has to be asked for.
        self.objects["item"] = made
        if made.name != "ISAFSession":
            self.objects.pop("ISAFSession", None)
            found = self.query_interface("item", "ISAFSession")["interfaces"][0]
            if "ipid" not in found:
                raise Hresult(int(found["code"], 0), told)
        else:
            self.objects["ISAFSession"] = made
        return told

    def new_enum(self):
        collection = self.object("IPCHCollection")
        response = checked(collection.call(getter(7), rai.InterfaceResponse))
        made = Object(rai.pointer_bytes(response.fields["pVal"]), collection.channel)
        self.objects["enum"] = made
        return made.told()

    def session(self):
        """All getters of the last item."""
        target = self.object("ISAFSession")
        state = checked(target.call(getter(9), rai.EnumResponse))["pVal"]
        return {
            "id": checked(target.call(getter(7), rai.LongResponse))["pVal"],
            "state": STATES[state] if state < len(STATES) else state,
            "domain": text_of(checked(target.call(getter(11), rai.TextResponse)).fields["pVal"]),
            "user": text_of(checked(target.call(getter(13), rai.TextResponse)).fields["pVal"]),
        }

    def sessions(self, release="yes"):
        """RemoteUserSessionInfo, and the getters of all items."""
        self.remote_user_session_info()
        told = []
        for index in range(self.count()["count"]):
            self.item(index + 1)
            told.append(self.session())
            if release == "yes":
                self.release("item")
        return {"sessions": told}

    def set_session(self, field="user", value=None, bits="16"):
        """field=id|state|domain|user; value (none: NULL); bits of a state."""
        target = self.object("ISAFSession")
        requests = {
            "id": lambda: setter(8, ULONG, int(value, 0)),
            "state": lambda: setter(10, USHORT if bits == "16" else ULONG, int(value, 0)),
            "domain": lambda: setter(12, oaut.BSTR, value),
            "user": lambda: setter(14, oaut.BSTR, value),
        }
        checked(target.call(requests[field](), rai.HresultResponse))
        return {}

    def remote_connection_parms(self, user=None, domain=None, session="1", blob=None, padding="0", null="blob"):
        """A name that is not given is NULL (null=blob|pointer); padding: so many more characters of help blob."""
        request = rai.RemoteConnectionParms()
        put(request, "bstrUserName", user, null)
        put(request, "bstrDomainName", domain, null)
        request["lSessionID"] = int(session, 0)
        expert = f"{self.options.domain}\\{self.options.user}"
        blob = rai.help_blob(expert, int(padding)) if blob is None else blob
        put(request, "bstrUserHelpBlob", None if blob == "null" else blob, null)
        response = checked(self.object("IPCHService").call(request, rai.TextResponse))
        return {"text": text_of(response.fields["pVal"]), "blob": len(blob)}

    # What is refused

    def opnum(self, of="IRASrv", opnum="3"):
        """Any call without parameters: unused numbers, IDispatch."""
        response = self.object(of).call(getter(int(opnum)), rai.HresultResponse)
        checked(response)
        return {}

    def get_ids_of_names(self, of="IRASrv", name="GetSessionInfo"):
        request = oaut.IDispatch_GetIDsOfNames()
        request["riid"], request["cNames"], request["lcid"] = oaut.IID_NULL, 1, 0
        item = oaut.LPOLESTR()
        item["Data"] = name + "\0"
        request["rgszNames"].append(item)
        response = checked(self.object(of).call(request, oaut.IDispatch_GetIDsOfNamesResponse))
        return {"ids": list(response["rgDispId"])}

    def invoke(self, of="IRASrv", id="2"):
        request = oaut.IDispatch_Invoke()
        request["dispIdMember"], request["riid"] = int(id, 0), oaut.IID_NULL
        request["lcid"], request["dwFlags"], request["cVarRef"] = 0, 1, 0
        parameters = oaut.DISPPARAMS()
        parameters["rgvarg"] = parameters["rgdispidNamedArgs"] = NULL
        parameters["cArgs"] = parameters["cNamedArgs"] = 0
        request["pDispParams"] = parameters
        request["rgVarRefIdx"] = request["rgVarRef"] = []
        checked(self.object(of).call(request, rai.InvokeResponse))
        return {}

    def bad_ipid(self, of="IRASrv", ipid="deadbeef-dead-beef-dead-beefdeadbeef"):
        """A call on an IPID that does not exist; with ipid=none without an object."""
        target, request = self.object(of), getter(8)
        request["ORPCthis"] = rai.this(self.version, 0)
        wanted = None if ipid == "none" else string_to_bin(ipid)
        call(target.channel.context(IIDS[of]), request, rai.HresultResponse, wanted)
        return {}

    def contexts(self, of="IRASrv", count="10", rounds="5"):
        """So many presentation and security contexts on one connection, used in turn, forwards and backwards."""
        target = self.object(of)
        order = [IIDS[of], IIDS["IRemUnknown"], IIDS["IRemUnknown2"], IIDS["IDispatch"], IIDS["IUnknown"]]
        made = [target.channel.add(order[at % 2]) for at in range(int(count))]
        calls = 0
        for turn in range(int(rounds)):
            for at, rpc in list(enumerate(made))[:: -1 if turn % 2 else 1]:
                if at % 2 == 0 and of == "IRASrv":
                    request = rai.session_info("two", None)
                    request["ORPCthis"] = rai.this(self.version, 0)
                    checked(call(rpc, request, rai.GetSessionInfo2Response, target.ipid))
                elif at % 2 == 0:
                    request = getter(20)
                    request["ORPCthis"] = rai.this(self.version, 0)
                    checked(call(rpc, request, rai.InterfaceResponse, target.ipid))
                else:
                    request = dcomrt.RemAddRef()
                    request["ORPCthis"] = rai.this(self.version, 0)
                    self.references(request, target, 1)
                    checked(call(rpc, request, dcomrt.RemAddRefResponse, target.channel.remote_unknown))
                calls += 1
        return {"contexts": len(made), "calls": calls}

    def levels(self, of="IRASrv"):
        """A call of the object at every level, each on a connection of its own; a bind alone proves nothing."""
        target, told = self.object(of), {}
        kept = self.options.level
        for level in LEVELS:
            self.options.level = level
            channel = Channel(self, target.channel.bindings, target.channel.remote_unknown)
            other = object.__new__(Object)
            other.__dict__ |= target.__dict__ | {"channel": channel}
            try:
                if of == "IRASrv":
                    checked(other.call(rai.session_info("two", None), rai.GetSessionInfo2Response))
                else:
                    checked(other.call(getter(20), rai.InterfaceResponse))
                told[level] = "ok"
            except (Fault, Refused, Closed, Hresult) as e:
                told[level] = outcome(e)
            finally:
                self.options.level = kept
        return {"levels": told}

    def bind(self, interface="IRemoteSCMActivator", syntax="ndr", level=None, port=None):
        """A bind alone: syntax=ndr|ndr64|other, at port= or the resolver."""
        syntaxes = {
            "ndr": ("8a885d04-1ceb-11c9-9fe8-08002b104860", "2.0"),
            "ndr64": ("71710533-beba-4937-8319-b5dbef9ccc36", "1.0"),
            "other": ("11111111-2222-3333-4444-777777777777", "1.0"),
        }
        where = f"[{port}]" if port else ""
        rpc = self.connected(f"ncacn_ip_tcp:{self.options.host}{where}", level)
        rpc.bind(IIDS[interface], transfer_syntax=syntaxes[syntax])
        return {}


def version(value):
    return f"{value['MajorVersion']}.{value['MinorVersion']}"


def outcome(e):
    """What came in place of an answer."""
    if isinstance(e, Fault):
        return {"result": "fault", "status": f"{e.status:#010x}", "signed": e.signed}
    if isinstance(e, Hresult):
        return {"result": "hresult", "code": f"{e.code:#010x}"} | e.told
    return {"result": type(e).__name__.lower(), "words": str(e)}


STEPS = {
    name.replace("_", "-"): name
    for name in (
        "server_alive server_alive2 resolve_oxid resolve_oxid2 simple_ping complex_ping activate impacket query_interface "
        "add_ref release get_session_info get_novice_user_info remote_user_session_info count item new_enum session "
        "sessions set_session remote_connection_parms opnum get_ids_of_names invoke bad_ipid contexts levels bind"
    ).split()
}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--host", default="127.0.0.1")
    arguments.add_argument("--port", type=int, default=135, help="of the resolver")
    arguments.add_argument("--object-port", type=int, help="in place of that in string bindings: a relay's")
    arguments.add_argument("--user", default="")
    arguments.add_argument("--password", default="")
    arguments.add_argument("--domain", default="")
    arguments.add_argument("--level", choices=LEVELS, default="privacy")
    arguments.add_argument("--mic", choices=["none", "right", "wrong"], default="none")
    arguments.add_argument("--no-key-exchange", action="store_true")
    arguments.add_argument("--version", default="5.7", help="COMVERSION")
    arguments.add_argument("--fragment", type=int, default=0, help="bytes of stub data in a fragment")
    arguments.add_argument("--timeout", type=float, default=30)
    arguments.add_argument("--list", action="store_true", help="the steps")
    arguments.add_argument("steps", nargs="*")
    options = arguments.parse_args()
    if options.list:
        for step, name in STEPS.items():
            method = getattr(Expert, name)
            print(step, str(inspect.signature(method)).replace("(self, ", "(").replace("(self)", "()"))
        return 0
    resolver_port(options.port)
    if options.mic != "none":
        with_mic(options.mic)
    if options.no_key_exchange:
        without(ntlm.NTLMSSP_NEGOTIATE_KEY_EXCH)
    expert, status = Expert(options), 0
    for text in options.steps:
        step, *given = text.split(",")
        told = {"step": step}
        try:
            named = dict(pair.split("=", 1) for pair in given)
            told |= {"result": "ok"} | getattr(expert, STEPS[step])(**named)
        except (Fault, Refused, Closed, Malformed, Hresult) as e:
            told |= outcome(e)
        except CannotTry as e:
            told |= {"result": "cannot", "words": str(e)}
            status = 2
        except Exception as e:
            traceback.print_exc()
            told |= {"result": "cannot", "words": f"{type(e).__name__}: {e}"}
            status = 2
        print(json.dumps(told), flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
