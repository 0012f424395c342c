"""Certificate files of other people: every format, every oddity, and what is hostile."""

import gzip
import json
import os
import random
import re
import struct
import sys
import zipfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from certaudit.claims import COLUMNS, WORDS, Stated
from certaudit.errors import InputError
from certaudit.io.claims import (
    MAX_LINE,
    ROWS,
    Broken,
    Skipped,
    delimited,
    frame_source,
    json_lines,
    sources,
)
from certaudit.io.claims import arrays as claim_arrays
from certaudit.io.claims import blocks as claim_blocks
from certaudit.io.claims import recognise as claim_recognition
from certaudit.io.claims.columns import ALIASES, SILENT, canonical, of_class
from certaudit.io.claims.manifest import MARK, MODELS, PLAIN_KEYS, manifest_states

HEADER = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n"
ROW = "0\t3\t3\t0.284\t1\t0:00:10.417420\n"


def one(path, **options):
    (source,) = sources(path, **options)
    return source


def put(folder, text, name="sigma_0.25"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


class Read:
    """Everything that a source yields, put together."""

    def __init__(self, source):
        self.kind, self.stated = source.kind, source.stated
        self.columns, self.lines, self.malformed, self.notes, self.runs = {}, [], [], [], []
        for chunk in source.chunks():
            size = len(chunk.lines)
            assert size <= ROWS
            assert chunk.lines.dtype == np.int64
            for name, column in chunk.columns.items():
                assert len(column) == size
                self.columns.setdefault(name, []).extend(column)
            self.lines.extend(chunk.lines.tolist())
            self.malformed.extend(chunk.malformed)
            self.notes.extend((note.kind.code, note.line) for note in chunk.notes)
            self.runs.extend([chunk.run] * size)

    def codes(self):
        return [code for code, _ in self.notes]

    def says(self, name):
        stated = self.stated[name]
        return stated.value, stated.origin


def read(folder, text, name="sigma_0.25", **options):
    source = one(put(folder, text, name), **options)
    first, second = Read(source), Read(source)
    assert vars(first) == vars(second)
    return first


# ---------------------------------------------------------------------------- logs


def test_a_log(tmp_path):
    found = read(tmp_path, HEADER + ROW + "1\t8\t-1\t0.0\t0\t0:00:01\n")
    assert found.kind == "radii"
    assert found.columns == {
        "index": ["0", "1"],
        "label": ["3", "8"],
        "prediction": ["3", "-1"],
        "radius": ["0.284", "0.0"],
        "correct": ["1", "0"],
    }
    assert (found.lines, found.malformed, found.notes) == ([2, 3], [], [])
    assert found.stated == {"sigma": Stated(Fraction(1, 4), "file name")}


@pytest.mark.parametrize("delimiter", ["\t", ",", ";", " ", "   "])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("last", [True, False])
def test_separators_ends_of_lines_and_byte_order_marks(tmp_path, delimiter, end, bom, last):
    text = (HEADER + ROW + ROW).replace("\t", delimiter).replace("\n", end)
    found = read(tmp_path, bom + (text if last else text.removesuffix(end)).encode())
    assert found.columns["index"] == ["0", "0"]
    assert found.columns["correct"] == ["1", "1"]
    assert found.malformed == found.notes == []


def test_padded_separators_are_noted_once(tmp_path):
    padded = "idx \t label \t linf_radius \t prob_lb\n0 \t 1 \t -0.00194 \t 0.33\n"
    found = read(tmp_path, padded + "1 \t 2 \t 0.1 \t 0.9\n")
    assert found.notes == [("CA126", 1)]
    assert found.columns["radius"] == ["-0.00194", "0.1"]
    assert found.columns["p_lower"] == ["0.33", "0.9"]
    assert found.says("norm") == ("linf", "file")
    later = read(tmp_path, HEADER + ROW + ROW.replace("\t", " \t") + ROW.replace("\t", "\t "))
    assert later.notes == [("CA126", 3)]
    assert later.columns["radius"] == ["0.284"] * 3


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("idx", "index"),
        ("ID", "index"),
        ("y", "label"),
        ("True Label", "label"),
        ("pred", "prediction"),
        ("certified_radius", "radius"),
        ("l2_radius", "radius"),
        ("pABar", "p_lower"),
        ("pA", "p_lower"),
        ("p1low", "p_lower"),
        ("prob_ub", "p_upper"),
        ("p1high", "p_upper"),
        ("log_error", "log_error"),
        ("nA", "count"),
        ("counts", "count"),
        ("votes", "count"),
        ("nB", "runner_up"),
        ("num_samples", "samples"),
        ("N0", "selection_samples"),
        ("class_3", "count:3"),
        ("count0", "count:0"),
        ("votes_12", "count:12"),
        ("count:1", "count:1"),
    ],
)
def test_names_of_columns(header, name):
    assert canonical(header) == name


def test_columns_that_are_not_read_are_noted_and_time_is_not(tmp_path):
    found = read(tmp_path, "idx,radius,colour,Time,\n1,2,red,3,5\n", "a.csv")
    assert found.columns == {"index": ["1"], "radius": ["2"]}
    assert found.codes() == ["CA136"] * 2


def test_a_sentence_is_no_header(tmp_path):
    found = read(tmp_path, "idx label radius entropy\n0 1 0.5 0.1\n")
    assert found.columns["radius"] == ["0.5"]
    with pytest.raises(InputError, match="recognised"):
        list(sources(put(tmp_path, "the radius of class i is large\n")))


def test_kinds(tmp_path):
    assert read(tmp_path, "idx,radius,p_lower\n0,1,0.9\n").kind == "radii"
    assert read(tmp_path, "idx,p_lower,count\n0,0.9,9\n").kind == "shares"
    assert read(tmp_path, "idx,log_error\n0,-9\n").kind == "shares"
    votes = read(tmp_path, "idx,class_0,class_1\n0,99,1\n")
    assert votes.kind == "votes"
    assert votes.columns == {"index": ["0"], "count:0": ["99"], "count:1": ["1"]}
    curve = read(tmp_path, "radius,accuracy\n0.0,0.9\n0.5,0.8\n", "c.csv")
    assert (curve.kind, curve.columns["accuracy"]) == ("curve", ["0.9", "0.8"])


def test_mapped_columns(tmp_path):
    path = put(tmp_path, "n,r,radius\n1,0.5,7\n", "a.csv")
    found = Read(one(path, columns={"index": "n", "radius": "r"}))
    assert found.columns == {"index": ["1"], "radius": ["0.5"]}
    assert found.codes() == ["CA136"]
    counts = Read(one(put(tmp_path, "no,yes\n1,9\n"), columns={"count:0": "no", "count:1": "yes"}))
    assert counts.columns == {"count:0": ["1"], "count:1": ["9"]}
    for columns in (
        {"radius": "R"},
        {"index": "n", "radius": "n"},
        {"size": "n"},
        {"count:x": "n"},
    ):
        with pytest.raises(InputError, match="column"):
            list(sources(path, columns=columns))


def test_two_columns_of_one_name_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"a\.csv: two columns are called 'radius'"):
        list(sources(put(tmp_path, "idx,radius,radius\n0,1,2\n", "a.csv")))
    assert list(sources(tmp_path)) == [Broken("a.csv", "two columns are called 'radius' (radius)")]


@pytest.mark.parametrize(
    ("first", "second", "ours"),
    [
        ("count", "na", "count"),
        ("p_lower", "pABar", "p_lower"),
        ("l2_radius", "certified_radius", "radius"),
        ("radius", "l2_radius", "radius"),
        ("count:3", "count_3", "count:3"),
        ("Count-3", "count 3", "count:3"),
    ],
)
def test_two_names_of_one_column_are_refused(tmp_path, first, second, ours):
    why = f"the columns '{first}' and '{second}' could both be {ours}; name one with --column"
    row = f'{{"idx": 0, "{first}": 1}}\n{{"idx": 1, "{second}": 2}}\n'
    for text, name in ((f"idx,{first},{second}\n0,1,2\n", "a.csv"), (row, "a.jsonl")):
        path = put(tmp_path / name, text, name)
        with pytest.raises(InputError, match=re.escape(why)):
            list(sources(path))
        assert list(sources(path.parent)) == [Broken(name, why)]
        for chosen in (first, second):
            found = Read(one(path, columns={ours: chosen}))
            assert found.columns.keys() == {"index", ours}
            assert found.codes() == ["CA136"]
    with pytest.raises(InputError, match=re.escape(why)):
        frame_source({"idx": [0], first: [1], second: [2]})


def test_names_that_are_not_read_may_mean_the_same(tmp_path):
    found = read(tmp_path, "idx,radius,acc,accuracy,time,seconds\n0,1,2,3,4,5\n", "a.csv")
    assert found.columns == {"index": ["0"], "radius": ["1"]}
    assert found.codes() == ["CA136"] * 2
    named = read(tmp_path, "x,na,nA2,count\n0,1,2,3\n", "b.csv", columns={"count": "x"})
    assert named.columns == {"count": ["0"]}


ODD_BLANKS = (*"\xa0\u2028\u2029\u3000\ufeff\x0b\x0c\x1c\x1d\x1e\x1f\x85\u200b",)


@pytest.mark.parametrize("odd", ODD_BLANKS)
@pytest.mark.parametrize("mark", [",", "\t", ";", " "])
def test_only_blanks_and_tabs_are_taken_from_fields(tmp_path, odd, mark):
    lines = ["idx,label,radius", "0,1,2", f"1,1,{odd}2", f"2,1{odd},2", f'3,1,"2{odd}"', "4,1,2"]
    found = read(tmp_path, "\n".join(lines).replace(",", mark) + f"\n{odd}\n5{mark}1{mark}2\n")
    assert found.lines == [2, 6, 8]
    assert [line for line, _ in found.malformed] == [3, 4, 5, 7]


@pytest.mark.parametrize("odd", ODD_BLANKS)
def test_only_blanks_and_tabs_are_taken_elsewhere(tmp_path, odd):
    good = '{"index": 0, "radius": " 5\\t"}\n'
    bad = json.dumps({"index": 1, "radius": f"5{odd}"}), f'{odd}{{"index": 1, "radius": 5}}'
    found = read(tmp_path, good + "\n".join(bad) + "\n" + good, "claims.jsonl")
    assert found.columns["radius"] == ["5", "5"]
    assert [line for line, _ in found.malformed] == [2, 3]
    share = read(tmp_path, PARAMETERS + f"o 1 0.1 0.2{odd}\no 2{odd}0.1 0.2\no 3 0.1 0.2\n", LOG)
    assert share.columns["index"] == ["3"]
    frame = Read(frame_source({"idx": [0, "1 ", "2"], "radius": ["1", " 2", f"{odd}3"]}))
    assert frame.columns["radius"] == ["1", "2"]
    strings = Read(frame_source({"radius": ["1", " 2", f"{odd}3"]}))
    assert strings.columns["radius"] == ["1", "2"]
    text = "start\n" + HEADER + ROW + ROW.replace("3\t0.284", f"3{odd}\t0.284")
    log = read(tmp_path, text + f"pA: 0.5{odd}\n" + ROW, "out.txt")
    assert [line for line, _ in log.malformed] == [4, 6]
    path = archive(tmp_path, counts=COUNTS, radius=np.array(["1", "2 ", f"3{odd}"]))
    assert Read(one(path)).columns["radius"] == ["1", "2"]
    manifest = {"certaudit-claims": 1, "failure_prob": f"0.1{odd}"}
    with pytest.raises(InputError, match="failure_prob"):
        manifest_states(manifest, "x")


def test_digits_are_those_of_ascii(tmp_path):
    digits = str.maketrans("0123456789", "".join(map(chr, range(0x660, 0x66A))))
    assert of_class("count_٣") is None
    assert canonical("count:٣") is None
    text = "0 0.5\n10 0.25\n"
    assert read(tmp_path, text, "orig-rad-" + LOG).kind == "radii"
    with pytest.raises(InputError, match="not recognised"):
        list(sources(put(tmp_path, text.translate(digits), "orig-rad-" + LOG)))
    for number in ("-٣", "+٣"):
        signed = read(tmp_path, HEADER + ROW + ROW.replace("0.284", number))
        assert signed.lines == [2]
        assert Read(frame_source({"radius": ["1", number]})).lines == [1]
    curve = "0.0 0.5\n"
    with pytest.raises(InputError, match="recognised"):
        list(sources(put(tmp_path, curve.translate(digits), "x_acc")))


def test_what_is_no_frame_and_no_column():
    for wrong in (None, 5, [1], np.zeros(3), {1}, Frame):
        with pytest.raises(InputError, match="claims: a path, a data frame or a mapping of col"):
            frame_source(wrong)
    for wrong in (
        1,
        0.5,
        "0.5",
        b"12",
        None,
        np.float64(1),
        np.array(1),
        {1, 2},
        {1: 2},
        iter([1]),
    ):
        with pytest.raises(InputError, match="column 'radius': must be a sequence"):
            frame_source({"idx": [1], "radius": wrong})


@pytest.fixture
def usual_digits():
    """As many digits printed as Python does by itself: the command line prints more."""
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(sys.int_info.default_max_str_digits)
    yield
    sys.set_int_max_str_digits(before)


@pytest.mark.parametrize("extra", [[], ["1"]])
@pytest.mark.usefixtures("usual_digits")
def test_integers_that_cannot_be_printed(extra):
    data = {"count": [10**5000, *extra], "idx": [0] * (1 + len(extra))}
    with pytest.raises(InputError, match="frame: the column 'count': holds a number of too many"):
        Read(frame_source(data))
    with pytest.raises(InputError, match="claims"):
        frame_source({10**5000: [1], "radius": [1]})


def test_missing_predictions_of_a_frame_are_nothing():
    found = Read(frame_source({"radius": [1, 2, 3], "prediction": [None, float("nan"), 4.0]}))
    assert found.columns["prediction"] == ["", "", "4.0"]


def test_objects_as_labels(tmp_path):
    labels = ["tensor(3)", "[3]", "tensor([3])", "tensor(3, device='cuda:0')", "np.int64(3)", "3"]
    rows = "".join(f"{i}\t{x}\t{x}\t1.0\t1\t0\n" for i, x in enumerate(labels))
    found = read(tmp_path, HEADER + rows)
    assert found.columns["label"] == found.columns["prediction"] == ["3"] * 6
    assert found.notes == [("CA123", 2)]


def test_spelled_flags(tmp_path):
    rows = "".join(f"{i}\t3\t3\t1\t{x}\t0\n" for i, x in enumerate(["1", "True", "false", "maybe"]))
    found = read(tmp_path, HEADER + rows)
    assert found.columns["correct"] == ["1", "1", "0", "maybe"]
    assert found.notes == [("CA124", 3)]


def test_numbers_stay_text(tmp_path):
    numbers = ["inf", "nan", "-inf", "1e999999999", "0x1.8p+3", "-1/3", "9" * 5000, "", "+0.5"]
    found = read(tmp_path, HEADER + "".join(f"0\t1\t1\t{x}\t1\t0\n" for x in numbers))
    assert found.columns["radius"] == numbers
    assert found.malformed == []


@pytest.mark.parametrize("formula", ["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+3", "-"])
def test_formulas_make_a_row_malformed(tmp_path, formula):
    row = ROW.replace("\t3\t3\t", f"\t3\t{formula}\t")
    found = read(tmp_path, HEADER + ROW + row + row + ROW)
    assert found.lines == [2, 5]
    assert [line for line, _ in found.malformed] == [3, 4]
    assert "formula" in found.malformed[0][1]
    assert found.notes == [("CA135", 3)]


def test_rows_that_cannot_be_read(tmp_path):
    found = read(tmp_path, HEADER + ROW + "1\t2\n\n" + ROW.strip() + "\textra\n" + ROW)
    assert found.lines == [2, 6]
    assert found.malformed == [(3, "2 fields instead of 6"), (5, "7 fields instead of 6")]
    # One field less and one more, next to each other: as many separators as there should be.
    shifted = read(tmp_path, "idx,radius,label\n1,2\n1,2,3,4\n5,6,7\n")
    assert shifted.columns["radius"] == ["6"]
    assert len(shifted.malformed) == 2


def test_a_last_line_that_is_cut_off(tmp_path):
    found = read(tmp_path, HEADER + ROW + "1\t2\t2\t0.")
    assert found.malformed == [(3, "the last line is cut off")]
    assert found.notes == [("CA121", 3)]
    assert read(tmp_path, HEADER + ROW + ROW.strip()).malformed == []


def test_a_second_header_begins_a_run(tmp_path):
    found = read(tmp_path, HEADER + ROW + HEADER + ROW + ROW + HEADER)
    assert found.runs == [0, 1, 1]
    assert found.lines == [2, 4, 5]
    assert found.notes == [("CA112", 3)]


def test_a_header_only(tmp_path):
    for text in (HEADER, HEADER.strip()):
        found = read(tmp_path, text)
        assert found.columns == {
            name: [] for name in ("index", "label", "prediction", "radius", "correct")
        }


def test_comments_and_blank_lines_before_the_header(tmp_path):
    found = read(tmp_path, "# made by hand\n\nindex,radius\n0,1\n", "a.csv")
    assert (found.columns["radius"], found.lines) == (["1"], [4])


def test_quotes(tmp_path):
    found = read(tmp_path, 'idx,label,radius\n"0","a ""b"", c","1"\n1,x,2\n', "a.csv")
    assert found.columns["label"] == ['a "b", c', "x"]
    blanks = read(tmp_path, 'idx,label,radius\n0,"a , b",1\n1,x , 2\n', "a.csv")
    assert blanks.columns["label"] == ["a , b", "x"]
    assert blanks.notes == [("CA126", 3)]
    for body in ('0,"a\nb",1\n', '0,"a,1\n', '0,"a"b,1\n'):
        broken = read(tmp_path, f"idx,label,radius\n{body}2,c,3\n", "a.csv")
        assert broken.malformed[0][0] == 2
        assert broken.columns["index"] == ["2"]


def test_nul_long_lines_and_control_characters(tmp_path):
    head = HEADER + ROW * 3000
    bad = [
        ROW.replace("3", "\0"),
        ROW.replace("3", "\x1b[2J"),
        ROW.replace("3", "3\r3"),
        "9" * (MAX_LINE + 1) + "\n",
        "1\t" * (3 << 20) + "\n",
    ]
    for line in bad:
        found = read(tmp_path, head + line + ROW)
        assert [number for number, _ in found.malformed] == [3002]
        assert len(found.lines) == 3001
        assert found.lines[-1] == 3003
    ends = read(tmp_path, head + "9" * (3 << 20))
    assert ends.malformed == [(3002, f"a line of more than {MAX_LINE} bytes")]


def test_bytes_that_are_no_utf8_are_shown(tmp_path):
    found = read(tmp_path, HEADER.encode() + b"0\t\xff\xe9\t\xc3\xa9\t1\t1\t0\n")
    assert found.columns["label"] == ["\\xff\\xe9"]
    assert found.columns["prediction"] == ["é"]


def test_many_rows_in_chunks(tmp_path):
    count = 200_000
    path = put(tmp_path, "idx,radius\n" + "".join(f"{i},{i}\n" for i in range(count)), "a.csv")
    found = Read(one(path))
    assert found.columns["index"] == found.columns["radius"] == list(map(str, range(count)))
    assert found.lines == list(range(2, count + 2))
    short = Read(one(put(tmp_path, "radius\n" + "1\n" * count)))
    assert len(short.lines) == count


CELLS = ("0", "1", "-1", "0.5", "1e-5", " 2", "3 ", "", "True", "tensor(3)", "+1", "nan", "a")
ODD = (
    "=1",
    "-x",
    '"4"',
    '"a,b"',
    '"',
    "\r",
    "\x1b",
    "é",
    "#",
    "@",
    "idx",
    "0 0",
    '"0 , 0"',
    "1,1",
    "1\t1",
)


@pytest.mark.parametrize("seed", range(60))
def test_fast_and_careful_readings_agree(tmp_path, monkeypatch, seed):
    choose = random.Random(seed)
    mark = choose.choice([",", "\t", ";", " "])
    end = choose.choice(["\n", "\r\n"])
    cells = CELLS + tuple(choose.sample(ODD, seed % 3))
    lines = [mark.join(["idx", "label", "radius", "correct"])]
    lines += [mark.join(choose.choices(cells, k=4)) for _ in range(seed % 7 + 1)]
    path = put(tmp_path, end.join(lines) + choose.choice(["", end, end + end]), "log")
    fast = Read(one(path))
    monkeypatch.setattr(delimited, "_fast", lambda *_: None)
    careful = Read(one(path))
    assert sorted(careful.notes) == sorted(fast.notes)
    careful.notes = fast.notes
    assert vars(careful) == vars(fast)


@pytest.mark.parametrize("seed", range(60))
def test_fast_and_careful_readings_of_json_agree(tmp_path, monkeypatch, seed):
    choose = random.Random(seed)
    values = [
        "1",
        "-0.5",
        "null",
        "true",
        '"2"',
        '" 3 "',
        '"a:b"',
        '"="',
        '"}"',
        "[1]",
        "{}",
        "NaN",
    ]
    values = values[: 2 + seed % 11]
    lines = [
        f'{{"index": {at}, "label": {choose.choice(values)}, "radius": {choose.choice(values)}}}'
        for at in range(seed % 5 + 2)
    ]
    lines[0] = '{"index": 0, "label": 0, "radius": 0}'
    text = "\n".join(lines) + choose.choice(["", "\n", "\n\n", "}\n", "\n{\n"])
    path = put(tmp_path, text, "claims.jsonl")
    fast = Read(one(path))
    monkeypatch.setattr(json_lines, "objects_at_once", lambda *_: None)
    assert vars(Read(one(path))) == vars(fast)


# ---------------------------------------------------------------------------- what names state


@pytest.mark.parametrize(
    ("name", "sigma", "origin"),
    [
        ("sigma_0.25", "0.25", "file name"),
        ("sigma0.25.tsv", "0.25", "file name"),
        ("noise_1.00_0", "1", "file name"),
        ("noise_0.50_8966", "0.5", "file name"),
        ("noise_0.5", "0.5", "file name"),
        ("std_0.5.csv", "0.5", "file name"),
        ("log_sig05_pad16.txt", "0.5", "file name"),
        ("log_sig025.txt", "0.25", "file name"),
        ("sigma_2", "2", "file name"),
        ("noise_0.00/test/sigma_0.12", "0.12", "file name"),
        ("noise_0.25_sigma_0.12", "0.12", "file name"),
        ("noise_0.12/sigma_0.00", "0.12", "path"),
        ("noise_1.00/noise_0.12/test/log", "0.12", "path"),
        ("noise_0.00/log", None, None),
        ("noise_25", None, None),
        ("design_5", None, None),
        ("num_2/lbd_5.0/eta_0.5/log", None, None),
    ],
)
def test_sigma_in_names(tmp_path, monkeypatch, name, sigma, origin):
    put(tmp_path / "runs", HEADER + ROW, name)
    monkeypatch.chdir(tmp_path)  # whose own name says something of sigma, too
    found = Read(one(Path("runs")))
    if sigma is None:
        assert found.stated == {}
    else:
        assert found.stated == {"sigma": Stated(Fraction(sigma), origin)}


def test_the_folder_as_given_counts_and_nothing_above_it(tmp_path, monkeypatch):
    put(tmp_path, HEADER + ROW, "noise_0.5/inner/log")
    monkeypatch.chdir(tmp_path / "noise_0.5" / "inner")
    assert one(Path()).stated == {}
    assert one(Path("log")).stated["sigma"].origin == "path"
    monkeypatch.chdir(tmp_path)
    assert one(Path("noise_0.5")).stated["sigma"].value == Fraction(1, 2)


def test_profiles_state_what_files_do_not(tmp_path):
    path = put(tmp_path, HEADER + ROW)
    stated = one(path, profile="cohen").stated
    assert (stated["noise"].value, stated["noise"].origin) == ("gaussian", "option")
    assert stated["sigma"].origin == "file name"
    with pytest.raises(InputError, match="no profile"):
        list(sources(path, profile="x"))


# ---------------------------------------------------------------------------- other formats

PARAMETERS = "\nx disttype gaussian\nx k None\nx std 0.5\nx N 50000\nx alpha 0.0005\n\n"
LOG = "gaussian-None-1.0-100000-0.001.txt"


def test_a_probability_log(tmp_path):
    found = read(tmp_path, PARAMETERS + "o 0 0.8 0.9\no 10 0.99 1\n", LOG)
    assert found.kind == "shares"
    assert found.columns == {
        "index": ["0", "10"],
        "p_lower": ["0.8", "0.99"],
        "p_upper": ["0.9", "1"],
    }
    assert found.lines == [8, 9]
    assert {name: stated.value for name, stated in found.stated.items()} == {
        "noise": "gaussian",
        "sigma": Fraction(1, 2),
        "samples": 50000,
        "failure_prob": Fraction(1, 2000),
        "sides": 2,
    }
    assert {stated.origin for stated in found.stated.values()} == {"file"}


def test_what_a_header_leaves_out_is_in_the_name(tmp_path):
    found = read(tmp_path, "x disttype infty-gaussian\no 1 0.2 0.3\n", "general-" + LOG)
    assert found.says("noise") == ("infty-gaussian", "file")
    assert found.says("samples") == (100000, "file name")


def test_a_probability_log_with_two_headers(tmp_path):
    same = read(tmp_path, PARAMETERS + PARAMETERS.replace("0.5", "0.50") + "o 1 0.2 0.3\n", LOG)
    assert (same.runs, same.notes) == ([1], [("CA112", 9)])
    other = PARAMETERS.replace("50000", "100")
    found = read(tmp_path, PARAMETERS + "o 1 0.2 0.3\n" + other + "o 2 0.2 0.3\n", LOG)
    assert found.columns["index"] == ["1"]
    assert found.malformed == [(16, "the header before it states other parameters")]
    assert found.codes() == ["CA112", "CA112"]


def test_a_probability_log_with_bad_rows(tmp_path):
    found = read(tmp_path, PARAMETERS + "o 1 0.2\no 2 =x 1\nfoo\no 3 0.1 0.2\no 4", LOG)
    assert found.columns["index"] == ["3"]
    assert [line for line, _ in found.malformed] == [8, 9, 10, 12]
    assert found.malformed[-1][1] == "the last line is cut off"
    with pytest.raises(InputError, match="sigma"):
        list(sources(put(tmp_path, PARAMETERS.replace("0.5\n", "1e99999999\n"), LOG)))


@pytest.mark.parametrize(
    ("folder", "size"), [("cohen-mnist-0.50.pth", 784), ("x-cifar", 3072), ("models", None)]
)
def test_orig_radius(tmp_path, folder, size):
    text = "0 0.0640\n10 0.0339\n"
    found = read(tmp_path, text, f"{folder}/orig-rad-L2-Linfty-gaussian-None-0.5-50000-0.0005.txt")
    assert found.kind == "radii"
    assert found.columns == {"index": ["0", "10"], "radius": ["0.0640", "0.0339"]}
    assert found.says("norm") == ("linf", "file name")
    assert found.says("failure_prob") == (Fraction(1, 2000), "file name")
    assert found.says("sides") == (2, "file name")
    assert ("dimension" in found.stated) == (size is not None)
    if size:
        assert found.says("dimension") == (size, "path")
    plain = read(tmp_path, text, "orig-rad-general-gaussian-380-1.0-50000-0.0005.txt")
    assert plain.says("noise") == ("general-gaussian", "file name")
    assert "norm" not in plain.stated
    with pytest.raises(InputError, match="without a header"):
        list(sources(put(tmp_path, text, "radii.txt")))


def test_accuracy_curves(tmp_path):
    found = read(tmp_path, "0.00000\t0.9943\n0.00500\t0.9943\n", "noise_0.25_0_acc")
    assert (found.kind, found.columns["radius"]) == ("curve", ["0.00000", "0.00500"])
    assert found.says("sigma") == (Fraction(1, 4), "file name")
    for text in ("0.1\t0.9\n", "0\t0.9\n0.2\t0.8\n0.1\t0.8\n", "0\t1.5\n", "0\t0.1\t0.2\n"):
        with pytest.raises(InputError, match="recognised"):
            list(sources(put(tmp_path, text + "1\t0.1\n", "noise_0.25_acc")))


PREFIX = "2019-09-24T06:50:{:02}.000Z /container_e50: "


def test_captured_output(tmp_path):
    body = ["loading\tx", HEADER.strip(), "pA: 0.487", ROW.strip(), "warning", ROW.strip(), "bye"]
    text = "".join(PREFIX.format(i) + line + "\n" for i, line in enumerate(body))
    found = read(tmp_path, text, "noise_0.12/stdout.txt")
    assert found.kind == "radii"
    assert found.columns["index"] == ["0", "0"]
    assert found.columns["p_lower"] == ["0.487", ""]
    assert found.lines == [4, 6]
    assert found.says("sigma") == (Fraction("0.12"), "path")
    without = read(tmp_path, text.replace("pA: 0.487", "x"), "stdout.txt")
    assert "p_lower" not in without.columns
    assert len(without.lines) == 2


def test_captured_output_of_two_runs_that_breaks_off(tmp_path):
    text = "warming up\n" + HEADER + ROW + HEADER + ROW + "1\t2\t3\n" + "12\t3"
    found = read(tmp_path, text, "nohup.out")
    assert found.runs == [0, 1]
    assert found.malformed == [(6, "3 fields instead of 6"), (7, "the last line is cut off")]
    assert found.notes == [("CA112", 4), ("CA121", 7)]


# ---------------------------------------------------------------------------- manifests and JSON

MANIFEST = {
    "certaudit-claims": 1,
    "noise_model": {"name": "label-flip", "q": "1/10", "classes": 2},
    "guarantee": "tight",
    "samples": 1000,
    "failure_prob": "1/1000",
    "sides": 1,
    "training_labels": 500,
    "vote": "plurality",
    "selection": "separate",
    "annotations": {"by": ["anybody"]},
}


def beside(path, content):
    text = content if isinstance(content, str) else json.dumps(content)
    path.with_name(path.name + ".manifest.json").write_text(text)
    return path


def test_a_manifest(tmp_path):
    path = beside(put(tmp_path, "index,radius\n0,1\n", "claims.csv"), MANIFEST)
    found = Read(one(path))
    assert found.says("q") == (Fraction(1, 10), "file")
    assert {name: stated.value for name, stated in found.stated.items()} == {
        "noise": "label-flip",
        "q": Fraction(1, 10),
        "classes": 2,
        "guarantee": "tight",
        "samples": 1000,
        "failure_prob": Fraction(1, 1000),
        "sides": 1,
        "training_labels": 500,
        "vote": "plurality",
        "selection": "separate",
    }
    names = {each.name: each for each in sources(tmp_path)}
    assert names["claims.csv.manifest.json"] == Skipped(
        "claims.csv.manifest.json", "manifest of claims.csv"
    )


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "{}",
        "null",
        "{",
        "[" * 100_000,
        '{"certaudit-claims": true}',
        '{"certaudit-claims": 2}',
        '{"certaudit-claims": 1, "certaudit-claims": 1}',
        '{"certaudit-claims": 1, "sigma": "1"}',
        '{"certaudit-claims": 1, "samples": "5"}',
        '{"certaudit-claims": 1, "samples": 5.0}',
        '{"certaudit-claims": 1, "samples": true}',
        '{"certaudit-claims": 1, "samples": 0}',
        '{"certaudit-claims": 1, "samples": ' + "9" * 5000 + "}",
        '{"certaudit-claims": 1, "sides": 3}',
        '{"certaudit-claims": 1, "failure_prob": 0.001}',
        '{"certaudit-claims": 1, "failure_prob": NaN}',
        '{"certaudit-claims": 1, "failure_prob": "1"}',
        '{"certaudit-claims": 1, "failure_prob": "1e999999999"}',
        '{"certaudit-claims": 1, "norm": "l1"}',
        '{"certaudit-claims": 1, "noise_model": "gaussian"}',
        '{"certaudit-claims": 1, "noise_model": {"name": "cauchy"}}',
        '{"certaudit-claims": 1, "noise_model": {"name": "gaussian"}}',
        '{"certaudit-claims": 1, "noise_model": {"name": "gaussian", "sigma": "1", "mu": "0"}}',
        '{"certaudit-claims": 1, "noise_model": {"name": "gaussian", "sigma": "0"}}',
        '{"certaudit-claims": 1, "noise_model": {"name": "discrete", "alpha": "1", "values": "2"}}',
    ],
)
def test_manifests_that_are_refused(tmp_path, content):
    path = beside(put(tmp_path, "index,radius\n0,1\n", "claims.csv"), content)
    with pytest.raises(InputError, match=r"claims\.csv\.manifest\.json"):
        list(sources(path))
    put(tmp_path, HEADER + ROW)
    broken, manifest, log = sources(tmp_path)
    assert isinstance(broken, Broken)
    assert broken.name == "claims.csv"
    assert "claims.csv.manifest.json: " in broken.why
    assert isinstance(manifest, Skipped)
    assert Read(log).columns["radius"] == ["0.284"]


@pytest.mark.parametrize(
    "model",
    [
        None,
        {"name": "gaussian", "sigma": "1"},
        {"name": "discrete", "alpha": "1", "values": 5},
        {"name": "label-flip", "q": "0.1", "classes": 3},
    ],
)
def test_classes_of_any_noise(model):
    manifest = {"certaudit-claims": 1, "classes": 3}
    if model is not None:
        manifest["noise_model"] = model
    assert manifest_states(manifest, "x")["classes"] == Stated(3, "file")
    assert valid(manifest, schema("claims-manifest"))
    for wrong in ("3", 0, 1.0, True):
        with pytest.raises(InputError, match="classes"):
            manifest_states(manifest | {"classes": wrong}, "x")
        assert not valid(manifest | {"classes": wrong}, schema("claims-manifest"))


def test_classes_may_not_contradict_the_noise_model():
    model = {"name": "label-flip", "q": "0.1", "classes": 3}
    with pytest.raises(InputError, match="x: classes: noise_model states another"):
        manifest_states({"certaudit-claims": 1, "classes": 2, "noise_model": model}, "x")


def test_a_manifest_may_not_contradict_its_file(tmp_path):
    path = put(tmp_path, PARAMETERS + "o 1 0.2 0.3\n", LOG)
    beside(path, {"certaudit-claims": 1, "samples": 7})
    with pytest.raises(InputError, match="another samples"):
        list(sources(path))


def test_json_lines(tmp_path):
    text = (
        '{"certaudit-claims": 1, "samples": 100}\n'
        '{"idx": 0, "y": 3, "radius": 0.10000000000000000000001, "correct": true, "note": "x"}\n'
        '{"idx": 1, "y": 3, "radius": "1/3", "correct": null}\n'
        '{"idx": 2, "y": 3, "radius": 1e99999999, "correct": false}\n'
    )
    found = read(tmp_path, text, "claims.jsonl")
    assert found.kind == "radii"
    assert found.columns == {
        "index": ["0", "1", "2"],
        "label": ["3", "3", "3"],
        "radius": ["0.10000000000000000000001", "1/3", "1e99999999"],
        "correct": ["1", "", "0"],
    }
    assert found.lines == [2, 3, 4]
    assert found.codes() == ["CA136"]
    assert found.says("samples") == (100, "file")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"index": 1, "index": 1, "radius": 2}', "twice"),
        ('{"index": 1, "radius": NaN}', "not JSON"),
        ('{"index": 1, "radius": -Infinity}', "not JSON"),
        ('{"index": 1, "radius": [1]}', "neither"),
        ('{"index": 1, "radius": true}', "neither"),
        ('{"index": 1, "radius": "=1"}', "formula"),
        ('{"index": 1, "radius": "1\\n2"}', "control"),
        ('{"index": 1, "radius": 1, "x": ' + "[" * 9 + "]" * 9 + "}", "nested"),
        ('{"index": 1, "radius": 1, "x": ' + "[" * 30_000 + "]" * 30_000 + "}", "nested"),
        ('{"index": 1, "radius": 1, "p_upper": 1}', "only here"),
        ('{"index": 1, "radius": "' + "1" * MAX_LINE + '"}', "more than"),
        ("[1, 2]", "not an object"),
        ('{"index": 1, "radius": 2}, {"index": 1, "radius": 2}', "not JSON"),
        ("\0", "NUL"),
    ],
)
def test_json_lines_that_cannot_be_read(tmp_path, line, why):
    good = '{"index": 0, "radius": 5}\n'
    found = read(tmp_path, good * 4000 + line + "\n" + good, "claims.jsonl")
    assert [number for number, _ in found.malformed] == [4001]
    assert why in found.malformed[0][1]
    assert len(found.lines) == 4001
    assert set(found.columns["radius"]) == {"5"}


def test_json_objects_that_go_on_in_the_next_line_are_no_rows(tmp_path):
    good = '{"index": 0, "radius": 5}\n'
    tricky = '{"index": "x}\n{", "radius": 1}\n'
    found = read(tmp_path, good + tricky + good, "claims.jsonl")
    assert found.lines == [1, 4]
    assert [line for line, _ in found.malformed] == [2, 3]
    cut = read(tmp_path, good + '{"index": 1, "rad', "claims.jsonl")
    assert cut.malformed == [(2, "the last line is cut off")]
    assert cut.codes() == ["CA121"]


def test_json_that_is_not_an_object_a_line(tmp_path):
    for text in ('{\n "radius": 1\n}\n', '{"a": 1}\n', "{"):
        with pytest.raises(InputError, match="recognised"):
            list(sources(put(tmp_path, text, "a.json")))


# ---------------------------------------------------------------------------- run folders


CERTIFICATES = """\
{"index": 0, "prediction": 1, "label": 1, "decided": true, "constant": false, "t": "0x1p+7", \
"log_error": -12.010, "p_lower": 0.9999, \
"radius": {"kl": 3, "tight": 5, "exact": {"proved": 7, "refuted_at": 9}}}
{"index": 1, "prediction": 1, "label": 0, "decided": true, "constant": true, "t": null, \
"log_error": null, "p_lower": 1, "radius": {"kl": 455, "tight": 455, "exact": null}}
"""


def run_folder(folder, lines=None, **changes):
    run = {
        "certaudit": "0.1.0",
        "noise_model": {"name": "label-flip", "q": "1/10", "classes": 2},
        "vote": "majority",
        "guarantee": ["kl", "tight", "exact"],
        "training_points": 455,
        **changes,
    }
    put(folder, json.dumps(run, indent=1), "run.json")
    put(folder, CERTIFICATES if lines is None else lines, "certificates.jsonl")
    return folder


def test_a_run_folder(tmp_path):
    run_folder(tmp_path)
    put(tmp_path, "{}\n", "records.jsonl")
    found = {each.name: each for each in sources(tmp_path)}
    assert list(found) == [
        "certificates.jsonl [kl]",
        "certificates.jsonl [tight]",
        "certificates.jsonl [exact]",
        "records.jsonl",
        "run.json",
    ]
    assert isinstance(found["run.json"], Skipped)
    kl = Read(found["certificates.jsonl [kl]"])
    assert kl.columns == {
        "index": ["0", "1"],
        "label": ["1", "0"],
        "prediction": ["1", "1"],
        "log_error": ["-12.010", ""],
        "p_lower": ["0.9999", "1"],
        "radius": ["3", "455"],
        "decided": ["1", "1"],
        "constant": ["0", "1"],
    }
    assert kl.notes == kl.malformed == []
    assert {name: stated.value for name, stated in kl.stated.items()} == {
        "noise": "label-flip",
        "q": Fraction(1, 10),
        "classes": 2,
        "guarantee": "kl",
        "training_labels": 455,
        "vote": "plurality",
    }
    assert Read(found["certificates.jsonl [exact]"]).columns["radius"] == ["7", ""]
    direct = [each.name for each in sources(tmp_path / "certificates.jsonl")]
    assert direct[0] == f"{tmp_path.as_posix()}/certificates.jsonl [kl]"


def test_a_run_folder_that_is_unfit(tmp_path):
    def direct():
        return list(sources(tmp_path / "certificates.jsonl"))

    run_folder(tmp_path, guarantee="kl")
    with pytest.raises(InputError, match="guarantee"):
        direct()
    assert [type(each) for each in sources(tmp_path)] == [Broken, Skipped]
    run_folder(tmp_path, noise_model=None)
    with pytest.raises(InputError, match="noise_model"):
        direct()
    for lines in ('{"index": 0, "radius": {"new": 1}}\n', '{"index": 0, "radius": 1}\n'):
        run_folder(tmp_path, lines)
        with pytest.raises(InputError, match="no radius for a guarantee"):
            direct()
    (found,) = (
        Read(each)
        for each in sources(run_folder(tmp_path, '{"index": 0, "radius": {"kl": 1}}\n{\n'))
        if not isinstance(each, Skipped)
    )
    assert found.columns["radius"] == ["1"]
    assert [line for line, _ in found.malformed] == [2]


def test_a_run_json_of_another_tool(tmp_path):
    put(tmp_path, '{"tool": "x"}', "run.json")
    put(tmp_path, '{"index": 0, "radius": 1}\n', "certificates.jsonl")
    first, second = sources(tmp_path)
    assert first.name == "certificates.jsonl"
    assert Read(first).columns["radius"] == ["1"]
    assert isinstance(second, Skipped)


# ---------------------------------------------------------------------------- arrays


def archive(folder, name="votes.npz", **arrays):
    np.savez(folder / name, **arrays)
    return folder / name


COUNTS = np.array([[90, 10], [40, 60], [50, 50]])


def test_counts_in_an_archive(tmp_path):
    path = archive(
        tmp_path,
        counts=COUNTS,
        labels=np.array([0, 1, 1], dtype=np.uint8),
        selection_counts=COUNTS // 10,
        samples=np.int64(100),
        failure_prob=np.array("1/1000"),
        sigma=np.array("0.25"),
        extra=np.zeros(3),
    )
    found = Read(one(path))
    assert found.kind == "votes"
    assert found.columns == {
        "label": ["0", "1", "1"],
        "prediction": ["0", "1", "0"],
        "selection_count": ["9", "6", "5"],
        "selection_samples": ["10", "10", "10"],
        "count:0": ["90", "40", "50"],
        "count:1": ["10", "60", "50"],
    }
    assert found.lines == [1, 2, 3]
    assert found.codes() == ["CA136"]
    assert found.says("samples") == (100, "file")
    assert found.says("sigma") == (Fraction(1, 4), "file")
    assert found.says("selection") == ("separate", "file")


def test_radii_in_an_archive(tmp_path):
    path = archive(tmp_path, counts=COUNTS, radius=np.array([0.1, np.inf, np.nan]))
    assert Read(one(path)).columns["radius"] == ["0.1", "inf", ""]
    text = archive(tmp_path, counts=COUNTS, radius=np.array(["0.1", "1/3", "=1"]))
    found = Read(one(text))
    assert (found.kind, found.columns["radius"]) == ("radii", ["0.1", "1/3"])
    assert found.malformed[0][0] == 3


@pytest.mark.parametrize(
    "arrays",
    [
        {"counts": COUNTS.astype(float)},
        {"counts": COUNTS.astype(object)},
        {"counts": COUNTS[0]},
        {"counts": COUNTS, "index": np.arange(4)},
        {"counts": COUNTS, "label": np.array([0.0, 1.0, 1.0])},
        {"counts": COUNTS, "label": COUNTS[:, 0], "labels": COUNTS[:, 0]},
        {"counts": COUNTS, "radius": COUNTS.astype(object)[:, 0]},
        {"counts": COUNTS, "selection_counts": COUNTS[:2]},
        {"counts": COUNTS, "samples": np.array([1, 2, 3])},
        {"counts": COUNTS, "samples": np.array(0.5)},
        {"counts": COUNTS, "failure_prob": np.array(0.001)},
        {"counts": COUNTS, "failure_prob": np.array("x")},
        {"counts": COUNTS, "sigma": np.array("1", dtype=object)},
    ],
)
def test_arrays_that_are_refused(tmp_path, arrays):
    with pytest.raises(InputError, match=r"votes\.npz"):
        list(sources(archive(tmp_path, **arrays)))


def test_archives_that_are_hostile(tmp_path, monkeypatch):
    header = b"{'descr': '<i8', 'fortran_order': False, 'shape': (1000000000000, 9), }"
    header += b" " * (117 - len(header)) + b"\n"
    bomb = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header
    path = tmp_path / "votes.npz"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("counts.npy", bomb)
    with pytest.raises(InputError, match="shorter than its header"):
        list(sources(path))
    path.write_bytes(archive(tmp_path, counts=COUNTS).read_bytes()[:-30])
    with pytest.raises(InputError, match="not a readable"):
        list(sources(path))
    monkeypatch.setattr(claim_arrays, "MAX_ARCHIVE", 100)
    with pytest.raises(InputError, match="uncompressed"):
        list(sources(archive(tmp_path, counts=COUNTS)))


def test_archives_of_something_else(tmp_path):
    archive(tmp_path, "a.npz", features=COUNTS)
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as file:
        file.writestr("log.txt", HEADER + ROW)
    assert list(sources(tmp_path)) == [
        Broken("a.npz", "an archive without an array counts"),
        Skipped("b.zip", "compressed"),
    ]


# ---------------------------------------------------------------------------- frames


class Frame:
    """A data frame as far as it is read: columns, and columns by name."""

    def __init__(self, data):
        self.columns = list(data)
        self._data = data

    def __getitem__(self, name):
        return np.asarray(self._data[name], dtype=object)


@pytest.mark.parametrize("make", [dict, Frame])
def test_frames(make):
    data = {
        "idx": [0, 1, np.int64(2)],
        "label": ["tensor(3)", 1, None],
        "radius": [0.1, float("nan"), np.float64(1e-300)],
        "correct": [True, False, None],
        "other": [1, 2, 3],
    }
    found = Read(frame_source(make(data), "mine"))
    assert found.columns == {
        "index": ["0", "1", "2"],
        "label": ["3", "1", ""],
        "radius": ["0.1", "", "1e-300"],
        "correct": ["1", "0", ""],
    }
    assert found.lines == [1, 2, 3]
    assert found.codes() == ["CA136", "CA123"]


def test_frames_in_chunks_and_with_names():
    count = ROWS + 5
    source = frame_source({"r": np.arange(count) / 2}, columns={"radius": "r"})
    assert [len(chunk.lines) for chunk in source.chunks()] == [ROWS, 5]
    formula = Read(frame_source({"idx": ["a", "=1", "b\x1b"], "radius": [1, 2, 3]}))
    assert formula.lines == [1]
    assert [line for line, _ in formula.malformed] == [2, 3]
    for data in ({"x": [1]}, {"idx": [1], "radius": [1, 2]}):
        with pytest.raises(InputError, match="frame"):
            frame_source(data)


# ---------------------------------------------------------------------------- files and folders


def test_a_folder(tmp_path):
    put(tmp_path, HEADER + ROW, "b/log")
    put(tmp_path, HEADER + ROW, "a.tsv")
    put(tmp_path, HEADER + ROW, ".hidden/log")
    put(tmp_path, HEADER + ROW, "b/.log")
    put(tmp_path, "MIT License\n\nThe radius, and so on\n", "LICENSE")
    put(tmp_path, "", "empty")
    put(tmp_path, gzip.compress((HEADER + ROW).encode()), "log.gz")
    put(tmp_path, HEADER.encode("utf-16"), "utf16")
    put(tmp_path, "r\trho_r^{-1}(0.5)\terr\n0\t0.5\tNA\n", "0.8.txt")
    put(tmp_path, "radius,p_threshold,log_error_threshold,p_decimal\n0,0.5,0,0.5\n", "t.csv")
    (tmp_path / "z").symlink_to(tmp_path / "b")
    (tmp_path / "y").symlink_to(tmp_path / "a.tsv")
    os.mkfifo(tmp_path / "pipe")
    found = list(sources(tmp_path))
    assert [each.name for each in found if not isinstance(each, Skipped)] == ["a.tsv", "b/log"]
    why = {each.name: each.why for each in found if isinstance(each, Skipped)}
    assert why.pop("0.8.txt") == why.pop("t.csv") == "a threshold table: certaudit table check"
    assert why.pop("z") == why.pop("y") == "a link"
    assert why.pop(".hidden") == why.pop("b/.log") == "hidden"
    assert why.pop("log.gz") == "compressed"
    assert why.pop("utf16") == "binary"
    assert why.pop("pipe") == "not a regular file"
    assert why.keys() == {"LICENSE", "empty"}
    assert [each.name for each in found] == sorted(each.name for each in found)


UNREADABLE = {
    "empty": b"",
    "utf16": (HEADER + ROW).encode("utf-16"),
    "returns": (HEADER + ROW).replace("\n", "\r").encode(),
    "long": HEADER.strip().encode() + b"\tx" * MAX_LINE,
    "nul": b"i\0dx\tradius\n0\t1\n",
    "words": b"hello,world\n1,2\n",
    "compressed": gzip.compress(HEADER.encode()),
    "binary": bytes(range(256)) * 9,
}


@pytest.mark.parametrize("data", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_files_that_should_be_logs_are_broken_in_a_folder(tmp_path, data):
    for name in ("a.csv", "b.TSV", "c.jsonl", "d.npz", ".e.csv", "f.txt", "g", "h.md"):
        put(tmp_path, data, name)
    put(tmp_path / "sub", HEADER + ROW)
    (tmp_path / "x.csv").symlink_to(tmp_path / "a.csv")
    found = {each.name: type(each) for each in sources(tmp_path)}
    assert [name for name, kind in found.items() if kind is Broken] == [
        "a.csv",
        "b.TSV",
        "c.jsonl",
        "d.npz",
    ]
    assert sum(kind is Skipped for kind in found.values()) == 5


@pytest.mark.parametrize("bad", ["\0" * 6, "\x01\x02\x03" * 500, "0\t1\t1\t\0\t1\t0"])
@pytest.mark.parametrize("start", ["", "# by hand\n"])
def test_nul_in_the_head_of_a_log(tmp_path, bad, start):
    found = read(tmp_path, start + HEADER + bad + "\n" + ROW, "a.csv")
    assert len(found.malformed) == 1
    assert found.columns["radius"] == ["0.284"]
    objects = '{"idx": 0, "radius": 1}\n' + bad + '\n{"idx": 1, "radius": 2}\n'
    found = read(tmp_path, objects, "a.jsonl")
    assert (found.columns["radius"], len(found.malformed)) == (["1", "2"], 1)
    found = read(tmp_path, PARAMETERS + bad + "\no 0 0.1 0.2\n", LOG)
    assert (found.columns["index"], len(found.malformed)) == (["0"], 1)
    run_folder(tmp_path / "run", CERTIFICATES + bad + "\n")
    kl, *_ = sources(tmp_path / "run")
    assert (Read(kl).columns["index"], len(Read(kl).malformed)) == (["0", "1"], 1)


@pytest.mark.parametrize(
    "data",
    [b"", b"\n\n", b"\0" * 100, b"\x01\x02\x03abc\n", b"hello\n", b"1 2\n", b"a,b\n1,2\n"],
)
def test_a_file_that_is_not_recognised(tmp_path, data):
    with pytest.raises(InputError, match=r"thing: .*recognised are logs"):
        list(sources(put(tmp_path, data, "thing")))


def test_lines_that_end_in_carriage_returns_alone(tmp_path):
    with pytest.raises(InputError, match="carriage returns alone"):
        list(sources(put(tmp_path, (HEADER + ROW).replace("\n", "\r"), "thing")))


def test_names_of_files_are_printable(tmp_path):
    put(tmp_path, HEADER + ROW, "log\x1b[2J")
    put(tmp_path, HEADER + ROW, os.fsdecode(b"log\xff"))
    names = {each.name for each in sources(tmp_path)}
    assert names == {"log\\x1b[2J", "log\\udcff"}


def test_a_first_line_without_end(tmp_path):
    with pytest.raises(InputError, match="too long"):
        list(sources(put(tmp_path, HEADER.strip() + "\tx" * MAX_LINE, "thing")))


def test_what_is_no_file(tmp_path):
    with pytest.raises(InputError, match="nothing"):
        list(sources(tmp_path / "nothing"))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="regular"):
        list(sources(tmp_path / "pipe"))


def test_files_beyond_the_limit(tmp_path, monkeypatch):
    path = put(tmp_path, HEADER + ROW)
    source = one(path)
    monkeypatch.setattr(claim_blocks, "MAX_FILE", 10)
    monkeypatch.setattr(claim_recognition, "MAX_FILE", 10)
    with pytest.raises(InputError, match="more than 10 bytes"):
        list(source.chunks())
    with pytest.raises(InputError, match="more than 10 bytes"):
        list(sources(path))
    assert list(sources(tmp_path)) == [Broken("sigma_0.25", "has more than 10 bytes")]


def test_a_file_that_goes_away(tmp_path):
    path = put(tmp_path, HEADER + ROW)
    source = one(path)
    path.unlink()
    with pytest.raises(InputError, match=r"sigma_0\.25"):
        list(source.chunks())


# ---------------------------------------------------------------------------- published files


def test_published_files_are_read_to_the_last_row():
    if "CERTAUDIT_CORPORA" not in os.environ:
        pytest.skip("CERTAUDIT_CORPORA does not name the folder of published certificates")
    folder = Path(os.environ["CERTAUDIT_CORPORA"])
    rows = 0
    for each in sources(folder):
        if isinstance(each, Skipped):
            known = Path(each.name).name in {"LICENSE", "INDEX.md"}
            assert known or each.why.startswith("a threshold table"), each
            continue
        found = Read(each)
        assert found.malformed == []
        text = (folder / each.name).read_text().splitlines()
        there = set(found.lines)
        skipped = [line for at, line in enumerate(text, 1) if at not in there]
        if "stdout" in each.name:
            assert len(found.lines) == 10_000
            assert all(found.columns["p_lower"])
        else:
            assert all(line[:3] in {"idx", ""} or line[:2] == "x " for line in skipped)
        assert each.kind == "curve" or "sigma" in each.stated
        rows += len(found.lines)
    assert rows > 250_000


# ---------------------------------------------------------------------------- schemas

SCHEMAS = Path(__file__).parents[2] / "docs" / "schema"
TYPES = {"object": dict, "string": str, "integer": int, "number": (int, float), "null": type(None)}


def schema(name):
    return json.loads((SCHEMAS / f"{name}.schema.json").read_text())


def valid(value, rules):
    """Return whether a value keeps the rules of a schema, as far as ours use them."""
    allowed = rules.get("type", [])
    for kind in [allowed] if isinstance(allowed, str) else allowed:
        if (kind == "boolean") if isinstance(value, bool) else isinstance(value, TYPES[kind]):
            break
    else:
        if allowed:
            return False
    if "enum" in rules and not any(type(x) is type(value) and x == value for x in rules["enum"]):
        return False
    if "oneOf" in rules and sum(valid(value, each) for each in rules["oneOf"]) != 1:
        return False
    if not isinstance(value, dict):
        return "minimum" not in rules or value >= rules["minimum"]
    known = rules.get("properties", {})
    return (
        set(rules.get("required", ())) <= value.keys()
        and (value.keys() <= known.keys() or rules.get("additionalProperties", True))
        and all(valid(each, known[key]) for key, each in value.items() if key in known)
    )


def test_the_schema_of_manifests_names_what_is_read():
    found = schema("claims-manifest")["properties"]
    assert found.keys() == {MARK, "noise_model", "annotations", *PLAIN_KEYS}
    models = {each["properties"]["name"]["enum"][0]: each for each in found["noise_model"]["oneOf"]}
    assert {name: ("name", *keys) for name, keys in MODELS.items()} == {
        name: tuple(each["properties"]) for name, each in models.items()
    }
    for name, words in WORDS.items():
        assert found[name]["enum"] == list(words)


@pytest.mark.parametrize(
    "content",
    [
        MANIFEST,
        {"certaudit-claims": 1},
        {"certaudit-claims": 1, "bound": "joint", "rounding": "down", "annotations": 5},
        {"certaudit-claims": 1, "bound": "pairwise", "rounding": "nearest"},
        {"certaudit-claims": 1, "noise_model": {"name": "gaussian", "sigma": "0.25"}},
        {"certaudit-claims": 1, "noise_model": {"name": "discrete", "alpha": "1", "values": 2}},
        {"certaudit-claims": 1, "noise_model": {"name": "discrete", "alpha": "1"}},
        {"certaudit-claims": 1, "noise_model": {"name": "gaussian", "sigma": "1", "q": "0"}},
        {"certaudit-claims": 1, "noise_model": {"name": "cauchy"}},
        {"certaudit-claims": 1, "noise_model": "gaussian"},
        {"certaudit-claims": 1, "bound": "each"},
        {"certaudit-claims": 1, "rounding": "up"},
        {"certaudit-claims": 1, "samples": "5"},
        {"certaudit-claims": 1, "samples": True},
        {"certaudit-claims": 1, "samples": 0},
        {"certaudit-claims": 1, "failure_prob": 0.001},
        {"certaudit-claims": 1, "sides": 3},
        {"certaudit-claims": 1, "dimensions": 3},
        {"certaudit-claims": True},
        {"certaudit-claims": 2},
        {},
        [],
    ],
)
def test_the_schema_of_manifests_agrees_with_the_reader(content):
    try:
        manifest_states(content, "x")
        accepted = True
    except InputError:
        accepted = False
    assert valid(content, schema("claims-manifest")) == accepted


def test_the_schema_of_claims_names_what_is_read():
    found = schema("claim")
    assert found["properties"].keys() == ALIASES.keys() | SILENT
    assert set(COLUMNS) == set(ALIASES.values())
    (pattern,) = found["patternProperties"]
    for key in ("count:3", "count3", "count_3", "class_3", "votes_12", "count_", "class3", "votes"):
        assert bool(re.search(pattern, key)) == (of_class(key) is not None)
    assert found["additionalProperties"] is False


def test_annotations_of_a_claim_are_passed_over(tmp_path):
    found = read(tmp_path, '{"idx": 0, "radius": 1, "annotations": {"by": [1]}}\n', "a.jsonl")
    assert (found.columns, found.notes) == ({"index": ["0"], "radius": ["1"]}, [])
