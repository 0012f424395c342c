"""Keys: files that only their owner can use, and a plain word for everything that is no key."""

import os
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.x509.oid import NameOID

from certaudit.errors import InputError
from certaudit.records.keys import (
    ALGORITHMS,
    generate,
    load_private,
    load_public,
    parse_public,
    public_path,
    save,
)

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def never():
    raise AssertionError("no passphrase is needed")


def private_pem(key, form=serialization.PrivateFormat.PKCS8):
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def public_pem(key):
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def write(path, data, mode=0o600):
    path.write_bytes(data)
    path.chmod(mode)
    return path


def certificate():
    from datetime import UTC, datetime, timedelta

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    now = datetime(2025, 1, 1, tzinfo=UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize("passphrase", [None, b"correct horse"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_round_trip(tmp_path, algorithm, passphrase):
    key = generate(algorithm)
    place = tmp_path / "key.pem"
    old = os.umask(0)
    try:
        beside = save(key, place, passphrase)
    finally:
        os.umask(old)
    assert beside == tmp_path / "key.pub.pem"
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert (b"ENCRYPTED" in place.read_bytes()) == (passphrase is not None)
    again = load_private(place, never if passphrase is None else lambda: passphrase)
    public = load_public(beside)
    assert public.fingerprint == key.public.fingerprint == again.public.fingerprint
    assert public.algorithm == algorithm
    assert public.hint.hex() == public.fingerprint
    signature = again.sign(b"message")
    assert public.verifies(signature, b"message")
    assert not public.verifies(signature, b"massage")
    assert not public.verifies(signature[:-1], b"message")
    assert not public.verifies(signature + b"\0", b"message")
    assert not public.verifies(b"", b"message")
    assert not generate(algorithm).public.verifies(signature, b"message")
    assert "PRIVATE" not in repr(again)


def test_names():
    assert public_path(Path("a/key.pem")) == Path("a/key.pub.pem")
    assert public_path(Path("a/key")) == Path("a/key.pub.pem")
    with pytest.raises(InputError, match="not one of ecdsa-p256, ed25519"):
        generate("rsa")


def test_signatures_in_two_forms():
    key = generate("ecdsa-p256")
    der = key.sign(b"m")
    r, s = decode_dss_signature(der)
    raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    assert key.public.find(der, b"m") == key.public.find(raw, b"m") == der
    assert not key.public.verifies(raw, b"m")
    assert key.public.find(raw[::-1], b"m") is None
    assert key.public.find(bytes(64), b"m") is None
    edwards = generate("ed25519")
    assert edwards.public.find(edwards.sign(b"m"), b"m") == edwards.sign(b"m")
    assert edwards.public.find(der, b"m") is None


def test_only_der_is_a_signature():
    key = generate("ecdsa-p256")
    r, s = decode_dss_signature(key.sign(b"m"))
    der = encode_dss_signature(r, s)
    length = der[1]
    # A long form where the short one would do, and zeros in front.
    assert not key.public.verifies(b"\x30\x81" + bytes([length]) + der[2:], b"m")
    padded = b"\x30" + bytes([length + 1]) + b"\x02" + bytes([der[3] + 1]) + b"\0" + der[4:]
    assert not key.public.verifies(padded, b"m")
    assert not key.public.verifies(encode_dss_signature(r + ORDER, s), b"m")


@pytest.mark.parametrize("mode", [0o640, 0o620, 0o604, 0o602, 0o610, 0o644, 0o777])
def test_a_key_that_others_may_use(tmp_path, mode):
    place = write(tmp_path / "key.pem", private_pem(ed25519.Ed25519PrivateKey.generate()), mode)
    with pytest.raises(InputError, match=f"others than its owner may use it .mode 0{mode:o}"):
        load_private(place, never)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_key_of_its_owner(tmp_path, mode):
    place = write(tmp_path / "key.pem", private_pem(ed25519.Ed25519PrivateKey.generate()), mode)
    assert load_private(place, never).public.algorithm == "ed25519"


@pytest.mark.parametrize("load", [lambda path: load_private(path, never), load_public])
def test_what_is_no_regular_file(tmp_path, load):
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name, words in (("pipe", "not a regular file"), ("none", "No such file")):
        with pytest.raises(InputError, match=words):
            load(tmp_path / name)
    with pytest.raises(InputError):
        load(tmp_path)
    with pytest.raises(InputError, match="too long for a key"):
        load(write(tmp_path / "long", bytes(20_000)))
    with pytest.raises(InputError, match="is not a PEM file"):
        load(write(tmp_path / "text", b"hello"))


def test_a_wrong_passphrase(tmp_path):
    save(generate("ed25519"), tmp_path / "key.pem", b"right")
    with pytest.raises(InputError, match="the passphrase is wrong"):
        load_private(tmp_path / "key.pem", lambda: b"wrong")


OTHERS = {
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
    "DSA": lambda: dsa.generate_private_key(2048),
    "Ed448": ed448.Ed448PrivateKey.generate,
    "X25519": x25519.X25519PrivateKey.generate,
    "curve secp384r1": lambda: ec.generate_private_key(ec.SECP384R1()),
    "curve secp256k1": lambda: ec.generate_private_key(ec.SECP256K1()),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", OTHERS)
def test_other_kinds_are_named(tmp_path, kind):
    key = OTHERS[kind]()
    with pytest.raises(InputError, match=f"{kind}; ECDSA on P-256 and Ed25519"):
        load_private(write(tmp_path / "key.pem", private_pem(key)), never)
    with pytest.raises(InputError, match=f"{kind}; ECDSA on P-256 and Ed25519"):
        parse_public(public_pem(key), "FILE")


def test_the_wrong_half_is_named(tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    old = private_pem(key, serialization.PrivateFormat.TraditionalOpenSSL)
    for data, words in (
        (public_pem(key), "is a public key, not the private key"),
        (certificate(), "is a certificate, not the private key"),
        (old, "'EC PRIVATE KEY', not PKCS 8; openssl pkcs8"),
        (private_pem(key)[:60] + b"\n-----END PRIVATE KEY-----\n", "no private key that can be"),
        (private_pem(key) * 2, "more than one thing"),
    ):
        with pytest.raises(InputError, match=words):
            load_private(write(tmp_path / "key.pem", data), never)
    for data, words in (
        (private_pem(key), "is a private key; give the public one"),
        (old, "is a private key; give the public one"),
        (certificate(), "is a certificate; openssl x509"),
        (public_pem(key) + private_pem(key), "more than one thing .private key"),
        (b"note\n" + public_pem(key), "not a PEM file"),
        (public_pem(key) + b"note\n", "not written as"),
        (public_pem(key)[:60] + b"\n-----END PUBLIC KEY-----\n", "no public key that can be"),
    ):
        with pytest.raises(InputError, match=words):
            parse_public(data, "FILE")


def test_a_compressed_point_is_another_spelling():
    import base64

    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    point = key.public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint
    )
    der = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200") + point
    body = base64.encodebytes(der)
    with pytest.raises(InputError, match="not written as `openssl pkey"):
        parse_public(b"-----BEGIN PUBLIC KEY-----\n" + body + b"-----END PUBLIC KEY-----\n", "F")


@pytest.mark.parametrize("taken", ["key.pem", "key.pub.pem"])
@pytest.mark.parametrize("link", [False, True])
def test_keys_are_never_overwritten(tmp_path, taken, link):
    place = tmp_path / taken
    if link:
        place.symlink_to(tmp_path / "nowhere")
    else:
        place.write_bytes(b"precious")
    with pytest.raises(InputError, match=f"{taken}: is there already"):
        save(generate("ed25519"), tmp_path / "key.pem", None)
    assert [path.name for path in tmp_path.iterdir()] == [taken]


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        save(generate("ed25519"), tmp_path / "no" / "key.pem", None)
