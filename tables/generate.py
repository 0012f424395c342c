"""Make the tables and the test vectors of this folder again, byte for byte: `make tables`.

    python tables/generate.py [FOLDER]     (default: the folder of this file)

Everything in them is exact or correctly rounded, so any machine writes the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from certaudit import __version__, certified, discrete, gaussian, label_flip, sparse, threshold
from certaudit.exact import format_rational
from certaudit.io.files import write_bytes
from certaudit.io.tables import write_manifest, write_table
from certaudit.noise import LabelFlip, ProductNoise
from certaudit.rigorous.radius import gaussian_radius, kl_radius, sparse_radii, tight_radius
from certaudit.rigorous.threshold import MAX_RADIUS, sparse_threshold
from certaudit.tables import DIGITS, build_rows

NOISE = ("0.01", "0.05", "0.1", "0.2", "0.3", "0.4", "0.45")
CLASSES = (2, 3, 10, 100)
TABLE_RADIUS = 1_000
VECTORS = "vectors/tight-thresholds.json"

NOTES = {
    "tie": "p is exactly the threshold F^-1(r). With two values and a deterministic base "
    "classifier no vote share is ever 1/2, and the radius holds for both classes; with three "
    "or more it does not hold for the class that loses ties.",
    "near-boundary": "p is within 1e-30 of a threshold, or the float64 number next to it: "
    "arithmetic in float64 cannot tell the sides apart.",
    "no-majority": "p <= 1/2: nothing is certified, although the formula of the KL radius grows "
    "again there.",
    "none": "No vote share certifies this radius: the noise keeps, or replaces, every value.",
    "uniform": "alpha = 1/values: the noise hides the input, every threshold is 1/2.",
    "alpha-below-beta": "A value is kept less often than any other one is taken: the likelihood "
    "ratios come in the reverse order.",
    "beyond-max": f"{MAX_RADIUS} is the largest radius decided: at least that is certified.",
    "kl-tie": "The KL radius is an integer before it is rounded down: floats lose it.",
    "saturated": "The threshold is 1.0 in float64: only log_error says anything.",
}

MODELS: tuple[ProductNoise, ...] = (
    label_flip("0.1"),
    label_flip("3/8"),
    label_flip("0.49"),
    label_flip("1e-12"),
    label_flip("0.2", 3),
    label_flip("0.4", 10),
    discrete("0.8"),
    discrete("1/4"),
    discrete("0.2", 256),
    discrete("1/2", 3),
    discrete("1/10", 4),
    discrete("1/4", 4),
    discrete("0", 3),
    discrete("1", 2),
)
RADII = (0, 1, 2, 3, 4, 5, 8, 20, 60)
TINY = Fraction(1, 10**30)


def main() -> None:
    """Write every table, the vectors, and the manifest."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    (folder / "vectors").mkdir(parents=True, exist_ok=True)
    files: dict[str, dict[str, object]] = {}
    for q in NOISE:
        for classes in CLASSES:
            noise = label_flip(q, classes)
            name = f"label-flip-q{q}-classes{classes}.csv"
            sha256 = write_table(folder / name, noise, TABLE_RADIUS)
            files[name] = {
                "noise_model": noise.as_json(),
                "max_radius": TABLE_RADIUS,
                "digits": DIGITS,
                "sha256": sha256,
            }
    content = (json.dumps(vectors(), indent=1) + "\n").encode("ascii")
    write_bytes(folder / VECTORS, content)
    files[VECTORS] = {"sha256": hashlib.sha256(content).hexdigest()}
    write_manifest(folder, files)


def vectors() -> dict[str, object]:
    """Return the test vectors: exact numbers are text, nothing needs a library to be read."""
    groups = [
        {"type": kind, "noise_model": noise.as_json(), "tests": list(make(noise))}
        for noise in MODELS
        for kind, make in (("threshold", thresholds), ("decision", decisions), ("radius", radii))
    ]
    groups += [gaussians(), *sparses()]
    tests = [test for group in groups for test in group["tests"]]
    for number, test in enumerate(tests, 1):
        test["id"] = number
    return {
        "schema": "certaudit-vectors-1",
        "generator": f"certaudit {__version__}",
        "numberOfTests": len(tests),
        "notes": NOTES,
        "testGroups": groups,
    }


def shape(noise: ProductNoise) -> list[str]:
    """Return the flags that a noise model has by itself."""
    if isinstance(noise, LabelFlip):
        return []
    uniform = Fraction(1, noise.values)
    if noise.alpha == uniform:
        return ["uniform"]
    return ["alpha-below-beta"] if noise.alpha < uniform else []


def thresholds(noise: ProductNoise) -> Iterator[dict[str, object]]:
    """Yield thresholds: exact, rounded up to float64, and their logs rounded down."""
    rows = list(build_rows(noise, max(RADII)))
    for radius in RADII:
        least, flags = threshold(noise, radius), shape(noise)
        if least is None:
            yield {"radius": radius, "threshold": None, "flags": [*flags, "none"]}
            continue
        _, p, log_error, decimal = rows[radius].cells()
        yield {
            "radius": radius,
            # Exact rationals are given as long as they are readable.
            **({"threshold": format_rational(least.exact())} if radius <= 20 else {}),
            "p_threshold": p,
            "log_error_threshold": log_error,
            "p_decimal": decimal,
            "flags": [*flags, *(["saturated"] if p == "1.0" and least.exact() < 1 else [])],
        }


def decisions(noise: ProductNoise) -> Iterator[dict[str, object]]:
    """Yield decisions at, just above and just below thresholds, and elsewhere."""
    for radius in (1, 2, 5):
        cases: list[tuple[Fraction, list[str]]] = [(Fraction(1, 2), ["no-majority"])]
        least = threshold(noise, radius)
        if least is None:
            cases.append((1 - TINY, ["none"]))
        else:
            exact = least.exact()
            cases += [(exact, ["tie"] if exact > Fraction(1, 2) else ["no-majority"])]
            cases += [(exact + TINY, ["near-boundary"])]
            cases += [(exact - TINY, ["near-boundary" if exact > 1 / 2 else "no-majority"])]
            cases += [(Fraction(least.p_up()), ["near-boundary"])]
        for p, flags in cases:
            if 0 <= p < 1:
                yield {
                    "radius": radius,
                    "p": format_rational(p),
                    "certified": certified(noise, radius, p=p),
                    "flags": [*shape(noise), *flags],
                }


def radii(noise: ProductNoise) -> Iterator[dict[str, object]]:
    """Yield the KL and the tight radius of vote shares and of log errors."""
    for name, text in (
        ("p", "0"),
        ("p", "1/2"),
        ("p", "0.6"),
        ("p", "9/10"),
        ("p", "0.999999"),
        ("log_error", "-1"),
        ("log_error", "-20"),
        ("log_error", "-260"),
        ("log_error", "-1e10"),
    ):
        given = {name: text}
        found = {"kl": kl_radius(noise, **given), "tight": tight_radius(noise, **given)}
        flags = shape(noise)
        flags += ["no-majority"] if text in {"0", "1/2"} else []
        flags += ["kl-tie"] if noise == label_flip("3/8") and text == "9/10" else []
        flags += ["beyond-max"] if found["tight"] >= MAX_RADIUS else []
        yield {**given, "radius": found, "flags": flags}


def gaussians() -> dict[str, object]:
    """Return radii sigma Phi^-1(p) as the bounds of their enclosures, to 25 digits."""
    tests: list[dict[str, object]] = []
    for sigma, name, text in (
        ("1", "p", "1/2"),
        ("1", "p", "0.51"),
        ("1/4", "p", "0.99"),
        ("1/2", "p", "0.999999999"),
        ("1", "log_error", "-1"),
        ("1", "log_error", "-260"),
        ("2", "log_error", "-1e6"),
    ):
        noise = gaussian(sigma)
        found = gaussian_radius(noise, **{name: text})
        scale = 10**25
        tests.append(
            {
                "noise_model": noise.as_json(),
                name: text,
                "radius_from": decimal(found.lower.numerator * scale // found.lower.denominator),
                "radius_to": decimal(-(-found.upper.numerator * scale // found.upper.denominator)),
                "flags": ["no-majority"] if text == "1/2" else [],
            }
        )
    return {"type": "gaussian", "tests": tests}


def decimal(units: int) -> str:
    """Return units of 10^-25 as a decimal."""
    return f"{units // 10**25}.{units % 10**25:025}"


def sparses() -> Iterator[dict[str, object]]:
    """Yield thresholds for pairs of added and deleted ones, and the largest certified pairs."""
    for plus, minus in (("0.01", "0.6"), ("0", "0.6"), ("0.4", "0.6"), ("0.5", "0.9")):
        noise = sparse(plus, minus)
        tests: list[dict[str, object]] = []
        for added in range(4):
            for deleted in range(4):
                least = sparse_threshold(noise, added, deleted)
                tests.append(
                    {
                        "added": added,
                        "deleted": deleted,
                        "threshold": None if least is None else format_rational(least),
                        "flags": ["none"] if least is None else [],
                    }
                )
        yield {"type": "sparse-threshold", "noise_model": noise.as_json(), "tests": tests}
        pairs: list[dict[str, object]] = [
            {
                "p": p,
                "limit": 10,
                "pairs": [list(pair) for pair in sparse_radii(noise, p=p, limit=10)],
                "flags": [],
            }
            for p in ("1/2", "0.9", "0.99")
        ]
        yield {"type": "sparse-radius", "noise_model": noise.as_json(), "tests": pairs}


if __name__ == "__main__":
    main()
