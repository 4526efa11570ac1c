"""Makes the known answers of this folder: Standard RDP Security ([MS-RDPBCGR] 5.3) written a second time, in Python, on
hashlib, the RC4 of the package `cryptography`, and Python's own integers.

    python3 make.py            writes vectors.json, private_key_2048.json
    python3 make.py --check    compares them with what is there
"""

import hashlib
import json
import struct
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers import Cipher

try:
    from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4
except ImportError:
    from cryptography.hazmat.primitives.ciphers.algorithms import ARC4

HERE = Path(__file__).parent
SALT = {40: bytes([0xD1, 0x26, 0x9E]), 56: bytes([0xD1]), 128: b""}


def md5(*parts):
    return hashlib.md5(b"".join(parts)).digest()


def sha1(*parts):
    return hashlib.sha1(b"".join(parts)).digest()


def rc4(key):
    return Cipher(ARC4(key), mode=None).encryptor()


def reduced(bits, key):
    if bits == 128:
        return key
    return SALT[bits] + key[:8][len(SALT[bits]):]


def session_keys(bits, client, server):
    salted = lambda secret, salt: md5(secret, sha1(salt, secret, client, server))
    pre = client[:24] + server[:24]
    master = b"".join(salted(pre, salt) for salt in (b"A", b"BB", b"CCC"))
    blob = b"".join(salted(master, salt) for salt in (b"X", b"YY", b"ZZZ"))
    final = lambda key: md5(key, client, server)
    return (
        reduced(bits, blob[:16]),
        reduced(bits, final(blob[32:48])),  # client encrypts
        reduced(bits, final(blob[16:32])),  # server encrypts
    )


class Stream:
    def __init__(self, bits, mac, key):
        self.bits, self.mac, self.initial, self.current = bits, mac, key, key
        self.stream, self.count = rc4(key), 0

    def seal(self, data, salted):
        if self.count and self.count % 4096 == 0:
            inner = sha1(self.initial, b"\x36" * 40, self.current)
            temp = md5(self.initial, b"\x5c" * 48, inner)[: len(self.current)]
            self.current = reduced(self.bits, rc4(temp).update(temp))
            self.stream = rc4(self.current)
        salt = struct.pack("<I", self.count) if salted else b""
        inner = sha1(self.mac, b"\x36" * 40, struct.pack("<I", len(data)), data, salt)
        signature = md5(self.mac, b"\x5c" * 48, inner)[:8]
        self.count += 1
        return signature + self.stream.update(data)


def packet(number):
    """Packet number n: n mod 61 bytes, each n + its position, mod 251."""
    return bytes((number + i) % 251 for i in range(number % 61))


def certificate(key):
    n, e = key["n"], key["e"]
    size = (n.bit_length() + 7) // 8
    blob = struct.pack("<4sIIII", b"RSA1", size + 8, size * 8, size - 1, e) + n.to_bytes(size, "little") + bytes(8)
    head = struct.pack("<IIIHH", 1, 1, 1, 6, len(blob)) + blob
    block = md5(head) + b"\0" + b"\xff" * 45 + b"\1"
    tsk_n = int.from_bytes(bytes.fromhex(TSK_N), "little")
    tsk_d = int.from_bytes(bytes.fromhex(TSK_D), "little")
    signature = pow(int.from_bytes(block, "little"), tsk_d, tsk_n).to_bytes(72, "little")
    return head + struct.pack("<HH", 8, 72) + signature


TSK_N = (
    "3d3a5ebd72433ec94dbbc11e4aba5fcb3e882087eff5c1e2d7b76b9af2524595"
    "ce63656b583afeef7ce7bffe3df65c7d6c5e06091af561bb2093095f056dea87"
)
TSK_D = (
    "87a71932da11875558001616256568f8243ee6fae9674994cf92cc3399e80860"
    "179a129f24ddb12499c73ab80a7b0ddd350779170b519bb3c7100113e73ff35f"
)
# The key of [MS-RDPBCGR] 4.8, printed there for everybody.
SAMPLE_N = (
    "37a870fe9ab9a854cb9879447ab9eb3806ea26a147ea19705df352887021b59e"
    "50b4e1f51ad82d514d1aad797c8946b0cc667402d8285d9dd7cafc600f38f9b3"
)
SAMPLE_D = (
    "c107e7d4d3388d36f59e8b960d5565082825a32ec768d644852d32f672a89bba"
    "5e8282f05c0ceb6b126aa74515ce41e003e5e66ddffd58610b07a47bb3f37194"
)


def make():
    out = {"streams": [], "keys": []}
    client, server = bytes(range(32)), bytes(range(200, 232))
    for bits in (40, 56, 128):
        for salted in (False, True):
            mac, to_server, to_client = session_keys(bits, client, server)
            for name, key in (("client", to_server), ("server", to_client)):
                stream = Stream(bits, mac, key)
                all_packets, shown = hashlib.sha256(), {}
                for number in range(12_300):
                    sealed = stream.seal(packet(number), salted)
                    all_packets.update(sealed)
                    if number in (0, 1, 2, 60, 4094, 4095, 4096, 4097, 8191, 8192, 12_299):
                        shown[str(number)] = sealed.hex()
                out["streams"].append(
                    {"bits": bits, "salted": salted, "sender": name, "packets": shown, "sha256": all_packets.hexdigest()}
                )
    sample = {
        "n": int.from_bytes(bytes.fromhex(SAMPLE_N), "little"),
        "e": 65537,
        "d": int.from_bytes(bytes.fromhex(SAMPLE_D), "little"),
    }
    path = HERE / "private_key_2048.json"
    if path.exists():
        big = {k: int(v, 16) for k, v in json.loads(path.read_text()).items()}
    else:
        numbers = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_numbers()
        big = {"n": numbers.public_numbers.n, "e": 65537, "d": numbers.d}
        path.write_text(json.dumps({k: f"{v:x}" for k, v in big.items()}, indent=1) + "\n")
    random = bytes.fromhex("ffee" + "00" * 29 + "ff")
    for key in (sample, big):
        size = (key["n"].bit_length() + 7) // 8
        encrypted = pow(int.from_bytes(random, "little"), key["e"], key["n"]).to_bytes(size + 8, "little")
        out["keys"].append(
            {
                "n": f"{key['n']:0{size * 2}x}",
                "d": f"{key['d']:0{size * 2}x}",
                "certificate": certificate(key).hex(),
                "random": random.hex(),
                "encrypted": encrypted.hex(),
            }
        )
    return json.dumps(out, indent=1) + "\n"


if __name__ == "__main__":
    text = make()
    path = HERE / "vectors.json"
    if "--check" in sys.argv:
        sys.exit(0 if path.read_text() == text else "vectors.json is another one")
    path.write_text(text)
