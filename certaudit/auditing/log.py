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
from certaudit.auditing.evidence import Decided, Evidence, FlipJudge
from certaudit.auditing.gaussian import (
    KEY_COLUMNS,
    GaussianJudge,
    Key,
    Scale,
    Setting,
    gaussian_judge,
    least_of_one,
    share_of_log_error,
)
from certaudit.auditing.parameters import Candidates, Parameters, explaining
from certaudit.auditing.printed import Format, FormatSurvey, parse_printed
from certaudit.auditing.product import ProductJudge
from certaudit.auditing.rows import RowChecks, abstaining, correct_rows
from certaudit.auditing.verdict import CAUSES, VERDICTS, Cause, Judged, Reason, Verdict
from certaudit.auditing.votes import Votes, class_counts, read_votes, same_samples
from certaudit.claims import CLASSIFIER, Chunk, Source, Stated
from certaudit.errors import InputError, Undecided
from certaudit.exact import format_rational
from certaudit.fast.quantiles import quantiles
from certaudit.findings import (
    BITS,
    CATALOGUE,
    COUNT_IMPOSSIBLE,
    FAILURE_PROB_NOT_STATED,
    HEADER_ONLY,
    NOT_IDENTIFIABLE,
    PAIRWISE_FOR_PLURALITY,
    PARAMETERS_CONTRADICTED,
    PARAMETERS_UNEXPLAINED,
    RADIUS_ZERO,
    RIDGE_READS_LABELS,
    ROUNDED_DOWN,
    SAME_SAMPLES,
    Kind,
)
from certaudit.noise import LabelFlip, ProductNoise, discrete, label_flip
from certaudit.rigorous.confidence import MAX_SAMPLES

__all__ = [
    "Counterexample",
    "FileFinding",
    "FileReport",
    "Options",
    "Rows",
    "Sink",
    "audit_source",
]

_SHOWN = 5
"""Counterexamples of a file that are kept for its report, and labels to flip of each."""
_TELLING = 100
"""Rows with the largest radii that other parameters are held against."""
_PRODUCT = ("label-flip", "discrete")
_DIFFERENT = 200_000
"""Different rows that the parameters are inferred from; no more groups of rows are taken then."""
_GAUSSIAN_GRID = np.arange(0, 65) / 4.0
_WHOLE_GRID = np.array(
    sorted({0, *(d * 10**k for k in range(6) for d in (1, 2, 5))}), dtype=np.float64
)


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller states (it goes before what a file says), what is tried, and evidence."""

    stated: Mapping[str, Stated] = field(default_factory=dict)
    candidates: Candidates = field(default_factory=Candidates)
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a file with their verdicts, as they are decided."""

    source: Source
    chunk: Chunk
    judged: Judged
    judge: GaussianJudge | ProductJudge | None = None
    decided: Decided | None = None


Sink: TypeAlias = "Callable[[Rows], None]"
"""Takes rows, one group after the other."""


@dataclass(frozen=True, slots=True)
class Counterexample:
    """A claim that flips refute: where it stands, the flips and some of the labels to flip."""

    line: int
    index: str
    claimed: float
    flips: int
    first: tuple[int, ...]


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
    by_evidence: int | None = None
    """Claims that were held against evidence given apart, None where there was none."""
    disproved: int = 0
    """Those of them that flips of labels refute."""
    counterexamples: list[Counterexample] = field(default_factory=list)
    """The first of these."""
    sha256: str | None = None
    """Of the file, None where the claims are not one."""
    size: int | None = None
    """Its bytes."""

    def count(self, chunk: Chunk, judged: Judged, decided: Decided | None = None) -> None:
        """Count verdicts and causes of some rows."""
        if decided is not None:
            self._count_evidence(chunk, judged, decided)
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

    def _count_evidence(self, chunk: Chunk, judged: Judged, decided: Decided) -> None:
        silent = judged.is_(Verdict.ABSTAINED) | judged.is_(Verdict.MALFORMED)
        shown = judged.is_(Verdict.REFUTED)
        indexes = chunk.columns.get("index")
        for row, known in enumerate(decided.known):
            if known is None or silent[row]:
                continue
            self.by_evidence = (self.by_evidence or 0) + 1
            if not shown[row] or known.flips is None:
                continue
            self.disproved += 1
            if len(self.counterexamples) < _SHOWN:
                first = tuple(known.flips[:_SHOWN].tolist())
                self.counterexamples.append(
                    Counterexample(
                        int(chunk.lines[row]),
                        indexes[row] if indexes else "",
                        float(judged.claimed[row]),
                        known.refuted_at,
                        first,
                    )
                )

    @property
    def claims(self) -> int:
        """How many rows claim something, malformed ones among them."""
        return self.verdicts.total() - self.verdicts[Verdict.ABSTAINED.value]

    def as_json(self) -> dict[str, object]:
        """Return the report as plain JSON values, without findings and rows."""
        evidence: dict[str, object] = {}
        if self.by_evidence is not None:
            evidence["by_evidence"] = {"claims": self.by_evidence, "disproved": self.disproved}
        return {
            "file": self.name,
            "sha256": self.sha256,
            "bytes": self.size,
            "kind": self.kind,
            "parameters": self.parameters,
            "inferred": self.inferred,
            "formats": self.formats,
            "claims": self.claims,
            **{verdict.value: self.verdicts[verdict.value] for verdict in VERDICTS},
            "by_cause": {c.value: self.causes[c.value] for c in CAUSES if self.causes[c.value]},
            "knows_right": self.knows_right,
            **evidence,
            "accuracy": self.effect.as_json(),
        }


@dataclass(slots=True)
class _Survey:
    """What a first reading of a file shows."""

    formats: dict[str, FormatSurvey] = field(default_factory=dict)
    keys: set[Key] = field(default_factory=set)
    columns: set[str] = field(default_factory=set)

    def take(self, chunk: Chunk) -> None:
        self.columns.update(chunk.columns)
        silent = abstaining(chunk)
        for name in ("radius", "p_lower", "p_upper", "log_error"):
            if name in chunk.columns:
                texts = chunk.columns[name]
                if silent.any() and not silent.all():
                    # What an abstention prints says nothing of how claims are printed.
                    texts = [texts[row] for row in np.flatnonzero(~silent)]
                self.formats.setdefault(name, FormatSurvey()).add(texts)
        if len(self.keys) < _DIFFERENT:
            self.keys |= _keys(chunk)


def audit_source(source: Source, options: Options, sink: Sink | None = None) -> FileReport:
    """Return what was found in one file of claims; every row goes to `sink`, in order.

    The file is read twice. Raises InputError, naming the file, where it cannot be read, or where
    nothing says for which noise its claims are; never for a single row.
    """
    audit = _Audit(source, {**source.stated, **options.stated}, options)
    judge: GaussianJudge | ProductJudge
    flips = audit.flips()
    if audit.noise in _PRODUCT:
        judge = audit.product()
    else:
        survey = _Survey()
        for chunk in source.chunks():
            read_votes(chunk, audit.whole("samples"))
            survey.take(chunk)
        judge = audit.gaussian(survey)
    checks = RowChecks()
    for chunk in source.chunks():
        votes = read_votes(chunk, audit.whole("samples"))
        judged = judge.judge(chunk)
        audit.settle(chunk, judged, votes)
        decided = None if flips is None else flips.settle(chunk, judged)
        checks.check(chunk, judged)
        audit.note(chunk, judged, decided)
        if sink is not None:
            sink(Rows(source, chunk, judged, judge, decided))
    return audit.finish(checks)


class _Audit:
    """The audit of one file, while it goes on."""

    def __init__(self, source: Source, stated: Mapping[str, Stated], options: Options) -> None:
        self.source, self.stated, self.options = source, stated, options
        self.report = FileReport(source.name, source.kind)
        self.contradiction: dict[str, object] | None = None
        self.impossible = 0
        self.training_labels = self.whole("training_labels")
        self.evidence: dict[str, object] | None = None
        self._check_stated()
        self.same_samples = self.word("selection") == "same" or same_samples(
            source, self.whole("samples")
        )
        first = next(iter(source.chunks()), None)
        self._classes = 0 if first is None else len(class_counts(first))
        self._has_votes = first is not None and ("count" in first.columns or self._classes > 0)
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

    def _check_stated(self) -> None:
        """Refuse options that say something of another noise, or of none.

        Raises InputError.
        """
        name = self.source.name
        others = ("q", "alpha", "values") if self.noise not in _PRODUCT else ("sigma", "dimension")
        for other in others:
            if other in self.stated and self.stated[other].origin == "option":
                raise InputError(
                    f"{name}: {other} says nothing of {self.noise or 'Gaussian'} noise"
                )
        norm = self.source.stated.get("norm")
        if norm is not None and norm.value != self.word("norm"):
            raise InputError(f"{name}: norm: the file says {norm.value}")
        if self.noise in _PRODUCT and self.word("norm") == "linf":
            raise InputError(f"{name}: norm: {self.noise} noise has numbers of changes, no norm")
        if "dimension" in self.stated and self.word("norm") != "linf":
            raise InputError(f"{name}: dimension: only linf radii depend on it (norm linf)")
        if self.options.evidence is None:
            for other in (*CLASSIFIER, "alpha_margin"):
                if other in self.stated:
                    raise InputError(f"{name}: {other} says nothing without evidence")

    def flips(self) -> FlipJudge | None:
        """Return what judges radii by evidence given apart, None where there is none.

        Raises InputError where the claims are of another kind, or contradict it.
        """
        evidence, name = self.options.evidence, self.source.name
        if evidence is None:
            return None
        if self.noise != "label-flip" or self.whole("classes") not in (None, 2):
            classes = f", {self.whole('classes')} classes" if self.noise == "label-flip" else ""
            raise InputError(
                f"{name}: {evidence.name} decides label flips of two labels (q), not "
                f"{self.noise or 'Gaussian'} noise{classes}"
            )
        q = self.number("q")
        if q is None:
            raise InputError(f"{name}: label-flip needs q")
        if not 0 < q < Fraction(1, 2):
            raise InputError(f"{name}: {evidence.name} decides label flips for 0 < q < 1/2")
        alphas = evidence.alphas(self.source, q, self.stated)
        n, stated = len(alphas.labels), self.whole("training_labels")
        if stated not in (None, n):
            raise InputError(
                f"{name}: has {stated} training labels, {evidence.name} has {n}: not the same data"
            )
        self.training_labels = n
        self.evidence = dict(alphas.described)
        self.report.by_evidence = 0
        if alphas.reads_labels:
            text = "flips are held against this ridge, not against the rule that chose it"
            self._file_finding(RIDGE_READS_LABELS, text)
        strictly = self.word("guarantee") in (None, "exact")
        return FlipJudge(alphas, q, name, strictly=strictly)

    def settle(self, chunk: Chunk, judged: Judged, votes: Votes | None) -> None:
        """Settle what is no matter of a noise model: what cannot be read, or cannot be."""
        unreadable = np.zeros(len(chunk.lines), np.bool_)
        if votes is not None:
            rows = votes.impossible & ~judged.is_(Verdict.MALFORMED)
            judged.put(rows, Verdict.UNSUPPORTED, Reason.IMPOSSIBLE, Cause.BEYOND_EVIDENCE)
            judged.findings[rows] |= np.uint64(BITS[COUNT_IMPOSSIBLE.code])
            judged.proved[rows] = judged.excess[rows] = np.nan
            unreadable |= votes.unreadable
            known = "failure_prob" in self.report.parameters
            # What is refused already stays refused.
            rows = judged.is_(Verdict.CONFIRMED) | judged.is_(Verdict.INCONCLUSIVE)
            rows &= votes.given & ~(votes.usable & known)
            judged.put(rows, Verdict.INCONCLUSIVE, Reason.NO_EVIDENCE)
            judged.proved[rows] = judged.excess[rows] = np.nan
            rows = votes.contradictory & judged.is_(Verdict.CONFIRMED)
            judged.put(rows, Verdict.INCONCLUSIVE, Reason.CONTRADICTS_ITSELF)
            judged.proved[rows] = judged.excess[rows] = np.nan
        self._hold_against_sampling(chunk, judged, votes)
        if self._is_pairwise:
            rows = judged.is_(Verdict.CONFIRMED)
            judged.put(rows, Verdict.INCONCLUSIVE, Reason.NOT_DECIDED_HERE)
            judged.findings[rows] |= np.uint64(BITS[PAIRWISE_FOR_PLURALITY.code])
            judged.proved[rows] = np.nan
        if self.same_samples and not self._same_is_decided:
            rows = judged.is_(Verdict.CONFIRMED) | judged.is_(Verdict.INCONCLUSIVE)
            judged.put(rows, Verdict.INCONCLUSIVE, Reason.SAME_SAMPLES)
            judged.proved[:] = np.nan
        for name in ("radius", "prediction"):
            texts = chunk.columns.get(name)
            if texts is not None and not _BLANK.isdisjoint(texts):
                blank = np.fromiter((text in _BLANK for text in texts), np.bool_, len(texts))
                unreadable |= blank & ~abstaining(chunk) if name == "radius" else blank
        judged.put(unreadable, Verdict.MALFORMED, Reason.UNREADABLE)
        wrong = ~judged.is_(Verdict.CONFIRMED)
        # An excess of nothing is none: something else is wrong with the row.
        judged.excess[wrong & ~(judged.excess > 0)] = np.nan

    @property
    def _is_pairwise(self) -> bool:
        """Whether bounds on pairs are claimed for the vote of all classes, and nothing covers it.

        For label flips the judge knows when it is covered.
        """
        if self.word("bound") != "pairwise" or self.word("vote") == "pairwise":
            return False
        return self.noise != "label-flip" and self.whole("classes") != 2

    def _hold_against_sampling(self, chunk: Chunk, judged: Judged, votes: Votes | None) -> None:
        """Hold bounds without votes against the samples they are from, and against p_upper."""
        texts = {name: chunk.columns.get(name) for name in ("p_lower", "p_upper", "log_error")}
        if not any(texts.values()):
            return
        level = self.number("failure_prob")
        level = None if level is None else level / ((self.whole("sides") or 1) * self._choices())
        sizes = chunk.columns.get("samples")
        stated = self.whole("samples") if self.noise in _PRODUCT else None
        if texts["p_upper"] is None and sizes is None and stated is None:
            return
        known: dict[tuple[str, ...], Reason | None] = {}
        for row in np.flatnonzero(judged.is_(Verdict.CONFIRMED)).tolist():
            if votes is not None and votes.given[row]:
                continue
            size = (sizes[row] if sizes is not None else "") or str(stated or "")
            key = (size, *(column[row] if column else "" for column in texts.values()))
            if key not in known:
                if len(known) > _DIFFERENT:
                    known.clear()
                known[key] = _beyond_sampling(key, level)
            reason = known[key]
            if reason is None:
                continue
            refuted = reason is Reason.BEYOND_EVERY_OUTCOME
            judged.put(row, Verdict.REFUTED if refuted else Verdict.INCONCLUSIVE, reason)
            judged.proved[row] = judged.excess[row] = np.nan

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
        if self.evidence is not None:
            self.report.parameters["evidence"] = self.evidence
        guarantee = self.word("guarantee")
        if guarantee not in (None, "kl", "tight", "exact"):
            raise InputError(f"{self.source.name}: guarantee {guarantee!r} is none of this noise's")
        if guarantee == "exact" and not (isinstance(model, LabelFlip) and model.binary):
            raise InputError(f"{self.source.name}: guarantee 'exact' is for two labels")
        return ProductJudge(
            model,
            guarantee=guarantee,
            training_labels=self.training_labels,
            samples=self.whole("samples"),
            failure_prob=None if chance is None else chance / self._choices(),
            sides=self.whole("sides") or 1,
            vote=self.word("vote"),
            pairwise_bound=self.word("bound") == "pairwise",
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
        """Return among how many classes one was chosen by the votes that bound it; 1 else.

        A union bound: the failure probability is divided by it.
        """
        if not self.same_samples:
            return 1
        implied = 2 if self.noise == "label-flip" else 1
        return max(self.whole("classes") or implied, self._classes)

    @property
    def _same_is_decided(self) -> bool:
        """Whether rows can be decided whose class was chosen by the votes that bound it."""
        return self._has_votes and self._choices() > 1

    def gaussian(self, survey: _Survey) -> GaussianJudge:
        """Return what judges other rows, by what is stated or, where nothing is, what explains."""
        noise = self.noise
        if noise is None and "sigma" not in self.stated and "log_error" in survey.columns:
            raise InputError(
                f"{self.source.name}: nothing says for which noise; state q (label flips, --q), "
                "alpha and values (discrete), or sigma (Gaussian)"
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
        keys = sorted(survey.keys, key=lambda key: (_size(key), key), reverse=True)
        without = stated.samples is None and stated.failure_prob is None
        exact = base.p_is_exact or "log_error" in survey.columns
        if "count" in survey.columns:
            return stated  # votes of an unknown number prove nothing, and do not tell it
        sampled = not (exact and without) and "samples" not in survey.columns
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
                # What is not stated was inferred under values that are not the stated ones.
                return nearly or stated
        text = "no parameters explain every row"
        if nearly is not None:
            text += (
                f"; {_spell(nearly)} explain all but at most {spare} of {len(keys)} different ones"
            )
        self._file_finding(PARAMETERS_UNEXPLAINED, text)
        return nearly or stated

    # What is seen -----------------------------------------------------------------------------

    def note(self, chunk: Chunk, judged: Judged, decided: Decided | None = None) -> None:
        """Count verdicts, causes and findings of some rows."""
        report = self.report
        if self.source.kind == "votes":
            # Radius 0 was added: what is claimed is that the class wins.
            judged.findings &= ~np.uint64(BITS[RADIUS_ZERO.code])
        report.count(chunk, judged, decided)
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
            report.findings.append(FileFinding(kind, rows, self._first_line[code], kind.summary))
        if self.contradiction is not None and self.impossible:
            text = f"rows that the stated parameters leave impossible: {self.impossible}"
            more = {"rows": self.impossible, **self.contradiction}
            self._file_finding(PARAMETERS_CONTRADICTED, text, more)
        if not report.verdicts.total():
            self._file_finding(HEADER_ONLY, "a header and no rows")
        else:
            self._sampling_findings()
        for name in ("norm", "sides", "rounding", "selection", "bound", "vote", "guarantee"):
            if name in self.stated:
                report.parameters.setdefault(name, self.stated[name].value)
        report.findings.sort(key=lambda finding: (finding.kind.code, finding.line))
        report.step, report.last = checks.step, checks.largest
        return report

    def _sampling_findings(self) -> None:
        report = self.report
        if "failure_prob" in report.inferred:
            found = report.parameters["failure_prob"]
            self._file_finding(FAILURE_PROB_NOT_STATED, f"inferred: {found}")
        elif self._has_votes and "failure_prob" not in report.parameters:
            self._file_finding(FAILURE_PROB_NOT_STATED, "votes prove nothing without it")
        if self.word("rounding") == "down":
            self._file_finding(ROUNDED_DOWN, f"stated by: {self.stated['rounding'].origin}")
        if self.same_samples:
            text = "the class was chosen by the votes that bound it"
            if self._same_is_decided:
                text += f"; the failure probability is divided by {self._choices()} classes"
            self._file_finding(SAME_SAMPLES, text)


_BLANK = frozenset({"", "nan", "NaN", "None", "none", "null"})
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


def _beyond_sampling(key: tuple[str, ...], level: Fraction | None) -> Reason | None:
    """Return why a bound of a row without votes is none, None where nothing speaks against it.

    The key: samples, p_lower, p_upper, log_error, as texts.
    """
    size, lower, upper, log_error = key
    try:
        return _why_beyond(size, lower, upper, log_error, level)
    except (InputError, Undecided):
        return Reason.LIMIT


def _why_beyond(
    size: str, lower: str, upper: str, log_error: str, level: Fraction | None
) -> Reason | None:
    least = Fraction(0)
    if log_error:
        least = share_of_log_error(log_error)[0]
    elif lower:
        least = parse_printed(lower) or Fraction(0)
        least = least_of_one(lower) if least == 1 else least
    if upper and least > (parse_printed(upper) or Fraction(0)):
        return Reason.CONTRADICTS_ITSELF
    if not size or least <= 0:
        return None
    samples = parse_printed(size)
    if samples is None or samples.denominator != 1 or not 1 <= samples <= MAX_SAMPLES:
        return Reason.NO_EVIDENCE
    if level is None:
        return Reason.NO_EVIDENCE  # sampled, and nobody says how often it is false
    most = quantiles(int(samples), level)
    return None if most.proves(most.samples, least) else Reason.BEYOND_EVERY_OUTCOME


def _spell(parameters: Parameters) -> str:
    return ", ".join(f"{name} {value}" for name, value in parameters.as_json().items())
