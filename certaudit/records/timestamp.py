"""Time stamps of RFC 3161: read as far as to see which bytes were stamped, and no further."""

from __future__ import annotations

import re
from hashlib import sha256

from certaudit.errors import InputError

__all__ = ["MAX_RESPONSE", "check_response", "stamped_at"]

MAX_RESPONSE = 1 << 20
_SIGNED_DATA = bytes.fromhex("2a864886f70d010702")
_TST_INFO = bytes.fromhex("2a864886f70d0109100104")
_SHA256 = bytes.fromhex("608648016503040201")
_GENERALIZED_TIME = 0x18
_TIME = re.compile(
    rb"([0-9]{4})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2}(?:\.[0-9]{1,9})?)Z"
)
_INTEGER, _OCTETS, _OID, _SEQUENCE, _SET, _EXPLICIT = 0x02, 0x04, 0x06, 0x30, 0x31, 0xA0


class _Der:
    """The elements inside one DER element, taken one after the other."""

    def __init__(self, data: bytes) -> None:
        self.rest = data

    def take(self, tag: int) -> bytes:
        """Return the content of the next element, which has to have this tag."""
        data = self.rest
        if len(data) < 2 or data[0] != tag:
            raise InputError("is not a DER time stamp response (RFC 3161)")
        start, length = 2, data[1]
        if length >= 0x80:
            start += length & 0x7F
            # Long forms have one to four bytes here, the first of them not 0.
            if not 2 < start <= 6 or len(data) < start or data[2] == 0:
                raise InputError("is not a DER time stamp response (RFC 3161)")
            length = int.from_bytes(data[2:start], "big")
            if length < 0x80:
                raise InputError("is not a DER time stamp response (RFC 3161)")
        if len(data) < start + length:
            raise InputError("is not a DER time stamp response (RFC 3161): it ends too early")
        self.rest = data[start + length :]
        return data[start : start + length]

    def enter(self, tag: int) -> _Der:
        """Return the elements inside the next element."""
        return _Der(self.take(tag))


def check_response(response: bytes, signature: bytes) -> None:
    """Check that a time stamp response (DER) grants a stamp over SHA-256 of a signature.

    Who stamped it, and whether the stamp is genuine, is not checked.

    Raises InputError for anything else, and says what it is.
    """
    stamped_at(response, signature)


def stamped_at(response: bytes, signature: bytes) -> str:
    """Return the time in a time stamp response over a signature, as "2026-11-22 07:46:41 UTC".

    It is the stamp's own (genTime of its TSTInfo): as good as the signature of the authority,
    which is not checked here.

    Raises InputError for anything else, and says what it is.
    """
    if len(response) > MAX_RESPONSE:
        raise InputError(f"is longer than {MAX_RESPONSE} bytes")
    outer = _Der(response)
    whole = outer.enter(_SEQUENCE)
    if outer.rest:
        raise InputError("holds bytes after the time stamp response")
    status = whole.enter(_SEQUENCE).take(_INTEGER)
    if status not in (b"\x00", b"\x01"):
        raise InputError("is a refusal of the time stamp authority, not a stamp")
    content = whole.enter(_SEQUENCE)
    if content.take(_OID) != _SIGNED_DATA:
        raise InputError("holds no signed data")
    signed = content.enter(_EXPLICIT).enter(_SEQUENCE)
    signed.take(_INTEGER)
    signed.take(_SET)
    stamped = signed.enter(_SEQUENCE)
    if stamped.take(_OID) != _TST_INFO:
        raise InputError("holds signed data that are no time stamp")
    info = _Der(stamped.enter(_EXPLICIT).take(_OCTETS)).enter(_SEQUENCE)
    info.take(_INTEGER)
    info.take(_OID)
    imprint = info.enter(_SEQUENCE)
    if imprint.enter(_SEQUENCE).take(_OID) != _SHA256:
        raise InputError("stamps a digest other than SHA-256; ask with openssl ts -query -sha256")
    if imprint.take(_OCTETS) != sha256(signature).digest():
        raise InputError("stamps other bytes than this signature")
    info.take(_INTEGER)
    time = _TIME.fullmatch(info.take(_GENERALIZED_TIME))
    if time is None:
        raise InputError("says at no time of RFC 3161 when it was stamped")
    year, month, day, hour, minute, second = (part.decode() for part in time.groups())
    return f"{year}-{month}-{day} {hour}:{minute}:{second} UTC"
