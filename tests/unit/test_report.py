"""What a report says: counts held against the claims themselves, depths, thresholds, outcomes."""

import json
import re
from fractions import Fraction
from importlib.resources import files
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from certaudit.cli.main import main
from certaudit.errors import InputError
from certaudit.report.audited import read_audit
from certaudit.report.blocks import Claims, Fact, Facts, Figure, Table
from certaudit.report.build import build
from certaudit.report.context import Context, Policy, read_context, template
from certaudit.report.drawing import draw_chain, draw_curve, reached, selected_radii
from certaudit.report.runs import Material
from certaudit.report.sections import document
from certaudit.report.subjects import Claimed, down, up
from certaudit.report.summary import Curve, Link, Point, Series, Summary, encode, json_schema

ROOT = Path(__file__).parents[2]
DATA = Path(str(files("certaudit").joinpath("data", "breast_cancer.csv")))
LABELS = ("--label-column", "diagnosis", "--positive", "malignant")
TITLES = [
    "Identification",
    "Scope and intended purpose",
    "Threat model",
    "Property and domain",
    "Theorems, assumptions, proof status",
    "Method",
    "Data and sampling",
    "Results",
    "Refuted claims and counterexamples",
    "Budget of the adversary",
    "What is not covered",
    "Reproduction",
    "Clauses that this report supports",
    "Integrity",
    "Change log and validity",
]
LOG = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n" + "".join(
    f"{i}\t{i % 3}\t{-1 if i % 7 == 6 else i % 3}\t{radius}\t{int(i % 7 != 6)}\t0:00:01\n"
    for i, radius in enumerate(["0.953", "0.954", "0.1", "0.25", "0.5", "0.72", "0.01"] * 3)
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A signed run with the exact radius, and one of the plurality vote."""
    folder = tmp_path_factory.mktemp("made")
    plain = ("certify", str(DATA), *LABELS, "--q", "0.1", "--limit", "30")
    assert main([*plain, "--guarantee", "all", "-o", str(folder / "run")]) == 0
    assert main([*plain, "--vote", "plurality", "-o", str(folder / "votes")]) == 0
    assert main(["keygen", "-o", str(folder / "key.pem"), "--no-passphrase"]) == 0
    for name in ("run", "votes"):
        assert main(["sign", str(folder / name), "--key", str(folder / "key.pem")]) == 0
    return folder


@pytest.fixture
def run(made, tmp_path):
    """A copy of the run to change, unsigned."""
    copy = tmp_path / "run"
    copy.mkdir()
    for name in ("run.json", "certificates.jsonl"):
        (copy / name).write_bytes((made / "run" / name).read_bytes())
    return copy


@pytest.fixture
def audited(tmp_path):
    """An audit of a small log of Gaussian radii."""
    log, result = tmp_path / "sigma_0.25.tsv", tmp_path / "audit.json"
    log.write_text(LOG)
    options = ("--samples", "100000", "--failure-prob", "0.001")
    code = main(["audit", str(log), *options, "--format", "json", "-o", str(result)])
    assert code == 1
    return result


def report(*paths, context=None, **material):
    return build(paths, context or Context(), Material(**material))


def change(path, index, new):
    """Write one certificate of a run again, as certify spells it."""
    lines = path.read_text().splitlines()
    row = json.loads(lines[index])
    new(row)
    lines[index] = json.dumps(row)
    path.write_text("\n".join(lines) + "\n")


# Numbers -----------------------------------------------------------------------------------------


@given(st.fractions() | st.floats(allow_nan=False, allow_infinity=False))
@example(Fraction(2, 3))
@example(1e-300)
@example(-1e300)
@example(0.1 + 0.2)
def test_numbers_err_to_their_side(value):
    exact = Fraction(value)
    low, high = Fraction(down(value)), Fraction(up(value))
    assert low <= exact <= high
    if exact:
        assert exact - low <= abs(exact) / 10**5
        assert high - exact <= abs(exact) / 10
    assert len(down(value)) <= 16


def test_what_is_not_there_is_empty():
    assert [down(None), up(None), down(float("inf")), up(float("nan"))] == [""] * 4


# A run ---------------------------------------------------------------------------------------


def certificates(folder):
    return [json.loads(line) for line in (folder / "certificates.jsonl").read_text().splitlines()]


def test_curves_count_certificates(made):
    (subject,) = report(made / "run").summary.subjects
    (curve,) = subject.curves
    rows = [c for c in certificates(made / "run") if c["decided"] and c["prediction"] == c["label"]]
    known = {(s.guarantee, s.name): s.points for s in curve.series}
    for guarantee in ("kl", "tight", "exact"):
        for radius in range(460):
            radii = [row["radius"][guarantee] for row in rows]
            wanted = sum((r if guarantee != "exact" else r["proved"]) >= radius for r in radii)
            got = reached(known[guarantee, "claimed"], radius, whole=True)
            assert got == (wanted, wanted), (guarantee, radius)
    attacked = known["exact", "under attack"]
    for radius in range(460):
        ends = [row["radius"]["exact"]["refuted_at"] for row in rows]
        wanted = sum(end is None or end > radius for end in ends)
        assert reached(attacked, radius, whole=True)[0] == wanted


def test_attacked_counts_are_the_same_by_evidence_and_by_run_json(made):
    told = [
        next(s for s in subject.curves[0].series if s.name == "under attack")
        for (subject,) in (
            report(made / "run").summary.subjects,
            report(made / "run", data=DATA).summary.subjects,
        )
    ]
    assert [s.depth for s in told] == ["declared", "proved"]
    for radius in range(460):
        first, second = (reached(s.points, radius, whole=True) for s in told)
        assert first == second


def depths(found):
    (subject,) = found.summary.subjects
    chain = {link.name: link.state for link in subject.chain}
    series = {(s.guarantee, s.name): s.depth for s in subject.curves[0].series}
    return chain, series


def test_without_the_data_bounds_are_declared(made):
    found = report(made / "run")
    chain, series = depths(found)
    assert chain == {
        "data": "declared", "alpha": "declared", "p": "declared",
        "radius": "not checked", "signature": "not checked",
    }  # fmt: skip
    assert {series[g, "proven"] for g in ("kl", "tight")} == {"declared"}
    assert ("exact", "proven") not in series  # nothing shows it without the data
    assert found.summary.outcome.state == "warn"
    assert found.codes == {3}  # exact radii are not decided by their rows
    assert "not decided" in found.summary.outcome.headline


def test_with_the_data_radii_are_proved(made):
    found = report(made / "run", data=DATA)
    chain, series = depths(found)
    assert chain == {
        "data": "proved", "alpha": "proved", "p": "proved",
        "radius": "proved", "signature": "not checked",
    }  # fmt: skip
    assert {series[g, "proven"] for g in ("kl", "tight", "exact")} == {"proved"}
    assert (found.summary.outcome.state, found.codes) == ("good", {0})
    assert any("no key was given" in text for text in found.summary.outcome.sentences)


def test_with_key_and_data_everything_is(made):
    found = report(made / "run", data=DATA, key=made / "key.pub.pem")
    assert set(depths(found)[0].values()) == {"proved"}
    sampled = report(made / "run", data=DATA, key=made / "key.pub.pem", sample=3, seed="s")
    assert depths(sampled)[0]["p"] == "declared"
    assert any("outside the sample" in text for text in sampled.summary.outcome.sentences)


def test_many_classes_are_proved_by_the_checker_only(made):
    assert depths(report(made / "votes"))[0]["radius"] == "declared"
    for more in ({}, {"key": made / "key.pub.pem"}):
        found = report(made / "votes", data=DATA, **more)
        assert depths(found)[0]["radius"] == "proved"
    assert depths(found)[1]["kl", "proven"] == "proved"
    assert any(t.guarantee == "plurality" for t in found.summary.subjects[0].theorems)


def test_another_key_is_not_trusted(made, tmp_path):
    assert main(["keygen", "-o", str(tmp_path / "k.pem"), "--no-passphrase"]) == 0
    found = report(made / "run", data=DATA, key=tmp_path / "k.pub.pem")
    assert depths(found)[0]["signature"] == "failed"
    assert found.summary.outcome.state == "bad"
    assert "not to be trusted" in found.summary.outcome.headline
    assert 4 in found.codes


def test_a_key_for_a_run_that_is_not_signed(made, run):
    found = report(run, key=made / "key.pub.pem")
    assert (found.summary.outcome.state, 4 in found.codes) == ("bad", True)


def test_other_data_are_refused(run, tmp_path):
    other = tmp_path / "other.csv"
    other.write_text(DATA.read_text().replace("17.99", "17.98", 1))
    with pytest.raises(InputError):
        report(run, data=other)


def test_a_radius_that_its_bound_does_not_prove(run):
    change(run / "certificates.jsonl", 4, lambda row: row["radius"].update(kl=40, tight=41))
    found = report(run)
    (subject,) = found.summary.subjects
    assert found.summary.outcome.state == "bad"
    assert 1 in found.codes
    assert {w.index for w in subject.worst} == {"4"}
    assert {w.verdict for w in subject.worst} == {"unsupported"}
    curve = {(s.guarantee, s.name): s for s in subject.curves[0].series}
    assert reached(curve["kl", "claimed"].points, 35, whole=True)[0] > 0
    assert reached(curve["kl", "proven"].points, 35, whole=True)[0] == 0
    # Not proven by anything but the bound, which nobody derived again.
    assert curve["kl", "proven"].depth == "declared"
    medians = {f.name: f for f in subject.results}
    name = "median radius of the points classified right, KL"
    assert medians[name].basis.depth == "failed"


def test_a_false_radius_has_its_smallest_counterexample(run):
    row = certificates(run)[3]["radius"]["exact"]
    assert row["proved"] + 1 == row["refuted_at"]

    def raise_it(row):
        row["radius"]["tight"] = row["radius"]["exact"]["refuted_at"] + 2
        row["radius"]["exact"]["proved"] = row["radius"]["exact"]["refuted_at"] + 2
        row["radius"]["exact"]["refuted_at"] += 3
        row["evidence"]["refuted"].update(flips=None, check=None, t=None)

    change(run / "certificates.jsonl", 3, raise_it)
    found = report(run, data=DATA)
    (subject,) = found.summary.subjects
    assert 1 in found.codes
    assert len(subject.refuted) == 2
    for refuted in subject.refuted:
        assert refuted.counterexample.flips == row["refuted_at"]
        assert refuted.counterexample.smallest
        assert len(set(refuted.counterexample.training_rows)) == row["refuted_at"]
    output = run.parent / "attack.json"
    options = ("--q", "0.1", "--index", "3", "-o", str(output))
    assert main(["attack", str(DATA), *LABELS, *options]) == 0
    shown = [flip["index"] for flip in json.loads(output.read_text())["flips"]]
    assert list(subject.refuted[0].counterexample.training_rows) == shown
    assert "2 of 90 claims are refuted" in found.summary.outcome.headline
    pages = document(found)
    assert any(isinstance(block, Claims) for block in pages.sections[8].blocks)


def test_the_command_makes_the_run_again(made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "breast_cancer.csv").write_bytes(DATA.read_bytes())
    for name in ("run", "votes"):
        (subject,) = report(made / name).summary.subjects
        words = subject.commands[0].split()
        words[words.index("run")] = f"again-{name}"
        assert main(words[1:]) == 0
        again, first = tmp_path / f"again-{name}", made / name
        for file in ("run.json", "certificates.jsonl"):
            assert (again / file).read_bytes() == (first / file).read_bytes()


# Audits ----------------------------------------------------------------------------------------


def test_an_audit(audited):
    found = report(audited)
    (subject,) = found.summary.subjects
    claims = json.loads(audited.read_text())["claims"]
    assert subject.verdicts.claims == sum(c["verdict"] != "abstained" for c in claims)
    assert found.codes >= {1}
    assert subject.worst[0].excess
    failing = [c["excess"] for c in claims if c["verdict"] == "unsupported"]
    excess = [each["absolute"] for each in failing if each is not None]
    assert Fraction(subject.worst[0].excess) >= Fraction(max(excess))
    (curve,) = subject.curves
    assert (curve.unit, curve.whole, curve.right) == ("l2 radius", True, True)
    (input_,) = subject.audited
    assert (input_.name, input_.bytes) == (str(audited.with_name("sigma_0.25.tsv")), len(LOG))
    facts = {fact.name: fact for fact in subject.method}
    expected = facts["false claims to be expected, at most"].value.split()[0]
    assert Fraction(expected) >= Fraction(1, 1000) * subject.verdicts.claims


MUTANTS = {
    "a verdict": lambda d: d["claims"][1].update(verdict="confirmed"),
    "a claim less": lambda d: d["claims"].pop(),
    "a count of a file": lambda d: d["files"][0].update(unsupported=0),
    "a count in all": lambda d: d["summary"].update(unsupported=0),
    "claims in all": lambda d: d["summary"].update(claims=1),
    "claims of a file": lambda d: d["files"][0].update(claims=1),
    "a file less": lambda d: (d["files"].clear(), d["summary"].update(files=0)),
    "a verdict that is none": lambda d: d["claims"][1].update(verdict="fine"),
    "a member more": lambda d: d.update(verdict="fine"),
    "a member of a claim more": lambda d: d["claims"][0].update(extra=1),
    "skipped": lambda d: d["summary"].update(skipped=3),
    "broken": lambda d: d["broken"].append({"file": "x", "why": "y"}),
    "another format": lambda d: d.update(format=2),
    "no claims": lambda d: d.pop("claims"),
    "a failure probability": lambda d: d["files"][0]["parameters"].update(failure_prob="often"),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_an_audit_that_contradicts_itself_is_refused(audited, name):
    content = json.loads(audited.read_text())
    MUTANTS[name](content)
    audited.write_text(json.dumps(content))
    with pytest.raises(InputError, match=re.escape(str(audited))) as caught:
        report(audited)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "[]", "{}", "{", '{"claims": []}', "\x00", "[" * 10**5])
def test_what_is_no_audit(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(InputError, match=r"is not a report of certaudit audit"):
        read_audit(path)


def test_the_most_important_claims_come_first(audited):
    audit, _ = read_audit(audited)
    verdicts = [claim.verdict for claim in Claimed("a", audit.claims).claims]
    order = ["refuted", "unsupported", "malformed", "inconclusive", "confirmed", "abstained"]
    assert verdicts == sorted(verdicts, key=order.index)


# Thresholds --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("radius", "accuracy", "state"),
    [
        ("0", "0.8", "met"),
        ("10", "0.5", "met"),
        ("10", "1", "not met"),
        ("9.5", "0.5", "met"),
        ("500", "0.001", "not met"),
    ],
)
def test_thresholds_of_a_run(made, radius, accuracy, state):
    context = Context(policy=Policy(radius=radius, accuracy=accuracy))
    found = report(made / "run", data=DATA, context=context)
    (threshold,) = found.summary.thresholds
    assert threshold.state == state
    rows = [c for c in certificates(made / "run") if c["prediction"] == c["label"]]
    wanted = sum(c["radius"]["exact"]["proved"] >= Fraction(radius) for c in rows)
    assert threshold.proven == wanted
    assert (wanted >= Fraction(accuracy) * 30) == (state == "met")
    assert found.summary.outcome.state == ("good" if state == "met" else "bad")
    assert found.codes == ({0} if state == "met" else {0, 1})


def grid_only(audited):
    """Write an audit again so that its rows do not give what it counted: only the grid is known."""
    content = json.loads(audited.read_text())
    for claim in content["claims"]:
        claim["label"] = claim["prediction"] = None
    content["files"][0]["knows_right"] = True
    for point in content["files"][0]["accuracy"]["certified"]:
        point["claimed"] -= 1
        point["proved"] = min(point["claimed"], point["proved"])
    points = content["files"][0]["accuracy"]["certified"]
    lost = max(point["claimed"] - point["proved"] for point in points)
    content["files"][0]["accuracy"].update(grid_drop_rows=lost)
    audited.write_text(json.dumps(content))
    return {point["radius"]: point["proved"] for point in points}


def threshold_of(found, place=0):
    return found.summary.thresholds[place]


def asking(radius, accuracy):
    return Context(policy=Policy(radius=str(radius), accuracy=str(accuracy)))


def test_between_two_radii_of_a_grid_nothing_is_pretended(audited):
    at = grid_only(audited)
    (curve,) = report(audited).summary.subjects[0].curves
    assert not curve.whole
    assert at[0.25] > at[0.5] > 0
    told = []
    for accuracy in (at[0.5], at[0.25]):
        found = report(audited, context=asking("0.3", f"{accuracy}/{curve.of}"))
        told.append((threshold_of(found).state, threshold_of(found).proven))
    assert told == [("met", at[0.5]), ("not decided", at[0.5])]


def test_several_subjects(made, audited):
    found = report(made / "run", made / "votes", audited)
    assert [s.kind for s in found.summary.subjects] == ["run", "run", "audit"]
    with pytest.raises(InputError, match="belong to one run"):
        report(made / "run", made / "votes", data=DATA)
    with pytest.raises(InputError, match="belong to one run"):
        report(audited, data=DATA)
    assert found.summary.outcome.state == "bad"
    assert len(document(found).sections) == 15


# Pages -----------------------------------------------------------------------------------------


def blocks(pages):
    return [block for section in pages.sections for block in section.blocks]


def test_fifteen_sections_in_order(made, audited):
    for found in (report(made / "run", data=DATA), report(audited)):
        pages = document(found)
        assert [section.title for section in pages.sections] == TITLES
        assert [section.number for section in pages.sections] == list(range(1, 16))
        assert all(section.blocks for section in pages.sections)


def test_nothing_conforms(made, audited):
    pages = document(report(made / "run", audited))
    clauses = next(b for b in blocks(pages) if isinstance(b, Table) and b.caption == "Clauses")
    assert all(row[3].startswith("supports: ") for row in clauses.rows)
    assert {row[0] for row in clauses.rows} == {
        "EU AI Act", "ISO/IEC 24029-2:2023", "NIST AI RMF"
    }  # fmt: skip
    text = repr(pages)
    assert re.findall(r"[^.]*\bconform[^.]*\.", text) == [
        match for match in re.findall(r"[^.]*\bconform[^.]*\.", text) if "less than to" in match
    ]
    assert not re.search(r"complian|certified by|guaranteed safe", text)


def test_what_nobody_stated_is_none(made):
    pages = document(report(made / "run"))
    stated = [
        fact
        for block in blocks(pages)
        if isinstance(block, Facts) and block.title.startswith("Stated by the issuer")
        for fact in block.facts
    ]
    assert len(stated) == 19
    assert {fact.value for fact in stated} == {None}


def test_what_was_stated_stands_there(made, tmp_path):
    path, told = tmp_path / "c.toml", {}
    lines = []
    for line in template().splitlines():
        name, equals, _ = line.partition(" = ")
        if equals and not line.startswith("#"):
            told[name] = f"what {name} is"
            special = {"radius": '"5"', "accuracy": '"1/2"', "changes": '["one", "two"]'}
            dates = ("date", "fixed_on", "valid_until")
            given = '"2026-05-04"' if name in dates else f'"{told[name]}"'
            line = f"{name} = {special.get(name, given)}"  # noqa: PLW2901
        lines.append(line)
    path.write_text("\n".join(lines))
    text = repr(document(report(made / "run", context=read_context(path))))
    for name, words in told.items():
        if name not in ("radius", "accuracy", "changes", "date", "fixed_on", "valid_until"):
            assert words in text, name
    assert "value=None" not in re.sub(r"Fact\(name='split'[^)]*\)", "", text)
    assert "'one', 'two'" in text


def test_every_number_of_the_results_has_a_basis(made, audited):
    for found in (report(made / "run", data=DATA), report(audited)):
        for subject in found.summary.subjects:
            for fact in subject.results:
                if re.search(r"\d", fact.value or "") and fact.name != "most is lost in":
                    assert isinstance(fact, Fact)
                    assert fact.basis is not None, fact
        for block in blocks(document(found)):
            if isinstance(block, Table | Claims) and any(c.kind == "number" for c in block.columns):
                assert block.note, block.caption


def test_pictures_are_xml_with_words(made, audited):
    from xml.etree import ElementTree as ET

    found = report(made / "run", audited)
    figures = [b for b in blocks(document(found)) if isinstance(b, Figure)]
    assert len(figures) >= 4
    assert len({figure.name for figure in figures}) == len(figures)
    for figure in figures:
        ET.fromstring(figure.svg)  # noqa: S314  (ours)
        assert figure.alt
        assert "nan" not in figure.svg
        assert len(figure.svg) < 60_000


def curve_of(*series, of=10, whole=True, n=None):
    return Curve("t", "label flips", "Points", of, 0, True, whole, n, series)


def series_of(name, *points, guarantee="kl"):
    return Series(name, guarantee, "down", "proved", tuple(Point(float(r), c) for r, c in points))


def test_odd_curves_are_drawn():
    for curve in (
        curve_of(),
        curve_of(series_of("claimed"), series_of("proven")),
        curve_of(series_of("claimed", (0, 0)), series_of("proven", (0, 0))),
        curve_of(series_of("claimed", (0, 10)), series_of("proven", (0, 9))),
        curve_of(series_of("claimed", (100_000, 10)), n=100_000),
        curve_of(series_of("claimed", (0.001, 1)), whole=False, of=10**6),
    ):
        assert draw_curve(curve).endswith("</svg>")
        assert len(selected_radii(curve)) <= 14
    assert "&lt;" in draw_chain([Link("<a>", "proved", "")])


def test_a_curve_tells_what_it_does_not_know():
    points = (Point(0.0, 10), Point(0.25, 7), Point(0.5, 3))
    assert reached(points, 0.25, whole=False) == (7, 7)
    assert reached(points, 0.3, whole=False) == (3, 7)
    assert reached(points, 0.6, whole=False) == (0, 3)
    assert reached(points, 0.3, whole=True) == (3, 3)
    assert reached((), 0.3, whole=False) == (0, 0)


# JSON ------------------------------------------------------------------------------------------


def test_the_json_is_what_the_schema_says(made, audited):
    found = report(made / "run", audited)
    data = encode(found.summary)
    assert encode(report(made / "run", audited).summary) == data
    assert msgspec.json.decode(data, type=Summary) == found.summary
    place = ROOT / "docs" / "schema" / "report.schema.json"
    # To write it again: json.dumps(json_schema(), indent=1) and a newline.
    assert place.read_text() == json.dumps(json_schema(), indent=1) + "\n"


# Context ---------------------------------------------------------------------------------------


def test_the_template_has_every_field_explained_and_states_nothing(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text(template())
    assert read_context(path) == Context()
    lines = template().splitlines()
    tables = {}
    for place, line in enumerate(lines):
        if line.startswith("["):
            name = line.strip("[]")
            tables[name] = []
        elif line and not line.startswith("#"):
            tables[name].append(line.split(" = ")[0])
            assert lines[place - 1].startswith("# "), line
    known = {name: getattr(Context(), name) for name in Context.__struct_fields__}
    assert tables == {name: list(each.__struct_fields__) for name, each in known.items()}


WRONG = {
    "unknown field": "[identification]\nsytem = 'x'\n",
    "unknown table": "[identity]\n",
    "not TOML": "[",
    "twice": "[scope]\naffected = 'a'\naffected = 'b'\n",
    "a list": "[scope]\naffected = ['a']\n",
    "yes or no": "[scope]\naffected = true\n",
    "a date that is none": "[identification]\ndate = '2026-02-30'\n",
    "a date in words": "[identification]\ndate = 'today'\n",
    "another date": "[identification]\ndate = '20260504'\n",
    "radius alone": "[policy]\nradius = 1\n",
    "a negative radius": "[policy]\nradius = -1\naccuracy = 0.5\n",
    "an accuracy above 1": "[policy]\nradius = 1\naccuracy = 70\n",
    "an accuracy of 0": "[policy]\nradius = 1\naccuracy = 0\n",
    "an accuracy in words": "[policy]\nradius = 1\naccuracy = 'high'\n",
    "inf": "[policy]\nradius = inf\naccuracy = 1\n",
    "too long": f"[scope]\naffected = '{'x' * 5000}'\n",
}


@pytest.mark.parametrize("name", WRONG)
def test_a_context_that_is_wrong(tmp_path, name):
    path = tmp_path / "c.toml"
    path.write_text(WRONG[name])
    with pytest.raises(InputError, match=re.escape(str(path))) as caught:
        read_context(path)
    assert "\n" not in str(caught.value)


def test_a_context_that_is_not_text(tmp_path):
    path = tmp_path / "c.toml"
    path.write_bytes(b"\xff")
    with pytest.raises(InputError, match="UTF-8"):
        read_context(path)


def test_numbers_and_dates_as_toml_has_them(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text("[policy]\nradius = 20\naccuracy = 0.70\nfixed_on = 2026-01-05\n")
    assert read_context(path).policy == Policy("20", "0.70", "2026-01-05")


# What a report must not say ----------------------------------------------------------------------


def good(found):
    return found.summary.outcome.state == "good"


def copied(source, target):
    target.mkdir()
    for path in source.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    return target


def test_other_files_in_a_run_are_not_read(made, tmp_path):
    folder = copied(made / "votes", tmp_path / "votes")
    plain = report(folder, data=DATA, key=made / "key.pub.pem")
    rows = "".join(f"{i},1,1,100,-1000.0\n" for i in range(30))
    (folder / "g.csv").write_text("index,label,prediction,radius,log_error\n" + rows)
    model = {"name": "label-flip", "q": "1/10", "classes": 2}
    manifest = {"certaudit-claims": 1, "noise_model": model, "guarantee": "kl"}
    (folder / "g.csv.manifest.json").write_text(json.dumps(manifest))
    (folder / "acc.csv").write_text("radius,accuracy\n0,0.5\n")
    (folder / "broken.npz").write_bytes(b"no archive")
    copied(made / "run", folder / "inner")
    found = report(folder, data=DATA, key=made / "key.pub.pem")
    first, second = (each.summary.subjects[0] for each in (plain, found))
    assert (first.curves, first.results, first.verdicts) == (
        second.curves, second.results, second.verdicts
    )  # fmt: skip
    names = {text.split(":")[0] for text in second.unread}
    assert names == {"g.csv", "g.csv.manifest.json", "acc.csv", "broken.npz", "inner"}


def test_alphas_are_not_the_data(tmp_path):
    draw = np.random.default_rng(0)
    place, alphas = tmp_path / "d.npz", tmp_path / "a.npz"
    labels = draw.integers(0, 2, 90)
    rows = draw.normal(size=(90, 3)) + labels[:, None]
    arrays = {"X_train": rows[:60], "y_train": labels[:60]}
    np.savez(place, **arrays, X_test=rows[60:], y_test=labels[60:])
    assert main(["certify", str(place), "--q", "0.1", "-o", str(tmp_path / "run")]) == 0
    np.savez(alphas, alpha=np.ones((30, 60)), y_train=np.ones(60, dtype=int))
    with pytest.raises(InputError, match="is not the data set of the run"):
        report(tmp_path / "run", data=alphas)
    assert depths(report(tmp_path / "run", data=place))[0]["radius"] == "proved"


def test_files_that_could_not_be_read(tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    rows = "".join(f"{i},1,1,0.1,990\n" for i in range(5))
    (folder / "good.csv").write_text("index,label,prediction,radius,count\n" + rows)
    options = ("--sigma", "0.25", "--samples", "1000", "--failure-prob", "0.001")
    result = tmp_path / "a.json"

    def audited():
        told = ("--format", "json", "-o", str(result))
        code = main(["audit", str(folder), *options, *told])
        return code, report(result)

    code, found = audited()
    assert (code, found.codes, found.summary.outcome.state) == (0, {0}, "warn")
    (folder / "broken.npz").write_bytes(b"no archive")
    code, found = audited()
    assert (code, found.codes) == (2, {2})
    assert found.summary.outcome.state == "warn"
    assert any("could not be" in text for text in found.summary.outcome.sentences)
    assert any("broken.npz" in text for text in found.summary.subjects[0].unread)


def log(tmp_path, rows, header="index,label,prediction,radius,count", **stated):
    """Return an audit of a log of Gaussian radii, sigma 1/4, 1,000 votes."""
    place, result = tmp_path / "log.csv", tmp_path / "audit.json"
    place.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")
    told = {"sigma": "0.25", "samples": "1000", "failure-prob": "0.001", **stated}
    options = [word for name, value in told.items() for word in (f"--{name}", value)]
    main(["audit", str(place), *options, "--format", "json", "-o", str(result)])
    return result


def test_an_audit_is_somebody_s_word(tmp_path):
    found = report(log(tmp_path, [(i, 1, 1, "0.1", 990) for i in range(5)]))
    assert found.codes == {0}
    assert found.summary.outcome.state == "warn"
    (subject,) = found.summary.subjects
    states = {link.name: link.state for link in subject.chain}
    assert "proved" not in states.values()
    assert {f.basis.depth for f in subject.results if f.basis} == {"declared"}
    assert any("nothing was audited again" in text for text in found.summary.outcome.sentences)


def test_a_file_in_which_all_is_wrong_reaches_nothing(tmp_path):
    result = log(tmp_path, [(i, 1, 0, "0.1", 990) for i in range(5)])
    found = report(result, context=asking("0.05", "0.5"))
    assert (threshold_of(found).state, threshold_of(found).proven) == ("not met", 0)
    assert found.codes == {0, 1}
    assert found.summary.outcome.state == "bad"


def test_without_labels_no_accuracy_is_met(tmp_path):
    result = log(tmp_path, [(i, "0.1", 990) for i in range(5)], "index,radius,count")
    found = report(result, context=asking("0.05", "0.5"))
    assert (threshold_of(found).state, threshold_of(found).proven) == ("not decided", 5)
    (curve,) = found.summary.subjects[0].curves
    assert not curve.right
    assert "right" not in curve.what


def test_a_subject_without_curves_is_not_forgotten(tmp_path, made):
    result = log(tmp_path, [("0.0", "0.9"), ("0.1", "0.8")], "radius,accuracy")
    found = report(result, made / "run", context=asking("10", "0.1"))
    assert [each.state for each in found.summary.thresholds] == ["not decided", "met"]
    assert 3 in found.codes


def test_radii_are_compared_exactly(made, tmp_path):
    result = log(tmp_path, [(i, 1, 1, "0.25", 990) for i in range(5)])
    for radius, state in (
        ("0.25", "met"),
        ("0.250000000000000000001", "not met"),
        ("1e400", "not met"),
        ("1e-400", "met"),
    ):
        assert threshold_of(report(result, context=asking(radius, "1"))).state == state
    found = report(made / "run", data=DATA, context=asking("1e400", "0.5"))
    assert threshold_of(found).state == "not met"


def test_what_may_be_true_is_not_unmet(made):
    # Without the data exact radii are open, so that more may be true than what is proven.
    rows = [c for c in certificates(made / "run") if c["prediction"] == c["label"]]
    exact = sum(c["radius"]["exact"]["proved"] >= 20 for c in rows)
    tight = sum(c["radius"]["tight"] >= 20 for c in rows)
    assert tight < exact
    context = asking(20, f"{exact}/30")
    assert threshold_of(report(made / "run", context=context)).state == "not decided"
    assert threshold_of(report(made / "run", data=DATA, context=context)).state == "met"
    more = asking(20, f"{exact + 1}/30")
    assert threshold_of(report(made / "run", data=DATA, context=more)).state == "not met"


def test_an_open_bracket_is_not_unmet(made):
    for row in certificates(made / "run"):
        bracket = row["radius"]["exact"]
        if row["prediction"] == row["label"] and bracket["refuted_at"] > bracket["proved"] + 1:
            break
    else:
        pytest.skip("every bracket is closed")
    radius = bracket["proved"] + 1
    rows = [c["radius"]["exact"] for c in certificates(made / "run")
            if c["prediction"] == c["label"]]  # fmt: skip
    proved = sum(each["proved"] >= radius for each in rows)
    left = sum(each["refuted_at"] > radius for each in rows)
    assert proved < left
    found = report(made / "run", data=DATA, context=asking(radius, f"{left}/30"))
    assert threshold_of(found).state == "not decided"


def test_the_union_bound_counts_every_row(tmp_path):
    rows = [(0, 1, 1, "0.05", 990), *((i, 1, -1, "0", 500) for i in range(1, 200))]
    (subject,) = report(log(tmp_path, rows)).summary.subjects
    facts = {fact.name: fact.value for fact in subject.method}
    assert "the 1 confirmed ones all do" in facts["multiplicity"]
    assert "probability 0.2 at most" in facts["multiplicity"]
    expected = facts["false claims to be expected, at most"].split()[0]
    assert Fraction(expected) == Fraction(1, 5)


def test_nothing_is_lost_between_the_radii_of_the_grid(tmp_path):
    rows = [(i, 1, 1, "0.49", 950) for i in range(20)]
    (subject,) = report(log(tmp_path, rows)).summary.subjects
    facts = {fact.name: fact.value for fact in subject.results}
    assert facts["certified accuracy lost where most is lost, any radius"] == "100.00 points"
    assert facts["certified accuracy lost at 0, and at the radii of the audit"] == "0.00 points"
    assert "claimed less proven: 0" not in draw_curve(subject.curves[0])


@pytest.fixture(scope="module")
def undecided(tmp_path_factory):
    """A run of the tight radius with points of which no winner is proven."""
    folder = tmp_path_factory.mktemp("undecided")
    plain = ("certify", str(DATA), *LABELS, "--q", "0.4", "--limit", "40")
    for name in ("tight", "all"):
        assert main([*plain, "--guarantee", name, "-o", str(folder / name)]) == 0
    return folder


def test_points_without_a_winner_count(undecided):
    rows = certificates(undecided / "tight")
    right = [c for c in rows if c["prediction"] == c["label"]]
    assert not all(c["decided"] for c in right)
    (subject,) = report(undecided / "tight", data=DATA).summary.subjects
    facts = {fact.name: fact.value for fact in subject.results}
    for name, spelled in (("kl", "KL"), ("tight", "tight")):
        radii = sorted(c["radius"][name] for c in right)
        median = (radii[(len(radii) - 1) // 2] + radii[len(radii) // 2]) / 2
        told = facts[f"median radius of the points classified right, {spelled}"]
        assert told == f"{median:g} flips"
    # What the worst flips leave, as the exact run of the same classifier has it.
    series = {s.name: s for s in subject.curves[0].series if s.guarantee == "tight"}
    both = zip(certificates(undecided / "all"), rows, strict=True)
    exact = [c for c, row in both if row["prediction"] == row["label"]]
    for radius in range(100):
        ends = [c["radius"]["exact"]["refuted_at"] for c in exact]
        left = sum(end is None or end > radius for end in ends)
        assert reached(series["under attack"].points, radius, whole=True)[0] >= left


def test_a_vote_that_is_lost_is_refuted(run):
    rows = certificates(run)
    wrong = next(at for at, c in enumerate(rows) if c["prediction"] != c["label"])

    def lie(row):
        row["prediction"] = row["label"]

    change(run / "certificates.jsonl", wrong, lie)
    found = report(run, data=DATA)
    assert found.summary.outcome.state == "bad"
    assert 1 in found.codes
    assert found.summary.subjects[0].worst[0].verdict == "refuted"


def edit_run(folder, new):
    path = folder / "run.json"
    content = json.loads(path.read_text())
    new(content)
    path.write_text(json.dumps(content, indent=1) + "\n")


@pytest.mark.parametrize("part", ["clean", "curve", "attacked"])
def test_figures_of_run_json_follow_from_the_certificates(run, part):
    def lie(content):
        if part == "clean":
            content["accuracy"]["clean"] = 0.99
        elif part == "curve":
            content["certified_accuracy"]["kl"]["correct"][0] += 1
        else:
            content["attacked_accuracy"]["correct"][0] += 1

    edit_run(run, lie)
    for more in ({}, {"data": DATA}):
        found = report(run, **more)
        assert found.summary.outcome.state == "bad"
        assert found.codes >= {1}
        assert "false statement" in found.summary.outcome.headline


def test_what_is_beside_a_signature_has_to_be_what_was_signed(made, tmp_path):
    folder = copied(made / "run", tmp_path / "run")
    edit_run(folder, lambda content: content["accuracy"].update(clean=0.99))
    for more in ({}, {"key": made / "key.pub.pem"}):
        found = report(folder, data=DATA, **more)
        assert found.summary.outcome.state == "bad"
        assert 4 in found.codes
        (subject,) = found.summary.subjects
        facts = {fact.name: fact for fact in subject.results}
        assert facts["right, smoothed classifier"].basis.depth == "declared"
        links = {link.name: link for link in subject.chain}
        assert links["p"].state != "proved"
        assert links["signature"].state == "failed"
        assert "no key was given" not in links["signature"].detail


def test_assumptions_are_not_believed(tmp_path):
    options = ("--q", "0.1", "--limit", "20", "--guarantee", "tight", "--ridge", "paper")
    folder = tmp_path / "paper"
    assert main(["certify", str(DATA), *LABELS, *options, "-o", str(folder)]) == 0

    def checked(content):
        for each in content["assumptions"]:
            each["label_free"] = "checked"

    for new in (lambda _: None, checked, lambda content: content.update(assumptions=[])):
        edit_run(folder, new)
        found = report(folder, data=DATA)
        (subject,) = found.summary.subjects
        states = {each.what: each.state for each in subject.assumptions}
        assert states["ridge"] == "failed"
        assert found.summary.outcome.state == "warn"
        assert 3 in found.codes
        assert any("Assumptions that do not hold" in s for s in found.summary.outcome.sentences)
    assert states["features"] == "not checked"


def test_a_rule_that_does_not_give_the_ridge(run):
    (subject,) = report(run, data=DATA).summary.subjects
    states = {each.what: each.state for each in subject.assumptions}
    assert (states["ridge"], states["scaling"], states["split"]) == ("proved", "proved", "declared")
    (subject,) = report(run).summary.subjects
    states = {each.what: each.state for each in subject.assumptions}
    assert (states["ridge"], states["features"]) == ("declared", "not checked")
    assert main(["certify", str(DATA), *LABELS, "--q", "0.1", "--limit", "5", "--ridge", "3",
                 "-o", str(run.parent / "three")]) == 0  # fmt: skip
    edit_run(run.parent / "three", lambda content: content["ridge"].update(rule="auto"))
    found = report(run.parent / "three", data=DATA)
    assert {e.what: e.state for e in found.summary.subjects[0].assumptions}["ridge"] == "failed"
    assert not good(found)


def test_an_empty_audit_beside_a_good_run(made, tmp_path):
    result = log(tmp_path, [(0, 1, -1, "0", 500)])
    found = report(made / "run", result, data=DATA)
    assert found.codes == {0, 5}
    assert not good(found)


def test_the_same_twice(made, audited):
    with pytest.raises(InputError, match="given twice"):
        report(audited, audited)
    with pytest.raises(InputError, match="given twice"):
        report(made / "run", made / "votes" / ".." / "run")


def test_who_signed_stands_in_the_report(made):
    found = report(made / "run", data=DATA, key=made / "key.pub.pem")
    (subject,) = found.summary.subjects
    assert any(remark.startswith("key ") for remark in subject.remarks)
    assert {each.name for each in subject.inputs} >= {"key.pub.pem", "breast_cancer.csv"}
    assert any(remark in repr(document(found)) for remark in subject.remarks)


def test_a_run_with_test_rows_apart_says_so(tmp_path):
    lines = DATA.read_text().splitlines()
    (tmp_path / "tr.csv").write_text("\n".join(lines[:200]) + "\n")
    (tmp_path / "te.csv").write_text("\n".join([lines[0], *lines[200:210]]) + "\n")
    arguments = ("--test", str(tmp_path / "te.csv"), "--q", "0.1", "-o", str(tmp_path / "run"))
    assert main(["certify", str(tmp_path / "tr.csv"), *LABELS, *arguments]) == 0
    (subject,) = report(tmp_path / "run").summary.subjects
    assert "--test TEST" in subject.commands[0]
    apart = {"data": tmp_path / "tr.csv", "test": tmp_path / "te.csv"}
    found = report(tmp_path / "run", **apart)
    assert depths(found)[0]["radius"] == "proved"


def test_a_radius_is_meant_as_it_is_spelled(tmp_path):
    # The float64 nearest to 3/10 is below it, that nearest to 0.0999... is 1/10.
    result = log(tmp_path, [(i, 1, 1, "0.3", 990) for i in range(5)])
    assert threshold_of(report(result, context=asking("0.3", "1"))).state == "met"
    assert threshold_of(report(result, context=asking("3/10", "1"))).state == "met"
    assert threshold_of(report(result, context=asking("0.30000000000000001", "1"))).state != "met"
    result = log(tmp_path, [(i, 1, 1, "0.0999999999999999999999", 990) for i in range(5)])
    assert threshold_of(report(result, context=asking("0.1", "1"))).state != "met"
    assert threshold_of(report(result, context=asking("0.0999", "1"))).state == "met"


def test_absurd_radii_are_drawn(tmp_path):
    for radius in ("1e13", "1e300", "inf"):
        rows = [(0, 1, 1, radius, 990), (1, 1, 1, "0.1", 990)]
        pages = document(report(log(tmp_path, rows)))
        assert len(pages.sections) == 15


def test_a_ridge_that_was_given_is_somebody_s_choice(tmp_path):
    options = ("--q", "0.1", "--limit", "5", "--ridge", "1/7", "-o", str(tmp_path / "run"))
    assert main(["certify", str(DATA), *LABELS, *options]) == 0
    (subject,) = report(tmp_path / "run", data=DATA).summary.subjects
    assert {e.what: e.state for e in subject.assumptions}["ridge"] == "declared"


def test_rules_of_many_classes_are_computed_again(made, tmp_path):
    (subject,) = report(made / "votes", data=DATA).summary.subjects
    states = {each.what: each.state for each in subject.assumptions}
    assert (states["ridge"], states["scaling"]) == ("proved", "proved")
    options = ("--q", "0.1", "--limit", "5", "--vote", "plurality", "--ridge", "9")
    assert main(["certify", str(DATA), *LABELS, *options, "-o", str(tmp_path / "run")]) == 0
    edit_run(tmp_path / "run", lambda content: content["ridge"].update(rule="auto"))
    assert not good(report(tmp_path / "run", data=DATA))


def test_what_is_known_of_the_classifier_without_noise(run):
    edit_run(run, lambda content: content["accuracy"].update(unsmoothed=0.99))
    assert report(run, data=DATA).summary.outcome.state == "bad"
    assert not good(report(run))
    edit_run(run, lambda content: content["accuracy"].update(unsmoothed=1.76))
    with pytest.raises(InputError, match="is no share"):
        report(run)


def test_bounds_that_the_data_do_not_prove(run):
    def lie(row):
        row["log_error"] *= 1.01

    change(run / "certificates.jsonl", 4, lie)
    for more in ({}, {"data": DATA}):
        assert not good(report(run, **more))


MORE = {
    "a noise model without a name": lambda d: d["files"][0]["parameters"].update(noise_model={}),
    "open rows": lambda d: d["files"][0]["accuracy"].update(open=4),
    "shares": lambda d: d["files"][0].update(kind="shares"),
    "lost less": lambda d: d["files"][0]["accuracy"].update(grid_drop_rows=10**9),
    "causes": lambda d: d["summary"]["by_cause"].update({"float-noise": 3}),
    "negative": lambda d: d["files"][0]["accuracy"].update(rows=-1),
    "a digest": lambda d: d["files"][0].update(sha256="zz"),
    "a line twice": lambda d: d["claims"][1].update(line=d["claims"][0]["line"]),
    "confirmed beyond": lambda d: next(
        c for c in d["claims"] if c["verdict"] == "confirmed"
    ).update(claimed_radius=99.0),
    "a curve": lambda d: d["files"][0]["accuracy"]["certified"].append(
        {"radius": 50.0, "claimed": 4, "proved": 4}
    ),
}


@pytest.mark.parametrize("name", MORE)
def test_an_audit_that_contradicts_its_rows_is_refused(tmp_path, name):
    rows = [(i, 1, 1, "0.1" if i < 5 else "0.6", 990) for i in range(10)]
    result = log(tmp_path, rows)
    content = json.loads(result.read_text())
    assert {c["verdict"] for c in content["claims"]} == {"confirmed", "unsupported"}
    MORE[name](content)
    result.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"audit\.json"):
        report(result)


def test_what_is_lost_is_counted_here(tmp_path):
    result = log(tmp_path, [(i, 1, 1, "0.6", 990) for i in range(10)])
    content = json.loads(result.read_text())
    content["files"][0]["accuracy"]["worst_drop_rows"] = 10**9
    result.write_text(json.dumps(content))
    (subject,) = report(result).summary.subjects
    facts = {fact.name: fact.value for fact in subject.results}
    assert facts["certified accuracy lost where most is lost, any radius"] == "100.00 points"


def test_numbers_of_any_magnitude_keep_their_side(tmp_path):
    assert Fraction(down(Fraction(10) ** 400 / 3)) <= Fraction(10) ** 400 / 3
    assert Fraction(up(Fraction(1, 3 * 10**400))) >= Fraction(1, 3 * 10**400)
    options = ("--q", "0.1", "--limit", "3", "-o", str(tmp_path / "run"))
    assert main(["certify", str(DATA), *LABELS, "--ridge", "1e400", *options]) == 0
    assert "1.00000e+400" in repr(document(report(tmp_path / "run")))


def test_the_radius_of_a_row_is_not_above_what_its_count_reaches(tmp_path):
    rows = [(i, 1, 1, "0.1234567890123", 990) for i in range(5)]
    (subject,) = report(log(tmp_path, rows)).summary.subjects
    pages = document(report(log(tmp_path, rows)))
    (figure,) = (b for b in blocks(pages) if isinstance(b, Figure) and b.name.startswith("curve"))
    (last,) = figure.table.rows[-1:]
    assert last[1] == "5"
    assert Fraction(last[0]) <= Fraction("0.1234567890123")
    assert subject.verdicts.confirmed == 5
