"""The command group, and how every ending becomes one line and an exit code."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence

import click

from certaudit import __version__
from certaudit.cli.certify import certify
from certaudit.cli.crosscheck import crosscheck
from certaudit.cli.demo import demo
from certaudit.cli.exit_codes import Exit
from certaudit.cli.explain import explain
from certaudit.cli.output import discard_stdout
from certaudit.cli.radius import radius
from certaudit.errors import CertauditError, InputError, Undecided

__all__ = ["app", "main"]

_PRINTED_DIGITS = 100_000


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80})
@click.version_option(__version__, "--version", prog_name="certaudit")
def app() -> None:
    """Decide, in exact arithmetic, whether robustness certificates are true.

    Exit codes: 0 everything confirmed, 1 something refuted, 2 usage or unreadable input,
    3 something left open, 5 nothing decided, 70 internal error, 130 interrupted.
    """


for command in (demo, certify, radius, crosscheck, explain):
    app.add_command(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; errors are one line on stderr."""
    # Exact answers may be longer than CPython prints by default; inputs are limited in exact.py.
    sys.set_int_max_str_digits(_PRINTED_DIGITS)
    code = _run(arguments)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        discard_stdout()
    return int(code)


def _run(arguments: Sequence[str] | None) -> int:
    try:
        result = app.main(arguments, prog_name="certaudit", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return Exit.USAGE
    except click.ClickException as error:
        return _fail(error.format_message(), Exit.USAGE)
    except (click.Abort, KeyboardInterrupt):
        return _fail("interrupted", Exit.INTERRUPTED)
    except InputError as error:
        return _fail(str(error), Exit.USAGE)
    except Undecided as error:
        return _fail(str(error), Exit.INCONCLUSIVE)
    except CertauditError as error:
        return _fail(str(error), Exit.INTERNAL)
    except MemoryError:
        return _fail("out of memory", Exit.INTERNAL)
    except BrokenPipeError:
        # Only click's own printing (help, version) ends here; results go through output.show.
        discard_stdout()
        return Exit.CONFIRMED
    except Exception as error:  # noqa: BLE001  (the last line of defence: a bug of ours)
        traceback.print_exc()
        return _fail(f"internal error: {type(error).__name__}: {error}", Exit.INTERNAL)
    return result if isinstance(result, int) else Exit.CONFIRMED


def _fail(message: str, code: Exit) -> Exit:
    line = " ".join(message.split())
    click.echo(f"certaudit: {line}", err=True)
    return code


def console() -> None:
    """Entry point of the console script."""
    sys.exit(main())
