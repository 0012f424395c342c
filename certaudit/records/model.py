"""The documents of docs/records.md as closed types: what is decoded into them is well-formed.

A run is of one of three kinds: of two labels and the majority vote, with the exact radius or
without, or of K classes and one of their votes. Its records and the statement over it are of the
same kind.

Every rule that needs no mathematics is checked here, within a document when it is decoded and
between documents by Series. Whether a record is true is not asked: that is the checker's task.
Rules are kept on construction too, so that nothing ill-formed can be signed.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from itertools import pairwise
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from certaudit.errors import InputError
from certaudit.exact import Enclosure, format_rational, parse_rational
from certaudit.noise import MAX_CLASSES
from certaudit.records.canonical import check_plain, encode

__all__ = [
    "BUNDLE_TYPE",
    "EXACT_RECORD_TYPE",
    "INCLUSION_TYPE",
    "MAX_BUNDLE",
    "MAX_LINE",
    "MAX_LINE_MULTICLASS",
    "MAX_PROOF",
    "MAX_RECORDS",
    "MULTICLASS_RECORD_TYPE",
    "PAYLOAD_TYPE",
    "RECORD_TYPE",
    "STATEMENT_TYPE",
    "Array",
    "Bundle",
    "Envelope",
    "ExactRecord",
    "InclusionProof",
    "MulticlassRecord",
    "Predicate",
    "Radius",
    "Record",
    "Rival",
    "Run",
    "Series",
    "Statement",
    "Subject",
    "Tree",
    "json_schema",
    "predicate_type",
    "run_digest",
    "subjects",
]

RECORD_TYPE: Final = "urn:certaudit:record:label-flip:v1"
MULTICLASS_RECORD_TYPE: Final = "urn:certaudit:record:label-flip-multiclass:v1"
EXACT_RECORD_TYPE: Final = "urn:certaudit:record:label-flip-exact:v1"
STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
BUNDLE_TYPE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
INCLUSION_TYPE: Final = "urn:certaudit:inclusion:v1"

MAX_LINE = 64 << 10
MAX_LINE_MULTICLASS = 128 << 10
"""Longer: 999 rivals take up to 86 KB."""
MAX_BUNDLE = 16 << 20
MAX_PROOF = MAX_BUNDLE + MAX_LINE_MULTICLASS + MAX_LINE
MAX_RECORDS = 10_000_000
MAX_EXPONENT = 1 << 16

# `$` alone would let a newline follow.
_END = r"$(?!\n)"
Count: TypeAlias = Annotated[str, Meta(pattern=r"^(0|[1-9][0-9]{0,14})" + _END)]
Mantissa: TypeAlias = Annotated[str, Meta(pattern=r"^(0|-?[1-9][0-9]{0,3998})" + _END)]
Exponent: TypeAlias = Annotated[str, Meta(pattern=r"^(0|-?[1-9][0-9]{0,6})" + _END)]
Binary64: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^-?0x(1\.[0-9a-f]{13}p[+-](0|[1-9][0-9]{0,3})|0\.[0-9a-f]{13}p-1022|0\.0p\+0)"
        + _END
    ),
]
Rational: TypeAlias = Annotated[
    str,
    Meta(pattern=r"^(-?[0-9]+(/[0-9]+|e-?[0-9]+)?|-?0x[0-9a-f]+(\.[0-9a-f]+)?p[+-]?[0-9]+)" + _END),
]
Digest: TypeAlias = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}" + _END)]
Label: TypeAlias = Literal["0", "1"]
Ball: TypeAlias = tuple[Mantissa, Exponent, Mantissa, Exponent]


class Closed(Struct, frozen=True, forbid_unknown_fields=True):
    """A type whose members are these and no others."""


def _check_binary64(texts: Iterable[str]) -> None:
    for text in texts:
        try:
            same = float.fromhex(text).hex() == text
        except (OverflowError, ValueError):
            same = False
        if not same:
            raise InputError(f"{text[:40]!r} is not a binary64 as float.hex spells it")


# ------------------------------------------------------------------------------ the run


class NoiseModel(Closed, frozen=True):
    """The noise of the labels."""

    name: Literal["label-flip"]
    q: Rational
    classes: Count

    def __post_init__(self) -> None:
        q, classes = parse_rational(self.q, "q"), int(self.classes)
        if format_rational(q) != self.q:
            raise InputError(f"q: {self.q[:40]!r} is not in lowest terms")
        if not 2 <= classes <= MAX_CLASSES:
            raise InputError(f"classes: must be 2 to {MAX_CLASSES}")
        if not 0 < classes * q < classes - 1:
            raise InputError(f"q: must lie strictly between 0 and {classes - 1}/{classes}")


class Ridge(Closed, frozen=True):
    """The ridge: a binary64 where one holds it, else a rational."""

    rule: Literal["auto", "paper", "given"]
    value: Rational

    def __post_init__(self) -> None:
        value = parse_rational(self.value, "ridge")
        if value < 0:
            raise InputError("ridge: must not be negative")
        try:
            number = float(value)
        except OverflowError:
            number = float("inf")
        if self.value != (number.hex() if value == number else format_rational(value)):
            raise InputError(f"ridge: {self.value[:40]!r} is not spelled as the format says")


class Scale(Closed, frozen=True):
    """How columns were scaled: binary64 for each column kept, raw numbers of those left out."""

    rule: Literal["standard", "none"]
    mean: tuple[Binary64, ...]
    deviation: tuple[Binary64, ...]
    dropped: tuple[Count, ...]

    def __post_init__(self) -> None:
        _check_binary64(self.mean)
        _check_binary64(self.deviation)
        numbers = [int(text) for text in self.dropped]
        if any(low >= high for low, high in pairwise(numbers)):
            raise InputError("scale: the columns dropped do not rise")


class Assumption(Closed, frozen=True):
    """Something taken as fixed, and whether it is known to read no label."""

    what: str
    value: str
    label_free: Literal["checked", "declared", "unknown", "violated"]


class Array(Closed, frozen=True):
    """What identifies an array of the data."""

    sha256: Digest
    dtype: str
    shape: Annotated[tuple[Count, ...], Meta(min_length=1, max_length=2)]


class Data(
    Closed,
    frozen=True,
    rename={"x_train": "X_train", "x_test": "X_test"},
):
    """The four arrays of the data."""

    x_train: Array
    y_train: Array
    x_test: Array
    y_test: Array


class Versions(Closed, frozen=True, rename={"python_flint": "python-flint"}):
    """What computed the run."""

    certaudit: str
    python: str
    numpy: str
    python_flint: str
    flint: str


class Accuracy(Closed, frozen=True):
    """Accuracies on the certified points, each a binary64; `constant` has one for each class."""

    clean: Binary64
    decided: Binary64
    unsmoothed: Binary64
    constant_0: Binary64 | UnsetType = UNSET
    constant_1: Binary64 | UnsetType = UNSET
    constant: tuple[Binary64, ...] | UnsetType = UNSET

    def __post_init__(self) -> None:
        pair = [text for text in (self.constant_0, self.constant_1) if text is not UNSET]
        each = () if self.constant is UNSET else self.constant
        _check_binary64((self.clean, self.decided, self.unsmoothed, *pair, *each))


class Vacuous(Closed, frozen=True):
    """For how many points the bounds prove no winner of either vote."""

    pairwise: Count
    plurality: Count


class Curve(Closed, frozen=True):
    """Certified accuracy of one guarantee at the radii 0, 1, ..."""

    correct: tuple[Count, ...]
    of: Count
    accuracy: tuple[Binary64, ...]

    def __post_init__(self) -> None:
        _check_binary64(self.accuracy)
        if len(self.correct) != len(self.accuracy):
            raise InputError("certified_accuracy: counts and shares differ in number")


class Curves(Closed, frozen=True):
    """Certified accuracy for each guarantee."""

    kl: Curve
    tight: Curve | UnsetType = UNSET
    exact: Curve | UnsetType = UNSET


class Brackets(Closed, frozen=True):
    """For how many points the exact radius is known, and for how many it is not."""

    closed: Count
    open: Count


class Escalated(Closed, frozen=True):
    """How many points the fast engine left to balls, and how many for which reason."""

    points: Count
    undecided: Count
    loose: Count
    failed: Count

    def __post_init__(self) -> None:
        if int(self.points) != sum(map(int, (self.undecided, self.loose, self.failed))):
            raise InputError("escalated: points is not the sum of the others")


class RunFinding(Closed, frozen=True):
    """A finding about the run."""

    code: str
    name: str
    message: str


class Run(Closed, frozen=True):
    """run.json with every number as text; cross-field rules that need no mathematics hold."""

    certaudit: str
    format: Literal["1"]
    noise_model: NoiseModel
    classifier: Literal["least squares", "one-hot least squares"]
    vote: Literal["majority", "pairwise", "plurality"]
    guarantee: tuple[Literal["kl", "tight", "exact"], ...]
    engine: str
    ridge: Ridge
    intercept: bool
    scale: Scale
    assumptions: tuple[Assumption, ...]
    source: str
    label_column: str | None
    positive: str | None
    training_points: Count
    feature_columns: Count
    test_points: Count
    certified_points: Count
    data: Data
    versions: Versions
    accuracy: Accuracy
    certified_accuracy: Curves
    findings: tuple[RunFinding, ...]
    escalated: Escalated | UnsetType = UNSET
    vacuous: Vacuous | UnsetType = UNSET
    attacked_accuracy: Curve | UnsetType = UNSET
    brackets: Brackets | UnsetType = UNSET

    @property
    def exact(self) -> bool:
        """Whether it is of the kind of two labels and the exact radius."""
        return "exact" in self.guarantee

    @property
    def multiclass(self) -> bool:
        """Whether it is of the kind of K classes; K may be 2."""
        return self.vote != "majority"

    @property
    def classes(self) -> int:
        """The number of classes."""
        return int(self.noise_model.classes)

    def __post_init__(self) -> None:
        curves, last = self.certified_accuracy, ("exact",) * self.exact
        if self.guarantee not in (("kl", *last), ("kl", "tight", *last)):
            raise InputError('guarantee: must be ["kl"] or ["kl", "tight"], or these and "exact"')
        if (curves.tight is UNSET) != ("tight" not in self.guarantee) or (
            curves.exact is UNSET
        ) == self.exact:
            raise InputError("certified_accuracy: its guarantees are not those of the run")
        for curve in (curves.kl, curves.tight, curves.exact, self.attacked_accuracy):
            if isinstance(curve, Curve) and curve.of != self.certified_points:
                raise InputError("certified_accuracy: of is not certified_points")
        if not 0 < int(self.certified_points) <= int(self.test_points):
            raise InputError("certified_points: must lie between 1 and test_points")
        if self.training_points == "0" or self.data.x_train.shape[-1] == "0":
            raise InputError("training_points, or the columns of X_train: none")
        if int(self.certified_points) > MAX_RECORDS:
            raise InputError(f"certified_points: more than {MAX_RECORDS}")
        self._check_kind()
        self._check_exact()
        self._check_escalated()
        self._check_shapes()

    def _check_kind(self) -> None:
        """Check what the kinds of runs do not have in common, the exact radius apart."""
        accuracy, vacuous = self.accuracy, self.vacuous
        pair = [accuracy.constant_0 is not UNSET, accuracy.constant_1 is not UNSET]
        if (self.classifier == "one-hot least squares") != self.multiclass:
            raise InputError(f"classifier: {self.classifier!r} has no {self.vote} vote")
        if not self.multiclass:
            if self.classes != 2:
                raise InputError("classes: the majority vote is one of 2 classes")
            if not all(pair) or accuracy.constant is not UNSET:
                raise InputError("accuracy: constant_0 and constant_1 belong to the majority vote")
            if vacuous is not UNSET:
                raise InputError("vacuous: does not belong to the majority vote")
            return
        if self.positive is not None and self.classes != 2:
            raise InputError("positive: belongs to 2 classes")
        if any(pair) or accuracy.constant is UNSET or len(accuracy.constant) != self.classes:
            raise InputError("accuracy: constant, and nothing else, has a share for each class")
        if vacuous is UNSET:
            raise InputError("vacuous: is missing")
        if max(int(vacuous.pairwise), int(vacuous.plurality)) > int(self.certified_points):
            raise InputError("vacuous: more points than certified_points")

    def _check_exact(self) -> None:
        """Check what belongs to the exact radius."""
        if self.exact in (self.attacked_accuracy is UNSET, self.brackets is UNSET):
            raise InputError("attacked_accuracy and brackets: belong to the exact radius")
        if self.exact and self.multiclass:
            raise InputError("guarantee: exact is of the majority vote")
        if not isinstance(self.brackets, Brackets):
            return
        if int(self.brackets.closed) + int(self.brackets.open) != int(self.certified_points):
            raise InputError("brackets: are not one for each of certified_points")

    def _check_escalated(self) -> None:
        if isinstance(self.escalated, Escalated):
            if self.engine != "fast":
                raise InputError("escalated: belongs to the engine fast")
            if int(self.escalated.points) > int(self.certified_points):
                raise InputError("escalated: more points than certified_points")

    def _check_shapes(self) -> None:
        data, columns = self.data, self.data.x_train.shape[-1]
        wanted = (
            ("X_train", data.x_train, (self.training_points, columns)),
            ("y_train", data.y_train, (self.training_points,)),
            ("X_test", data.x_test, (self.test_points, columns)),
            ("y_test", data.y_test, (self.test_points,)),
        )
        for name, array, shape in wanted:
            if array.shape != shape:
                raise InputError(f"data: the shape of {name} is not that of the run's points")
        if int(self.feature_columns) + len(self.scale.dropped) != int(columns):
            raise InputError("feature_columns: with those dropped it is not the columns of X_train")
        kept = int(self.feature_columns) if self.scale.rule == "standard" else 0
        if not len(self.scale.mean) == len(self.scale.deviation) == kept:
            raise InputError("scale: not one mean and deviation for each column kept")
        if any(float.fromhex(text) <= 0 for text in self.scale.deviation):
            raise InputError("scale: a deviation is not positive")
        dropped = self.scale.dropped
        if dropped and (self.scale.rule == "none" or int(dropped[-1]) >= int(columns)):
            raise InputError("scale: a column is dropped that is not there, or without scaling")
        if self.feature_columns == "0" and not self.intercept:
            raise InputError("feature_columns: none is left, and there is no intercept")


def run_digest(run: Run) -> str:
    """Return SHA-256 of the canonical JSON of a run, which each of its records names."""
    return sha256(encode(run)).hexdigest()


# -------------------------------------------------------------------------- the records


class Radius(Closed, frozen=True):
    """How many flips cannot change the vote, for each guarantee."""

    kl: Count
    tight: Count | UnsetType = UNSET


class ExactBracket(Closed, frozen=True):
    """The exact radius: so many flips do not change the vote, so many do (null: not known)."""

    proved: Count
    refuted_at: Count | None


class ExactRadius(Closed, frozen=True):
    """How many flips cannot change the vote, for each guarantee, the exact one among them."""

    kl: Count
    exact: ExactBracket
    tight: Count | UnsetType = UNSET


class Side(Closed, frozen=True):
    """How one end of a bracket was proven: by which method, and for how many flips a checker can.

    `check` is how it can, with `t` where that is "chernoff".
    """

    by: Literal[
        "constant", "no-noise", "enumeration", "chernoff", "berry-esseen", "fourier", "lattice"
    ]
    flips: Count | None
    check: Literal["no-noise", "chernoff", "berry-esseen"] | None
    t: Binary64 | None

    def __post_init__(self) -> None:
        if (self.flips is None) != (self.check is None):
            raise InputError("flips: belongs to a check")
        if (self.t is None) != (self.check != "chernoff"):
            raise InputError("t: belongs to the check chernoff")
        _check_binary64(() if self.t is None else (self.t,))


class ExactEvidence(Closed, frozen=True):
    """What proves the two ends of a bracket."""

    proved: Side | None
    refuted: Side | None


class TwoLabels(Closed, frozen=True):
    """What the records of two labels have in common."""

    run: Digest
    index: Count
    label: Label
    prediction: Label
    decided: bool
    constant: bool
    t: Binary64 | None
    log_error: Binary64 | Ball | None
    p_lower: Binary64
    engine: str
    annotations: dict[str, Any]

    def __post_init__(self) -> None:
        t, log_error = self.t, self.log_error
        if (t is None) != self.constant or (log_error is None) != self.constant:
            raise InputError("t and log_error are null when, and only when, constant is true")
        if isinstance(log_error, tuple):
            ball = Enclosure.from_wire(list(log_error))
            if max(abs(ball.mid_exponent), abs(ball.rad_exponent)) > MAX_EXPONENT:
                raise InputError(f"log_error: an exponent beyond {MAX_EXPONENT}")
        elif t is not None and log_error is not None:
            _check_binary64((t, log_error))
        if isinstance(log_error, tuple) and t is not None:
            _check_binary64((t,))


class Record(TwoLabels, frozen=True, tag_field="type", tag=RECORD_TYPE):
    """One line of records.jsonl: a certificate of one test point, of two labels."""

    radius: Radius

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_certificate(self)


class ExactRecord(TwoLabels, frozen=True, tag_field="type", tag=EXACT_RECORD_TYPE):
    """One line of records.jsonl: a certificate of one test point, with the exact radius."""

    radius: ExactRadius
    evidence: ExactEvidence

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_certificate(self)
        self._check_bracket()

    def _check_bracket(self) -> None:
        radius, proof, refutation = self.radius, self.evidence.proved, self.evidence.refuted
        proved, end = int(radius.exact.proved), radius.exact.refuted_at
        if (proof is None) == self.decided or (proof is None and proved):
            raise InputError("evidence.proved: belongs to what is decided, and nothing else to it")
        if (refutation is None) != (end is None):
            raise InputError("evidence.refuted: is null when, and only when, refuted_at is")
        if end is not None and int(end) <= proved:
            raise InputError("radius.exact: refuted_at is not above proved")
        if max(int(radius.kl), int(radius.tight) if isinstance(radius.tight, str) else 0) > proved:
            raise InputError("radius: one is above the exact one that is proved")
        self._check_sides(proved, None if end is None else int(end))

    def _check_sides(self, proved: int, end: int | None) -> None:
        proof, refutation = self.evidence.proved, self.evidence.refuted
        if proof is not None and proof.flips is not None and int(proof.flips) > proved:
            raise InputError("evidence.proved: flips is above what is proved")
        least = refutation.flips if refutation is not None else None
        if least is not None and end is not None and int(least) < end:
            raise InputError("evidence.refuted: flips is below refuted_at")
        sides = [side.by for side in (proof, refutation) if side is not None]
        if self.constant:
            if sides != ["constant"] or (proof is not None and proof.check is not None):
                raise InputError("constant: such a vote is proved by that, and never refuted")
        elif "constant" in sides:
            raise InputError("evidence: by constant belongs to a constant vote")


class Rival(Closed, frozen=True, rename={"class_": "class"}):
    """A bound on ln P(score of the prediction <= score of this class), and its witness t."""

    class_: Count
    t: Binary64
    log_error: Binary64

    def __post_init__(self) -> None:
        _check_binary64((self.t, self.log_error))
        if float.fromhex(self.t) < 0:
            raise InputError("t: is negative")
        _check_log_error(self.log_error)


class MulticlassRecord(Closed, frozen=True, tag_field="type", tag=MULTICLASS_RECORD_TYPE):
    """One line of records.jsonl: a certificate of one test point, of K classes."""

    run: Digest
    index: Count
    label: Count
    prediction: Count
    decided: bool
    rivals: Annotated[tuple[Rival, ...], Meta(min_length=1, max_length=MAX_CLASSES - 1)]
    log_error: Binary64
    p_lower: Binary64
    radius: Radius
    engine: str
    annotations: dict[str, Any]

    def __post_init__(self) -> None:
        _check_binary64((self.log_error,))
        _check_log_error(self.log_error)
        _check_certificate(self)


AnyRecord: TypeAlias = Record | MulticlassRecord | ExactRecord


def _check_log_error(text: str) -> None:
    if float.fromhex(text) > 0:
        raise InputError("log_error: is above 0")


def _check_certificate(record: AnyRecord) -> None:
    """Check what holds for the records of all kinds."""
    radius = record.radius
    _check_binary64((record.p_lower,))
    if not record.decided and (radius.kl != "0" or radius.tight not in ("0", UNSET)):
        raise InputError("a radius is not 0 although nothing is decided")
    if record.annotations:
        check_plain(record.annotations, depth=1)


class Series:
    """What holds between a run and its records; they are added in their order.

    They are of the first rows of the test set, every one: who may leave rows out may choose them.
    `digest` is the run's, `start` the first line that is added. `kind` is the type of the records
    of this run, `limit` the most bytes of one.

    Raises InputError, naming `what` was added.
    """

    def __init__(self, run: Run, digest: str, start: int = 0) -> None:
        self.count = start
        self.kind: type[AnyRecord] = ExactRecord if run.exact else Record
        self.limit, self._classes = MAX_LINE, [str(each) for each in range(run.classes)]
        if run.multiclass:
            self.kind, self.limit = MulticlassRecord, MAX_LINE_MULTICLASS
        self._digest = digest
        self._points, self._training = int(run.test_points), int(run.training_points)
        self._expected, self._tight = int(run.certified_points), "tight" in run.guarantee

    def add(self, record: AnyRecord, what: str) -> None:
        """Check the next record."""
        if not isinstance(record, self.kind):
            raise InputError(f"{what}: is a record of another kind than its run")
        index, radius = int(record.index), record.radius
        if record.run != self._digest:
            raise InputError(f"{what}: is of another run ({record.run})")
        if index >= self._points:
            raise InputError(f"{what}: index {index} is beyond the run's {self._points} test rows")
        if index != self.count:
            raise InputError(f"{what}: index {index} where row {self.count} belongs")
        if (radius.tight is not UNSET) != self._tight:
            raise InputError(f"{what}: its radii are not the guarantees of the run")
        largest = int(radius.kl)
        if isinstance(radius.tight, str):
            largest = max(largest, int(radius.tight))
        if isinstance(record, ExactRecord):
            largest = self._check_bracket(record, what)
        if largest > self._training:
            raise InputError(f"{what}: a radius of {largest} is beyond the training set")
        if isinstance(record, MulticlassRecord):
            self._check_classes(record, what)
        self.count += 1

    def _check_bracket(self, record: ExactRecord, what: str) -> int:
        """Check that a constant vote is for good; return the most flips that are spoken of."""
        bracket, refutation = record.radius.exact, record.evidence.refuted
        if record.constant and int(bracket.proved) != self._training:
            raise InputError(f"{what}: a constant vote that some flips could change")
        told = [bracket.proved, bracket.refuted_at, refutation.flips if refutation else None]
        return max(int(flips) for flips in told if flips is not None)

    def _check_classes(self, record: MulticlassRecord, what: str) -> None:
        """Check that the rivals are the other classes, each once and in their order."""
        if not {record.label, record.prediction} <= set(self._classes):
            raise InputError(f"{what}: a label, or its prediction, is none of the run's classes")
        others = [each for each in self._classes if each != record.prediction]
        if [rival.class_ for rival in record.rivals] != others:
            raise InputError(f"{what}: its rivals are not the other classes, in ascending order")

    def end(self, what: str) -> None:
        """Check that there were as many records as the run certified."""
        if self.count != self._expected:
            raise InputError(
                f"{what}: holds {self.count} records, the run certified {self._expected} points"
            )


# ------------------------------------------------------------------------ the statement


class Sha256(Closed, frozen=True):
    """A digest, by the name of its function."""

    sha256: Digest


class Subject(Closed, frozen=True):
    """Something that the statement is about: its name and its digest."""

    digest: Sha256
    name: str


class Tree(Closed, frozen=True):
    """The Merkle tree over the lines of records.jsonl."""

    algorithm: Literal["rfc6962-sha256"]
    root: Digest
    size: Count


class Predicate(Closed, frozen=True):
    """What is stated: the run, and the tree of its records."""

    annotations: dict[str, Any]
    run: Run
    tree: Tree

    def __post_init__(self) -> None:
        check_plain(self.annotations, depth=2)
        if self.tree.size != self.run.certified_points:
            raise InputError("tree: its size is not the run's certified_points")


PredicateType: TypeAlias = Literal[
    "urn:certaudit:certificates:label-flip:v1",
    "urn:certaudit:certificates:label-flip-multiclass:v1",
    "urn:certaudit:certificates:label-flip-exact:v1",
]


def predicate_type(run: Run) -> PredicateType:
    """Return the type of a statement about a run: that of its kind."""
    if run.multiclass:
        return "urn:certaudit:certificates:label-flip-multiclass:v1"
    if run.exact:
        return "urn:certaudit:certificates:label-flip-exact:v1"
    return "urn:certaudit:certificates:label-flip:v1"


class Statement(Closed, frozen=True, rename={"type_": "_type", "predicate_type": "predicateType"}):
    """The payload: an in-toto Statement v1."""

    type_: Literal["https://in-toto.io/Statement/v1"]
    predicate: Predicate
    predicate_type: PredicateType
    subject: tuple[Subject, Subject, Subject, Subject, Subject]

    def __post_init__(self) -> None:
        if self.predicate_type != predicate_type(self.predicate.run):
            raise InputError("predicateType: is not that of the run's kind")
        if self.subject != subjects(self.subject[0].digest.sha256, self.predicate.run):
            raise InputError(
                "subject: is not records.jsonl, X_test, X_train, y_test and y_train with the "
                "digests of the run's data"
            )

    @property
    def records_sha256(self) -> str:
        """The digest of records.jsonl, in hexadecimal."""
        return self.subject[0].digest.sha256


def subjects(records_sha256: str, run: Run) -> tuple[Subject, Subject, Subject, Subject, Subject]:
    """Return what a statement about a run is about, in the order of the format."""
    data = run.data
    return (
        Subject(Sha256(records_sha256), "records.jsonl"),
        Subject(Sha256(data.x_test.sha256), "X_test"),
        Subject(Sha256(data.x_train.sha256), "X_train"),
        Subject(Sha256(data.y_test.sha256), "y_test"),
        Subject(Sha256(data.y_train.sha256), "y_train"),
    )


# --------------------------------------------------------------------------- the bundle


class Signature(Closed, frozen=True):
    """The one signature."""

    sig: bytes


class Envelope(Closed, frozen=True, rename={"payload_type": "payloadType"}):
    """A DSSE envelope with one signature."""

    payload: bytes
    payload_type: Literal["application/vnd.in-toto+json"]
    signatures: tuple[Signature]


class PublicKeyHint(Closed, frozen=True):
    """SHA-256 of the public key (SubjectPublicKeyInfo, DER)."""

    hint: bytes

    def __post_init__(self) -> None:
        if len(self.hint) != 32:
            raise InputError("hint: is not a SHA-256")


class Stamp(Closed, frozen=True, rename={"signed_timestamp": "signedTimestamp"}):
    """An RFC 3161 response (DER) over the signature."""

    signed_timestamp: bytes


class Stamps(Closed, frozen=True, rename={"rfc3161": "rfc3161Timestamps"}):
    """The one time stamp."""

    rfc3161: tuple[Stamp]


class Material(
    Closed,
    frozen=True,
    rename={
        "public_key": "publicKey",
        "timestamps": "timestampVerificationData",
        "tlog_entries": "tlogEntries",
    },
):
    """What a verifier needs besides the key: no transparency log, at most one time stamp."""

    public_key: PublicKeyHint
    tlog_entries: tuple[()]
    timestamps: Stamps | UnsetType = UNSET


class Bundle(
    Closed,
    frozen=True,
    rename={
        "envelope": "dsseEnvelope",
        "media_type": "mediaType",
        "material": "verificationMaterial",
    },
):
    """bundle.json: a Sigstore bundle v0.3 with one signature by a key of one's own."""

    envelope: Envelope
    media_type: Literal["application/vnd.dev.sigstore.bundle.v0.3+json"]
    material: Material

    @property
    def payload(self) -> bytes:
        """The bytes of the statement, as they were signed."""
        return self.envelope.payload

    @property
    def signature(self) -> bytes:
        """The signature's bytes."""
        return self.envelope.signatures[0].sig

    @property
    def hint(self) -> bytes:
        """SHA-256 of the public key that it says it was signed with."""
        return self.material.public_key.hint

    @property
    def timestamp(self) -> bytes | None:
        """The RFC 3161 response (DER), if there is one."""
        stamps = self.material.timestamps
        return stamps.rfc3161[0].signed_timestamp if isinstance(stamps, Stamps) else None


class InclusionProof(Closed, frozen=True):
    """A record, and the proof that it is one of those that a bundle signs."""

    bundle: Bundle
    leaf: Count
    path: Annotated[tuple[Digest, ...], Meta(max_length=64)]
    record: AnyRecord
    type: Literal["urn:certaudit:inclusion:v1"]

    def __post_init__(self) -> None:
        # One level deeper than in a line of its own.
        check_plain(self.record.annotations, depth=2)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of every document: docs/schema/records.schema.json."""
    kinds = (Record, MulticlassRecord, ExactRecord, Bundle, Statement, InclusionProof)
    found, parts = msgspec.json.schema_components(kinds, ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Signed records",
        "description": "A line of records.jsonl, bundle.json, its payload, and a proof of one "
        "record (docs/records.md). What a schema cannot say is checked as well: canonical "
        "spelling, and the rules between members.",
        "oneOf": list(found),
        "$defs": dict(sorted(parts.items())),
    }
