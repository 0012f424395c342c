"""Parameters: inferred from logs whose parameters are known, and stated ones held against them."""

from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from scipy.stats import beta, norm

from certaudit.auditing.parameters import FAILURE_PROBS, SAMPLES, Candidates
from certaudit.auditor import audit, make_options
from certaudit.errors import InputError

STYLES = ("{:.3}", "{:.4f}")


@cache
def log(sigma, samples, chance, style, rows=250, seed=0, spread=1.0):
    """Return radii as Cohen's code prints them, all votes for the class among them."""
    random = np.random.default_rng(seed)
    shares = 1 - 0.5 * random.random(rows) ** (3 * spread)
    counts = random.binomial(samples, shares)
    counts[:3] = samples
    lower = beta.ppf(float(chance), counts, samples - counts + 1)
    radii = float(sigma) * norm.ppf(lower)
    return [style.format(float(max(radius, 0.0))) for radius in radii]


def found_in(radii, **stated):
    columns = {
        "idx": list(range(len(radii))),
        "label": [1] * len(radii),
        "predict": [-1 if float(r) == 0 else 1 for r in radii],
        "radius": radii,
        "correct": [int(float(r) != 0) for r in radii],
    }
    report = audit(columns, **stated)
    (file,) = report.files
    return report, file, {f.kind.code: f for f in file.findings}


KNOWN = [("0.25", 100_000, "1/1000"), ("0.5", 10_000, "1/100"), ("1", 1_000, "1/20"),
         ("0.12", 100_000, "1/200"), ("0.5", 100, "1/1000"), ("1.5", 50_000, "1/10000")]  # fmt: skip  # noqa: E501


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("known", KNOWN)
def test_stated_parameters_explain_the_log(known, style):
    sigma, samples, chance = known
    radii = log(sigma, samples, Fraction(chance), style)
    _, file, codes = found_in(radii, sigma=sigma, samples=samples, failure_prob=chance)
    assert "CA118" not in codes
    assert "CA132" not in codes
    assert file.inferred == []
    assert file.verdicts["refuted"] == file.verdicts["malformed"] == 0


@pytest.mark.parametrize("known", KNOWN)
def test_parameters_are_inferred(known):
    sigma, samples, chance = known
    radii = log(sigma, samples, Fraction(chance), "{:.4f}")
    _, file, codes = found_in(radii)
    if "CA119" in codes:  # several explain it: the right one among them, or before it
        others = codes["CA119"].more["others"]
        assert others
    else:
        assert file.parameters == {"sigma": _text(sigma), "samples": samples,
                                   "failure_prob": _text(chance)}  # fmt: skip
    assert set(file.inferred) == {"sigma", "samples", "failure_prob"}
    assert file.verdicts["refuted"] == 0


def _text(value):
    from certaudit.exact import format_rational

    return format_rational(Fraction(value))


@pytest.mark.parametrize("style", STYLES)
def test_what_is_not_stated_is_inferred_beside_what_is(style):
    radii = log("0.5", 1_000, Fraction(1, 1000), style, rows=400)
    _, file, _ = found_in(radii, sigma="0.5")
    assert file.parameters["samples"] == 1_000
    assert file.parameters["failure_prob"] == _text("1/1000")
    assert file.inferred == ["samples", "failure_prob"]
    _, file, _ = found_in(radii, samples=1_000, failure_prob="0.001")
    assert file.parameters["sigma"] == _text("1/2")


@pytest.mark.parametrize(("name", "wrong"), [
    ("failure_prob", "1/100"), ("samples", 5_000), ("sigma", "0.25"),
])  # fmt: skip
def test_wrong_parameters_are_contradicted(name, wrong):
    right = {"sigma": "0.5", "samples": 1_000, "failure_prob": "1/1000"}
    radii = log("0.5", 1_000, Fraction(1, 1000), "{:.4f}", rows=400)
    report, file, codes = found_in(radii, **(right | {name: wrong}))
    more = codes["CA118"].more
    assert more[f"stated_{name}"] == (wrong if name == "samples" else _text(wrong))
    assert more[f"inferred_{name}"] == (right[name] if name == "samples" else _text(right[name]))
    wanted = ("there is no count whose number prints so",
              "no outcome of the sampling allows it, not even all votes for the class")  # fmt: skip
    impossible = sum(claim.get("reason") in wanted for claim in report.claims)
    assert more["rows"] == impossible > 0
    assert file.parameters[name] == more[f"stated_{name}"]  # verdicts are under the stated ones
    assert file.causes["wrong-parameters"] > 0


def test_tiny_logs_are_not_identifiable():
    _, file, codes = found_in(["0.35", "0.2", "0.4"])
    assert "CA119" in codes
    assert codes["CA119"].more["others"]
    assert file.verdicts["refuted"] == 0


def with_one(text, form="{:.6f}"):
    radii = list(log("0.5", 1_000, Fraction(1, 1000), form, rows=200))
    radii[17] = text
    return radii


ALL = {"sigma": "0.5", "samples": 1_000, "failure_prob": "1/1000"}


@pytest.mark.parametrize("stated", [ALL, {"sigma": "0.5"}, {}], ids=len)
def test_one_impossible_row_does_not_stop_the_rest(stated):
    _, file, codes = found_in(with_one("0.314159"), **stated)
    assert "CA132" in codes
    assert file.parameters["samples"] == 1_000
    assert file.verdicts["confirmed"] > 50
    assert file.verdicts["inconclusive"] == 0
    assert file.verdicts["unsupported"] > 1


@pytest.mark.parametrize("stated", [ALL, {"sigma": "0.5"}, {}], ids=len)
def test_one_radius_that_is_far_too_large_does_not_stop_the_rest(stated):
    _, file, _ = found_in(with_one("77.0000", "{:.4f}"), **stated)
    assert file.parameters["samples"] == 1_000
    assert file.verdicts["refuted"] == 1
    assert file.verdicts["confirmed"] > 50


def test_candidates_are_added():
    radii = log("0.5", 700, Fraction(3, 1000), "{:.6f}", rows=300)
    _, _, codes = found_in(radii, sigma="0.5")
    assert "CA132" in codes
    _, file, codes = found_in(radii, sigma="0.5", more_samples=[700], more_failure_probs=["0.003"])
    assert "CA132" not in codes
    assert file.parameters["samples"] == 700
    assert file.parameters["failure_prob"] == _text("3/1000")


def test_files(tmp_path):
    radii = log("0.5", 1_000, Fraction(1, 1000), "{:.3}")
    lines = ["idx\tlabel\tpredict\tradius\tcorrect\ttime"]
    for n, radius in enumerate(radii):
        zero = float(radius) == 0
        lines.append(f"{n}\t3\t{-1 if zero else 3}\t{radius}\t{int(not zero)}\t0:00:01.5")
    path = tmp_path / "log.tsv"
    path.write_text("\n".join(lines) + "\n")
    stated = {"sigma": "0.5", "samples": 1_000, "failure_prob": "0.001"}
    of_file = audit(path, **stated)
    of_columns, _, _ = found_in(radii, **stated)
    assert of_file.verdicts == of_columns.verdicts
    names = ("verdict", "claimed_radius", "proved_radius", "findings")
    assert [[c.get(n) for n in names] for c in of_file.claims] == [
        [c.get(n) for n in names] for c in of_columns.claims
    ]
    assert of_file.summary()["accuracy"]["rows"] == len(radii)


def test_the_order_of_candidates():
    assert SAMPLES[:4] == (100, 500, 1_000, 5_000)
    assert [str(a) for a in FAILURE_PROBS] == [
        "1/1000", "1/100", "1/20", "1/200", "1/2000", "1/10000"
    ]  # fmt: skip
    more = Candidates().with_more([70, 700], [Fraction(1, 7), Fraction(1, 100)])
    assert more.samples == (70, 100, 500, 700, *SAMPLES[2:])
    assert more.failure_probs == (Fraction(1, 7), *FAILURE_PROBS)


@pytest.mark.parametrize("stated", [
    {"sigma": "0"}, {"sigma": 0.5}, {"sigma": "-1"}, {"samples": 0}, {"samples": 10**10},
    {"failure_prob": "1"}, {"failure_prob": "0"}, {"sides": 3}, {"norm": "l1"}, {"nonsense": 1},
    {"more_samples": [0]}, {"more_failure_probs": ["2"]},
])  # fmt: skip
def test_options_are_checked(stated):
    with pytest.raises(InputError):
        make_options(**stated)
