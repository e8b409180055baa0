#!/usr/bin/env python3
"""The test vectors of protocol.md, computed from its words alone.

    python3 docs/protocol_vectors.py            prints them
    python3 docs/protocol_vectors.py --check    fails unless protocol.md contains each of them;
                                                FILE behind it is looked at instead

Needs the package `cryptography`. It shares no code with recado on purpose: what it computes from the
document, another client can.
"""

import argparse
import base64
import hashlib
import pathlib
import sys

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

EXPORTED = bytes([7]) * 32
CONNECTION = 0x0102030405060708
EPOCH = 2**23


def expand(secret, info, length):
    """HKDF-Expand with SHA-256 (RFC 5869 §2.3); `secret` is the PRK."""
    return HKDFExpand(hashes.SHA256(), length, info).derive(secret)


# Datagrams


def exporter_context(version, session, client_key, leaf):
    digests = hashlib.sha256(client_key).digest() + hashlib.sha256(leaf).digest()
    return bytes([version]) + session + digests


def epoch_secret(side, epoch):
    secret = expand(EXPORTED, b"recado datagram v1 " + side, 32)
    for _ in range(epoch):
        secret = expand(secret, b"next", 32)
    return secret


def seal(side, sequence, plaintext):
    """Yields each step's name and value; the last is the datagram."""
    secret = epoch_secret(side, sequence // EPOCH)
    yield "secret", secret
    key, iv = expand(secret, b"key", 32), expand(secret, b"iv", 12)
    yield "key", key
    yield "IV", iv
    counter = b"\0" * 4 + sequence.to_bytes(8, "big")
    nonce = bytes(a ^ b for a, b in zip(iv, counter))
    yield "nonce", nonce
    header = b"\x01" + CONNECTION.to_bytes(8, "big") + sequence.to_bytes(8, "big")
    yield "header (AAD)", header
    yield "datagram", header + AESGCM(key).encrypt(nonce, plaintext, header)


# Protobuf, as far as it is needed


def varint(number):
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


def number_field(tag, number):
    return varint(tag << 3) + varint(number)


def bytes_field(tag, value):
    return varint(tag << 3 | 2) + varint(len(value)) + value


def fixed64_field(tag, number):
    return varint(tag << 3 | 1) + number.to_bytes(8, "little")


def frame(tag, body):
    """A ClientFrame or ServerFrame whose body has this tag, behind its length."""
    message = bytes_field(tag, body)
    return len(message).to_bytes(4, "big") + message


# Signatures and fingerprints


def signed_content(root, sender, message_id, sent_at_ms, text):
    return (
        b" " * 64
        + b"recado global message v1"
        + b"\0"
        + len(root).to_bytes(2, "big")
        + root
        + sender
        + message_id
        + sent_at_ms.to_bytes(8, "big", signed=True)
        + text
    )


# End to end


def padded(content):
    lengths = (256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 49152, 66560)
    length = next(length for length in lengths if length > len(content))
    return (content + b"\x80").ljust(length, b"\0")


def code(root, *keys):
    salt = b"recado verification v1\0" + root
    digits = ""
    for key in sorted(keys):
        stretched = hashlib.pbkdf2_hmac("sha256", key, salt, 65536, 32)
        digits += f"{int.from_bytes(stretched[:16], 'big') % 10**20:020}"
    return " ".join(digits[at : at + 5] for at in range(0, 40, 5))


def fingerprint(spki):
    digest = hashlib.sha256(spki).digest()
    return "SHA256:" + base64.urlsafe_b64encode(digest).decode().rstrip("=")


def vectors():
    """Yields a heading (one text), or a vector's name and value."""
    yield "Exporter context"
    context = exporter_context(1, b"\4" * 16, b"\5" * 32, b"a leaf certificate")
    yield "context", context

    yield "Checks"
    for side in (b"client", b"server"):
        check = expand(EXPORTED, b"recado datagram v1 " + side + b" check", 16)
        yield side.decode() + " check", check

    for epoch in (0, 1):
        for side in (b"client", b"server"):
            sequence = epoch * EPOCH
            yield f"Datagram from the {side.decode()}, sequence {sequence}, epoch {epoch}"
            yield from seal(side, sequence, "Olá".encode())

    yield "Signature"
    signer = Ed25519PrivateKey.from_private_bytes(b"\7" * 32)
    key = signer.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    text = "Olá, todos!".encode()
    content = signed_content(b"\1" * 32, key, b"\3" * 16, 5, text)
    signature = signer.sign(content)
    yield "public key", key
    yield "signed content", content
    yield "signature", signature

    yield "Frames"
    hello = number_field(1, 1) + number_field(2, 1)
    hello += bytes_field(3, "Conceição".encode()) + bytes_field(4, b"example 1.0")
    yield "Hello", frame(1, hello)
    envelope = bytes_field(2, bytes_field(1, b"\4\4") + bytes_field(2, b"\5\5\5"))
    private = number_field(1, 7) + number_field(2, 300) + bytes_field(3, b"\3" * 16)
    private += number_field(4, 5) + bytes_field(5, envelope)
    yield "PrivateMessage", frame(3, private)
    acknowledge = number_field(1, 7) + number_field(2, 300)
    yield "Acknowledge", frame(4, acknowledge + bytes_field(3, varint(298) + varint(300)))
    message = bytes_field(1, b"\3" * 16) + number_field(2, 5)
    message += bytes_field(3, text) + bytes_field(4, signature)
    yield "GlobalMessage", frame(5, message)

    yield "End to end"
    content = bytes_field(1, b"\3" * 16) + number_field(2, 300) + bytes_field(3, b"\2" * 16)
    content += bytes_field(4, b"\5" * 32) + bytes_field(5, b"\6" * 32)
    content += bytes_field(6, "conceição".encode()) + number_field(7, 5)
    yield "content", padded(content + bytes_field(8, "Olá, B!".encode()))
    own = AESGCM(b"\10" * 32)
    binding = b"recado own message v1\0" + b"\1" * 32 + b"\5" * 32
    yield "own ciphertext", own.encrypt(b"\6" * 12, "Olá".encode(), binding)
    yield "code", code(b"\1" * 32, b"\5" * 32, b"\11" * 32)

    yield "Contents of datagrams"
    probe = fixed64_field(1, 1) + fixed64_field(2, 0x1122334455667788)
    yield "Probe", bytes_field(1, probe)
    yield "ProbeAnswer", bytes_field(1, probe + number_field(3, 1))

    yield "Fingerprint"
    root = ec.derive_private_key(7, ec.SECP256R1()).public_key()
    spki = root.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    yield "public key (SPKI)", spki
    yield "fingerprint", fingerprint(spki)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    protocol = pathlib.Path(__file__).with_name("protocol.md")
    parser.add_argument("--check", nargs="?", const=protocol, type=pathlib.Path, metavar="FILE")
    check = parser.parse_args().check
    document = check.read_text("utf-8").splitlines() if check else []
    missing = 0
    for vector in vectors():
        if isinstance(vector, str):
            if not check:
                print(f"\n{vector}\n")
            continue
        name, value = vector
        line = f"{name:<18}{value if isinstance(value, str) else value.hex()}"
        if not check:
            print(line)
        elif line not in document:
            missing += 1
            print(f"{check} lacks the line: {line}", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
