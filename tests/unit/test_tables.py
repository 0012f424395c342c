"""Tables: what is written can be read, looked up and checked, and every wrong cell is seen."""

import json
import math
import os
from concurrent.futures import ThreadPoolExecutor
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from certaudit import discrete, label_flip, load_table, threshold
from certaudit.errors import InputError
from certaudit.io.tables import MANIFEST, csv_lines, read_entries, write_manifest, write_table
from certaudit.rigorous.radius import tight_radius
from certaudit.tables import COLUMNS, Entry, Row, Table, build_rows, check_entries, spell

NOISES = [
    label_flip("0.1"),
    label_flip("0.45"),
    label_flip("0.3", 10),
    discrete("0.2", 256),
    discrete("1/10", 4),
    discrete("1/4", 4),
    discrete("0", 3),
    discrete("0", 30),
    discrete("1", 2),
]
FORMATS = (".csv", ".json", ".parquet")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_spelling_reads_back_and_errs_to_its_side(value):
    low, high = spell(value, ROUND_FLOOR), spell(value, ROUND_CEILING)
    assert float(low) == float(high) == value
    assert Decimal(low) <= Decimal(value) <= Decimal(high)


@pytest.mark.parametrize("noise", NOISES, ids=str)
def test_rows_are_correctly_rounded(noise):
    for row in build_rows(noise, 30):
        least = threshold(noise, row.radius)
        if least is None:
            assert row == Row(row.radius, None, None, None)
            continue
        exact = least.exact()
        assert Fraction(row.p_threshold) >= exact
        assert Fraction(math.nextafter(row.p_threshold, 0)) < exact
        assert exact <= Fraction(row.p_decimal) < exact + Fraction(1, 10**20)
        if exact < 1:
            assert least.compare_log(Fraction(row.log_error_threshold)) > 0
            assert least.compare_log(Fraction(math.nextafter(row.log_error_threshold, 0))) < 0
        else:
            assert row.log_error_threshold == -math.inf
        cells = dict(zip(COLUMNS, row.cells(), strict=True))
        assert Fraction(cells["p_threshold"]) >= exact
        assert float(cells["p_threshold"]) == row.p_threshold


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("noise", NOISES, ids=str)
def test_what_is_written_is_read_and_right(noise, suffix, tmp_path):
    path = tmp_path / f"t{suffix}"
    sha256 = write_table(path, noise, 30, digits=25)
    assert len(sha256) == 64
    table = load_table(path)
    assert table.rows == tuple(build_rows(noise, 30, 25))
    assert table.noise == (None if suffix == ".csv" else noise)
    entries, stated = read_entries(path)
    assert stated == table.noise
    assert list(check_entries(noise, entries)) == []


@pytest.mark.parametrize("suffix", FORMATS[:2])
def test_the_same_table_is_the_same_bytes(suffix, tmp_path):
    for name in ("a", "b"):
        write_table(tmp_path / f"{name}{suffix}", label_flip("0.2", 3), 50)
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_the_json_table_is_plain_json(tmp_path):
    write_table(tmp_path / "t.json", label_flip("0.1"), 3)
    content = json.loads((tmp_path / "t.json").read_text(encoding="ascii"))
    assert content["noise_model"] == {"name": "label-flip", "q": "1/10", "classes": 2}
    assert [row["radius"] for row in content["rows"]] == [0, 1, 2, 3]
    assert content["rows"][0]["p_threshold"] == 0.5


FLIPS = Table(tuple(build_rows(label_flip("0.1"), 700)), label_flip("0.1"))


@given(st.floats(min_value=-1200, max_value=-1e-3))
def test_a_lookup_by_log_error_is_the_decision_for_that_float(log_error):
    noise, table = label_flip("0.1"), FLIPS
    assert table.radius(log_error=log_error) == tight_radius(noise, log_error=Fraction(log_error))


@given(st.floats(min_value=0, max_value=1, exclude_max=True))
def test_a_lookup_by_p_is_the_decision_for_that_float(p):
    for noise in (label_flip("0.3"), discrete("0.2", 256)):
        table = Table(tuple(build_rows(noise, 100)), noise)
        found, right = table.radius(p=p), tight_radius(noise, p=Fraction(p))
        assert found <= right
        # Between a threshold and its rounding up there may be no float but that one.
        assert found == right or p in {row.p_threshold for row in table.rows}


def test_a_lookup_at_a_tie():
    two, three = discrete("0.8"), discrete("1/2", 3)
    for noise, tie, certified in ((two, 0.875, 1), (three, 0.75, 0)):
        table = Table(tuple(build_rows(noise, 5)), noise)
        assert threshold(noise, 1).exact() == Fraction(tie)
        assert table.radius(p=tie) == certified == tight_radius(noise, p=Fraction(tie))
        assert table.radius(p=math.nextafter(tie, 1)) == 1
    assert Table(tuple(build_rows(two, 5)), None).radius(p=0.875) == 0
    assert Table(tuple(build_rows(three, 5)), None).radius(p=0.75) == 0


BAD_LOOKUPS = [
    {},
    {"p": 0.9, "log_error": -2.0},
    {"p": 1.0},
    {"p": -0.1},
    {"p": math.nan},
    {"log_error": math.nan},
]


@pytest.mark.parametrize("arguments", BAD_LOOKUPS, ids=str)
def test_bad_lookups(arguments):
    with pytest.raises(InputError):
        Table(tuple(build_rows(label_flip("0.1"), 5)), None).radius(**arguments)


def changed(tmp_path, line, column, text, noise=None):
    """Write a table with one cell changed."""
    rows = build_rows(noise or label_flip("0.1"), 40)
    lines = [line.rstrip("\n").split(",") for line in csv_lines(rows)]
    lines[line][COLUMNS.index(column)] = text
    path = tmp_path / "t.csv"
    path.write_text("".join(",".join(cells) + "\n" for cells in lines))
    return read_entries(path)[0]


@pytest.mark.parametrize(
    ("column", "text", "side"),
    [
        ("p_decimal", "0.99382716049382716049", "unsafe"),
        ("p_decimal", "0.99382716049382716051", "safe"),
        ("p_decimal", "0.5", "unsafe"),
        ("p_decimal", "none", "safe"),
        ("p_threshold", "0.9938271604938271", "unsafe"),
        ("p_threshold", "0.99382716049382735", "safe"),
        ("p_threshold", "1e10", "safe"),
        ("p_threshold", "-1", "unsafe"),
        ("log_error_threshold", "-5.087596335232384", "unsafe"),
        ("log_error_threshold", "-5.0875963352323855", "safe"),
        ("log_error_threshold", "none", "safe"),
        ("log_error_threshold", "0", "unsafe"),
    ],
)
def test_a_wrong_cell_is_found_and_its_side_is_named(column, text, side, tmp_path):
    (found,) = check_entries(label_flip("0.1"), changed(tmp_path, 3, column, text))
    assert (found.line, found.radius, found.column, found.side) == (4, 2, column, side)
    assert found.wrong


def test_every_row_of_another_noise_is_wrong():
    table = [
        Entry(row.radius + 2, row.radius, dict(zip(COLUMNS[1:], row.cells()[1:], strict=True)))
        for row in build_rows(label_flip("0.1"), 20)
    ]
    for q, side in (("0.1000001", "safe"), ("0.0999999", "unsafe")):
        found = list(check_entries(label_flip(q), table))
        assert {d.radius for d in found} >= set(range(1, 14))
        assert {d.side for d in found} == {side}, q


def test_the_published_format_and_its_stated_error(tmp_path):
    """Lee et al.'s layout, thresholds rounded up by adding a unit: right, loose where exact."""
    noise, path = discrete("0.8"), tmp_path / "0.8.txt"
    lines = ["r\trho_r^{-1}(0.5)\terr"]
    for radius in range(21):
        exact = threshold(noise, radius).exact()
        units = exact.numerator * 10**20 // exact.denominator + 1
        lines.append(f"{radius}\t{units // 10**20}.{units % 10**20:020}\t1* 10^-20")
    path.write_text("\n".join(lines) + "\n")
    entries, _ = read_entries(path)
    found = list(check_entries(noise, entries))
    assert [d.side for d in found] == ["within err"] * 16
    assert {d.excess for d in found} == {Fraction(1, 10**20)}
    path.write_text(path.read_text().replace("1* 10^-20", "NA"))
    found = list(check_entries(noise, read_entries(path)[0]))
    assert [d.side for d in found] == ["safe"] * 16
    assert all(d.wrong for d in found)


def test_a_table_rounded_to_nearest_is_wrong_where_it_was_rounded_down(tmp_path):
    path, noise = tmp_path / "t.tsv", label_flip("0.3")
    lines = ["flips p"]
    low = 0
    for radius in range(40):
        exact = threshold(noise, radius).exact()
        nearest = round(exact * 10**12)
        low += Fraction(nearest, 10**12) < exact
        lines.append(f"{radius} {nearest / 10**12:.12f}")
    path.write_text("\n".join(lines) + "\n")
    found = list(check_entries(noise, read_entries(path, {"radius": "flips", "p": "p"})[0]))
    assert len(found) == low > 10
    assert {d.side for d in found} == {"unsafe"}


HEAD = ",".join(COLUMNS) + "\n"
BAD_TABLES = {
    "empty": "",
    "only a header": HEAD,
    "unknown columns": "a,b\n1,2\n",
    "duplicate radius": HEAD + "0,0.5,-0.7,0.5\n0,0.5,-0.7,0.5\n",
    "missing radius": HEAD + "0,0.5,-0.7,0.5\n2,0.99,-5,0.99\n",
    "unsorted": HEAD + "1,0.99,-5,0.99\n0,0.5,-0.7,0.5\n",
    "negative radius": HEAD + "-1,0.5,-0.7,0.5\n0,0.5,-0.7,0.5\n",
    "radius beyond the limit": HEAD + "1000000,1,-7,1\n1000001,1,-7,1\n",
    "radius of 30 digits": HEAD + "1" * 30 + ",1,-7,1\n",
    "radius not an integer": HEAD + "0.5,0.5,-0.7,0.5\n",
    "too few cells": HEAD + "0,0.5,-0.7\n",
    "too many cells": HEAD + "0,0.5,-0.7,0.5,1\n",
    "nan": HEAD + "0,nan,-0.7,0.5\n",
    "words": HEAD + "0,half,-0.7,0.5\n",
    "a quotient": HEAD + "0,1/2,-0.7,1/2\n",
    "huge exponent": HEAD + "0,0.5,-0.7,1e-99999999\n",
    "a quote that is not closed": HEAD + '0,"0.5,-0.7,0.5\n',
    "json of something else": '{"rows": 3}',
    "json with a key twice": '{"rows": [], "rows": []}',
    "json that nests": "[" * 100_000,
    "json with NaN": '{"noise_model": {}, "rows": [{"radius": NaN}]}',
    "json without a model": '{"rows": []}',
    "half a json": '{"rows": [',
}


@pytest.mark.parametrize("text", BAD_TABLES.values(), ids=BAD_TABLES.keys())
def test_bad_tables_are_refused(text, tmp_path):
    path = tmp_path / "t"
    path.write_text(text)
    with pytest.raises(InputError):
        list(check_entries(label_flip("0.1"), read_entries(path)[0]))
    with pytest.raises(InputError):
        load_table(path)


@pytest.mark.parametrize("data", [b"PAR1 and nothing more", b"\xff\xfe\x00", b"PK\x03\x04"])
def test_files_that_are_no_text_are_refused(data, tmp_path):
    path = tmp_path / "t"
    path.write_bytes(data)
    with pytest.raises(InputError):
        read_entries(path)


def test_a_table_whose_threshold_falls_is_not_loaded(tmp_path):
    path = tmp_path / "t.csv"
    rows = list(build_rows(label_flip("0.1"), 5))
    for swapped in (2, 4):
        cells = [row.cells() for row in rows]
        cells[swapped][1:] = cells[swapped - 1][1:] if swapped == 2 else cells[1][1:]
        path.write_text(HEAD + "".join(",".join(row) + "\n" for row in cells))
        if swapped == 4:
            with pytest.raises(InputError, match="falls"):
                load_table(path)
        else:
            load_table(path)  # equal thresholds are no fall
    for before, after in pairwise(rows):
        assert before.log_error_threshold > after.log_error_threshold


def test_the_manifest_guards_a_table(tmp_path):
    path, noise = tmp_path / "t.csv", label_flip("0.1")
    sha256 = write_table(path, noise, 5)
    entry = {"noise_model": noise.as_json(), "sha256": sha256}
    assert write_manifest(tmp_path, {"t.csv": entry})
    assert write_manifest(tmp_path, {"u.csv": {"sha256": ""}})
    assert load_table(path).noise == noise
    path.write_text(path.read_text().replace("0.99", "0.98"))
    with pytest.raises(InputError, match="sha256"):
        load_table(path)


@pytest.mark.parametrize("text", ["{}", "[]", "not json", '{"certaudit": 1, "files": []}'])
def test_somebody_elses_manifest_is_left_alone(text, tmp_path):
    (tmp_path / MANIFEST).write_text(text)
    assert not write_manifest(tmp_path, {"t.csv": {}})
    assert (tmp_path / MANIFEST).read_text() == text


@pytest.mark.parametrize("name", ["t.txt", "t", MANIFEST, "no/such/folder/t.csv"])
def test_places_where_no_table_is_written(name, tmp_path):
    with pytest.raises(InputError):
        write_table(tmp_path / name, label_flip("0.1"), 5)


def test_what_stops_half_way_leaves_nothing(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("earlier")

    def stop(done, _total):
        if done >= 128:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_table(path, label_flip("0.1"), 1000, progress=stop)
    assert [p.name for p in tmp_path.iterdir()] == ["t.csv"]
    assert path.read_text() == "earlier"


@pytest.mark.parametrize(
    "arguments", [{"max_radius": -1}, {"max_radius": 10**6 + 1}, {"digits": 0}, {"digits": 1001}]
)
def test_absurd_tables_are_refused(arguments):
    with pytest.raises(InputError):
        list(build_rows(label_flip("0.1"), **{"max_radius": 3, **arguments}))


def test_an_infinite_log_error_is_no_evidence():
    """F^-1(1) is 1 for three values that are never kept: at p = 1 the vote may tie."""
    noise = discrete(0, 3)
    table = Table(tuple(build_rows(noise, 1)), noise)
    assert table.rows[1].log_error_threshold == -math.inf
    for log_error in (-math.inf, math.inf):
        with pytest.raises(InputError, match="finite"):
            table.radius(log_error=log_error)


def test_half_the_vote_certifies_nothing_under_uniform_noise():
    noise = discrete("1/2", 2)
    table = Table(tuple(build_rows(noise, 5)), noise)
    assert table.radius(p=0.5) == 0
    assert table.radius(p=math.nextafter(0.5, 1)) == 5


@pytest.mark.parametrize("column", ["p_threshold", "log_error_threshold"])
def test_digits_on_the_wrong_side_are_unsafe_though_they_read_as_the_right_float(column, tmp_path):
    noise, caught = label_flip("0.3"), 0
    for row in build_rows(noise, 40):
        text = repr(getattr(row, column))
        exact = Fraction(text)
        least = threshold(noise, row.radius)
        if column == "p_threshold":
            safe = least.compare(1 - exact) >= 0
        else:
            safe = least.compare_log(exact) > 0
        found = list(check_entries(noise, changed(tmp_path, row.radius + 1, column, text, noise)))
        assert [d.side for d in found] == ([] if safe else ["unsafe"])
        caught += not safe
    assert caught >= 2


def test_a_table_of_uniform_noise_is_checked_at_any_radius(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("r,p,e\n20000,0.6,0.1\n20001,0.5,0\n")
    entries, _ = read_entries(path, {"radius": "r", "p": "p", "err": "e"})
    (found,) = check_entries(discrete("1/2", 2), entries)
    assert (found.radius, found.side) == (20000, "within err")


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.longdouble])
def test_numpy_floats_are_looked_up_as_the_numbers_they_are(kind):
    """NumPy compares a float32 with a float64 in float32: that would round the threshold."""
    noise = FLIPS.noise
    for row in FLIPS.rows[1:40]:
        log_error, p = kind(row.log_error_threshold), kind(row.p_threshold)
        right = tight_radius(noise, log_error=Fraction(float(log_error)))
        if kind is not np.longdouble:
            assert FLIPS.radius(log_error=log_error) == right
        if p < 1:
            assert FLIPS.radius(p=p) <= tight_radius(noise, p=Fraction(float(p)))


@pytest.mark.parametrize(
    "value", ["0.95", b"0.95", True, None, Fraction(1, 3), Decimal("0.9"), [0.9], 10**400]
)
def test_what_is_no_float64_is_not_looked_up(value):
    for name in ("p", "log_error"):
        with pytest.raises(InputError):
            FLIPS.radius(**{name: value})


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_table_that_was_changed_is_not_loaded_but_can_be_checked(suffix, tmp_path):
    path, noise = tmp_path / f"t{suffix}", label_flip("0.1")
    write_table(path, noise, 5)
    write_manifest(tmp_path, {path.name: {"noise_model": noise.as_json(), "sha256": "0" * 64}})
    with pytest.raises(InputError, match="sha256"):
        load_table(path)
    assert list(check_entries(noise, read_entries(path)[0])) == []


@pytest.mark.parametrize(
    ("column", "text", "side"),
    [
        ("p_threshold", "1e999", "safe"),
        ("p_threshold", "-1e10000", "unsafe"),
        ("log_error_threshold", "-1e999", "safe"),
        ("log_error_threshold", "-inf", "safe"),
        ("p_decimal", "1e400", "safe"),
    ],
)
def test_cells_beyond_every_float_are_wrong_like_others(column, text, side, tmp_path):
    (found,) = check_entries(label_flip("0.1"), changed(tmp_path, 3, column, text))
    assert found.side == side


HEADERS = ["r rho_r^{-1}(0.5)\terr\n0\t0.5\n", "r,,rho_r^{-1}(0.5),err\n0,,0.5,NA\n"]


@pytest.mark.parametrize("text", HEADERS)
def test_headers_that_are_nearly_known(text, tmp_path):
    path = tmp_path / "t"
    path.write_text(text)
    with pytest.raises(InputError, match="not known"):
        read_entries(path)


@pytest.mark.parametrize(
    "cells",
    ["0.9444_4444,-2.8,0.95", "٠.٩٥,-2.8,0.95", "0.95,-Infinity,0.95", "0.95,-1e400,0.95",
     "0.95,-2.9,17/18", "0.95,-2.9,0x1.8p-1", "none,-2.9,0.95", "0.95,none,0.95", "0.3,-2.9,0.95",
     "0.95,-2.9,0.3", "-inf,-inf,0.95"],
)  # fmt: skip
def test_cells_that_only_look_like_numbers_are_not_loaded(cells, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(f"{HEAD}0,0.5,-0.6931471805599454,0.5\n1,{cells}\n")
    with pytest.raises(InputError, match="line 3"):
        load_table(path)


def test_decimals_that_fall_are_not_loaded(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(f"{HEAD}0,0.5,-0.7,0.9\n1,0.95,-2.9,0.8\n")
    with pytest.raises(InputError, match="falls"):
        load_table(path)


def test_a_float64_column_of_somebody_else_is_judged_as_such(tmp_path):
    path, noise = tmp_path / "t.csv", label_flip("0.3")
    lines = [f"{row.radius};{row.cells()[1]}" for row in build_rows(noise, 30)]
    path.write_text("flips;needed\n" + "\n".join(lines) + "\n")
    entries, _ = read_entries(path, {"radius": "flips", "p_threshold": "needed"})
    assert list(check_entries(noise, entries)) == []
    entries, _ = read_entries(path, {"radius": "flips", "p": "needed"})
    assert list(check_entries(noise, entries))


def test_a_semicolon_table_with_decimal_commas_is_refused_at_its_cell(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("radius;p\n0;0,5\n")
    entries, _ = read_entries(path, {"radius": "radius", "p": "p"})
    with pytest.raises(InputError, match="line 2: p"):
        list(check_entries(label_flip("0.1"), entries))


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there is no endless file here")
def test_an_endless_file_is_refused(monkeypatch):
    monkeypatch.setattr("certaudit.io.tables.MAX_TABLE_BYTES", 1 << 22)
    with pytest.raises(InputError, match="larger"):
        read_entries(Path("/dev/zero"))


def test_more_rows_than_radii_are_refused_early(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(HEAD + "\n" * 2_000_001)
    with pytest.raises(InputError, match="more rows"):
        read_entries(path)


def test_processes_that_write_side_by_side_lose_no_entry(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: write_manifest(tmp_path, {f"{n}.csv": {}}), range(40)))
    files = json.loads((tmp_path / MANIFEST).read_text())["files"]
    assert set(files) == {f"{n}.csv" for n in range(40)}


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_what_is_no_regular_file_is_not_replaced(kind, tmp_path):
    path, target = tmp_path / "t.csv", tmp_path / "target"
    target.write_text("kept")
    if kind == "link":
        path.symlink_to(target)
    else:
        os.mkfifo(path)
    with pytest.raises(InputError, match="not a regular file"):
        write_table(path, label_flip("0.1"), 3)
    assert target.read_text() == "kept"


@pytest.mark.parametrize(
    ("column", "side"), [("p_threshold", "unsafe"), ("log_error_threshold", "unsafe")]
)
def test_a_float64_column_that_stands_alone_is_checked(column, side, tmp_path):
    """A column that was named and not looked at would let a wrong table pass."""
    noise, path = label_flip("0.1"), tmp_path / "t.csv"
    place = COLUMNS.index(column)
    for wrong in (False, True):
        cells = [row.cells()[place] for row in build_rows(noise, 9)]
        if wrong:
            cells[4] = cells[3]
        path.write_text("r,x\n" + "".join(f"{r},{cell}\n" for r, cell in enumerate(cells)))
        entries, _ = read_entries(path, {"radius": "r", column: "x"})
        found = list(check_entries(noise, entries))
        assert [(d.radius, d.side) for d in found] == ([(4, side)] if wrong else [])
