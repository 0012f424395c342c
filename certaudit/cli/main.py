"""The command group, and how every ending becomes one line and an exit code."""

from __future__ import annotations

import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType

import click

from certaudit import __version__
from certaudit.cli.attack import attack
from certaudit.cli.audit import audit
from certaudit.cli.certify import certify
from certaudit.cli.crosscheck import crosscheck
from certaudit.cli.demo import demo
from certaudit.cli.exit_codes import Exit
from certaudit.cli.explain import explain
from certaudit.cli.figures import figures
from certaudit.cli.keygen import keygen
from certaudit.cli.output import discard, flush, prepare_streams, printable, say
from certaudit.cli.pack import pack
from certaudit.cli.prove import prove_inclusion
from certaudit.cli.radius import radius
from certaudit.cli.report import report
from certaudit.cli.sign import sign
from certaudit.cli.table import table
from certaudit.cli.timestamp import timestamp
from certaudit.cli.verify import verify
from certaudit.errors import CertauditError, InputError, Undecided, Untrusted

__all__ = ["app", "main"]

_PRINTED_DIGITS = 100_000


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80})
@click.version_option(__version__, "--version", prog_name="certaudit")
def app() -> None:
    """Decide, in exact arithmetic, whether robustness certificates are true.

    Exit codes: 0 fine, 1 something refuted, 2 usage or unreadable input, 3 something left
    open, 4 not trusted (a signature or digest is wrong), 70 internal error, 130
    interrupted.
    """


_SIGNED = (keygen, sign, verify, timestamp, prove_inclusion, pack)
_DECIDING = (certify, audit, report, attack, radius, table, figures, crosscheck, explain)
for command in (demo, *_DECIDING, *_SIGNED):
    app.add_command(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; errors are one line on stderr."""
    # Exact answers may be longer than CPython prints by default; inputs are limited in exact.py.
    sys.set_int_max_str_digits(_PRINTED_DIGITS)
    prepare_streams()
    code = _run(list(sys.argv[1:] if arguments is None else arguments))
    try:
        flush(sys.stdout)
    except OSError as error:
        code = _fail(f"standard output: {error.strerror or error}", Exit.INTERNAL)
    return int(code)


def _run(arguments: list[str]) -> int:
    # Not app.main(): it answers Ctrl-C and closed pipes in its own way, with exit code 1.
    try:
        with app.make_context("certaudit", arguments) as context:
            result = app.invoke(context)
    except click.exceptions.Exit as ending:
        return ending.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        say(error.format_message())
        return Exit.USAGE
    except BrokenPipeError:
        # Only click's own printing (help, version) ends here; results go through output.show.
        discard(sys.stdout)
        return Exit.CONFIRMED
    except (KeyboardInterrupt, Exception) as error:  # noqa: BLE001  (bugs of ours included)
        return _fail(*_ending(error))
    return result if isinstance(result, int) else Exit.CONFIRMED


def _ending(error: BaseException) -> tuple[str, Exit]:
    """Return what to say of an exception, and the exit code."""
    match error:
        case click.Abort() | KeyboardInterrupt():
            return "interrupted", Exit.INTERRUPTED
        case click.ClickException():
            return error.format_message(), Exit.USAGE
        case InputError():
            return str(error), Exit.USAGE
        case Untrusted():
            return str(error), Exit.UNVERIFIED
        case Undecided():
            return str(error), Exit.INCONCLUSIVE
        case CertauditError():
            return str(error), Exit.INTERNAL
        case MemoryError():
            return "out of memory", Exit.INTERNAL
        case OSError():
            return f"{error.filename or 'standard output'}: {error.strerror}", Exit.INTERNAL
    say("".join(traceback.format_exception(error)).rstrip())
    return f"internal error: {type(error).__name__}: {error}", Exit.INTERNAL


def _fail(message: str, code: Exit) -> Exit:
    say("certaudit: " + printable(message))
    return code


def console() -> None:
    """Entry point of the console script: a stop signal ends it in order, further ones wait."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        # What the caller has chosen to ignore (nohup, a shell's background job) stays ignored.
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)
    sys.exit(main())


def _stop(_number: int, _frame: FrameType | None) -> None:
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    raise KeyboardInterrupt
