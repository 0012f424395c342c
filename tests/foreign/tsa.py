"""A throw-away RFC 3161 time-stamp authority for tests, made with openssl commands alone."""

import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

_CONFIG = """\
[req]
distinguished_name = name
prompt = no
[name]
CN = unused
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[tsa]
default_tsa = authority
[authority]
serial = serial
signer_cert = tsa.pem
signer_key = tsa.key
certs = ca.pem
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1
ess_cert_id_alg = sha256
"""
_COMMANDS = """\
ecparam -name prime256v1 -genkey -noout -out ca.key
ecparam -name prime256v1 -genkey -noout -out tsa.key
req -x509 -config tsa.cnf -extensions ca -key ca.key -subj '/CN=test CA' -days 3650 -out ca.pem
req -new -config tsa.cnf -key tsa.key -subj '/CN=test time-stamp authority' -out tsa.csr
x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -set_serial 2 -days 3649 \
 -extfile tsa.cnf -extensions leaf -out tsa.pem
"""


@dataclass(frozen=True)
class TimeStampAuthority:
    """A folder with ca.pem (what a verifier trusts), tsa.pem and their keys."""

    folder: Path

    @property
    def ca(self) -> Path:
        """The certificate that a verifier has to trust."""
        return self.folder / "ca.pem"

    @property
    def certificate(self) -> Path:
        """The certificate that signs the time stamps."""
        return self.folder / "tsa.pem"

    def request(self, data: bytes) -> bytes:
        """Return a request (DER) for the SHA-256 of the data, as a client would make it."""
        (self.folder / "data").write_bytes(data)
        _openssl(self.folder, "ts -query -sha256 -cert -data data -out request.tsq")
        return (self.folder / "request.tsq").read_bytes()

    def respond(self, request: bytes) -> bytes:
        """Return the authority's response (DER) to a request."""
        (self.folder / "request.tsq").write_bytes(request)
        _openssl(self.folder, "ts -reply -config tsa.cnf -queryfile request.tsq -out response.tsr")
        return (self.folder / "response.tsr").read_bytes()

    def stamp(self, data: bytes) -> bytes:
        """Return the response (DER) to a request for the data."""
        return self.respond(self.request(data))


def make_tsa(folder: Path) -> TimeStampAuthority:
    """Make the keys and certificates of an authority in a new folder."""
    folder.mkdir(parents=True)
    (folder / "tsa.cnf").write_text(_CONFIG)
    (folder / "serial").write_text("1000\n")
    for command in _COMMANDS.splitlines():
        _openssl(folder, command)
    return TimeStampAuthority(folder)


def _openssl(folder: Path, command: str) -> None:
    done = subprocess.run(
        ["openssl", *shlex.split(command)], cwd=folder, check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise AssertionError(f"openssl {command}\n{done.stderr}")
