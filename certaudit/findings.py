"""Findings: things worth knowing about a run or a claim, with stable codes, as linters have.

A finding never changes a verdict. Codes are never reused: CA1xx are about claims,
CA2xx about how certificates were made.
"""

from __future__ import annotations

from dataclasses import dataclass

from certaudit.errors import InputError

__all__ = ["BITS", "CATALOGUE", "Finding", "Kind", "explain"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of finding: its code, its name, what it means and what to do."""

    code: str
    name: str
    summary: str
    explanation: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding in one place: the kind, and a line that says what was seen."""

    kind: Kind
    message: str

    def as_json(self) -> dict[str, str]:
        """Return the finding as plain JSON values."""
        return {"code": self.kind.code, "name": self.kind.name, "message": self.message}


RIDGE_READS_LABELS = Kind(
    "CA201",
    "ridge-reads-labels",
    "the ridge was computed from the training labels",
    "The paper's rule (1+q) s^2 k/(2n) cond(X'X) takes s^2 from the residuals, that is from the "
    "labels an adversary may flip. Flips then move the ridge, the classifier is no longer linear "
    "in the labels, and the certificate holds for the classifier at this fixed ridge only, not for "
    "the pipeline that chooses it. Use --ridge auto, which reads no labels, or a number fixed "
    "beforehand. An instance where one flip changes the vote against a certified radius of 1: two "
    "columns, ones and 0.00001 (1, -1, 1, ...), 16 rows, all labels 1 (proofs/ridge-gap.md).",
)
NO_BETTER_THAN_CONSTANT = Kind(
    "CA202",
    "no-better-than-constant",
    "the classifier is no more accurate than one that always gives the same class",
    "A constant classifier reads no labels and so cannot be changed by flipping any number of "
    "them. A certified radius is worth something only next to an accuracy that such a classifier "
    "does not reach. Better features, an intercept, a smaller q or another ridge may help.",
)
ONE_CLASS = Kind(
    "CA203",
    "one-class",
    "all training labels are the same",
    "The certificates are true, but the classifier has seen one class only. Check how the labels "
    "were read (--positive, --label-column) and how the rows were split.",
)
NOTHING_DECIDED = Kind(
    "CA204",
    "nothing-decided",
    "for no test point was the vote winner proven",
    "The Chernoff bound was below 1/2 for no test point, so every radius is 0. The noise q is "
    "probably too large for the number of training points and the margin of the classifier.",
)
FEATURES_READ_LABELS = Kind(
    "CA205",
    "features-read-labels",
    "a step before the classifier makes other features when training labels change",
    "The step was fitted again under other labels, and the features it gives are not the same, "
    "bit for bit: it reads the labels that an adversary may flip (a supervised selector, a "
    "discriminant analysis, a target encoder), or it fails when they change. The certificates are "
    "true of the last step with these features fixed, not of the pipeline. Use steps that read no "
    "labels (scaling, PCA, a fixed choice of columns), or fit them on other data, whose labels are "
    "trusted.",
)
CLASS_WITHOUT_TRAINING_POINTS = Kind(
    "CA206",
    "class-without-training-points",
    "there are classes that no training label has",
    "The certificates are true for the number of classes stated: noise may turn a label into any "
    "of them. But a class that is never seen is often a mistake: labels that start at 1, a label "
    "in the test set only, or a wrong --classes.",
)

# Claims: what their numbers say.
RADIUS_EXCEEDS_GUARANTEE = Kind(
    "CA101",
    "radius-exceeds-guarantee",
    "the radius is larger than its declared guarantee gives for the evidence",
    "The evidence in the row (p, log_error or votes), put through the guarantee that the claims "
    "declare (kl, tight, gaussian), gives a smaller radius. Where a stronger guarantee still "
    "proves the radius the claim is confirmed, by that one: the statement is true, its derivation "
    "does not support it. Else the claim is unsupported. Look for rounding to nearest, a floor "
    "that became a ceiling, or a tie taken for certified.",
)
P_OVERSTATED = Kind(
    "CA102",
    "p-overstated",
    "the lower bound on the vote share is above what the evidence proves",
    "p_lower has to be a lower bound. It is above what the votes (or log_error) of the same row "
    "prove: a Clopper-Pearson bound rounded to nearest, computed with floats that err upward, "
    "one-sided where two sides share the failure probability, or of other votes. Or it would prove "
    "a radius that is refuted by flips of labels (--evidence).",
)
LOG_ERROR_OVERSTATED = Kind(
    "CA103",
    "log-error-overstated",
    "log_error is below what the evidence proves",
    "log_error has to be an upper bound on ln(1 - p). It is below what the votes of the row prove, "
    "or positive, or it would prove a radius that is refuted by flips of labels (--evidence).",
)
P_SATURATED = Kind(
    "CA104",
    "p-saturated",
    "p is printed as 1",
    "No finite evidence proves p = 1. In float64 every p within 2^-54 of 1 prints as 1.0, so the "
    "number stands for the interval [1 - 2^-54, 1]; it is taken as 1 - 2^-54, never as an infinite "
    "radius. Printed with more decimals it stands for more: 1.000 is taken as 0.9995. Write "
    "log_error, an upper bound on ln(1 - p), instead.",
)
COUNT_IMPOSSIBLE = Kind(
    "CA105",
    "count-impossible",
    "the counts cannot be votes of the stated samples",
    "A count is negative, no integer, above the number of samples, or the counts of a row are more "
    "than the samples together. Check --samples and the columns.",
)
RADIUS_NOT_ATTAINABLE = Kind(
    "CA106",
    "radius-not-attainable",
    "no count gives a radius (or bound) that prints so",
    "With N samples there are N + 1 outcomes, so N + 1 possible radii. None of them prints as the "
    "claimed number: it comes from other parameters (N, failure probability, sigma), from another "
    "formula, or was edited.",
)
RADIUS_ROUNDED_UP = Kind(
    "CA107",
    "radius-rounded-up",
    "the radius is printed above what was proven",
    "The radius was rounded to nearest when it was printed, and what is printed is more than what "
    "was proven. Print rounded down: `certaudit audit --fix OUT` writes the log that way.",
)
ABSTENTION_WITH_RADIUS = Kind(
    "CA108",
    "abstention-with-radius",
    "a row abstains and gives a positive radius",
    "An abstention claims nothing, so it has no radius. The row is counted as an abstention; code "
    "that reads the radius column without the prediction would count it as certified.",
)
DUPLICATE_INDEX = Kind(
    "CA109",
    "duplicate-index",
    "the same test point appears more than once",
    "Counted twice, a test point weighs twice in every headline number; of two runs on one point "
    "the better one may have been kept.",
)
MISSING_INDEX = Kind(
    "CA110",
    "missing-index",
    "test points are missing from the sequence of indexes",
    "The indexes rise by a constant step but for some gaps. Points may have been left out: the "
    "certified accuracy of what is left is not that of the test set.",
)
UNSORTED_INDEX = Kind(
    "CA111",
    "unsorted-index",
    "the indexes do not rise",
    "Rows are not in the order of the test set: the log was merged, shuffled or appended to.",
)
TWO_RUNS = Kind(
    "CA112",
    "two-runs",
    "the file holds more than one run",
    "The header appears again, or the indexes start anew. A run that was resumed or repeated: the "
    "statements of both cannot be told apart afterwards, and the failure probability counts for "
    "every attempt.",
)
FLAGS_INCONSISTENT = Kind(
    "CA113",
    "flags-inconsistent",
    "prediction, label and correct contradict each other",
    "correct has to be 1 exactly where the prediction is the label. One of the three columns is "
    "wrong, so it is open for which class the radius was meant: the row is not confirmed.",
)
PAIRWISE_FOR_PLURALITY = Kind(
    "CA114",
    "pairwise-for-plurality",
    "a pairwise bound is claimed for the plurality vote where it is not covered",
    "The bound of appendix B.2 compares the class with each rival by itself. For the vote of all "
    "classes together its radius r holds where (K-1) e(r) < 1 - F^-1(r), e(r) = "
    "(1 - sqrt(1 - exp(-2 r D)))/2: this covers the usual q, not all (large q, many classes).",
)
FAILURE_PROB_NOT_STATED = Kind(
    "CA115",
    "failure-prob-not-stated",
    "neither the file nor an option states the failure probability",
    "A sampled certificate is false with a probability that has to be stated; without it the "
    "claim is incomplete. It was inferred from the numbers: give --failure-prob to hold the claims "
    "against what was promised.",
)
SAME_SAMPLES = Kind(
    "CA116",
    "same-samples",
    "the class was chosen and bounded with the same samples",
    "Choosing the most voted class and bounding its share with the same votes breaks the failure "
    "probability: the largest of several counts is biased upward. Use separate samples for the "
    "choice, or divide the failure probability by the number of classes. Rows are decided at that "
    "divided level where the number of classes is known.",
)
UNDER_CLAIM = Kind(
    "CA117",
    "under-claim",
    "the evidence proves more than is claimed",
    "Not an error: the tight guarantee, or the votes themselves, prove a larger radius than the "
    "one claimed.",
)
PARAMETERS_CONTRADICTED = Kind(
    "CA118",
    "parameters-contradicted",
    "the stated parameters cannot have given these numbers",
    "Under the stated parameters some rows are impossible. Verdicts are given under the stated "
    "ones; the finding says how many rows they leave unexplained, and which parameters explain "
    "all of them.",
)
NOT_IDENTIFIABLE = Kind(
    "CA119",
    "not-identifiable",
    "several choices of the parameters explain every row",
    "The parameters were inferred from the numbers, and more than one choice explains them all. "
    "The first (fewest samples, then .001, .01, .05, .005, .0005, .0001) is used. State them with "
    "--sigma, --samples and --failure-prob.",
)
HEADER_ONLY = Kind(
    "CA120",
    "header-only",
    "the file has a header and no rows",
    "The run wrote its header and ended. There is nothing to decide.",
)
STOPPED_EARLY = Kind(
    "CA121",
    "stopped-early",
    "the log ends before the test set does",
    "Fewer rows than the logs beside it with the same step of indexes, or the last line is cut "
    "off. What it says of the whole test set was measured on a part of it.",
)
NEGATIVE_RADIUS = Kind(
    "CA122",
    "negative-radius",
    "a radius is negative",
    "On an abstention it is sigma Phi^-1(p) for p < 1/2 and claims nothing. On any other row it is "
    "no claim that can be read.",
)
LABEL_AS_OBJECT = Kind(
    "CA123",
    "label-as-object",
    "labels are printed as objects, such as tensor(3) or [3]",
    "The number inside was read. A program that compares the texts will find no label equal to "
    "its prediction.",
)
SPELLED_FLAGS = Kind(
    "CA124",
    "spelled-flags",
    "correct is spelled True/False",
    "Read as 1 and 0. A program that takes the column for numbers stops there, or takes every "
    "non-empty text for true.",
)
INFINITE_RADIUS = Kind(
    "CA125",
    "infinite-radius",
    "a radius is infinite or not a number",
    "No sampling proves an infinite radius: p was rounded to 1 before Phi^-1 was taken. The claim "
    "is refuted. What is not a number is malformed.",
)
PADDED_SEPARATORS = Kind(
    "CA126",
    "padded-separators",
    "fields are separated by blanks around a tab or comma",
    "The blanks were taken away. A strict TSV reader has them in its names and labels.",
)
CURVE_ABOVE_LOG = Kind(
    "CA127",
    "curve-differs-from-log",
    "an accuracy curve does not follow from the log beside it",
    "The share of rows that are right with at least the printed radius is another number than the "
    "curve prints.",
)
GUARANTEE_NOT_DECIDED = Kind(
    "CA128",
    "guarantee-not-decided",
    "certificates of this kind are not decided",
    "The file states a noise or a guarantee for which no exact decision is built in. Its radii are "
    "inconclusive; bounds on vote shares in it are decided all the same.",
)
BEYOND_EVERY_OUTCOME = Kind(
    "CA129",
    "beyond-every-outcome",
    "the radius is larger than any outcome of the sampling allows",
    "Even with all N votes for the class the radius is sigma Phi^-1(a^(1/N)) at most. Not even the "
    "least number that prints so is that small.",
)
BEYOND_TRAINING_SET = Kind(
    "CA130",
    "beyond-training-set",
    "the radius is larger than the number of training labels",
    "No more labels than there are can be flipped: a radius beyond that says nothing more, and "
    "usually comes from a wrong formula. The claim is not confirmed.",
)
RADIUS_ZERO = Kind(
    "CA131",
    "radius-zero",
    "a row that does not abstain has radius 0",
    "It claims that the class wins the vote, and nothing about changes.",
)
PARAMETERS_UNEXPLAINED = Kind(
    "CA132",
    "parameters-unexplained",
    "no choice of the parameters explains every row",
    "Tried: N from 100 to 1,000,000 with the usual failure probabilities, and what the options "
    "add. Rows are inconclusive, unless the stated parameters decide them.",
)
P_UPPER_UNDERSTATED = Kind(
    "CA133",
    "p-upper-understated",
    "the upper bound on the vote share is below what the evidence proves",
    "p_upper has to be an upper bound. Rounding to nearest, or float errors, made it smaller than "
    "the Clopper-Pearson bound of the votes; or it is below p_lower, and the row contradicts "
    "itself.",
)
VOTE_NOT_WON = Kind(
    "CA134",
    "vote-not-won",
    "the evidence does not prove that the predicted class wins the vote",
    "The proven share of the class is not above 1/2 (or the class is not the most voted one). "
    "The row should abstain.",
)
SPREADSHEET_FORMULA = Kind(
    "CA135",
    "spreadsheet-formula",
    "a field starts like a spreadsheet formula",
    "A field that starts with =, @, + or - and is no number runs as a formula in a spreadsheet. "
    "The row is malformed; its text is shown quoted.",
)
ROUNDED_DOWN = Kind(
    "CA137",
    "stated-rounded-down",
    "radii are stated to be printed rounded down",
    "Somebody (an option, or the manifest beside the file) states that the log prints rounded "
    "down. A printed radius is then the least that prints so, and verdicts rest on that statement: "
    "nothing in a log proves it, but where its radii are sparse a log that was rounded to nearest "
    "has radii that no count gives. Ask who made the log.",
)
ONLY_BY_EVIDENCE = Kind(
    "CA138",
    "only-by-evidence",
    "the radius is true, but the row's own numbers do not support it",
    "The alpha vector of the test point (--evidence) proves that no such number of label flips "
    "changes the vote, so the claim is confirmed. Without it the row would not be: its log_error, "
    "p_lower or votes give less under every guarantee that is decided from them, or contradict "
    "the claim. The statement is true, its derivation is wrong: the next claim derived so may be "
    "false.",
)
UNKNOWN_COLUMN = Kind(
    "CA136",
    "unknown-column",
    "a column was not read",
    "Its name says nothing to the reader. Name it with --column if it holds evidence.",
)


CATALOGUE: dict[str, Kind] = {
    kind.code: kind
    for kind in sorted(
        (value for value in tuple(globals().values()) if isinstance(value, Kind)),
        key=lambda kind: kind.code,
    )
}

_CLAIMS = [kind for kind in CATALOGUE.values() if kind.code < "CA2"]
BITS: dict[str, int] = {kind.code: 1 << int(kind.code[-2:]) for kind in _CLAIMS}
"""The bit of each finding about claims, in arrays of 64."""


def explain(code: str) -> Kind:
    """Return the kind of finding with this code ("CA201") or name ("ridge-reads-labels").

    Raises InputError for an unknown one.
    """
    wanted = code.strip().lower()
    for kind in CATALOGUE.values():
        if wanted in (kind.code.lower(), kind.name):
            return kind
    known = ", ".join(CATALOGUE)
    raise InputError(f"no finding has the code or name {code[:40]!r}; there are {known}")
