"""Write docs/literature.md again: what published certificates look like under an exact audit.

    python scripts/literature.py CORPORA [-o docs/literature.md]

CORPORA is a folder with one folder a repository, named owner+repository. Paths in the page are
relative to it.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from certaudit.auditing.log import FileReport, Rows
from certaudit.auditing.verdict import Reason, Verdict
from certaudit.auditor import Report, audit_sources, make_options
from certaudit.exact import round_down, round_up
from certaudit.fast.quantiles import quantiles
from certaudit.io.claims import sources

ROOT = Path(__file__).parent.parent
STATED = {
    "jh-jeong+smoothing-consistency": {"samples": 100_000, "failure_prob": "1/1000"},
    "Hadisalman+smoothing-adversarial": {"samples": 100_000, "failure_prob": "1/1000"},
}
"""What the repositories (or their papers) state outside of the logs."""


@dataclass
class Extra:
    """What the report of a repository has not: counted from the rows."""

    at_most: int = 0
    """Rows that print the largest radius which all votes allow, rounded up."""
    zero: int = 0

    def __call__(self, rows: Rows) -> None:
        """Take some rows."""
        judged = rows.judged
        if rows.source.kind != "radii":
            return
        confirmed = judged.is_(Verdict.CONFIRMED)
        self.zero += int((confirmed & (judged.claimed == 0)).sum())
        setting = getattr(rows.judge, "setting", None)
        if setting is None or setting.scale is None or setting.samples is None:
            return
        found = setting.quantiles(None)
        if found is None or setting.scale.dimension != 1:
            return
        top = float(setting.scale.sigma) * found.radius(found.samples)[1]
        none = judged.reason == Reason.NO_COUNT_PROVES.code
        self.at_most += int((none & (judged.claimed > top)).sum())


def main() -> None:
    """Audit every repository and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpora", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs" / "literature.md")
    arguments = parser.parse_args()
    lines = list(page(arguments.corpora))
    arguments.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


def page(corpora: Path) -> Iterator[str]:
    """Yield the lines of the page."""
    reports: dict[str, tuple[Report, Extra]] = {}
    for folder in sorted(corpora.iterdir()):
        if folder.is_dir():
            extra = Extra()
            options = make_options(**STATED.get(folder.name, {}))
            reports[folder.name] = audit_sources(sources(folder), options, extra), extra
    inferred = {name: audit_sources(sources(corpora / name), make_options()) for name in STATED}
    yield from HEAD.splitlines()
    yield ""
    yield from overview(reports)
    yield from gaussian(reports, inferred)
    yield from dsrs(reports.get("llylly+DSRS"))
    yield from adaptive(reports.get("ubc-systopia+adaptive-randomized-smoothing"))
    yield from CODA.splitlines()


HEAD = """\
# What published certificates say, exactly

Logs of certificates that authors published with their papers, audited row by row. Written by `python scripts/literature.py CORPORA`; do not edit.

These are honest logs of good research code, and publishing them is what makes such a check possible. Nearly every overclaim below is
the last digit of a number that was rounded to nearest when it was printed. What is wrong is said with its size, and what is not wrong as well.

A printed radius stands for every number that prints so. Of all counts whose exact radius prints as the claimed number: all prove it (*confirmed*), some do (*inconclusive*),
none does (*unsupported*). Rows that abstain claim nothing. Radii are decided for Clopper-Pearson at the stated number of samples and failure probability."""

CODA = """\
## What follows

- Print radii rounded down. `certaudit audit LOG --fix OUT` does that to a log that exists.
- State samples and failure probability in the log itself. They can be inferred from a log of some hundred rows, but a reader should not have to.
- Write the counts. A count takes no more room than a radius, and proves what a rounded radius only suggests."""


def table(*rows: list[str]) -> Iterator[str]:
    """Yield a table in Markdown, numbers to the right."""
    head, *body = rows
    yield "| " + " | ".join(head) + " |"
    yield "| --- |" + " ---: |" * (len(head) - 1)
    for row in body:
        yield "| " + " | ".join(row) + " |"
    yield ""


def overview(reports: dict[str, tuple[Report, Extra]]) -> Iterator[str]:
    """Yield the verdicts of each repository."""
    head = ["repository", "files", "rows", "abstained", "confirmed", "inconclusive", "unsupported"]
    rows = [[*head, "refuted"]]
    for name, (report, _) in reports.items():
        if not report.files:
            continue
        v = report.verdicts
        names = ("abstained", "confirmed", "inconclusive", "unsupported", "refuted")
        numbers = [len(report.files), v.total(), *(v[verdict] for verdict in names)]
        rows.append([name, *(f"{number:,}" for number in numbers)])
    yield from table(*rows)


def logs(report: Report) -> list[FileReport]:
    """Return the logs in the form of Cohen et al. that were written by the programs themselves."""
    return [
        file
        for file in report.files
        if file.kind == "radii" and not file.name.endswith("stdout.txt")
    ]


def gaussian(
    reports: dict[str, tuple[Report, Extra]], inferred: dict[str, Report]
) -> Iterator[str]:
    """Yield the part on the logs in the form of Cohen et al."""
    names = [name for name in STATED if name in reports]
    files = [file for name in names for file in logs(reports[name][0])]
    v = sum((file.verdicts for file in files), Counter())
    rows = v.total()
    top = quantiles(100_000, Fraction(1, 1000)).radius(100_000)
    zero = sum(reports[name][1].zero for name in names)
    yield "## Gaussian smoothing: " + " and ".join(names)
    yield ""
    yield (
        f"{len(files)} logs with {rows:,} rows (N = 100000, a = 0.001 as their papers state), "
        f"{v['abstained']:,} of them abstentions. Radii are printed with 4 decimals or 3 "
        "significant digits, rounded to nearest."
    )
    yield ""
    claims = rows - v["abstained"]
    yield from table(
        ["verdict", "rows", "share of claims"],
        ["no consistent count proves the printed radius", f"{v['unsupported']:,}",
         share(v["unsupported"], claims)],
        ["some consistent counts prove it, some do not", f"{v['inconclusive']:,}",
         share(v["inconclusive"], claims)],
        [f"every consistent count proves it ({zero} of these claim radius 0)",
         f"{v['confirmed']:,}", share(v["confirmed"], claims)],
        ["no outcome of the sampling allows it", f"{v['refuted']:,}", share(v["refuted"], claims)],
    )  # fmt: skip
    excess = _up(max(file.largest_rounding for file in files))
    at_most = sum(reports[name][1].at_most for name in names)
    low, high = round_down(Fraction(top[0])), round_up(Fraction(top[1]))
    yield (
        f"**By how much.** At most {excess}, half a unit of the last printed digit. "
        f"{at_most:,} of these rows print the radius that all 100,000 votes give, sigma "
        f"Phi^-1(0.001^(1/100000)) = {low:.8f} sigma, rounded up: for sigma = 0.25 that is "
        f"{high / 4:.6f}, printed 0.9529 or 0.953."
    )
    yield ""
    drops = [(file.effect.grid_drop(), file.effect.rows, file.name) for file in files]
    drops = [drop for drop in drops if drop[1]]
    touched = sorted((d for d in drops if d[0]), key=lambda d: -d[0] / d[1])
    yield (
        f"**What it changes.** Certified accuracy at the radii 0, 0.25, 0.5, ... that tables of such "
        f"papers use changes in {len(touched)} of {len(drops)} logs, by "
        + (
            f"at most {points(*touched[0][:2])} points (`{touched[0][2]}`)."
            if touched
            else "nothing."
        )
    )
    if touched:
        yield ""
        yield from table(
            ["log", "points", "rows"],
            *([f"`{name}`", points(lost, of), f"{of:,}"] for lost, of, name in touched[:5]),
        )
    else:
        yield ""
    good = [text for code, text in SOUND.items() if not seen(files, code)]
    if not v["refuted"]:
        good.insert(0, "no row is refuted")
    text = ", ".join(good)
    yield (
        f"**What is not wrong.** {text[:1].upper()}{text[1:]}. Held against the stated N and a; "
        f"{identified(names, inferred)}"
    )
    yield ""
    yield from oddities([reports[name][0] for name in names])


SOUND = {
    "CA106": "no radius is one that no count gives",
    "CA113": "every flag agrees with label and prediction",
    "CA109": "no index is there twice",
    "CA110": "none is missing between the first and the last",
    "CA108": "no abstention has a positive radius",
}
"""What can be said of logs that do not have a finding."""


def seen(files: list[FileReport], code: str) -> bool:
    """Return whether some file has a finding."""
    return any(finding.kind.code == code for file in files for finding in file.findings)


def identified(names: list[str], inferred: dict[str, Report]) -> str:
    """Return how many logs give their parameters away."""
    files = [file for name in names for file in logs(inferred[name]) if file.claims]
    right = [
        file
        for file in files
        if file.parameters.get("samples") == 100_000
        and file.parameters.get("failure_prob") == "1/1000"
    ]
    alone = [
        file for file in right if all(finding.kind.code != "CA119" for finding in file.findings)
    ]
    return (
        f"inferred from the numbers alone they come out the same in {len(right)} of {len(files)} "
        f"logs with claims, and in {len(alone)} the hundred largest radii allow nothing else that was tried."
    )


def oddities(found: list[Report]) -> Iterator[str]:
    """Yield the other findings, with the files they are in."""
    where: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    for report in found:
        for file in report.files:
            for finding in file.findings:
                code = finding.kind.code
                if code in ("CA107", "CA131", "CA115", "CA119"):
                    continue
                names[code] = f"{code} {finding.kind.name}"
                where.setdefault(code, []).append(file.name)
    if not where:
        return
    yield "Other findings:"
    yield ""
    for code in sorted(where):
        files = sorted(set(where[code]))
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        yield f"- {names[code]}: `{files[0]}`{more}"
    yield ""


def dsrs(found: tuple[Report, Extra] | None) -> Iterator[str]:
    """Yield the part on probability logs in full precision."""
    if found is None:
        return
    report, _ = found
    shares = [file for file in report.files if file.kind == "shares"]
    radii = [file for file in report.files if file.kind == "radii"]
    v = sum((file.verdicts for file in shares), Counter())
    w = sum((file.verdicts for file in radii), Counter())
    yield "## Bounds in full double precision: llylly+DSRS"
    yield ""
    noise = max(file.largest_noise for file in shares)
    yield (
        f"{len(shares)} logs with two-sided Clopper-Pearson bounds ({v.total():,} rows). Every pair of "
        f"bounds is that of one count. {v['unsupported']:,} rows are above (lower bound) or below (upper "
        f"bound) the exact one, by at most {tiny(noise)}: float noise of the beta quantile, which errs "
        f"to both sides; {v['confirmed']:,} rows are confirmed."
    )
    yield ""
    noise = max(file.largest_noise for file in radii)
    yield (
        f"{len(radii)} files with radii ({w.total():,} rows, {w['abstained']:,} of them 0): "
        f"{w['confirmed']:,} confirmed, {w['unsupported']:,} too large by at most {tiny(noise)}, "
        f"{w['inconclusive']:,} not decided: they are of the generalised Gaussian, whose radii no "
        "exact decision is built in for."
    )
    yield ""
    yield from oddities([report])


def adaptive(found: tuple[Report, Extra] | None) -> Iterator[str]:
    """Yield the part on the l-infinity log."""
    if found is None or not found[0].files:
        return
    report = found[0]
    file = report.files[0]
    v, causes = file.verdicts, file.causes
    yield "## l-infinity radii: ubc-systopia+adaptive-randomized-smoothing"
    yield ""
    parameters = ", ".join(f"{name} {value}" for name, value in file.parameters.items())
    yield (
        f"One log of {v.total()} rows, {v['abstained']} of them abstentions (with negative radii). It does not "
        f"state its sampling; what explains every row is {parameters}. {v['confirmed']} rows are "
        f"confirmed; {causes['printed-rounding']} radii are printed above what is proven, by at most "
        f"{tiny(file.largest_rounding)}; {causes['float-noise']} more have a lower bound that is above the exact "
        f"one by at most {tiny(file.largest_noise)}."
    )
    yield ""
    yield from oddities([report])


def _up(value: float) -> str:
    """Return a number with two digits, rounded up."""
    places = 1 - math.floor(math.log10(value))
    return f"{math.ceil(value * 10**places * (1 - 1e-12)) / 10**places:.{places}f}"


def tiny(value: float) -> str:
    """Return a small number with two digits, rounded up."""
    power = math.floor(math.log10(value))
    return f"{math.ceil(value / 10**power * 10 * (1 - 1e-12)) / 10:.1f}e{power:+03}"


def share(part: int, whole: int) -> str:
    """Return a share in percent."""
    return f"{100 * part / whole:.2f} %"


def points(lost: int, of: int) -> str:
    """Return lost/of in points, rounded up to two decimals."""
    return f"{math.ceil(Fraction(10_000 * lost, of)) / 100:.2f}"


if __name__ == "__main__":
    main()
