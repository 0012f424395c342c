"""`certaudit keygen`: a key to sign with."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import click

from certaudit.cli.output import printable, say, show
from certaudit.errors import InputError

__all__ = ["PASSPHRASE", "keygen", "passphrase_option", "passphrase_source"]

PASSPHRASE = "CERTAUDIT_PASSPHRASE"  # noqa: S105  (the variable's name)
_LONGEST = 1024

passphrase_option = click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help=f"Holds the key's passphrase (or ${PASSPHRASE}; else it is asked for).",
)


@click.command(short_help="Make a key to sign runs with.")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="KEY",
    help="The private key, key.pem; the public one becomes key.pub.pem.",
)
@click.option(
    "--algorithm",
    type=click.Choice(["ecdsa-p256", "ed25519"]),
    default="ecdsa-p256",
    show_default=True,
    help="ECDSA on P-256 with SHA-256, or Ed25519.",
)
@click.option("--no-passphrase", is_flag=True, help="Leave the private key unencrypted.")
@passphrase_option
def keygen(output: Path, algorithm: str, no_passphrase: bool, passphrase_file: Path | None) -> int:
    """Make a key pair: KEY, for its owner only, and the public key beside it.

    Prints the public key's fingerprint (SHA-256). Tell it to those who verify, in another
    way than the one by which they get the evidence. Files that exist are left alone.

    Example: certaudit keygen -o key.pem
    """
    from certaudit.records.keys import generate, public_path, save
    from certaudit.records.store import has

    if no_passphrase and passphrase_file is not None:
        raise click.UsageError("--no-passphrase and --passphrase-file exclude each other")
    for place in (output, public_path(output)):
        if has(place):
            raise InputError(f"{place}: is there already; a key is never overwritten")
    word = None if no_passphrase else passphrase_source(passphrase_file, confirm=True)()
    key = generate(algorithm)
    beside = save(key, output, word)
    show(key.public.fingerprint)
    say(f"wrote {printable(str(output))} and {printable(str(beside))}")
    return 0


def _somebody_to_ask() -> bool:
    if sys.stdin is not None and sys.stdin.isatty():
        return True
    try:
        with Path("/dev/tty").open("rb"):
            return True
    except OSError:
        return False


def passphrase_source(path: Path | None, *, confirm: bool = False) -> Callable[[], bytes]:
    """Return a function that gets a passphrase: from a file, the environment, or the terminal.

    It raises InputError for an empty or a very long one, and where there is no terminal to ask.
    """

    def ask() -> bytes:
        if path is not None:
            try:
                with path.open("rb") as file:
                    word = file.read(_LONGEST + 2)
            except OSError as error:
                raise InputError(f"{path}: {error.strerror or error}") from None
            word, where = word.removesuffix(b"\n").removesuffix(b"\r"), str(path)
        elif PASSPHRASE in os.environ:
            word, where = os.fsencode(os.environ[PASSPHRASE]), PASSPHRASE
        else:
            where = "passphrase"
            if not _somebody_to_ask():
                raise InputError(f"no passphrase: give --passphrase-file FILE or ${PASSPHRASE}")
            asked = click.prompt(
                "Passphrase",
                hide_input=True,
                confirmation_prompt=confirm,
                err=True,
                default="",
                show_default=False,
            )
            word = os.fsencode(asked)
        if not word:
            raise InputError(f"{where}: holds no passphrase")
        if len(word) > _LONGEST or b"\n" in word:
            raise InputError(f"{where}: a passphrase is one line of at most {_LONGEST} bytes")
        return word

    return ask
