"""Threshold tables in files: CSV, JSON and Parquet out and in, foreign tables in, MANIFEST.json."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

from certaudit import __version__
from certaudit.errors import InputError
from certaudit.exact import parse_rational
from certaudit.io.claims.strict_json import no_constant, once
from certaudit.io.files import locked, whole_file, write_bytes
from certaudit.noise import ProductNoise, discrete, label_flip
from certaudit.rigorous.threshold import MAX_RADIUS
from certaudit.tables import COLUMNS, DIGITS, NONE, Entry, Row, Table, build_rows

__all__ = [
    "MANIFEST",
    "check_output",
    "csv_lines",
    "load_table",
    "manifest_noise",
    "read_entries",
    "write_manifest",
    "write_table",
]

MANIFEST = "MANIFEST.json"
MAX_TABLE_BYTES = 1 << 28
"""The largest table that is read."""
_SUFFIXES = (".csv", ".json", ".parquet")
_GROUP = 1 << 14
_LEE = re.compile(r"r\s+rho_r\^\{-1\}\(0\.5\)\s+err")
_DECIMAL = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,5})?", re.ASCII)
_POWER = re.compile(r"([0-9.]+)\s*\*\s*10\^(-?[0-9]+)")


def check_output(path: Path) -> None:
    """Refuse a table file that cannot be written, before any work is done.

    Raises InputError for an unknown suffix or a folder that is not there.
    """
    if path.suffix.lower() not in _SUFFIXES:
        raise InputError(f"{path}: a table is .csv, .json or .parquet")
    if path.name == MANIFEST:
        raise InputError(f"{path}: {MANIFEST} lists tables, it is none")
    if not path.absolute().parent.is_dir():
        raise InputError(f"{path}: {path.parent} is not a folder")
    if path.suffix.lower() == ".parquet":
        _parquet()


def write_table(
    path: Path,
    noise: ProductNoise,
    max_radius: int,
    *,
    digits: int = DIGITS,
    progress: Callable[[int, int], None] | None = None,
) -> str:
    """Write a table of tight thresholds whole or not at all, its rows as they are computed.

    The suffix (.csv, .json, .parquet) chooses the format. Returns the sha256 of the file; the
    same arguments give the same bytes on any machine (not of Parquet, whose writer varies).

    Raises InputError as build_rows does, and where the system refuses to write.
    """
    check_output(path)
    rows = _watched(build_rows(noise, max_radius, digits), max_radius + 1, progress)
    with whole_file(path) as file:
        suffix = path.suffix.lower()
        if suffix == ".parquet":
            _write_parquet(file, noise, rows)
        else:
            lines = csv_lines(rows) if suffix == ".csv" else _json_lines(noise, digits, rows)
            file.writelines(line.encode("ascii") for line in lines)
    return _sha256(path)


def _watched(
    rows: Iterator[Row], total: int, progress: Callable[[int, int], None] | None
) -> Iterator[Row]:
    for done, row in enumerate(rows, 1):
        yield row
        if progress is not None and (done % 64 == 0 or done == total):
            progress(done, total)


def csv_lines(rows: Iterable[Row]) -> Iterator[str]:
    """Yield the lines of a CSV table."""
    yield ",".join(COLUMNS) + "\n"
    for row in rows:
        yield ",".join(row.cells()) + "\n"


def _json_lines(noise: ProductNoise, digits: int, rows: Iterable[Row]) -> Iterator[str]:
    """Yield the lines of a JSON table: numbers spelled on the safe side, a row a line."""
    head = {"certaudit": __version__, "format": 1, "noise_model": noise.as_json()}
    yield json.dumps({**head, "digits": digits})[:-1] + ', "rows": [\n'
    before = ""
    for row in rows:
        values = [cell if cell not in {NONE, "-inf"} else "null" for cell in row.cells()]
        values[-1] = "null" if row.p_decimal is None else f'"{row.p_decimal}"'
        cells = ", ".join(f'"{name}": {value}' for name, value in zip(COLUMNS, values, strict=True))
        yield before + "{" + cells + "}"
        before = ",\n"
    yield "\n]}\n"


def _parquet() -> Any:  # noqa: ANN401  (pyarrow has no types)
    try:
        import pyarrow.parquet
    except ImportError:
        raise InputError("Parquet needs pyarrow: pip install 'certaudit[parquet]'") from None
    return pyarrow


def _write_parquet(file: IO[bytes], noise: ProductNoise, rows: Iterable[Row]) -> None:
    pyarrow = _parquet()
    types = (pyarrow.int64(), pyarrow.float64(), pyarrow.float64(), pyarrow.string())
    schema = pyarrow.schema(list(zip(COLUMNS, types, strict=True)))
    schema = schema.with_metadata(
        {"certaudit": __version__, "noise_model": json.dumps(noise.as_json())}
    )
    with pyarrow.parquet.ParquetWriter(file, schema) as writer:
        group: list[Row] = []
        for row in rows:
            group.append(row)
            if len(group) == _GROUP:
                writer.write_table(_arrow(pyarrow, group, schema))
                group = []
        writer.write_table(_arrow(pyarrow, group, schema))


def _arrow(pyarrow: Any, group: Sequence[Row], schema: Any) -> Any:  # noqa: ANN401
    columns = {name: [getattr(row, name) for row in group] for name in COLUMNS}
    return pyarrow.Table.from_pydict(columns, schema=schema)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def write_manifest(folder: Path, files: Mapping[str, Mapping[str, object]]) -> bool:
    """Add entries to the MANIFEST.json of a folder, by file name; return whether that was done.

    A MANIFEST.json that is not certaudit's is left alone, and False returned.

    Raises InputError where the system refuses.
    """
    with locked(folder):
        known = _manifest(folder)
        if known is None:
            return False
        known.update(files)
        content = {"certaudit": __version__, "format": 1, "files": dict(sorted(known.items()))}
        write_bytes(folder / MANIFEST, (json.dumps(content, indent=1) + "\n").encode("ascii"))
    return True


def _manifest(folder: Path) -> dict[str, Mapping[str, object]] | None:
    """Return the files of a folder's manifest, none without one; None where it is not ours."""
    try:
        content = json.loads((folder / MANIFEST).read_bytes())
    except FileNotFoundError:
        return {}
    except (ValueError, OSError, RecursionError):
        return None
    ours = isinstance(content, dict) and content.keys() == {"certaudit", "format", "files"}
    files = content["files"] if ours and content["format"] == 1 else None
    if not isinstance(files, dict) or not all(isinstance(entry, dict) for entry in files.values()):
        return None
    return files


def manifest_noise(path: Path) -> ProductNoise | None:
    """Return the noise model that the MANIFEST.json beside a table names for it, if any.

    Raises InputError where the manifest's sha256 is not the table's, or its parameters are unfit.
    """
    entry = (_manifest(path.absolute().parent) or {}).get(path.name)
    if entry is None:
        return None
    if entry.get("sha256") != _sha256(path):
        raise InputError(f"{path}: its sha256 is not the one in {MANIFEST}")
    return _noise(entry.get("noise_model"), path)


def _noise(model: object, path: Path) -> ProductNoise:
    if not isinstance(model, dict):
        raise InputError(f"{path}: names no noise model")
    name = model.get("name")
    try:
        if name == "label-flip" and set(model) == {"name", "q", "classes"}:
            return label_flip(model["q"], model["classes"])
        if name == "discrete" and set(model) == {"name", "alpha", "values"}:
            return discrete(model["alpha"], model["values"])
    except InputError as error:
        raise InputError(f"{path}: its noise model: {error}") from None
    raise InputError(f"{path}: {name!r} is no noise model that has tables")


def load_table(path: str | Path) -> Table:
    """Load a table that `certaudit table` wrote: CSV, JSON or Parquet.

    Its rows have to follow each other from radius 0, thresholds must not fall, and where a
    MANIFEST.json beside it lists the file the sha256 has to be the one there. Whether the entries
    are right is `certaudit table check`'s to decide: it computes them again.

    Raises InputError, naming the file and the line.

    Proof: `proofs/tables.md`.
    """
    path = Path(path)
    entries, noise, columns = _read(path)
    if columns != COLUMNS:
        raise InputError(f"{path}: not a table of certaudit's (columns {', '.join(columns)})")
    listed = manifest_noise(path)
    noise = noise or listed
    rows = []
    for place, entry in enumerate(entries):
        if entry.radius != place:
            raise InputError(f"{path}: line {entry.line}: radius {place} is missing")
        rows.append(_as_row(path, entry))
        if place and _falls(rows[-2], rows[-1]):
            raise InputError(f"{path}: line {entry.line}: the threshold falls")
    if not rows:
        raise InputError(f"{path}: the table has no rows")
    return Table(tuple(rows), noise)


def _as_row(path: Path, entry: Entry) -> Row:
    cells = [entry.cells[name] for name in COLUMNS[1:]]
    if cells == [NONE, NONE, NONE]:
        return Row(entry.radius, None, None, None)
    if not all(_DECIMAL.fullmatch(cell) or cell == "-inf" == cells[1] for cell in cells):
        raise InputError(f"{path}: line {entry.line}: a cell is not a number")
    least, bound = float(cells[0]), float(cells[1])
    overflown = math.isinf(bound) and cells[1] != "-inf"
    if overflown or not (0.5 <= least <= 1 and bound < 0):
        raise InputError(f"{path}: line {entry.line}: p_threshold or log_error_threshold is unfit")
    decimal = parse_rational(cells[2], f"{path}: line {entry.line}: p_decimal")
    if not Fraction(1, 2) <= decimal <= 1:
        raise InputError(f"{path}: line {entry.line}: p_decimal is unfit")
    return Row(entry.radius, least, bound, cells[2])


def _falls(before: Row, after: Row) -> bool:
    if before.p_threshold is None or before.log_error_threshold is None:
        return after.p_threshold is not None
    if after.p_threshold is None or after.log_error_threshold is None:
        return False
    grows = after.p_threshold >= before.p_threshold
    grows = grows and Fraction(after.p_decimal or 0) >= Fraction(before.p_decimal or 0)
    return not (grows and after.log_error_threshold <= before.log_error_threshold)


def read_entries(
    path: Path, columns: Mapping[str, str] | None = None
) -> tuple[list[Entry], ProductNoise | None]:
    """Read anybody's table: certaudit's own, Lee et al.'s, or any with a column map.

    `columns` maps "radius", "p", "err" and names of COLUMNS to names in the header. Lee et al.'s
    files (r, rho_r^{-1}(0.5), err) need none. Returns the rows and the noise model, if the file
    names one.

    Raises InputError, naming the file and the line.
    """
    entries, noise, _ = _read(path, columns)
    return entries, noise


def _read(
    path: Path, columns: Mapping[str, str] | None = None
) -> tuple[list[Entry], ProductNoise | None, tuple[str, ...]]:
    data = _bounded_bytes(path)
    if data[:4] == b"PAR1":
        header, records, noise = _parquet_records(path)
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise InputError(f"{path}: not text (CSV or JSON) and not Parquet") from None
        if text.lstrip().startswith("{"):
            header, records, noise = _json_records(path, text)
        else:
            header, records = _delimited(path, text)
            noise = None
    names = _columns(path, header, columns)
    if "err" in names and names["err"] not in header:
        raise InputError(f"{path}: there is no column {names['err']!r}")
    places = {ours: header.index(theirs) for ours, theirs in names.items()}
    entries = [_entry(path, line, record, places, len(header)) for line, record in records]
    return entries, noise, tuple(header)


def _bounded_bytes(path: Path) -> bytes:
    """Return the bytes of a file, or of a pipe, that is not longer than any table."""
    blocks, total = [], 0
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                blocks.append(block)
                total += len(block)
                if total > MAX_TABLE_BYTES:
                    raise InputError(f"{path}: larger than {MAX_TABLE_BYTES} bytes")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None
    data = b"".join(blocks)
    if data.count(b"\n") > 2 * MAX_RADIUS:
        raise InputError(f"{path}: has more rows than radii are decided ({MAX_RADIUS})")
    return data


def _columns(
    path: Path, header: Sequence[str], columns: Mapping[str, str] | None
) -> dict[str, str]:
    if columns:
        for ours, theirs in columns.items():
            if header.count(theirs) != 1:
                there = "is there twice" if theirs in header else "is not there"
                raise InputError(f"{path}: the column {theirs!r} for {ours} {there}")
        return dict(columns)
    if tuple(header) == COLUMNS:
        return {name: name for name in COLUMNS}
    if len(header) == 3 and _LEE.fullmatch(" ".join(header)):
        return dict(zip(("radius", "p", "err"), header, strict=True))
    raise InputError(
        f"{path}: the columns {', '.join(header)[:60]} are not known; name them with "
        "--column radius=NAME --column p=NAME"
    )


def _delimited(path: Path, text: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Split text into its header and numbered records: tabs, commas, semicolons or spaces."""
    lines = text.splitlines()
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not numbered:
        raise InputError(f"{path}: the table is empty")
    (_, head), *rest = numbered
    body = rest[0][1] if rest else head
    try:
        for delimiter in ("\t", ";", ",", None):
            # Lee et al. head tabs with blanks.
            for header in (_cells(head, delimiter), head.split()):
                if delimiter is None or 1 < len(header) == len(_cells(body, delimiter)):
                    return header, [(number, _cells(line, delimiter)) for number, line in rest]
    except (csv.Error, StopIteration):
        pass
    raise InputError(f"{path}: a line cannot be split into cells")


def _cells(line: str, delimiter: str | None) -> list[str]:
    if delimiter is None:
        return line.split()
    return [cell.strip() for cell in next(csv.reader(io.StringIO(line), delimiter=delimiter))]


def _json_records(
    path: Path, text: str
) -> tuple[list[str], list[tuple[int, list[str]]], ProductNoise]:
    try:
        # Numbers as they are spelled: a float64 would have forgotten on which side it errs.
        content = json.loads(
            text,
            parse_float=str,
            parse_int=str,
            parse_constant=no_constant,
            object_pairs_hook=once,
        )
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON ({error})") from None
    rows = content.get("rows") if isinstance(content, dict) else None
    if not isinstance(rows, list):
        raise InputError(f"{path}: has no list of rows")
    model = content.get("noise_model")
    if isinstance(model, dict):
        for name in ("classes", "values"):
            if isinstance(model.get(name), str):
                model[name] = _integer(model[name], f"{path}: {name}")
    records = []
    for place, row in enumerate(rows, 2):  # the line it stands in, as certaudit writes JSON
        if not isinstance(row, dict) or set(row) != set(COLUMNS):
            raise InputError(f"{path}: line {place}: its fields are not {', '.join(COLUMNS)}")
        cells = ["none" if row[name] is None else str(row[name]) for name in COLUMNS]
        if cells[2] == NONE and cells[1] != NONE:
            cells[2] = "-inf"
        records.append((place, cells))
    return list(COLUMNS), records, _noise(model, path)


def _parquet_records(
    path: Path,
) -> tuple[list[str], list[tuple[int, list[str]]], ProductNoise | None]:
    pyarrow = _parquet()
    try:
        table = pyarrow.parquet.read_table(path)
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise InputError(f"{path}: not a Parquet file that can be read ({error})") from None
    metadata = table.schema.metadata or {}
    noise = None
    if b"noise_model" in metadata:
        try:
            noise = _noise(json.loads(metadata[b"noise_model"]), path)
        except (ValueError, RecursionError):
            raise InputError(f"{path}: its noise model is not JSON") from None
    columns = [[_as_text(value) for value in column.to_pylist()] for column in table.columns]
    records = [(place, list(cells)) for place, cells in enumerate(zip(*columns, strict=True), 1)]
    return list(table.column_names), records, noise


def _as_text(value: object) -> str:
    """Return a value of a Parquet table as text, a float64 as the decimal that it is."""
    if value is None:
        return NONE
    if isinstance(value, float) and math.isfinite(value):
        return str(Decimal(value))
    return str(value)


def _entry(
    path: Path, line: int, record: Sequence[str], places: Mapping[str, int], width: int
) -> Entry:
    if len(record) != width:
        raise InputError(f"{path}: line {line}: {len(record)} cells, the header has {width}")
    cells = {name: record[place] for name, place in places.items()}
    radius = _integer(cells.pop("radius"), f"{path}: line {line}: radius")
    if "err" in cells:
        err = _stated_error(cells.pop("err"), f"{path}: line {line}: err")
        if err is not None:
            cells["err"] = err
    return Entry(line, radius, cells)


def _integer(text: str, what: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise InputError(f"{what}: {text[:40]!r} is not an integer")
    return int(text)


def _stated_error(text: str, what: str) -> str | None:
    """Return what an err column states, as text that parse_rational reads; None for NA."""
    if text in {"NA", "", NONE}:
        return None
    if match := _POWER.fullmatch(text):
        text = f"{match[1]}e{match[2]}"
    if parse_rational(text, what) < Fraction(0):
        raise InputError(f"{what}: must not be negative")
    return text
