"""Audits one file of claims: what it states, what explains it, a verdict on every row."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import combinations
from typing import TypeAlias

import numpy as np

from certaudit.auditing.effect import Effect
from certaudit.auditing.gaussian import (
    KEY_COLUMNS,
    GaussianJudge,
    Key,
    Scale,
    Setting,
    gaussian_judge,
)
from certaudit.auditing.parameters import Candidates, Parameters, explaining
from certaudit.auditing.printed import Format, FormatSurvey, parse_printed
from certaudit.auditing.product import ProductJudge
from certaudit.auditing.rows import RowChecks, abstaining, abstains, correct_rows
from certaudit.auditing.verdict import CAUSES, VERDICTS, Cause, Judged, Reason, Verdict
from certaudit.claims import Chunk, Source, Stated
from certaudit.errors import InputError
from certaudit.exact import format_rational
from certaudit.findings import (
    BITS,
    CATALOGUE,
    FAILURE_PROB_NOT_STATED,
    HEADER_ONLY,
    NOT_IDENTIFIABLE,
    PARAMETERS_CONTRADICTED,
    PARAMETERS_UNEXPLAINED,
    RADIUS_ZERO,
    SAME_SAMPLES,
    UNDER_CLAIM,
    Kind,
)
from certaudit.noise import ProductNoise, discrete, label_flip

__all__ = ["FileFinding", "FileReport", "Options", "Rows", "Sink", "audit_source"]

_TELLING = 100
"""Rows with the largest radii that other parameters are held against."""
_PRODUCT = ("label-flip", "discrete")
_DIFFERENT = 200_000
"""Different rows that the parameters are inferred from."""
_GAUSSIAN_GRID = np.arange(0, 65) / 4.0
_WHOLE_GRID = np.array(
    sorted({0, *(d * 10**k for k in range(6) for d in (1, 2, 5))}), dtype=np.float64
)


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller states (it goes before what a file says), and what is tried."""

    stated: Mapping[str, Stated] = field(default_factory=dict)
    candidates: Candidates = field(default_factory=Candidates)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a file with their verdicts, as they are decided."""

    source: Source
    chunk: Chunk
    judged: Judged
    judge: GaussianJudge | ProductJudge | None = None


Sink: TypeAlias = "Callable[[Rows], None]"
"""Takes rows, one group after the other."""


@dataclass(slots=True)
class FileFinding:
    """A finding in a file: how many rows have it (0: the file itself), and the first line."""

    kind: Kind
    rows: int
    line: int
    message: str
    more: dict[str, object] = field(default_factory=dict)

    def as_json(self, file: str) -> dict[str, object]:
        """Return the finding as plain JSON values."""
        found: dict[str, object] = {"code": self.kind.code, "name": self.kind.name, "file": file}
        found |= {"rows": self.rows, "line": self.line, "message": self.message}
        return found | self.more


@dataclass(slots=True)
class FileReport:
    """What was found in one file."""

    name: str
    kind: str
    parameters: dict[str, object] = field(default_factory=dict)
    inferred: list[str] = field(default_factory=list)
    formats: dict[str, str] = field(default_factory=dict)
    verdicts: Counter[str] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)
    findings: list[FileFinding] = field(default_factory=list)
    effect: Effect = field(default_factory=lambda: Effect(_GAUSSIAN_GRID))
    first_lines: dict[str, int] = field(default_factory=dict)
    """The line of the first row with a verdict."""
    step: int | None = None
    last: int | None = None

    rounded_up: int = 0
    """Claims that were true before they were rounded to be printed."""
    largest_rounding: float = 0.0
    """The most that one of these is above what is proven."""
    largest_noise: float = 0.0
    """The most that a claim is above what is proven by float errors."""
    knows_right: bool = False
    """Whether it is known which predictions are right."""

    def count(self, chunk: Chunk, judged: Judged) -> None:
        """Count verdicts and causes of some rows."""
        up = judged.is_(Verdict.UNSUPPORTED) & (judged.cause == Cause.PRINTED_ROUNDING.code)
        noise = judged.cause == Cause.FLOAT_NOISE.code
        if noise.any():
            self.largest_noise = max(
                self.largest_noise, float(np.nanmax(judged.excess[noise], initial=0.0))
            )
        if up.any():
            self.rounded_up += int(up.sum())
            self.largest_rounding = max(
                self.largest_rounding, float(np.nanmax(judged.excess[up], initial=0.0))
            )
        for verdict in VERDICTS:
            rows = judged.is_(verdict)
            times = int(rows.sum())
            if times:
                self.verdicts[verdict.value] += times
                self.first_lines.setdefault(verdict.value, int(chunk.lines[rows][0]))
        for cause in CAUSES:
            if cause.value:
                self.causes[cause.value] += int((judged.cause == cause.code).sum())
        if chunk.malformed:
            self.verdicts[Verdict.MALFORMED.value] += len(chunk.malformed)
            self.first_lines.setdefault(Verdict.MALFORMED.value, chunk.malformed[0][0])

    @property
    def claims(self) -> int:
        """How many rows claim something, malformed ones among them."""
        return self.verdicts.total() - self.verdicts[Verdict.ABSTAINED.value]

    def as_json(self) -> dict[str, object]:
        """Return the report as plain JSON values, without findings and rows."""
        return {
            "file": self.name,
            "kind": self.kind,
            "parameters": self.parameters,
            "inferred": self.inferred,
            "formats": self.formats,
            "claims": self.claims,
            **{verdict.value: self.verdicts[verdict.value] for verdict in VERDICTS},
            "by_cause": {c.value: self.causes[c.value] for c in CAUSES if self.causes[c.value]},
            "accuracy": self.effect.as_json(),
        }


@dataclass(slots=True)
class _Survey:
    """What a first reading of a file shows."""

    formats: dict[str, FormatSurvey] = field(default_factory=dict)
    keys: dict[Key, int] = field(default_factory=dict)
    columns: set[str] = field(default_factory=set)
    rows: int = 0
    cut: bool = False

    def take(self, chunk: Chunk) -> None:
        rows = len(chunk.lines)
        self.rows += rows
        self.columns.update(chunk.columns)
        silent = abstaining(chunk)
        for name in ("radius", "p_lower", "p_upper", "log_error"):
            if name in chunk.columns:
                texts = chunk.columns[name]
                if name == "radius" and silent.any():
                    # What an abstention prints says nothing of how radii are printed.
                    texts = [texts[row] for row in np.flatnonzero(~silent)]
                self.formats.setdefault(name, FormatSurvey()).add(texts)
        for key in _keys(chunk):
            if len(self.keys) >= _DIFFERENT:
                self.cut = True
                break
            self.keys.setdefault(key, 0)


def audit_source(source: Source, options: Options, sink: Sink | None = None) -> FileReport:
    """Return what was found in one file of claims; every row goes to `sink`, in order.

    The file is read twice. Raises InputError, naming the file, where it cannot be read, or where
    nothing says for which noise its claims are; never for a single row.
    """
    audit = _Audit(source, {**source.stated, **options.stated}, options)
    audit.same_samples = audit.same_samples or _chosen_by_the_same(source)
    judge: GaussianJudge | ProductJudge
    if audit.noise in _PRODUCT:
        judge = audit.product()
    else:
        survey = _Survey()
        for chunk in source.chunks():
            audit.derive(chunk)
            survey.take(chunk)
        judge = audit.gaussian(survey)
    checks = RowChecks()
    for chunk in source.chunks():
        audit.derive(chunk)
        judged = judge.judge(chunk)
        checks.check(chunk, judged)
        audit.note(chunk, judged)
        if sink is not None:
            sink(Rows(source, chunk, judged, judge))
    return audit.finish(checks)


class _Audit:
    """The audit of one file, while it goes on."""

    def __init__(self, source: Source, stated: Mapping[str, Stated], options: Options) -> None:
        self.source, self.stated, self.options = source, stated, options
        self.report = FileReport(source.name, source.kind)
        self.contradiction: dict[str, object] | None = None
        self.impossible = 0
        self.same_samples = stated.get("selection", Stated("", "")).value == "same"
        self._rows_with: Counter[str] = Counter()
        self._first_line: dict[str, int] = {}

    # What is judged by ------------------------------------------------------------------------

    def word(self, name: str) -> str | None:
        """Return a parameter that is a word."""
        return str(self.stated[name].value) if name in self.stated else None

    def number(self, name: str) -> Fraction | None:
        """Return a parameter that is a number."""
        return Fraction(self.stated[name].value) if name in self.stated else None

    def whole(self, name: str) -> int | None:
        """Return a parameter that is an integer."""
        return int(self.stated[name].value) if name in self.stated else None

    def derive(self, chunk: Chunk) -> None:
        """Add the columns that follow from counts for each class."""
        _add_votes(chunk, self.whole("samples"))

    @property
    def noise(self) -> str | None:
        """The name of the noise model, None where nothing says it."""
        if "noise" in self.stated:
            return str(self.stated["noise"].value)
        if "q" in self.stated:
            return "label-flip"
        return "discrete" if "alpha" in self.stated else None

    def product(self) -> ProductJudge:
        """Return what judges rows under label flips or discrete noise."""
        model = self._product_noise(self.noise)
        known = {name: self.stated[name].value for name in ("samples",) if name in self.stated}
        chance = self.number("failure_prob")
        if chance is not None:
            known["failure_prob"] = format_rational(chance)
        self.report.effect = Effect(_WHOLE_GRID)
        self.report.parameters = {"noise_model": model.as_json(), **known}
        guarantee = self.word("guarantee")
        if guarantee not in (None, "kl", "tight"):
            raise InputError(f"{self.source.name}: guarantee {guarantee!r} is none of this noise's")
        return ProductJudge(
            model,
            guarantee=guarantee,
            training_labels=self.whole("training_labels"),
            samples=self.whole("samples"),
            failure_prob=chance,
            sides=(self.whole("sides") or 1) * self._choices(),
            vote=self.word("vote"),
            pairwise_bound=self.word("bound") == "pairwise" and self.word("vote") == "plurality",
        )

    def _product_noise(self, noise: str | None) -> ProductNoise:
        first, second = ("q", "classes") if noise == "label-flip" else ("alpha", "values")
        value, size = self.number(first), self.whole(second) or 2
        if value is None:
            raise InputError(f"{self.source.name}: {noise} needs {first}")
        try:
            return label_flip(value, size) if noise == "label-flip" else discrete(value, size)
        except InputError as error:
            raise InputError(f"{self.source.name}: {error}") from None

    def _choices(self) -> int:
        """Return among how many classes one was chosen by the votes that bound it; 1 else."""
        return (self.whole("classes") or 1) if self.same_samples else 1

    def gaussian(self, survey: _Survey) -> GaussianJudge:
        """Return what judges other rows, by what is stated or, where nothing is, what explains."""
        noise = self.noise
        if noise is None and "sigma" not in self.stated and "log_error" in survey.columns:
            raise InputError(
                f"{self.source.name}: nothing says for which noise; add --q (label flips), "
                "--alpha and --values (discrete), or --sigma"
            )
        self.report.formats = {n: str(s.format()) for n, s in sorted(survey.formats.items())}
        rounding = self.word("rounding") or "nearest"
        formats = {
            name: seen.format("up" if name == "p_upper" and rounding == "down" else rounding)
            for name, seen in survey.formats.items()
        }
        for name in ("radius", "p_lower", "p_upper"):
            formats.setdefault(name, Format("float64", 17))
        guarantee = self.word("guarantee")
        base = Setting(
            formats,
            sides=(self.whole("sides") or 1) * self._choices(),
            decided=noise in (None, "gaussian") and guarantee in (None, "gaussian"),
            p_is_exact=guarantee is not None,
        )
        linf = self.word("norm") == "linf"
        stated = Parameters(
            self.number("sigma"),
            self.whole("samples"),
            self.number("failure_prob"),
            self.whole("dimension") if linf else 1,
        )
        if noise not in (None, "gaussian"):
            self.report.parameters["noise"] = noise
        found = self._explained(survey, base, stated)
        self.report.parameters |= found.as_json()
        self.report.inferred = [name for name in found.as_json() if name not in stated.as_json()]
        setting = found.setting(base)
        if setting.scale is None and self.source.kind == "votes":
            setting = replace(setting, scale=Scale(Fraction(1)))  # radius 0 only
        return gaussian_judge(setting, contradicted=self.contradiction is not None)

    def _explained(self, survey: _Survey, base: Setting, stated: Parameters) -> Parameters:
        """Return the stated parameters, what is missing in them inferred from the rows."""
        keys = sorted(survey.keys, key=_size, reverse=True)
        without = stated.samples is None and stated.failure_prob is None
        sampled = not (base.p_is_exact and without) and "samples" not in survey.columns
        if not keys or not sampled:
            return stated
        tries = self.options.candidates
        found = next(explaining(keys, base, stated, tries), None)
        if found is not None:
            # The largest radii tell parameters apart, if any do.
            few = explaining(keys[:_TELLING], base, stated, tries)
            other = next((parameters for parameters in few if parameters != found), None)
            if other is not None:
                self._file_finding(
                    NOT_IDENTIFIABLE,
                    f"{_spell(found)} explain every row; the {_TELLING} largest radii or bounds "
                    f"allow others as well: {_spell(other)}",
                    {"others": [other.as_json()]},
                )
            return found
        return self._contradicted(keys, base, stated)

    def _contradicted(self, keys: list[Key], base: Setting, stated: Parameters) -> Parameters:
        tries = self.options.candidates
        names = [name for name in _PARAMETERS if getattr(stated, name) is not None]
        spare = max(1, len(keys) // 100)
        nearly = next(explaining(keys, base, stated, tries, spare=spare), None)
        frees = [subset for n in range(1, len(names) + 1) for subset in combinations(names, n)]
        frees.sort(key=lambda free: "sigma" in free)
        if nearly is not None:
            # A few odd rows are no reason to doubt sigma: some sigma makes any radius the largest.
            frees = [free for free in frees if "sigma" not in free]
        for free in frees:
            other = next(explaining(keys, base, stated, tries, free=free), None)
            if other is not None:
                more: dict[str, object] = {}
                for name, value in stated.as_json().items():
                    if other.as_json().get(name) != value:
                        more[f"stated_{name}"] = value
                        more[f"inferred_{name}"] = other.as_json()[name]
                self.contradiction = more
                known = {n: getattr(stated, n) for n in names}
                return replace(other, **known)
        text = "no parameters explain every row"
        if nearly is not None:
            text += (
                f"; {_spell(nearly)} explain all but at most {spare} of {len(keys)} different ones"
            )
        self._file_finding(PARAMETERS_UNEXPLAINED, text)
        return nearly or stated

    # What is seen -----------------------------------------------------------------------------

    def note(self, chunk: Chunk, judged: Judged) -> None:
        """Count verdicts, causes and findings of some rows."""
        if self.same_samples and self._choices() == 1:
            rows = judged.is_(Verdict.CONFIRMED)
            judged.put(rows, Verdict.INCONCLUSIVE, Reason.NOT_DECIDED_HERE)
        report = self.report
        if self.source.kind == "votes":
            # Radius 0 was added: what is claimed is that the class wins.
            judged.findings &= ~np.uint64(BITS[RADIUS_ZERO.code])
        report.count(chunk, judged)
        seen = int(np.bitwise_or.reduce(judged.findings)) if len(judged.findings) else 0
        for code, bit in BITS.items():
            if seen & bit:
                rows = (judged.findings & np.uint64(bit)) != 0
                self._rows_with[code] += int(rows.sum())
                self._first_line.setdefault(code, int(chunk.lines[rows][0]))
        for note in chunk.notes:
            self._file_finding(note.kind, note.message, line=note.line)
        for reason in (Reason.NOT_ATTAINABLE, Reason.BEYOND_EVERY_OUTCOME):
            self.impossible += int((judged.reason == reason.code).sum())
        right = correct_rows(chunk)
        report.knows_right = report.knows_right or right is not None
        report.effect.add(judged, right)
        report.effect.rows += len(chunk.malformed)

    def _file_finding(
        self, kind: Kind, message: str, more: dict[str, object] | None = None, line: int = 0
    ) -> None:
        self.report.findings.append(FileFinding(kind, 0, line, message, more or {}))

    def finish(self, checks: RowChecks) -> FileReport:
        """Return the report, its findings in the order of their codes."""
        report = self.report
        for note in checks.finish():
            self._file_finding(note.kind, note.message, line=note.line)
        for code, rows in self._rows_with.items():
            kind = CATALOGUE[code]
            text = kind.summary
            if kind is UNDER_CLAIM:
                text = "the evidence proves more than is claimed"
            report.findings.append(FileFinding(kind, rows, self._first_line[code], text))
        if self.contradiction is not None:
            text = f"the stated parameters leave {self.impossible} rows impossible"
            self._file_finding(
                PARAMETERS_CONTRADICTED, text, {"rows": self.impossible, **self.contradiction}
            )
        if not report.verdicts.total():
            self._file_finding(HEADER_ONLY, "a header and no rows")
        elif "failure_prob" in report.inferred:
            found = report.parameters["failure_prob"]
            self._file_finding(FAILURE_PROB_NOT_STATED, f"inferred: {found}")
        if self.same_samples:
            self._file_finding(SAME_SAMPLES, "the class was chosen by the votes that bound it")
        report.findings.sort(key=lambda finding: (finding.kind.code, finding.line))
        report.step, report.last = checks.step, checks.last
        return report


_SELECTION = ("count", "samples", "selection_count", "selection_samples")
_PARAMETERS = ("failure_prob", "samples", "sigma")
"""What may be contradicted, in the order in which it is doubted."""


def _keys(chunk: Chunk) -> set[Key]:
    """Return what the rows of a chunk say of their parameters; abstentions have no radius."""
    blank = [""] * len(chunk.lines)
    columns = [chunk.columns.get(name, blank) for name in KEY_COLUMNS]
    silent = abstaining(chunk)
    keys = map(Key, *columns)
    if silent.any():
        pairs = zip(keys, silent.tolist(), strict=True)
        found = {key._replace(radius="") if nothing else key for key, nothing in pairs}
    else:
        found = set(keys)
    return {key for key in found if any(key)}


def _size(key: Key) -> float:
    try:
        value = parse_printed(key.radius or key.p_lower or "0")
    except InputError:
        return -1.0
    return math.inf if value is None else float(min(value, Fraction(10**9)))


def _chosen_by_the_same(source: Source) -> bool:
    """Return whether the votes that chose each class are the votes that bound it.

    So it looks where both columns are equal in every row; unanimous votes show nothing.
    """
    shown = False
    for chunk in source.chunks():
        columns = [chunk.columns.get(name) for name in _SELECTION]
        if any(column is None for column in columns):
            return False
        for count, samples, chosen, choosing in zip(*(c or [] for c in columns), strict=True):
            if (count, samples) != (chosen, choosing):
                return False
            shown = shown or count != samples
    return shown


def _spell(parameters: Parameters) -> str:
    return ", ".join(f"{name} {value}" for name, value in parameters.as_json().items())


def _check_runner_up(chunk: Chunk, stated: int | None) -> None:
    """Make counts impossible that are more than the samples together with the runner-up's."""
    votes, others = chunk.columns.get("count"), chunk.columns.get("runner_up")
    if votes is None or others is None:
        return
    samples = chunk.columns.get("samples") or [str(stated or "")] * len(votes)
    for row, texts in enumerate(zip(votes, others, samples, strict=True)):
        if all(text.isascii() and text.isdigit() and len(text) < 19 for text in texts):
            count, runner_up, total = map(int, texts)
            if count + runner_up > total:
                votes[row] = "-1"  # impossible, whatever the samples
        elif texts[1] and not texts[1].isdigit():
            votes[row] = texts[1]  # unreadable


def _add_votes(chunk: Chunk, stated: int | None) -> None:
    """Add the votes for the prediction, or for the most voted class, and their number.

    Text that is no integer is passed on as it is: the row is then malformed.
    """
    names = sorted(
        (name for name in chunk.columns if name.startswith("count:")),
        key=lambda name: int(name.partition(":")[2]),
    )
    if not names:
        _check_runner_up(chunk, stated)
        return
    columns = [chunk.columns[name] for name in names]
    classes = [name.partition(":")[2] for name in names]
    predictions = chunk.columns.get("prediction")
    votes, samples, chosen = [], [], []
    for row, counts in enumerate(zip(*columns, strict=True)):
        bad = next((text for text in counts if not text.lstrip("-").isdigit()), None)
        numbers = [0] if bad is not None else list(map(int, counts))
        total = sum(numbers)
        if predictions is not None:
            chosen.append(predictions[row])
        else:
            chosen.append("" if bad else classes[numbers.index(max(numbers))])
        where = classes.index(chosen[-1]) if chosen[-1] in classes else None
        if bad is not None or (where is None and not abstains(chosen[-1])):
            votes.append(bad or "no such class")
        elif min(numbers) < 0 or (stated is not None and total > stated):
            votes.append("-1")  # impossible, whatever the samples
        else:
            votes.append(str(numbers[where]) if where is not None else "0")
        samples.append(str(stated if stated is not None else max(total, 1)))
    chunk.columns["count"], chunk.columns["samples"] = votes, samples
    chunk.columns["prediction"] = chosen
    if "radius" not in chunk.columns:
        # What is claimed is that the class wins the vote.
        chunk.columns["radius"] = ["0"] * len(votes)
