"""Signing keys: ECDSA on P-256 or Ed25519, in PEM files that nobody else can read."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TypeAlias, cast

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from certaudit.errors import InputError

__all__ = [
    "ALGORITHMS",
    "PrivateKey",
    "PublicKey",
    "generate",
    "load_private",
    "load_public",
    "parse_public",
    "public_path",
    "save",
]

ALGORITHMS = ("ecdsa-p256", "ed25519")
_MAX_KEY = 16 << 10
_LABEL = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,60})-----")
_SUPPORTED = "ECDSA on P-256 and Ed25519 are supported"

_P = 2**255 - 19
_ORDER_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER = {0, 1, _P - 1, _ORDER_8, _P - _ORDER_8}

_Public: TypeAlias = "ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey"
_Private: TypeAlias = "ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey"


@dataclass(frozen=True)
class PublicKey:
    """A public key; `der` is its SubjectPublicKeyInfo."""

    key: _Public = field(repr=False)
    der: bytes

    @property
    def algorithm(self) -> str:
        """One of ALGORITHMS."""
        return "ed25519" if isinstance(self.key, ed25519.Ed25519PublicKey) else "ecdsa-p256"

    @property
    def hint(self) -> bytes:
        """SHA-256 of the key (SubjectPublicKeyInfo, DER): how a bundle names it."""
        return sha256(self.der).digest()

    @property
    def fingerprint(self) -> str:
        """The hint in hexadecimal: how people compare keys."""
        return self.hint.hex()

    @property
    def pem(self) -> bytes:
        """The key as it stands in a file."""
        return self.key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Return whether a signature (Ed25519: 64 bytes; ECDSA: DER) is this key's over message."""
        try:
            if isinstance(self.key, ed25519.Ed25519PublicKey):
                self.key.verify(signature, message)
                return True
            if encode_dss_signature(*decode_dss_signature(signature)) != signature:
                return False
            self.key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
        except (InvalidSignature, ValueError):
            return False
        return True

    def find(self, signature: bytes, message: bytes) -> bytes | None:
        """Return a signature as a bundle holds it, None where it is not this key's over message.

        An ECDSA signature may come as 64 bytes r, s, as smart cards and JWS give it.
        """
        if self.verifies(signature, message):
            return signature
        if self.algorithm == "ecdsa-p256" and len(signature) == 64:
            first, second = signature[:32], signature[32:]
            der = encode_dss_signature(int.from_bytes(first, "big"), int.from_bytes(second, "big"))
            if self.verifies(der, message):
                return der
        return None


@dataclass(frozen=True)
class PrivateKey:
    """A key that signs."""

    key: _Private = field(repr=False)

    @property
    def public(self) -> PublicKey:
        """The key that verifies what this one signs."""
        return _public(self.key.public_key())

    def sign(self, message: bytes) -> bytes:
        """Return a signature over message (Ed25519: 64 bytes; ECDSA: DER)."""
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return self.key.sign(message)
        return self.key.sign(message, ec.ECDSA(hashes.SHA256()))


def _public(key: _Public) -> PublicKey:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return PublicKey(key, key.public_bytes(serialization.Encoding.DER, form))


def generate(algorithm: str = "ecdsa-p256") -> PrivateKey:
    """Return a new key from the system's random numbers.

    Raises InputError for an algorithm that is none of ALGORITHMS.
    """
    if algorithm == "ed25519":
        return PrivateKey(ed25519.Ed25519PrivateKey.generate())
    if algorithm == "ecdsa-p256":
        return PrivateKey(ec.generate_private_key(ec.SECP256R1()))
    raise InputError(f"{algorithm!r} is not one of {', '.join(ALGORITHMS)}")


def public_path(path: Path) -> Path:
    """Return where the public key of a private one stands: key.pem has key.pub.pem."""
    name = path.name.removesuffix(".pem")
    return path.with_name(f"{name}.pub.pem")


def save(key: PrivateKey, path: Path, passphrase: bytes | None) -> Path:
    """Write a private key (PEM, PKCS 8) for its owner only, the public one beside it; return that.

    Neither file is ever overwritten; `passphrase` encrypts the private one.

    Raises InputError where one of the files is there, or the system refuses.
    """
    beside = public_path(path)
    form: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase == b"":
        raise InputError("an empty passphrase protects nothing; None leaves a key unencrypted")
    if passphrase is not None:
        form = serialization.BestAvailableEncryption(passphrase)
    secret = key.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, form
    )
    for place in (path, beside):
        if os.path.lexists(place):
            raise InputError(f"{place}: is there already; a key is never overwritten")
    _create(path, secret, 0o600)
    try:
        _create(beside, key.public.pem, 0o644)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return beside


def _create(path: Path, data: bytes, mode: int) -> None:
    try:
        # The mode holds from the first moment: nobody can open the file before it is set.
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise InputError(f"{path}: is there already; a key is never overwritten") from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        path.unlink(missing_ok=True)
        raise InputError(f"{path}: {error.strerror or error}") from None


def _read(path: Path, *, private: bool) -> bytes:
    try:
        # A pipe must not make us wait; what it is is asked of what was opened, not of the name.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(handle, "rb") as file:
            facts = os.fstat(handle)
            if not stat.S_ISREG(facts.st_mode):
                raise InputError(f"{path}: is not a regular file")
            if private and os.name == "posix" and facts.st_mode & 0o077:
                raise InputError(
                    f"{path}: others than its owner may use it (mode "
                    f"{stat.S_IMODE(facts.st_mode):04o}); chmod 600 it, or take a new key"
                )
            data = file.read(_MAX_KEY + 1)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None
    if len(data) > _MAX_KEY:
        raise InputError(f"{path}: is too long for a key")
    return data


def _label(data: bytes, what: str) -> str:
    """Return what a PEM file says it holds."""
    labels = _LABEL.findall(data)
    if not labels or not data.lstrip().startswith(b"-----BEGIN "):
        raise InputError(f"{what}: is not a PEM file")
    if len(labels) > 1:
        raise InputError(f"{what}: holds more than one thing ({labels[1].decode().lower()})")
    return str(labels[0].decode())


def load_private(path: Path, passphrase: Callable[[], bytes]) -> PrivateKey:
    """Read a private key (PEM, PKCS 8); `passphrase` is asked only if it is encrypted.

    Raises InputError for a file that group or others may read or write, that is not a regular
    file, a wrong passphrase, a public key, a certificate, and other kinds of keys.
    """
    data = _read(path, private=True)
    label = _label(data, str(path))
    if label in ("PUBLIC KEY", "CERTIFICATE"):
        raise InputError(f"{path}: is a {label.lower()}, not the private key that signs")
    if label not in ("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"):
        raise InputError(
            f"{path}: is a {label!r}, not PKCS 8; openssl pkcs8 -topk8 -in FILE -out NEW writes it"
        )
    word = passphrase() if label.startswith("ENCRYPTED") else None
    try:
        key = serialization.load_pem_private_key(data, word)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        if word is None:
            raise InputError(f"{path}: is no private key that can be read") from None
        raise InputError(f"{path}: the passphrase is wrong, or the file is damaged") from None
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return PrivateKey(key)
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return PrivateKey(key)
    raise InputError(f"{path}: is {_kind(key)}; {_SUPPORTED}")


def load_public(path: Path) -> PublicKey:
    """Read a public key (PEM, SubjectPublicKeyInfo).

    Raises InputError for a private key or a certificate, which it names, for other kinds of
    keys, and for files that cannot be read.
    """
    return parse_public(_read(path, private=False), str(path))


def parse_public(data: bytes, what: str) -> PublicKey:
    """Return the public key in a PEM file; `what` names it.

    Raises InputError as load_public does.
    """
    label = _label(data, what)
    if label.endswith("PRIVATE KEY"):
        raise InputError(f"{what}: is a private key; give the public one (NAME.pub.pem)")
    if label == "CERTIFICATE":
        raise InputError(
            f"{what}: is a certificate; openssl x509 -in FILE -pubkey -noout prints its public key"
        )
    if label != "PUBLIC KEY":
        raise InputError(f"{what}: is a {label!r}, not a PUBLIC KEY")
    try:
        key = serialization.load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        raise InputError(f"{what}: is no public key that can be read") from None
    if isinstance(key, ec.EllipticCurvePublicKey):
        supported = isinstance(key.curve, ec.SECP256R1)
    else:
        supported = isinstance(key, ed25519.Ed25519PublicKey)
    if not supported:
        raise InputError(f"{what}: is {_kind(key)}; {_SUPPORTED}")
    found = _public(cast("_Public", key))
    if found.algorithm == "ed25519" and not _binds(found.der[-32:]):
        raise InputError(f"{what}: is a point of small order, or spelled oddly: nobody's key")
    # A key has one fingerprint: points in another form, or text around it, would give it more.
    if data.replace(b"\r\n", b"\n").strip() != found.pem.strip():
        raise InputError(f"{what}: is not written as `openssl pkey -pubin -in FILE` writes it")
    return found


def _binds(point: bytes) -> bool:
    """Return whether an Ed25519 key is canonical, and not one of the eight of small order.

    Under one of those a signature holds for every message, and nobody had to make it.
    """
    y = int.from_bytes(point, "little") & ((1 << 255) - 1)
    return y < _P and y not in _SMALL_ORDER


def _kind(key: object) -> str:
    """Return what a key of another kind is."""
    if isinstance(key, (ec.EllipticCurvePrivateKey, ec.EllipticCurvePublicKey)):
        return f"a key on the curve {key.curve.name}"
    name = type(key).__name__.removesuffix("PrivateKey").removesuffix("PublicKey")
    return f"a key of the kind {name.strip('_')}"
