"""`certaudit audit`: a verdict on every certificate of another implementation."""

from __future__ import annotations

import json
import math
import shlex
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

import click

from certaudit.cli.exit_codes import Exit, worst
from certaudit.cli.output import discard, printable, progress, say, show, table
from certaudit.exact import percent

if TYPE_CHECKING:
    from fractions import Fraction

    from certaudit.auditing.log import FileFinding, Options, Rows
    from certaudit.auditor import Report
    from certaudit.claims import Source
    from certaudit.io.claims import Broken, Skipped

__all__ = ["audit", "headline"]

F = TypeVar("F", bound=Callable[..., Any])
_FAILS = ("refuted", "unsupported", "inconclusive", "malformed")
_CODES = {
    "refuted": Exit.REFUTED,
    "unsupported": Exit.REFUTED,
    "inconclusive": Exit.INCONCLUSIVE,
    "malformed": Exit.USAGE,
}
_SHOWN = 12


def _parameters(function: F) -> F:
    """Add the options that state what files do not."""
    options = (
        ("--sigma", "S", "Gaussian noise: standard deviation."),
        ("--samples", "N", "Votes behind each claim."),
        ("--failure-prob", "A", "Probability that a sampled claim is false: 0.001."),
        ("--sides", "1|2", "2: the failure probability is shared with an upper bound."),
        ("--norm", "l2|linf", "Norm of Gaussian radii [l2]."),
        ("--dimension", "D", "Input dimension, for linf radii."),
        ("--q", "Q", "Label flips: probability of another label."),
        ("--classes", "K", "Number of labels [2]."),
        ("--alpha", "A", "Discrete noise: probability of keeping a value."),
        ("--values", "V", "Discrete noise: size of the alphabet."),
        ("--guarantee", "NAME", "gaussian, kl, tight or exact: what the claims rest on."),
        ("--training-labels", "n", "Size of the training set: no radius is larger."),
        ("--vote", "NAME", "pairwise or plurality."),
        ("--bound", "NAME", "pairwise: each rival by itself (B.2); or joint."),
        ("--selection", "NAME", "same: one set of samples chose the class and bounded it."),
        ("--rounding", "NAME", "down: the log prints radii rounded down, not to nearest."),
        ("--ridge", "auto|paper|NUMBER", "Of --evidence: the ridge [auto]."),
        ("--scale", "NAME", "Of --evidence: standard or none [standard]."),
        (
            "--alpha-margin",
            "X",
            "Of --evidence: error of the alphas claimed for, relative [2^-30].",
        ),
    )
    for name, metavar, text in reversed(options):
        function = click.option(name, metavar=metavar, help=text)(function)
    return function


@click.command(short_help="Decide somebody else's certificates.")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@_parameters
@click.option("--try-samples", multiple=True, type=int, metavar="N", help="Infer: try N too.")
@click.option("--try-failure-prob", multiple=True, metavar="A", help="Infer: try A too.")
@click.option(
    "--evidence",
    type=click.Path(path_type=Path),
    metavar="FILE.npz",
    help="Alpha vectors, or the data set: decides radii of label flips by the worst flips.",
)
@click.option("--label-column", metavar="NAME", help="Of --evidence that is a CSV: its labels.")
@click.option("--positive", metavar="LABEL", help="Of --evidence: the label that is 1, others 0.")
@click.option("--no-intercept", is_flag=True, help="Of --evidence: no free intercept is fitted.")
@click.option(
    "--profile",
    default="auto",
    show_default=True,
    metavar="NAME",
    help="cohen, gaussian, label-flip or discrete: the noise of files that do not say it.",
)
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="NAME=HEADER",
    help="What a column is called: radius=r, p_lower=..., count=..., count:0=...",
)
@click.option(
    "--format",
    "style",
    type=click.Choice(["text", "json", "sarif"]),
    default="text",
    show_default=True,
    help="Of the report.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the report there.")
@click.option(
    "--fix",
    type=click.Path(path_type=Path),
    metavar="OUT",
    help="Write the log again with what is proved, rounded down in its own format.",
)
@click.option(
    "--fail-on",
    multiple=True,
    type=click.Choice(_FAILS),
    help="Verdicts that make the exit code (default: all four).",
)
@click.option("--max-excess", metavar="X", help="Claims above by at most X do not count as failed.")
@click.option("--exit-zero", is_flag=True, help="Exit 0 whatever the verdicts.")
@click.option("--allow-empty", is_flag=True, help="Exit 0 where there are no claims.")
def audit(
    paths: tuple[Path, ...],
    try_samples: tuple[int, ...],
    try_failure_prob: tuple[str, ...],
    evidence: Path | None,
    label_column: str | None,
    positive: str | None,
    no_intercept: bool,
    profile: str,
    columns: tuple[str, ...],
    style: str,
    output: Path | None,
    fix: Path | None,
    fail_on: tuple[str, ...],
    max_excess: str | None,
    exit_zero: bool,
    allow_empty: bool,
    **stated: str | None,
) -> int:
    """Decide every claim in PATHS: files, or folders with all that is in them.

    Cohen-style logs, probability logs, vote counts, accuracy curves, run folders of certaudit,
    and CSV, TSV, JSONL or NPZ with columns that --column names. What a file does not state, an
    option can; what nobody states is inferred from the numbers, and said.

    Verdicts: confirmed, refuted, unsupported, inconclusive, malformed; rows that abstain are
    counted apart. Exits 0 when all is confirmed, 1 when something is refuted or unsupported, 2
    when a row cannot be read, 3 when something is inconclusive, 5 when there are no claims.

    Example: certaudit audit logs/ --samples 100000 --failure-prob 0.001
    """
    from certaudit.auditor import make_options, open_evidence
    from certaudit.exact import parse_rational

    if evidence is None and (label_column is not None or positive is not None):
        raise click.UsageError("--label-column and --positive are of --evidence")
    options = make_options(
        more_samples=try_samples,
        more_failure_probs=try_failure_prob,
        evidence=None
        if evidence is None
        else open_evidence(evidence, label_column=label_column, positive=positive),
        intercept=False if no_intercept else None,
        **stated,
    )
    limit = None if max_excess is None else parse_rational(max_excess, "--max-excess")
    if limit is not None and limit < 0:
        raise click.UsageError("--max-excess: must not be negative")
    if output is not None and style == "text":
        raise click.UsageError("-o needs --format json or sarif")
    if fix is not None and (len(paths) != 1 or not paths[0].is_file()):
        raise click.UsageError("--fix: give one file")
    _check_output(output, paths, fix, evidence)
    reading: dict[str, Any] = {"columns": _column_map(columns), "profile": profile}
    if fix is not None:
        from certaudit.auditor import fix_log

        changed, left = fix_log(paths[0], fix, options, **reading)
        rest = f", {left} unconfirmed ones left as they are" if left else ""
        say(f"{printable(str(fix))}: {changed} rows rewritten with what is proved{rest}")
    report, small = _decide(paths, options, reading, style, output, limit, evidence)
    if style == "sarif":
        from certaudit.auditing.sarif import sarif

        unread = [(item.name, item.why) for item in report.broken]
        _write(json.dumps(sarif(report.files, unread), indent=1) + "\n", output)
    elif style == "text":
        _print(report)
    for broken in report.broken:
        say(f"certaudit: {printable(broken.name)}: {printable(broken.why)}")
    code = _exit(report, fail_on or _FAILS, small, exit_zero=exit_zero, allow_empty=allow_empty)
    return worst([code, Exit.USAGE]) if report.broken else code


def _decide(
    paths: tuple[Path, ...],
    options: Options,
    reading: dict[str, Any],
    style: str,
    output: Path | None,
    limit: Fraction | None,
    evidence: Path | None,
) -> tuple[Report, Counter[str]]:
    """Audit all paths; JSON is written as rows are decided. Count rows above by at most `limit`."""
    from certaudit.auditor import audit_sources, without_evidence
    from certaudit.io.claims import sources
    from certaudit.io.files import whole_file

    def items(path: Path) -> Iterator[Source | Skipped | Broken]:
        found = sources(path, **reading)
        return found if evidence is None else without_evidence(path, found, evidence)

    found = chain.from_iterable(_named(path, items(path), among=len(paths)) for path in paths)
    small: Counter[str] = Counter()
    takers: list[Callable[[Rows], None]] = []
    if limit is not None:
        takers.append(lambda rows: small.update(_within(rows, limit)))
    with ExitStack() as stack:
        writer = None
        if style == "json":
            file = stack.enter_context(whole_file(output)) if output else _Stdout()
            writer = _JsonWriter(file)
            takers.append(writer.rows)
        with progress("auditing") as bar:
            report = audit_sources(found, options, _to_all(takers), bar)
        if writer is not None:
            writer.finish(report)
    return report, small


def _named(
    path: Path, found: Iterator[Source | Skipped | Broken], *, among: int
) -> Iterator[Source | Skipped | Broken]:
    """Put the folder before names in it where several paths are audited: they may be the same."""
    for item in found:
        beside = among > 1 and path.is_dir()
        yield replace(item, name=f"{path.as_posix()}/{item.name}") if beside else item


def _check_output(
    output: Path | None, paths: tuple[Path, ...], fix: Path | None, evidence: Path | None
) -> None:
    """Refuse to write over what is read; the report over what --fix writes, too."""
    if fix is not None and evidence is not None and fix.resolve() == evidence.resolve():
        raise click.UsageError(f"--fix {fix}: is the evidence")
    if output is None:
        return
    taken = [path for path in paths if not path.is_dir()]
    taken += [] if evidence is None else [evidence]
    for file in (*paths, *([fix] if fix else [])):
        taken += [file, file.with_name(file.name + ".manifest.json")]
    if output.resolve() in {path.resolve() for path in taken}:
        raise click.UsageError(f"-o {output}: is what is audited, or belongs to it")
    inside = any(
        path.is_dir() and output.resolve().is_relative_to(path.resolve()) for path in paths
    )
    if inside and output.exists():
        head = output.read_bytes()[:200] if output.is_file() else b""
        if not head.startswith((b'{"claims": [', b'{\n "$schema"')):
            raise click.UsageError(f"-o {output}: is in a folder that is audited, and no report")


def _column_map(columns: tuple[str, ...]) -> dict[str, str] | None:
    found: dict[str, str] = {}
    for text in columns:
        name, _, header = text.partition("=")
        if not name or not header:
            raise click.UsageError(f"--column {text!r}: write NAME=HEADER")
        if name in found:
            raise click.UsageError(f"--column {name} is given twice")
        found[name] = header
    return found or None


def _to_all(takers: list[Callable[[Rows], None]]) -> Callable[[Rows], None] | None:
    if not takers:
        return None

    def take(rows: Rows) -> None:
        for taker in takers:
            taker(rows)

    return take


def _within(rows: Rows, limit: Fraction) -> Counter[str]:
    """Count the rows that are above by no more than the limit, by verdict."""
    from fractions import Fraction

    import numpy as np

    from certaudit.auditing.verdict import Verdict

    judged = rows.judged
    close = np.array(
        [math.isfinite(e) and Fraction(e) <= limit for e in judged.excess.tolist()], dtype=np.bool_
    )
    return Counter(
        {
            verdict.value: int((judged.is_(verdict) & close).sum())
            for verdict in (Verdict.UNSUPPORTED, Verdict.INCONCLUSIVE)
        }
    )


def _exit(
    report: Report,
    fail_on: tuple[str, ...],
    small: Counter[str],
    *,
    exit_zero: bool,
    allow_empty: bool,
) -> Exit:
    """Return the exit code; options change it, never a verdict."""
    verdicts = report.verdicts
    if not sum(file.claims for file in report.files):
        return Exit.CONFIRMED if allow_empty or exit_zero else Exit.NOTHING
    if exit_zero:
        return Exit.CONFIRMED
    codes = [_CODES[name] for name in fail_on if verdicts[name] > small[name]]
    return worst([*codes, Exit.CONFIRMED])


def _write(text: str, output: Path | None) -> None:
    if output is None:
        _Stdout().write(text.encode("ascii"))
        return
    from certaudit.io.files import write_bytes

    write_bytes(output, text.encode())


class _Stdout:
    """Standard output for bytes; once its reader has left, nothing is written any more."""

    def __init__(self) -> None:
        sys.stdout.flush()

    def write(self, data: bytes) -> None:
        """Write all of it."""
        try:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            discard(sys.stdout)


class _JsonWriter:
    """Writes the JSON report with its claims as they are decided: they may be millions."""

    def __init__(self, file: IO[bytes] | _Stdout) -> None:
        self._file = file
        # Nothing is written before there is something to say: unreadable input leaves nothing.
        self._before = b'{"claims": ['

    def rows(self, rows: Rows) -> None:
        """Write some rows, an object a line."""
        from certaudit.auditor import claim_objects

        lines = [json.dumps(claim, allow_nan=False) for claim in claim_objects(rows)]
        if lines:
            self._file.write(self._before + b"\n" + ",\n".join(lines).encode("ascii"))
            self._before = b","

    def finish(self, report: Report) -> None:
        """Write the rest."""
        rest = report.as_json() | {"command": shlex.join(["certaudit", *sys.argv[1:]])}
        del rest["claims"]
        text = json.dumps(rest, allow_nan=False, indent=1)
        start = self._before if self._before != b"," else b""
        self._file.write(start + b"\n]," + text[1:].encode("ascii") + b"\n")


# Text ------------------------------------------------------------------------------------------


def _print(report: Report) -> None:
    show(*headline(report))
    verdicts = report.verdicts
    claims = sum(file.claims for file in report.files)
    listing = table("verdict", ">rows", ">share")
    for name in ("confirmed", *_FAILS):
        if verdicts[name] or name in ("confirmed", "unsupported"):
            listing.add_row(name, f"{verdicts[name]:,}", percent(verdicts[name], max(claims, 1)))
    if verdicts["abstained"]:
        listing.add_row("(abstained)", f"{verdicts['abstained']:,}", "")
    show(listing)
    _print_findings(report)
    _print_evidence(report)
    _print_parameters(report)
    _print_accuracy(report)
    skipped = len(report.skipped)
    read = len(report.files)
    files = _number(read, "file") + " read"
    if skipped:
        reasons = Counter(item.why for item in report.skipped)
        told = "; ".join(f"{n} {printable(why)}" for why, n in reasons.most_common(3))
        files += f", {skipped} skipped: {told}"
    show(files + ".")


def _number(count: int, what: str) -> str:
    """Return a number of things: 1 file, 2 files."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _be(count: int) -> str:
    return "is" if count == 1 else "are"


def headline(report: Report) -> Iterator[str]:
    """Yield the effect, in a sentence or two."""
    claims = sum(file.claims for file in report.files)
    verdicts = report.verdicts
    bad = verdicts["refuted"] + verdicts["unsupported"]
    left = verdicts["inconclusive"]
    if not claims:
        yield "No claims."
        return
    of = f"of {_number(claims, 'claim')}"
    if verdicts["confirmed"] == claims:
        yield "The claim is confirmed." if claims == 1 else f"All {claims:,} claims are confirmed."
        return
    rounded = sum(file.rounded_up for file in report.files)
    if rounded:
        most = _up(max(file.largest_rounding for file in report.files))
        more = f"; {left:,} more may be." if left else "."
        yield f"{rounded:,} {of} {_be(rounded)} printed up to {most} above what was proven{more}"
    disproved = sum(file.disproved for file in report.files)
    if disproved:
        yield f"{disproved:,} {of} {_be(disproved)} refuted: flips of labels change the vote."
    noise = sum(file.causes["float-noise"] for file in report.files)
    if noise:
        most = f"{max(file.largest_noise for file in report.files):.1e}"
        yield f"{noise:,} {of} {_be(noise)} above what was proven by float noise, {most} at most."
    if bad > rounded + noise + disproved:
        rest = bad - rounded - noise - disproved
        yield f"{rest:,} {of} {_be(rest)} more than the evidence proves."
    if left and not rounded:
        yield f"{left:,} {of} {_be(left)} inconclusive: the evidence does not decide."
    if verdicts["malformed"]:
        yield f"{_number(verdicts['malformed'], 'row')} cannot be read."
    yield from _accuracy_line(report)


def _accuracy_line(report: Report) -> Iterator[str]:
    """Yield what changes of certified accuracy, where something was decided."""
    accuracy: Any = report.summary()["accuracy"]
    drop = accuracy["grid_drop"]
    if drop is None or not accuracy["right"]:
        return
    radii = drop["radii"]
    but = f", {_number(accuracy['open'], 'undecided row')} left out" if accuracy["open"] else ""
    if not drop["rows"]:
        yield f"Certified accuracy at the radii {radii} does not change{but}."
        return
    points = _points(drop["rows"], drop["of"])
    where = f" in {_tail(drop['file'], 40)}" if len(report.files) > 1 else ""
    yield f"Certified accuracy at the radii {radii} changes by at most {points} points{where}{but}."


def _up(value: float) -> str:
    """Return a number with two digits, rounded up."""
    if not math.isfinite(value) or value <= 0:
        return "0"
    places = 1 - math.floor(math.log10(value))
    scaled = math.ceil(value * 10**places * (1 - 1e-12))
    return f"{scaled / 10**places:.{max(places, 0)}f}" if places < 12 else f"{value:.1e}"


def _points(rows: int, of: int) -> str:
    cents = -(-rows * 10_000 // of)
    return f"{cents // 100}.{cents % 100:02}"


def _print_findings(report: Report) -> None:
    grouped: dict[str, list[tuple[str, FileFinding]]] = {}
    for file in report.files:
        for finding in file.findings:
            grouped.setdefault(finding.kind.code, []).append((file.name, finding))
    if not grouped:
        return
    listing = table("finding", ">rows", ">files", "first seen")
    for code in sorted(grouped):
        entries = grouped[code]
        name, first = entries[0]
        rows = sum(finding.rows for _, finding in entries)
        files = len({name for name, _ in entries})
        where = _place(name, first)
        listing.add_row(f"{code} {first.kind.name}", f"{rows:,}" if rows else "", str(files), where)
    show(listing)
    for code in ("CA118", "CA119", "CA132"):
        for name, finding in grouped.get(code, [])[:3]:
            show(f"{code} {_tail(name, 60)}: {printable(finding.message)}")
            stated = {k: v for k, v in finding.more.items() if k.startswith(("stated", "inferred"))}
            if stated:
                show("  " + ", ".join(f"{k.replace('_', ' ')}: {v}" for k, v in stated.items()))


def _place(name: str, finding: FileFinding) -> str:
    """Return file and line, the end of a long path."""
    line = f":{finding.line}" if finding.line else ""
    return _tail(name, 28 - len(line)) + line


def _tail(name: str, room: int) -> str:
    """Return a file name, the beginning of a long one left out."""
    text = printable(name)
    return text if len(text) <= room else "..." + text[-(room - 3) :]


def _print_evidence(report: Report) -> None:
    """Print how many claims the evidence was about, and the first that it refutes by flips."""
    files = [file for file in report.files if file.by_evidence is not None]
    if not files:
        return
    count = sum(file.by_evidence or 0 for file in files)
    claims = sum(file.claims for file in files)
    show(f"The evidence is about {count:,} of {_number(claims, 'claim')}.")
    shown = [(file.name, each) for file in files for each in file.counterexamples][:_SHOWN]
    if not shown:
        return
    listing = table("refuted", ">index", ">radius", ">flips", "training labels to flip")
    for name, each in shown:
        rows = ", ".join(map(str, each.first))
        rows += ", ..." if each.flips > len(each.first) else ""
        where = f"{_tail(name, 24 - len(str(each.line)))}:{each.line}"
        radius = f"{each.claimed:.0f}" if math.isfinite(each.claimed) else "inf"
        index = printable(each.index)
        listing.add_row(where, index, radius, str(each.flips), rows or "none: the vote is lost")
    show(listing)
    disproved = sum(file.disproved for file in files)
    if disproved > len(shown):
        show(f"and {disproved - len(shown):,} more; all flips are in --format json.")


def _print_parameters(report: Report) -> None:
    groups: Counter[tuple[str, str]] = Counter()
    for file in report.files:
        if file.claims:
            spelled = ", ".join(
                f"{k} {v if not isinstance(v, dict) else _model(v)}"
                for k, v in file.parameters.items()
            )
            groups[spelled or "none", ", ".join(file.inferred)] += 1
    if not groups:
        return
    listing = table("parameters", "inferred", ">files")
    for (spelled, inferred), files in groups.most_common(_SHOWN):
        listing.add_row(spelled, inferred or "nothing", str(files))
    if len(groups) > _SHOWN:
        listing.add_row(f"and {len(groups) - _SHOWN} more", "", "")
    show(listing)


def _model(model: dict[str, Any]) -> str:
    return " ".join(
        [str(model["name"]), *(f"{k}={_word(v)}" for k, v in model.items() if k != "name")]
    )


def _word(value: object) -> str:
    """Return a parameter in a word; of a ridge its rule."""
    if isinstance(value, dict):
        return str(value["value"] if value["rule"] == "given" else value["rule"])
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _print_accuracy(report: Report) -> None:
    """Print certified accuracy, claimed against proven, of one file; of several, where it falls."""
    files = [file for file in report.files if file.effect.rows and file.kind in ("radii", "votes")]
    if len(files) == 1:
        effect = files[0].effect.as_json()
        points: Any = effect["certified"]
        rows: Any = effect["rows"]
        listing = table(">radius", ">claimed", ">proven")
        step = max(1, len(points) // 12)
        for point in points[::step]:
            listing.add_row(
                f"{point['radius']:g}", percent(point["claimed"], rows),
                percent(point["proved"], rows),
            )  # fmt: skip
        if points:
            show("certified accuracy" if files[0].knows_right else "certified share of rows")
            show(listing)
        average: Any = effect["average_radius"]
        if average["claimed"]:
            show(
                f"average radius: claimed {average['claimed']:.4f}, proven {average['proved']:.4f}"
            )
        return
    falling = [file for file in files if file.effect.grid_drop()]
    if not falling:
        return
    falling.sort(key=lambda f: -f.effect.grid_drop() / f.effect.rows)
    listing = table("certified accuracy falls most in", ">points", ">rows")
    for file in falling[:5]:
        listing.add_row(
            _tail(file.name, 54),
            _points(file.effect.grid_drop(), file.effect.rows),
            f"{file.effect.rows:,}",
        )
    show(listing)
