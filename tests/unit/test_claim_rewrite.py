"""Logs written again with other numbers: the same bytes but for the fields that change."""

import json
import random
from pathlib import Path

import numpy as np
import pytest

from certaudit.errors import InputError
from certaudit.io.claims import check_rewrite, rewrite, sources

MANIFEST = {"certaudit-claims": 1, "rounding": "down"}
OURS = MANIFEST | {"annotations": {"written-by": "certaudit"}}
NUMBERS = ("0", "1", "0.25", "1e-5", "-1", "12.500", "0.999")
LOG = "gaussian-None-1.0-100000-0.001.txt"
PREFIX = "2019-09-24T06:50:00.000Z /container_e50: "


def columns_of(path, **options):
    (source,) = sources(path, **options)
    found = {}
    for chunk in source.chunks():
        assert not chunk.malformed
        for at, line in enumerate(chunk.lines.tolist()):
            found[line] = {name: column[at] for name, column in chunk.columns.items()}
    return found


def put(folder, text, name="log"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def delimited(choose, mark):
    quoted = mark in ",;" and choose.random() < 0.5
    lines = [mark.join(["idx", "label", "predict", "radius", "correct", "p_lower", "time"])]
    for at in range(choose.randrange(1, 9)):
        fields = [str(at), "3", *choose.choices(NUMBERS, k=4), "é\t'"[: 2 - (mark in "\t ")]]
        fields[-1] = fields[-1].strip()
        if quoted:
            fields = [f'"{x}"' if choose.random() < 0.4 else x for x in fields]
            fields[1] = f'"a{mark} ""b"""'
        elif mark.strip() and choose.random() < 0.3:
            fields = [f" {x}  " for x in fields]
        lines.append(mark.join(fields))
    return "log.csv", lines


def probability(choose, _):
    parameters = ["x disttype gaussian", "x std 0.5", "x N 1000", ""]
    rows = [f"o {at}  {choose.choice(NUMBERS)} 0.9" for at in range(choose.randrange(1, 9))]
    return LOG, parameters + rows


def radii(choose, _):
    rows = [f"{10 * at} {choose.choice(NUMBERS)}" for at in range(choose.randrange(1, 9))]
    return f"orig-rad-{LOG}", rows


def captured(choose, _):
    lines = ["warming up\tnow", "idx\tlabel\tpredict\tradius\tcorrect\ttime"]
    for at in range(choose.randrange(1, 9)):
        if choose.random() < 0.8:
            lines += ["pA: " + choose.choice(NUMBERS), "Warning: x\t12"]
        lines.append(f"{at}\t3\t3\t{choose.choice(NUMBERS)}\t1\t0:00:01")
    return "stdout.txt", [PREFIX + line for line in lines]


def objects(choose, _):
    def value():
        return choose.choice([*NUMBERS, '"1/3"', "null", '"0.5"'])

    lines = ['{"certaudit-claims": 1, "samples": 100}'] if choose.random() < 0.3 else []
    lines += [
        f'{{ "idx":{at}, "radius" : {value()},"note": ["}}", {{"radius": 1}}], "p_lower": {value()}'
        f', "correct": {choose.choice(["true", "1", "null"])}, "é\\"": "\\u00e9"}}'
        for at in range(choose.randrange(1, 9))
    ]
    return "claims.jsonl", lines


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize(
    ("make", "mark"),
    [
        *((delimited, mark) for mark in ("\t", ",", ";", " ", " \t ")),
        (probability, ""),
        (radii, ""),
        (captured, ""),
        (objects, ""),
    ],
)
def test_what_is_written_reads_as_the_changes_say(tmp_path, make, mark, seed):
    choose = random.Random(f"{make.__name__}{mark}{seed}")
    name, lines = make(choose, mark)
    end = choose.choice(["\n", "\r\n"])
    text = end.join(lines) + choose.choice(["", end])
    bom = b"\xef\xbb\xbf" if choose.random() < 0.3 and make is not captured else b""
    path = put(tmp_path, bom + text.encode(), name)
    before = columns_of(path)
    changes = {}
    for line, row in before.items():
        able = [x for x in row if x in ("radius", "p_lower", "prediction", "correct") and row[x]]
        if able and choose.random() < 0.6:
            new = {x: choose.choice(["7", "0", "0.125"]) for x in choose.sample(able, 1)}
            changes[line] = new
    (tmp_path / "out").mkdir()
    output = tmp_path / "out" / name
    rewrite(path, output, changes, MANIFEST)
    assert columns_of(output) == {line: row | changes.get(line, {}) for line, row in before.items()}
    assert json.loads((tmp_path / "out" / f"{name}.manifest.json").read_text()) == OURS
    old, new = path.read_bytes().split(b"\n"), output.read_bytes().split(b"\n")
    changed = {at for at, pair in enumerate(zip(old, new, strict=True), 1) if pair[0] != pair[1]}
    if make is captured:  # a share stands above its row, with at most a line between
        allowed = {line - back for line in changes for back in (0, 2)}
    else:
        allowed = set(changes)
    assert changed <= allowed
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [name, f"{name}.manifest.json"]
    if not changes:
        assert path.read_bytes() == output.read_bytes()


def test_bytes_around_a_field_stay(tmp_path):
    text = b'\xef\xbb\xbfidx \t label \t radius\r\n0 \t \xff\xc3\xa0 \t  0.50 \r\n1 \t x \t "2"\r\n'
    path = put(tmp_path, text, "a.tsv")
    rewrite(path, tmp_path / "b.tsv", {2: {"radius": "0.4"}}, MANIFEST)
    assert (tmp_path / "b.tsv").read_bytes() == text.replace(b"0.50", b"0.4")
    quoted = put(tmp_path, 'idx,label,radius\n"0","a,b","0.5"\n', "c.csv")
    rewrite(quoted, tmp_path / "d.csv", {2: {"radius": "1", "label": 'x"y'}}, MANIFEST)
    assert (tmp_path / "d.csv").read_text() == 'idx,label,radius\n"0","x""y","1"\n'


def test_json_values_keep_their_kind(tmp_path):
    text = '{"idx": 0, "radius": 0.50, "label": "3", "correct": true, "x": 1e400}\n'
    path = put(tmp_path, text, "a.jsonl")
    change = {"radius": "0.4", "label": "-1", "correct": "0"}
    rewrite(path, tmp_path / "b.jsonl", {1: change}, MANIFEST)
    assert (tmp_path / "b.jsonl").read_text() == text.replace("0.50", "0.4").replace(
        '"3"', '"-1"'
    ).replace("true", "false")


def test_columns_that_were_named(tmp_path):
    path = put(tmp_path, "n,r\n0,1\n", "a.csv")
    named = {"radius": "r", "index": "n"}
    rewrite(path, tmp_path / "b.csv", {2: {"radius": "0"}}, MANIFEST, columns=named)
    assert (tmp_path / "b.csv").read_text() == "n,r\n0,0\n"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({2: {"p_lower": "1"}}, "no column 'p_lower'"),
        ({1: {"radius": "1"}}, "line 1: the header"),
        ({3: {"radius": "1"}}, "2 fields instead of 3"),
        ({9: {"radius": "1"}}, "has no line 9"),
        ({2: {"radius": "1,2"}}, "cannot stand"),
        ({2: {"radius": " 1"}}, "cannot stand"),
        ({2: {"radius": "1\n2"}}, "cannot be written"),
        ({2: {"radius": "=1"}}, "cannot be written"),
    ],
)
def test_changes_that_are_refused(tmp_path, changes, why):
    path = put(tmp_path, "idx,label,radius\n0,1,2\n1,2\n", "a.csv")
    with pytest.raises(InputError, match=why):
        rewrite(path, tmp_path / "b.csv", changes, MANIFEST)
    assert [each.name for each in tmp_path.iterdir()] == ["a.csv"]


@pytest.mark.parametrize(
    "manifest",
    [{}, {"certaudit-claims": 1, "x": 1}, MANIFEST | {"samples": 0.5}, MANIFEST | {"vote": {1}}],
)
def test_manifests_that_are_refused(tmp_path, manifest):
    path = put(tmp_path, "idx,radius\n0,1\n", "a.csv")
    with pytest.raises(InputError, match=r"b\.csv\.manifest\.json"):
        rewrite(path, tmp_path / "b.csv", {}, manifest)
    assert [each.name for each in tmp_path.iterdir()] == ["a.csv"]


def test_a_manifest_may_not_contradict_the_file(tmp_path):
    path = put(tmp_path, "x std 0.5\nx N 100\no 0 0.5 0.6\n", LOG)
    with pytest.raises(InputError, match="another samples"):
        rewrite(path, tmp_path / "b", {}, MANIFEST | {"samples": 7})


def test_outputs_that_are_refused(tmp_path):
    path = put(tmp_path, "idx,radius\n0,1\n", "a.csv")
    (tmp_path / "soft").symlink_to(path)
    (tmp_path / "hard").hardlink_to(path)
    (tmp_path / "other").symlink_to(tmp_path / "nothing")
    for name in ("a.csv", "soft", "hard", "other", "none/b"):
        with pytest.raises(InputError):
            rewrite(path, tmp_path / name, {2: {"radius": "5"}}, MANIFEST)
    manifest = put(tmp_path, "idx,radius\n0,1\n", "x.manifest.json")
    with pytest.raises(InputError, match="written over"):
        rewrite(manifest, tmp_path / "x", {}, MANIFEST)
    assert path.read_text() == "idx,radius\n0,1\n"
    bare = put(tmp_path, "0 0.5\n10 0.7\n", f"orig-rad-{LOG}")
    with pytest.raises(InputError, match="by this name"):
        rewrite(bare, tmp_path / "radii.txt", {}, MANIFEST)


def test_outputs_that_are_folders(tmp_path, monkeypatch):
    path = put(tmp_path, "idx,radius\n0,1\n", "a.csv")
    (tmp_path / "folder").mkdir()
    (tmp_path / "b.csv.manifest.json").mkdir()
    monkeypatch.chdir(tmp_path)
    for name in ("", ".", "..", "/", "folder", "folder/..", "b.csv", "c.manifest.json", "none/d"):
        with pytest.raises(InputError):
            check_rewrite(path, Path(name))
        with pytest.raises(InputError):
            rewrite(path, Path(name), {2: {"radius": "5"}}, MANIFEST)
    assert {each.name for each in tmp_path.iterdir()} == {"a.csv", "folder", "b.csv.manifest.json"}


def test_links_that_go_round(tmp_path):
    path = put(tmp_path, "idx,radius\n0,1\n", "a.csv")
    (tmp_path / "round").symlink_to(tmp_path / "round")
    for pair in ((path, tmp_path / "round"), (tmp_path / "round", tmp_path / "b.csv")):
        with pytest.raises(InputError, match="round"):
            check_rewrite(*pair)


@pytest.mark.parametrize(
    ("content", "ours"),
    [
        (OURS, True),
        (OURS | {"samples": 5, "annotations": {"written-by": "certaudit", "x": [1]}}, True),
        (MANIFEST, False),
        (MANIFEST | {"annotations": {"written-by": "me"}}, False),
        (MANIFEST | {"annotations": ["written-by", "certaudit"]}, False),
        (OURS | {"rounding": "nearest"}, False),
        (OURS | {"unknown": 1}, False),
        ({"annotations": OURS["annotations"]}, False),
        ([], False),
        (None, False),
        ("x" * (1 << 20), False),
    ],
)
def test_only_our_manifests_are_replaced(tmp_path, content, ours):
    path = put(tmp_path, "idx,radius\n0,1\n", "a.csv")
    output, beside = tmp_path / "b.csv", tmp_path / "b.csv.manifest.json"
    beside.write_text(text := json.dumps(content))
    if ours:
        check_rewrite(path, output)
        rewrite(path, output, {}, MANIFEST)
        assert json.loads(beside.read_text()) == OURS
        return
    for refused in (lambda: check_rewrite(path, output), lambda: rewrite(path, output, {}, OURS)):
        with pytest.raises(InputError, match=r"b\.csv\.manifest\.json: .*left alone"):
            refused()
    assert beside.read_text() == text
    assert not output.exists()


def test_annotations_are_kept(tmp_path):
    path = put(tmp_path, "idx,radius\n0,1\n", "a.csv")
    notes = {"by": ["me"], "written-by": "me"}
    for _ in range(2):
        rewrite(path, tmp_path / "b.csv", {}, MANIFEST | {"annotations": notes})
    found = json.loads((tmp_path / "b.csv.manifest.json").read_text())
    assert found == MANIFEST | {"annotations": {"by": ["me"], "written-by": "certaudit"}}
    with pytest.raises(InputError, match="annotations"):
        rewrite(path, tmp_path / "c.csv", {}, MANIFEST | {"annotations": 5})


def test_what_is_checked_beforehand(tmp_path):
    path = put(tmp_path, "n,r\n0,1\n", "a.csv")
    with pytest.raises(InputError, match="recognised"):
        check_rewrite(path, tmp_path / "b.csv")
    check_rewrite(path, tmp_path / "b.csv", {"radius": "r"})
    with pytest.raises(InputError, match="written over"):
        check_rewrite(path, path, {"radius": "r"})
    bare = put(tmp_path, "0 0.5\n10 0.7\n", f"orig-rad-{LOG}")
    with pytest.raises(InputError, match="by this name"):
        check_rewrite(bare, tmp_path / "radii.txt")
    curve = put(tmp_path, "radius,accuracy\n0,0.9\n", "c.csv")
    with pytest.raises(InputError, match="--fix writes"):
        check_rewrite(curve, tmp_path / "d.csv")
    assert len(list(tmp_path.iterdir())) == 3


def test_a_last_line_that_ends_in_a_carriage_return(tmp_path):
    path = put(tmp_path, b"idx,radius\r\n0,1\r\n1,2\r", "a.csv")
    rewrite(path, tmp_path / "b.csv", {3: {"radius": "1"}}, MANIFEST)
    assert (tmp_path / "b.csv").read_bytes() == b"idx,radius\r\n0,1\r\n1,1\r"


def test_formats_that_are_not_written(tmp_path):
    np.savez(tmp_path / "v.npz", counts=np.array([[1, 2]]))
    put(tmp_path, "0\t0.9\n0.5\t0.8\n", "noise_0.25_acc")
    put(tmp_path, "radius,accuracy\n0,0.9\n", "c.csv")
    put(tmp_path, '{"index": 0, "radius": {"kl": 1}}\n', "certificates.jsonl")
    for name in ("v.npz", "noise_0.25_acc", "c.csv", "certificates.jsonl"):
        with pytest.raises(InputError, match=f"{name}: --fix writes delimited text and JSONL"):
            rewrite(tmp_path / name, tmp_path / "out", {}, MANIFEST)
    with pytest.raises(InputError, match="not a regular file"):
        rewrite(tmp_path, tmp_path / "out", {}, MANIFEST)
    assert not (tmp_path / "out").exists()


def test_long_lines_pass_through(tmp_path):
    text = "idx,radius\n0,1\n" + "9" * 300_000 + "\n1,2\n"
    path = put(tmp_path, text, "a.csv")
    rewrite(path, tmp_path / "b.csv", {4: {"radius": "1"}}, MANIFEST)
    assert (tmp_path / "b.csv").read_text() == text.replace("1,2\n", "1,1\n")
    with pytest.raises(InputError, match="line of more than"):
        rewrite(path, tmp_path / "c.csv", {3: {"radius": "1"}}, MANIFEST)


def test_shares_above_their_rows(tmp_path):
    lines = ["start", "idx\tlabel\tpredict\tradius", "pA: 0.9", "0\t1\t1\t2", "1\t1\t1\t3"]
    path = put(tmp_path, "\n".join(lines), "out.txt")
    rewrite(path, tmp_path / "b.txt", {4: {"p_lower": "0.8", "radius": "1"}}, MANIFEST)
    new = (tmp_path / "b.txt").read_text().split("\n")
    assert [at for at, (a, b) in enumerate(zip(lines, new, strict=True)) if a != b] == [2, 3]
    with pytest.raises(InputError, match="has no p_lower"):
        rewrite(path, tmp_path / "c.txt", {5: {"p_lower": "0.8"}}, MANIFEST)
