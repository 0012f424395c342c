"""`certaudit radius`: from a vote share to a radius, exactly, for every noise model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from certaudit.cli.output import print_json, show, table

if TYPE_CHECKING:
    from fractions import Fraction

    from certaudit.noise import NoiseModel, ProductNoise

__all__ = ["radius"]

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class _Evidence:
    """What is known of the vote share: p, log_error, or votes (the last three)."""

    p: Fraction | None = None
    log_error: Fraction | None = None
    count: int | None = None
    samples: int | None = None
    failure_prob: Fraction | None = None

    def as_json(self) -> dict[str, object]:
        from fractions import Fraction

        from certaudit.exact import format_rational

        return {
            name: format_rational(value) if isinstance(value, Fraction) else value
            for name, value in asdict(self).items()
            if value is not None
        }


@click.group(short_help="Turn a vote share into a certified radius.")
def radius() -> None:
    """Turn a proven vote share into a certified radius, exactly.

    Numbers are exact: 0.1 is 1/10, not the nearest float.
    """


def _evidence_options(function: F) -> F:
    """Add --p, --log-error, --count, --samples, --failure-prob and --format."""
    for decorate in (
        click.option("--failure-prob", metavar="A", help="Chance that the votes may mislead."),
        click.option("--samples", type=int, metavar="N", help="How many votes were sampled."),
        click.option("--count", type=int, metavar="K", help="Votes for the class, in place of P."),
        click.option(
            "--format",
            "style",
            type=click.Choice(["text", "json"]),
            default="text",
            help="Of the answer.",
        ),
        click.option(
            "--log-error", metavar="L", help="Upper bound on ln(1 - p), where p is nearly 1."
        ),
        click.option(
            "--p", metavar="P", help="Lower bound on the vote share, an exact number below 1."
        ),
    ):
        function = decorate(function)
    return function


@radius.command("label-flip", short_help="Label noise: how many flips cannot change the vote.")
@click.option("--q", required=True, metavar="Q", help="Probability of another label.")
@click.option(
    "--classes", type=click.IntRange(min=2), default=2, show_default=True, help="Number of labels."
)
@_evidence_options
def label_flip(q: str, classes: int, style: str, **evidence: Any) -> int:  # noqa: ANN401  (click's options)
    """Print how many label flips cannot change the vote: KL (5), B.3 and tight (2).

    Q is the probability with which a label is replaced by another one, chosen uniformly.
    At a tie (q = 3/8, p = 9/10) the KL radius holds; the tight one does for two classes.

    Votes (--count K of --samples N) prove a share by one-sided Clopper-Pearson at
    --failure-prob, if the class was chosen from other samples.

    Example: certaudit radius label-flip --q 0.1 --log-error=-260
    """
    from certaudit import noise
    from certaudit.exact import parse_rational

    return _product(noise.label_flip(parse_rational(q, "--q"), classes), _given(**evidence), style)


@radius.command("discrete", short_help="Discrete noise: how many coordinates.")
@click.option("--alpha", required=True, metavar="A", help="Probability of keeping a value.")
@click.option("--values", type=click.IntRange(min=2), required=True, help="Size of the alphabet.")
@_evidence_options
def discrete(alpha: str, values: int, style: str, **evidence: Any) -> int:  # noqa: ANN401  (click's options)
    """Print how many changed coordinates cannot change the vote: KL (3) and tight (2).

    A coordinate keeps its value with probability A, else takes another of the VALUES - 1
    others uniformly (Lee et al., example 2; their K is VALUES - 1).

    Example: certaudit radius discrete --alpha 0.2 --values 256 --p 0.99
    """
    from certaudit import noise
    from certaudit.exact import parse_rational

    return _product(
        noise.discrete(parse_rational(alpha, "--alpha"), values), _given(**evidence), style
    )


@radius.command("gaussian", short_help="Gaussian noise: the l2 radius.")
@click.option("--sigma", required=True, metavar="S", help="Standard deviation of the noise.")
@_evidence_options
def gaussian(sigma: str, style: str, **evidence: Any) -> int:  # noqa: ANN401  (click's options)
    """Print the l2 radius sigma Phi^-1(p) of Cohen et al. (example 1), rounded down.

    Every perturbation shorter than that leaves the vote as it is.

    Example: certaudit radius gaussian --sigma 0.5 --p 0.99
    """
    from certaudit import noise
    from certaudit.exact import json_down, parse_rational
    from certaudit.rigorous.radius import radius as decide

    given = _given(**evidence)
    model = noise.gaussian(parse_rational(sigma, "--sigma"))
    found = decide(model, **asdict(given))
    low = json_down(found.lower)
    if style == "json":
        answer = {"radius": {"gaussian": low}, "enclosure": found.to_wire()}
        print_json(_heading(model, given) | answer)
        return 0
    result = table("guarantee", ">l2 radius")
    result.add_row("gaussian", repr(low))
    show(result, *_warning(won=found.lower > 0))
    return 0


@radius.command("sparse", short_help="Sparse binary noise: pairs of additions and deletions.")
@click.option("--p-plus", required=True, metavar="P", help="Probability of 0 becoming 1.")
@click.option("--p-minus", required=True, metavar="P", help="Probability of 1 becoming 0.")
@click.option("--p", required=True, metavar="P", help="Lower bound on the vote share, below 1.")
@click.option(
    "--limit",
    type=click.IntRange(1, 1000),
    default=100,
    show_default=True,
    help="Largest number of either that is tried.",
)
@click.option(
    "--format", "style", type=click.Choice(["text", "json"]), default="text", help="Of the answer."
)
def sparse(p_plus: str, p_minus: str, p: str, limit: int, style: str) -> int:
    """Print the largest certified pairs of added and deleted ones (Bojchevski et al. 2020).

    A pair is certified when it is in neither number above a pair that is printed.

    Example: certaudit radius sparse --p-plus 0.01 --p-minus 0.6 --p 0.9
    """
    from certaudit import noise
    from certaudit.exact import parse_rational
    from certaudit.rigorous.radius import sparse_radii

    model = noise.sparse(parse_rational(p_plus, "--p-plus"), parse_rational(p_minus, "--p-minus"))
    given = _Evidence(parse_rational(p, "--p"))
    pairs = sparse_radii(model, p=parse_rational(p, "--p"), limit=limit)
    if style == "json":
        rows = [{"added": added, "deleted": deleted} for added, deleted in pairs]
        print_json(_heading(model, given) | {"radius": {"tight": rows}, "limit": limit})
        return 0
    result = table(">added", ">deleted")
    for added, deleted in pairs:
        result.add_row(*(f"{n} (limit)" if n == limit else str(n) for n in (added, deleted)))
    show(result, *_warning(won=bool(pairs)))
    return 0


def _product(noise: ProductNoise, given: _Evidence, style: str) -> int:
    from certaudit.rigorous.radius import certified
    from certaudit.rigorous.radius import radius as decide
    from certaudit.rigorous.threshold import MAX_RADIUS

    found = {name: decide(noise, guarantee=name, **asdict(given)) for name in ("kl", "tight")}
    beyond = found["tight"] >= MAX_RADIUS
    if style == "json":
        flags = ["beyond-max"] if beyond else []
        print_json(_heading(noise, given) | {"radius": found, "flags": flags})
        return 0
    result = table("guarantee", ">radius")
    for name, value in found.items():
        result.add_row(name, str(value))
    show(result, *_warning(won=certified(noise, 0, **asdict(given))))
    if beyond:
        show(f"The tight radius is at least this: none beyond {MAX_RADIUS} is decided.")
    return 0


def _given(
    p: str | None,
    log_error: str | None,
    count: int | None,
    samples: int | None,
    failure_prob: str | None,
) -> _Evidence:
    from certaudit.exact import parse_rational

    votes = (count, samples, failure_prob)
    kinds = [p is not None, log_error is not None, any(part is not None for part in votes)]
    if kinds.count(True) != 1:
        raise click.UsageError(
            "give one of --p, --log-error, and votes: --count, --samples, --failure-prob"
        )
    if log_error is not None:
        return _Evidence(log_error=parse_rational(log_error, "--log-error"))
    if p is not None:
        return _Evidence(p=parse_rational(p, "--p"))
    if None in votes:
        raise click.UsageError("--count, --samples and --failure-prob belong together")
    chance = parse_rational(str(failure_prob), "--failure-prob")
    return _Evidence(count=count, samples=samples, failure_prob=chance)


def _heading(noise: NoiseModel, given: _Evidence) -> dict[str, object]:
    return {"noise_model": noise.as_json(), **given.as_json()}


def _warning(*, won: bool) -> list[str]:
    if won:
        return []
    return ["p <= 1/2: no winner of the vote is proven, the radius says nothing."]
