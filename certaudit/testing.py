"""For other people's test suites: fail where a radius is above what its evidence proves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from certaudit.errors import InputError
from certaudit.exact import exact
from certaudit.noise import Gaussian, NoiseModel, Sparse
from certaudit.rigorous.radius import certified, radius

__all__ = ["assert_not_above"]

_SHOWN = 5


def assert_not_above(
    noise: NoiseModel,
    radii: object,
    *,
    p: object = None,
    log_error: object = None,
    count: object = None,
    samples: object = None,
    failure_prob: object = None,
) -> None:
    """Raise AssertionError unless every radius is proven by its evidence, decided exactly.

    `radii` is a number or a sequence of them (an array too), evidence as in `certaudit.certified`:
    p, log_error, or count with samples and failure_prob; each one number for all, or a sequence of
    the same length. Floats are taken as the binary numbers they are: it is what the code computed.
    A radius that was printed has to be given as text ("0.529"). Radius 0 claims nothing, and
    passes whatever the evidence.

        assert_not_above(gaussian("0.25"), radii, count=counts, samples=100_000,
                         failure_prob="0.001")

    Raises InputError for sequences of different lengths and numbers outside their domain, and
    Undecided as `certified` does.
    """
    if isinstance(noise, Sparse):
        raise InputError("noise: sparse noise has pairs of radii; use certified")
    claims = _listed(radii)
    given = {"p": p, "log_error": log_error, "count": count, "samples": samples}
    given["failure_prob"] = failure_prob
    columns = {
        name: _spread(name, value, len(claims))
        for name, value in given.items()
        if value is not None
    }
    wrong = []
    for place, claim in enumerate(claims):
        evidence = {name: _number(name, column[place]) for name, column in columns.items()}
        least = _radius(noise, claim, place)
        if least and not certified(noise, least, **evidence):  # type: ignore[arg-type]
            proven = radius(noise, **evidence)  # type: ignore[call-overload]
            shown = float(proven.lower) if isinstance(noise, Gaussian) else proven
            wrong.append(f"radius {claim!s} at {place}: {shown} is proven")
    if wrong:
        more = f"; and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise AssertionError(
            f"{len(wrong)} of {len(claims)} above what is proven: "
            + "; ".join(wrong[:_SHOWN])
            + more
        )


def _listed(values: object) -> Sequence[object]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        return [values]
    tolist = getattr(values, "tolist", None)
    found = tolist() if tolist is not None else list(values)
    return found if isinstance(found, list) else [found]


def _spread(name: str, value: object, length: int) -> Sequence[object]:
    found = _listed(value)
    if isinstance(value, str) or not isinstance(value, Iterable):
        return [value] * length
    if len(found) != length:
        raise InputError(f"{name}: {len(found)} values for {length} radii")
    return found


def _number(name: str, value: object) -> object:
    if name in ("count", "samples"):
        return value
    return exact(value)  # type: ignore[arg-type]


def _radius(noise: NoiseModel, claim: object, place: int) -> Fraction | int:
    try:
        value = exact(claim)  # type: ignore[arg-type]
    except InputError as error:
        raise InputError(f"radius {place}: {error}") from None
    if value < 0:
        raise InputError(f"radius {place}: must not be negative")
    if isinstance(noise, Gaussian):
        return value
    if value.denominator != 1:
        raise InputError(f"radius {place}: must be an integer")
    return int(value)
