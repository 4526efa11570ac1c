"""DCE/RPC by impacket 0.13.1, and what a judge needs beyond it.

impacket's own code binds, authenticates, signs, seals and sends. Added here: the signatures of what is received are
verified (impacket computes them over the wrong bytes and throws them away), faults keep their number, and the client
may do what a well-behaved one does not (no or a wrong MIC, no key exchange, a level that is too low).
"""

import hashlib
import hmac
from struct import pack, unpack_from

from impacket import ntlm
from impacket.dcerpc.v5 import rpcrt, transport
from impacket.dcerpc.v5.rpcrt import DCERPC_v5, DCERPCException, SEC_TRAILER

LEVELS = {"none": 1, "connect": 2, "call": 3, "packet": 4, "integrity": 5, "privacy": 6}
RESPONSE, FAULT = 2, 3
FIRST, LAST = 1, 2


class Fault(Exception):
    """A FAULT PDU."""

    def __init__(self, status, signed):
        super().__init__(f"fault {status:#010x}")
        self.status, self.signed = status, signed


class Refused(Exception):
    """A bind or a context was not taken."""


class Malformed(Exception):
    """The novice sent what it must not."""


class Closed(Exception):
    """The connection is over."""


class Rpc(DCERPC_v5):
    """impacket's client with another way to receive."""

    def __init__(self, carrier):
        super().__init__(carrier)
        self.received = 0

    def private(self, name):
        return getattr(self, f"_DCERPC_v5__{name}")

    def bind(self, iid, alter=0, bogus_binds=0, transfer_syntax=("8a885d04-1ceb-11c9-9fe8-08002b104860", "2.0")):
        self.received = 0
        try:
            return super().bind(iid, alter, bogus_binds, transfer_syntax)
        except DCERPCException as e:
            code = e.get_error_code()
            raise (Refused(str(e)) if code is None else Fault(code, False)) from e
        except OSError as e:
            raise Closed(f"{type(e).__name__}: {e}") from e
        except Exception as e:
            # What impacket says to an answer that it cannot read, or to none at all.
            raise Refused(f"{type(e).__name__}: {e}") from e

    def recv(self):
        # Kerberos: impacket as it is.
        if self.get_auth_type() != rpcrt.RPC_C_AUTHN_WINNT:
            return super().recv()
        stub, first = b"", True
        while True:
            pdu = self._pdu()
            kind, flags = pdu[2], pdu[3]
            auth = unpack_from("<H", pdu, 10)[0]
            body = self._verified(pdu, auth)
            if kind == FAULT:
                raise Fault(unpack_from("<L", body)[0], auth > 0)
            if kind != RESPONSE:
                raise Malformed(f"PDU of type {kind} in place of a response")
            if bool(flags & FIRST) != first:
                raise Malformed("PFC_FIRST_FRAG is not on the first fragment, or not only there")
            if unpack_from("<H", pdu, 20)[0] != self._ctx:
                raise Malformed("the response is for another presentation context")
            stub, first = stub + body, False
            if flags & LAST:
                return stub

    def _pdu(self):
        try:
            head = self._transport.recv(0, count=24)
            length = unpack_from("<H", head, 8)[0]
            return head if length <= 24 else head + self._transport.recv(0, count=length - 24)
        except Exception as e:
            raise Closed(f"{type(e).__name__}: {e}") from e

    def _verified(self, pdu, auth):
        """The body of a PDU, its signature verified at the two levels that have one."""
        level = self.private("auth_level")
        if auth == 0:
            if level >= LEVELS["integrity"] and pdu[2] == RESPONSE:
                raise Malformed("a response without a signature")
            return pdu[24:]
        at = len(pdu) - auth - 8
        trailer = SEC_TRAILER(pdu[at:])
        if trailer["auth_ctx_id"] != self._ctx + 79231:
            raise Malformed("the signature is of another security context")
        body = pdu[24:at]
        if trailer["auth_level"] >= LEVELS["integrity"]:
            # The key stream is used up in this order: what is sealed, then the checksum.
            handle = self.private("serverSealingHandle")
            if trailer["auth_level"] == LEVELS["privacy"]:
                body = handle(body)
            signed = pdu[:24] + body + pdu[at:-auth]
            mac = ntlm.MAC(self.private("flags"), handle, self.private("serverSigningKey"), self.received, signed)
            if mac.getData() != pdu[-auth:]:
                raise Malformed(f"wrong signature of PDU {self.received} of this context")
            self.received += 1
        return body[: len(body) - trailer["auth_pad_len"]]


def call(rpc, request, answer, ipid=None):
    """One call; the whole stub must be what the answer says."""
    rpc.call(request.opnum, request, ipid)
    return unmarshalled(answer, rpc.recv())


def unmarshalled(answer, stub):
    response = answer()
    try:
        used = response.fromString(stub)
    except Exception as e:
        raise Malformed(f"{answer.__name__}: {type(e).__name__}: {e}: {stub.hex()}") from e
    if used != len(stub):
        raise Malformed(f"{answer.__name__}: {used} of {len(stub)} bytes: {stub.hex()}")
    return response


def resolver_port(port):
    """impacket's default, 135, is a default argument."""
    transport.TCPTransport.__init__.__defaults__ = (port,)


def with_mic(mic):
    """NTLM with a MIC ("right" or "wrong"), which impacket does not send ([MS-NLMP] 3.1.5.1.2)."""
    respond, authenticate = ntlm.computeResponse, ntlm.getNTLMSSPType3

    def told(flags, challenge, client, target_info, *others, **named):
        pairs = ntlm.AV_PAIRS(target_info)
        pairs[ntlm.NTLMSSP_AV_FLAGS] = pack("<L", 2)
        return respond(flags, challenge, client, pairs.getData(), *others, **named)

    def signed(type1, type2, *others, **named):
        message, key = authenticate(type1, type2, *others, **named)
        message["flags"] |= ntlm.NTLMSSP_NEGOTIATE_VERSION
        message["Version"] = bytes([10, 0, 0x61, 0x4A, 0, 0, 0, 15])
        message["MIC"] = bytes(16)
        right = hmac.new(key, type1.getData() + bytes(type2) + message.getData(), hashlib.md5).digest()
        message["MIC"] = right if mic == "right" else bytes([right[0] ^ 1]) + right[1:]
        return message, key

    ntlm.computeResponse, ntlm.getNTLMSSPType3 = told, signed


def without(flag):
    """NTLM that does not ask for something, and does not do it."""
    negotiate = ntlm.getNTLMSSPType1

    def less(*others, **named):
        message = negotiate(*others, **named)
        message["flags"] &= ~flag
        return message

    ntlm.getNTLMSSPType1 = less


def contexts_told_once():
    """MSRPCBind.getData adds its contexts each time it is called, and with Kerberos it is called twice."""
    told = rpcrt.MSRPCBind.getData

    def once(self):
        self["ctx_items"] = b""
        return told(self)

    rpcrt.MSRPCBind.getData = once


transport.DCERPC_v5 = Rpc
contexts_told_once()
