"""What is wrong with a log as a log."""

import numpy as np
import pytest

from certaudit.auditing.rows import RowChecks, abstaining, abstains, correct_rows
from certaudit.auditing.verdict import Judged, Reason, Verdict
from certaudit.claims import Chunk
from certaudit.findings import (
    ABSTENTION_WITH_RADIUS,
    BITS,
    DUPLICATE_INDEX,
    FLAGS_INCONSISTENT,
    MISSING_INDEX,
    NEGATIVE_RADIUS,
    TWO_RUNS,
    UNSORTED_INDEX,
)


def chunk_of(start=2, run=0, **columns):
    rows = len(next(iter(columns.values())))
    texts = {name: list(map(str, values)) for name, values in columns.items()}
    return Chunk(np.arange(start, start + rows), texts, run)


def confirmed(rows):
    judged = Judged.blank(rows)
    judged.put(slice(None), Verdict.CONFIRMED, Reason.PROVED)
    judged.claimed[:] = judged.proved[:] = 0.5
    return judged


def checked(*chunks):
    checks, all_judged = RowChecks(), []
    for chunk in chunks:
        judged = confirmed(len(chunk.lines))
        checks.check(chunk, judged)
        all_judged.append(judged)
    return checks, all_judged


def with_finding(judged, kind):
    return np.flatnonzero(judged.findings & np.uint64(BITS[kind.code])).tolist()


def split(indexes, size):
    return [chunk_of(2 + at, index=indexes[at : at + size]) for at in range(0, len(indexes), size)]


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_indexes_in_order(size):
    checks, judged = checked(*split(list(range(0, 200, 20)), size))
    assert checks.finish() == []
    assert (checks.step, checks.first, checks.last) == (20, 0, 180)
    assert not any(part.findings.any() for part in judged)


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_gaps(size):
    indexes = [n for n in range(0, 400, 20) if n not in (60, 200, 220)]
    (note,) = checked(*split(indexes, size))[0].finish()
    assert note.kind is MISSING_INDEX
    assert note.message == "3 missing in 2 gaps, step 20"


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_duplicates(size):
    indexes = [0, 1, 2, 2, 3, 4, 1, 5, 6, 0x7FFFFFF]
    checks, judged = checked(*split(indexes, size))
    rows = np.concatenate([part.findings for part in judged])
    wrong = np.flatnonzero(rows & np.uint64(BITS[DUPLICATE_INDEX.code]))
    assert wrong.tolist() == [3, 6]
    assert all(part.is_(Verdict.CONFIRMED).all() for part in judged)
    kinds = [note.kind for note in checks.finish()]
    assert UNSORTED_INDEX in kinds


@pytest.mark.parametrize("size", [1, 4, 100])
def test_unsorted(size):
    notes = checked(*split([5, 6, 8, 7, 9, 10, 11], size))[0].finish()
    note = next(note for note in notes if note.kind is UNSORTED_INDEX)
    assert note.line == 5
    assert TWO_RUNS not in [note.kind for note in notes]


@pytest.mark.parametrize("size", [1, 4, 100])
def test_indexes_that_start_anew(size):
    notes = checked(*split([0, 1, 2, 3, 0, 1, 2, 3, 0, 1], size))[0].finish()
    (note,) = [note for note in notes if note.kind is TWO_RUNS]
    assert note.line == 6
    assert "2 times" in note.message


def test_another_run_has_its_own_indexes():
    checks, judged = checked(chunk_of(index=[0, 1, 2]), chunk_of(6, run=1, index=[0, 1, 2]))
    assert checks.finish() == []
    assert not judged[1].findings.any()


@pytest.mark.parametrize("bad", ["", "x", "1.5", "9" * 30, "--5", "5-", "\u0663", "nan", "1e3"])
def test_indexes_that_are_none(bad):
    _, (judged,) = checked(chunk_of(index=["0", bad, "2.0", "3"]))
    assert judged.is_(Verdict.MALFORMED).tolist() == [False, True, False, False]


def test_abstentions():
    chunk = chunk_of(
        index=range(6), label=[1] * 6, prediction=["-1", "ABSTAIN", "-1.0", "1", "-1", "-1"],
        radius=["0.0", "0.25", "-0.5", "0.0", "-0.000", "1e-5"],
    )  # fmt: skip
    checks = RowChecks()
    judged = confirmed(6)
    abstained = checks.check(chunk, judged)
    assert abstained.tolist() == [True, True, True, False, True, True]
    assert judged.is_(Verdict.ABSTAINED).tolist() == abstained.tolist()
    assert with_finding(judged, ABSTENTION_WITH_RADIUS) == [1, 5]
    assert with_finding(judged, NEGATIVE_RADIUS) == [2]
    assert np.isnan(judged.claimed[abstained]).all()


def test_radius_0_abstains_where_no_class_is_given():
    assert abstaining(chunk_of(radius=["0.0", "0", "0.1"])).tolist() == [True, True, False]
    assert not abstaining(chunk_of(radius=["0.0"], label=["1"])).any()
    assert not abstaining(chunk_of(p_lower=["0"])).any()
    assert abstains("Abstain")
    assert not abstains("1")


def test_flags():
    chunk = chunk_of(
        label=[1, 1, "3.0", 2, 4, 1], prediction=[1, 2, 3, 2, -1, 1], correct=[1, 1, 1, 0, 1, "x"]
    )
    judged = confirmed(6)
    judged.put(3, Verdict.UNSUPPORTED, Reason.NO_COUNT_PROVES)
    RowChecks().check(chunk, judged)
    assert with_finding(judged, FLAGS_INCONSISTENT) == [1, 3, 4, 5]
    contradicting = judged.reason == Reason.CONTRADICTS_ITSELF.code
    assert np.flatnonzero(contradicting).tolist() == [1, 5]
    assert judged.is_(Verdict.INCONCLUSIVE).tolist() == contradicting.tolist()
    assert judged.is_(Verdict.UNSUPPORTED).tolist() == [False, False, False, True, False, False]


def test_which_rows_are_right():
    assert correct_rows(chunk_of(correct=[1, 0, "x"])).tolist() == [True, False, False]
    both = chunk_of(label=["3", "03.0", "a", "1"], prediction=["3.0", "3", "a", "2"])
    assert correct_rows(both).tolist() == [True, True, True, False]
    assert correct_rows(chunk_of(radius=["1"])) is None


def test_huge_and_negative_indexes_cost_no_memory():
    checks, (judged,) = checked(chunk_of(index=[-5, 10**17, 10**17, 3, -5]))
    assert judged.is_(Verdict.CONFIRMED).all()
    assert len(checks._seen) <= 1 << 12
