"""Audits of files, folders and data frames: `certaudit audit`, and `audit` in Python."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from flint import arb
from numpy.typing import NDArray

from certaudit import __version__
from certaudit.auditing.curve import Reached, audit_curve
from certaudit.auditing.evidence import Alphas, Evidence, Known, Vector
from certaudit.auditing.log import FileFinding, FileReport, Options, Rows, Sink, audit_source
from certaudit.auditing.mend import mended
from certaudit.auditing.parameters import Candidates
from certaudit.auditing.verdict import CAUSES, REASONS, VERDICTS, Verdict
from certaudit.certify.blocks import AlphaBlocks
from certaudit.certify.data import LabelledData
from certaudit.certify.label_flip import fit
from certaudit.certify.least_squares import LeastSquares
from certaudit.certify.workers import one_blas_thread
from certaudit.claims import CLASSIFIER, PARAMETERS, Source, Stated, parameter
from certaudit.errors import InputError, Undecided
from certaudit.exact import Number, format_rational, parse_rational
from certaudit.findings import BITS, STOPPED_EARLY
from certaudit.io.claims import (
    Broken,
    Skipped,
    check_rewrite,
    frame_source,
    rewrite,
    sources,
)
from certaudit.io.datasets import KEYS, read_data_set
from certaudit.io.evidence import AlphaVectors, read_evidence
from certaudit.io.files import file_digest
from certaudit.rigorous.balls import upper_bound, working_precision
from certaudit.rigorous.flips import MAX_ENUMERATED

__all__ = [
    "Report",
    "audit",
    "audit_sources",
    "claim_objects",
    "make_options",
    "open_evidence",
    "without_evidence",
]

_COUNTED = ("radii", "votes")
"""Kinds of files with a certified accuracy."""
_ALPHA_MARGIN = Fraction(1, 1 << 30)
"""How far the alphas of somebody else's floats may be from the true ones, in l1, relative."""
_BALL_ACCURACY = 160
"""Bits, of the inverse, for the alphas that floats do not bound."""
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,4})?")


@dataclass(slots=True)
class Report:
    """What an audit found: a report for each file, and what was skipped.

    `claims` has an object for each row, if they were asked for.
    """

    files: list[FileReport] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)
    """Files that should have been audited and cannot be read."""
    claims: list[dict[str, object]] = field(default_factory=list)

    @property
    def verdicts(self) -> Counter[str]:
        """How many rows have each verdict."""
        return sum((file.verdicts for file in self.files), Counter())

    def summary(self) -> dict[str, object]:
        """Return the totals as plain JSON values."""
        verdicts = self.verdicts
        causes: Counter[str] = sum((file.causes for file in self.files), Counter())
        return {
            "files": len(self.files),
            "skipped": len(self.skipped),
            "broken": len(self.broken),
            "claims": sum(file.claims for file in self.files),
            **{verdict.value: verdicts[verdict.value] for verdict in VERDICTS},
            "by_cause": {c.value: causes[c.value] for c in CAUSES if causes[c.value]},
            "accuracy": self._accuracy(),
        }

    def _accuracy(self) -> dict[str, object]:
        files = [file for file in self.files if file.effect.rows and file.kind in _COUNTED]
        effects = [file.effect for file in files]
        found: dict[str, object] = {
            "right": sum(effect.right for effect in effects),
            "rows": sum(effect.rows for effect in effects),
            "open": sum(effect.open for effect in effects),
            "overclaimed": sum(effect.overclaimed for effect in effects),
        }
        for name, lose in (("grid_drop", "grid_drop"), ("worst_drop", "accuracy_drop")):
            largest: tuple[Fraction, dict[str, object]] | None = None
            for file in files:
                effect = file.effect
                lost = getattr(effect, lose)()
                share = Fraction(lost, effect.rows)
                if largest is None or share > largest[0]:
                    largest = (
                        share,
                        {
                            "rows": lost,
                            "of": effect.rows,
                            "file": file.name,
                            "radii": ", ".join(f"{r:g}" for r in effect.grid[:4]) + ", ...",
                        },
                    )
            found[name] = None if largest is None else largest[1]
        return found

    def as_json(self) -> dict[str, object]:
        """Return the whole report as plain JSON values."""
        return {
            "certaudit": __version__,
            "format": 1,
            "summary": self.summary(),
            "findings": [f.as_json(file.name) for file in self.files for f in file.findings],
            "files": [file.as_json() for file in self.files],
            "skipped": [{"file": skipped.name, "why": skipped.why} for skipped in self.skipped],
            "broken": [{"file": broken.name, "why": broken.why} for broken in self.broken],
            "claims": self.claims,
        }


def make_options(
    *,
    more_samples: Sequence[int] = (),
    more_failure_probs: Sequence[Number] = (),
    evidence: Evidence | None = None,
    **stated: object,
) -> Options:
    """Return options from parameters as people write them: exact numbers as text, words.

    `stated` are PARAMETERS; None is not stated. `intercept` may be True or False.

    Raises InputError for a value outside its domain, and for a classifier without evidence.
    """
    if isinstance(stated.get("intercept"), bool):
        stated["intercept"] = "yes" if stated["intercept"] else "no"
    found: dict[str, Stated] = {}
    for name, value in stated.items():
        if value is not None:
            if name not in PARAMETERS:
                raise InputError(f"{name}: no such parameter")
            found[name] = Stated(parameter(name, value, ""), "option")
    if evidence is None:
        for name in (*CLASSIFIER, "alpha_margin"):
            if name in found:
                raise InputError(f"{name} says nothing without evidence")
    sizes = [int(parameter("samples", value, "")) for value in more_samples]
    chances = [Fraction(parameter("failure_prob", value, "")) for value in more_failure_probs]
    return Options(found, Candidates().with_more(sizes, chances), evidence)


def audit(
    claims: object,
    *,
    columns: Mapping[str, str] | None = None,
    profile: str = "auto",
    keep_claims: bool = True,
    more_samples: Sequence[int] = (),
    more_failure_probs: Sequence[Number] = (),
    evidence: str | Path | None = None,
    label_column: str | None = None,
    positive: str | None = None,
    **stated: object,
) -> Report:
    """Return a verdict on every claim of a file, a folder or a data frame.

    `claims` is a path, or a data frame (pandas, polars) or mapping of column names to values.
    `columns` maps our column names to theirs ("radius": "r"). What files do not state can be stated
    here: sigma, samples, failure_prob, sides, norm, dimension, q, classes, alpha, values,
    guarantee, training_labels, vote, selection, rounding; exact numbers as text ("0.25").
    `more_samples`, `more_failure_probs` are tried too where the parameters are inferred.

    `evidence` is an .npz file that decides radii of label flips, two labels, as statements: alpha
    vectors (`alpha`, m x n, taken as exact, `y_train`, and `index` where row i is not test point
    i), or a data set (`X_train`, `y_train`, `X_test`, `y_test`), whose classifier `ridge` ("auto",
    "paper" or an exact number), `scale` ("standard", "none") and `intercept` (True, False) say. It
    may be a CSV with a `label_column` too; `positive` is the label that is 1.
    `alpha_margin` is by how much the alphas behind the claims may differ from these, in l1, as a
    part of their norm: 2^-30 for a data set where the claims are not of certaudit, else 0.

    Raises InputError for what cannot be read, never for a single row, unless it shows that the
    evidence is of something else.
    """
    options = make_options(
        more_samples=more_samples,
        more_failure_probs=more_failure_probs,
        evidence=None
        if evidence is None
        else open_evidence(Path(evidence), label_column=label_column, positive=positive),
        **stated,
    )
    if isinstance(claims, str | Path):
        path = Path(claims)
        found: Iterator[Source | Skipped | Broken] = sources(path, columns=columns, profile=profile)
        if evidence is not None:
            found = without_evidence(path, found, Path(evidence))
    else:
        found = iter([frame_source(claims, columns=columns)])
    kept: list[dict[str, object]] = []
    sink = (lambda rows: kept.extend(claim_objects(rows))) if keep_claims else None
    report = audit_sources(found, options, sink)
    report.claims = kept
    return report


def audit_sources(
    found: Iterator[Source | Skipped | Broken],
    options: Options,
    sink: Sink | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Audit sources one after the other, curves after the logs they may have been made from.

    Raises InputError where a single one cannot be audited, or, with evidence, none can.
    """
    report = Report()
    readable: list[Source] = []
    for item in found:
        if isinstance(item, Skipped):
            report.skipped.append(item)
        elif isinstance(item, Broken):
            report.broken.append(item)
        else:
            readable.append(item)
    logs = Counter(_stem(source.name) for source in readable if source.kind != "curve")
    # A curve of which several logs could be the log has none.
    curves = {_stem(s.name) for s in readable if s.kind == "curve" and logs[_stem(s.name)] == 1}
    reached: dict[str, Reached] = {}
    readable.sort(key=lambda source: source.kind == "curve")
    refused: list[InputError] = []
    for done, source in enumerate(readable):
        if progress is not None:
            progress(done, len(readable))
        if source.kind != "curve" and _stem(source.name) in curves:
            reached[_stem(source.name)] = Reached()
        try:
            with nullcontext() if options.evidence is None else one_blas_thread():
                report.files.append(_audit_one(source, options, sink, reached))
        except InputError as error:
            if len(readable) == 1:
                raise
            report.broken.append(Broken(source.name, str(error).removeprefix(f"{source.name}: ")))
            refused.append(error)
    if options.evidence is not None and refused and not report.files:
        raise refused[0]  # what makes the evidence unfit is said once
    _stopped_early(report.files)
    return report


def _audit_one(
    source: Source, options: Options, sink: Sink | None, reached: dict[str, Reached]
) -> FileReport:
    if source.kind == "curve":
        curve = replace(source, stated={**source.stated, **options.stated})
        report = audit_curve(curve, reached.get(_stem(source.name)), sink)
    else:
        report = audit_source(source, options, _both(sink, reached.get(_stem(source.name))))
    if source.path is not None:
        report.sha256, report.size = file_digest(source.path)
    return report


def _both(first: Sink | None, second: Sink | None) -> Sink | None:
    if first is None or second is None:
        return first or second

    def both(rows: Rows) -> None:
        first(rows)
        second(rows)

    return both


def _stem(name: str) -> str:
    """Return the name of a log without its suffix, or of the log that a curve belongs to."""
    path = PurePosixPath(name)
    known = path.suffix in (".csv", ".tsv", ".txt", ".jsonl", ".log")
    stem = path.name.removesuffix(path.suffix) if known else path.name
    return str(path.with_name(stem.removesuffix("_acc") or stem))


def _stopped_early(files: list[FileReport]) -> None:
    """Mark logs that end before others with the same step of indexes do."""
    furthest: dict[int, int] = {}
    for file in files:
        if file.step is not None and file.last is not None and file.step > 0:
            furthest[file.step] = max(furthest.get(file.step, 0), file.last)
    for file in files:
        if file.step is None or file.last is None:
            continue
        if file.last < (most := furthest.get(file.step, 0)):
            text = f"ends at index {file.last}; others with step {file.step} go on to {most}"
            file.findings.append(FileFinding(STOPPED_EARLY, 0, 0, text))


def claim_objects(rows: Rows) -> Iterator[dict[str, object]]:
    """Yield an object for each row, with plain JSON values; malformed rows after the others."""
    chunk, judged = rows.chunk, rows.judged
    columns = chunk.columns
    names = [name for name in ("index", "label", "prediction") if name in columns]
    texts = columns.get("radius") or columns.get("p_lower") or columns.get("accuracy")
    proved_name = "proved_radius" if "radius" in columns else "proved"
    claimed_name = "claimed_radius" if "radius" in columns else "claimed"
    codes = list(BITS.items())
    for row in range(len(chunk.lines)):
        verdict = VERDICTS[judged.verdict[row]]
        bits = int(judged.findings[row])
        found: dict[str, object] = {"file": rows.source.name, "line": int(chunk.lines[row])}
        found |= {name: _plain(columns[name][row]) for name in names}
        found["verdict"] = verdict.value
        if verdict is not Verdict.CONFIRMED:
            found["reason"] = REASONS[judged.reason[row]].value
            found["cause"] = CAUSES[judged.cause[row]].value or None
        found["findings"] = [code for code, bit in codes if bits & bit] if bits else []
        found[claimed_name] = _plain(texts[row]) if texts else None
        proved = float(judged.proved[row])
        found[proved_name] = proved if math.isfinite(proved) else None
        if verdict not in (Verdict.CONFIRMED, Verdict.ABSTAINED, Verdict.MALFORMED):
            found["excess"] = _excess(
                float(judged.excess[row]), float(judged.unit[row]), float(judged.claimed[row])
            )
        known = None if rows.decided is None else rows.decided.known[row]
        if known is not None and verdict not in (Verdict.ABSTAINED, Verdict.MALFORMED):
            found |= _shown(known, refuted=verdict is Verdict.REFUTED)
        yield found
    for line, why in chunk.malformed:
        yield {
            "file": rows.source.name,
            "line": line,
            "verdict": Verdict.MALFORMED.value,
            "reason": why,
            "cause": None,
            "findings": [],
        }


def _shown(known: Known, *, refuted: bool) -> dict[str, object]:
    """Return what evidence says of a vote, and the flips where they refute a claim."""
    found: dict[str, object] = {
        "evidence": {
            "vote": known.vote,
            "proved": known.proved if known.proved >= 0 else None,
            "refuted_at": known.refuted_at if known.refuted_at >= 0 else None,
            "by": known.by,
        }
    }
    if refuted and known.flips is not None:
        rows = known.flips.tolist()
        found["counterexample"] = {"flips": len(rows), "training_rows": rows}
    return found


def _excess(excess: float, unit: float, claimed: float) -> dict[str, object] | None:
    if not math.isfinite(excess):
        return None
    found: dict[str, object] = {"absolute": excess}
    if unit:
        found["printed_units"] = excess / unit
    if math.isfinite(claimed) and claimed:
        found["ulps"] = excess / math.ulp(claimed)
    return found


def _plain(text: str) -> object:
    """Return a number where a text is one that JSON keeps as it is, else the text, cut."""
    if len(text) <= 24 and _NUMBER.fullmatch(text):
        if len(text) <= 15 and text.lstrip("-").isdigit():
            return int(text)
        value = float(text)
        # JSON keeps a number only where its shortest spelling is what was written.
        if math.isfinite(value) and Fraction(repr(value)) == Fraction(text):
            return value
    return text if len(text) <= 40 else text[:37] + "..."


def fix_log(
    path: Path,
    output: Path,
    options: Options,
    *,
    columns: Mapping[str, str] | None = None,
    profile: str = "auto",
) -> tuple[int, int]:
    """Write a log again with what is proved, rounded down in its own format, and a manifest.

    Rows of which nothing is proved become abstentions; rows that cannot be read, or that nothing
    decides, stay as they are. The manifest beside `output` states that it is rounded down, and the
    parameters that were used. Returns how many rows were changed, and how many unconfirmed ones
    were left.

    Raises InputError for a file whose format cannot be written, and as audit does.
    """
    check_rewrite(path, output, columns)
    found = list(sources(path, columns=columns, profile=profile))
    source = found[0] if len(found) == 1 else None
    if not isinstance(source, Source) or source.kind == "curve":
        raise InputError(f"{path}: --fix writes one log of claims")
    changes: dict[int, dict[str, str]] = {}
    left = 0

    def take(rows: Rows) -> None:
        nonlocal left
        changed, kept = mended(rows)
        changes.update(changed)
        left += kept + len(rows.chunk.malformed)

    report = audit_source(source, options, take)
    if "noise" in report.parameters and source.kind != "shares":
        raise InputError(f"{path}: radii for {report.parameters['noise']} noise are not decided")
    manifest = _manifest(report, {**source.stated, **options.stated})
    rewrite(path, output, changes, manifest, columns=columns)
    return len(changes), left


def _manifest(report: FileReport, stated: Mapping[str, Stated]) -> dict[str, object]:
    """Return a manifest that states what was stated; what was inferred is told, and not stated."""
    known = {name: value for name, value in report.parameters.items() if name != "evidence"}
    inferred = {name: known.pop(name) for name in report.inferred}
    for name in ("classes", "training_labels"):
        if name in stated:
            known[name] = stated[name].value
    known["rounding"] = "down"
    sigma = known.pop("sigma", None)
    if known.pop("noise", None) is None and sigma is not None:
        known["noise_model"] = {"name": "gaussian", "sigma": sigma}
    found: dict[str, object] = {"certaudit-claims": 1, **known}
    return found | {"annotations": {"inferred": inferred}} if inferred else found


# Evidence -------------------------------------------------------------------------------------


def open_evidence(
    path: Path, *, label_column: str | None = None, positive: str | None = None
) -> Evidence:
    """Return evidence: alpha vectors in an .npz file, or a data set of two labels.

    A data set is an .npz file, a folder of .npy files, or a CSV with its `label_column`; `positive`
    is the label that is 1, others are 0.

    Raises InputError, naming the file, for what is neither.
    """
    if label_column is not None or positive is not None or path.is_dir():
        found: AlphaVectors | dict[str, NDArray[Any]]
        found = read_data_set(path, label_column=label_column).arrays
    else:
        found = read_evidence(path)
    if isinstance(found, AlphaVectors):
        return _Vectors(path.name, found)
    try:
        data = LabelledData.check(*(found[key] for key in KEYS), positive=positive)
        if data.classes != 2:
            raise InputError(f"y_train, y_test: {data.classes} classes; two are decided")
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return _DataSet(path.name, data)


def without_evidence(
    path: Path, found: Iterator[Source | Skipped | Broken], evidence: Path
) -> Iterator[Source | Skipped | Broken]:
    """Pass over the evidence where it lies in the folder that is audited."""
    folder, file = path.resolve(), evidence.resolve()
    name = file.relative_to(folder).as_posix() if file.is_relative_to(folder) else None
    for item in found:
        yield Skipped(item.name, "the evidence") if item.name == name else item


class _Vectors:
    """Alpha vectors, taken as exact."""

    def __init__(self, name: str, vectors: AlphaVectors) -> None:
        self.name, self._vectors = name, vectors
        self._rows = {index: row for row, index in enumerate(vectors.index.tolist())}
        self._found: dict[tuple[Fraction, Fraction], Alphas] = {}

    def alphas(self, source: Source, q: Fraction, stated: Mapping[str, Stated]) -> Alphas:
        """Return the alphas; see certaudit.auditing.evidence.Evidence.

        Raises InputError where a classifier is stated: the alphas are one.
        """
        for name in CLASSIFIER:
            if name in stated:
                raise InputError(f"{source.name}: {name} says nothing of alpha vectors")
        margin = _margin(stated, Fraction(0))
        if (q, margin) not in self._found:
            described = {"name": "alpha", "file": self.name}
            self._found[q, margin] = Alphas(
                self._vectors.labels,
                lambda indexes: np.isin(indexes, self._vectors.index),
                self._of,
                margin,
                {**described, **_told_margin(stated, margin)},
            )
        return self._found[q, margin]

    def _of(self, indexes: Sequence[int]) -> Iterator[Vector]:
        for index in indexes:
            yield Vector(index, self._vectors.alpha[self._rows[index]], Fraction(0))


class _DataSet:
    """A data set, and the classifiers that are fitted to it."""

    def __init__(self, name: str, data: LabelledData) -> None:
        self.name, self._data = name, data
        self._found: dict[tuple[object, ...], Alphas] = {}

    def alphas(self, source: Source, q: Fraction, stated: Mapping[str, Stated]) -> Alphas:
        """Return the alphas of a classifier; see certaudit.auditing.evidence.Evidence.

        Which one is stated; for runs of certaudit their run.json says it, and the data set has to
        be theirs.

        Raises InputError where it contradicts what is stated, and where nothing can be fitted.
        """
        run = source.run
        chosen: dict[str, Any] = {"ridge": "auto", "scale": "standard", "intercept": "yes"}
        own: dict[str, Any] = {} if run is None else self._of_run(run, source.name)
        for name in CLASSIFIER:
            if name in stated:
                value = stated[name].value
                rule = run["ridge"].get("rule") if run is not None and name == "ridge" else None
                if name in own and value not in (own[name], rule):
                    raise InputError(f"{source.name}: {name}: run.json says another one")
                chosen[name] = value
        chosen |= own
        margin = _margin(stated, _ALPHA_MARGIN if run is None else Fraction(0))
        key = (q, margin, *chosen.values(), None if run is None else repr(run.get("scale")))
        if key not in self._found:
            try:
                self._found[key] = self._fitted(q, chosen, margin, run, stated)
            except (InputError, Undecided) as error:
                raise InputError(f"{source.name}: {self.name}: {error}") from None
        return self._found[key]

    def _of_run(self, run: Mapping[str, Any], name: str) -> dict[str, Any]:
        """Return the classifier of a run of ours.

        Raises InputError where the run is of another kind, or was made from other data.
        """
        what = f"{name}: run.json"
        if run.get("vote") != "majority" or run.get("classifier") != "least squares":
            raise InputError(f"{what}: evidence is for the majority vote of least squares")
        digests = run.get("data")
        for key, digest in self._data.digests.items():
            if not isinstance(digests, dict) or digests.get(key) != digest.as_json():
                raise InputError(f"{what}: {key} of {self.name} is not that of the run")
        ridge, scale, intercept = (run.get(key) for key in CLASSIFIER)
        if not isinstance(ridge, dict) or not isinstance(scale, dict):
            raise InputError(f"{what}: ridge and scale: must be objects")
        if not isinstance(intercept, bool):
            raise InputError(f"{what}: intercept: must be true or false")
        if not isinstance(ridge.get("value"), str):
            raise InputError(f"{what}: ridge: must have a value, as text")
        return {
            "ridge": parse_rational(ridge["value"], f"{what}: ridge"),
            "scale": parameter("scale", scale.get("rule"), f"{what}: "),
            "intercept": "yes" if intercept else "no",
        }

    def _fitted(
        self,
        q: Fraction,
        chosen: Mapping[str, Any],
        margin: Fraction,
        run: Mapping[str, Any] | None,
        stated: Mapping[str, Stated],
    ) -> Alphas:
        data = self._data
        rate, features, ridge, model = fit(
            data,
            q=q,
            ridge=chosen["ridge"],
            scale=str(chosen["scale"]),
            intercept=chosen["intercept"] == "yes",
        )
        if run is not None and features.scale.as_json() != run["scale"]:
            raise InputError("the features are not scaled as run.json says")
        rule = ridge.rule if run is None else run["ridge"].get("rule")
        described: dict[str, object] = {
            "name": "data-set",
            "file": self.name,
            "ridge": {"rule": str(rule), "value": ridge.as_json()["value"]},
            "scale": str(chosen["scale"]),
            "intercept": chosen["intercept"] == "yes",
            "classifier": "run.json" if run is not None else "declared",
        }
        size = len(data.x_test)
        return Alphas(
            data.y_train,
            lambda indexes: (indexes >= 0) & (indexes < size),
            _Solved(model, rate),
            margin,
            {**described, **_told_margin(stated, margin)},
            data.y_test,
            reads_labels=rule == "paper",
        )


class _Solved:
    """The alphas of test points of a fitted classifier, with proven errors."""

    def __init__(self, model: LeastSquares, q: Fraction) -> None:
        self._model, self._blocks = model, AlphaBlocks(model, q)

    def __call__(self, indexes: Sequence[int]) -> Iterator[Vector]:
        """Yield the alphas of rising indexes; where floats give no bound, those of balls."""
        buffer = self._blocks.buffer()
        for _, group in groupby(indexes, key=lambda index: index // self._blocks.step):
            block = self._blocks(list(group), buffer)
            few = len(self._model.train) <= MAX_ENUMERATED
            for index, alpha, error in zip(
                block.indices, block.alpha, block.alpha_error.tolist(), strict=True
            ):
                known = math.isfinite(error)
                vector = Vector(index, alpha, Fraction(error)) if known else self._by_balls(index)
                if few:
                    vector = replace(vector, exact=partial(self._model.exact_alpha, index))
                yield vector

    def _by_balls(self, index: int) -> Vector:
        with suppress(Undecided):
            balls = self._model.alpha_balls(index, _BALL_ACCURACY)
            middles = np.array([float(ball.mid()) for ball in balls])
            if np.isfinite(middles).all():
                with working_precision(_BALL_ACCURACY):
                    pairs = zip(balls, middles.tolist(), strict=True)
                    total = sum((abs(ball - middle) for ball, middle in pairs), arb(0))
                    if total.is_finite():
                        return Vector(index, middles, upper_bound(total))
        return Vector(index, np.zeros(0), None)


def _margin(stated: Mapping[str, Stated], usual: Fraction) -> Fraction:
    return Fraction(stated["alpha_margin"].value) if "alpha_margin" in stated else usual


def _told_margin(stated: Mapping[str, Stated], margin: Fraction) -> dict[str, object]:
    """Return the margin, and whether somebody declared it."""
    by = "declared" if "alpha_margin" in stated else "default"
    return {"alpha_margin": format_rational(margin), "alpha_margin_is": by}
