"""`certaudit radius`: from a vote share to a radius, exactly."""

from __future__ import annotations

from fractions import Fraction

import click

from certaudit.cli.output import print_json, show, table

__all__ = ["radius"]


@click.group(short_help="Turn a vote share into a certified radius.")
def radius() -> None:
    """Turn a proven vote share into a certified radius, exactly."""


@radius.command("label-flip", short_help="Label noise: how many flips cannot change the vote.")
@click.option("--q", required=True, metavar="Q", help="Probability of another label.")
@click.option(
    "--classes", type=click.IntRange(min=2), default=2, show_default=True, help="Number of labels."
)
@click.option("--p", metavar="P", help="Lower bound on the vote share, an exact number below 1.")
@click.option("--log-error", metavar="L", help="Upper bound on ln(1 - p), where p is nearly 1.")
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text")
def label_flip(q: str, classes: int, p: str | None, log_error: str | None, style: str) -> int:
    """Print the KL radius (5), B.3 for label noise: how many flips cannot change the vote.

    Q is the probability with which a label is replaced by another one, chosen uniformly.
    Numbers are exact: 0.1 is 1/10. At a tie (q = 3/8, p = 9/10) the radius holds.

    Example: certaudit radius label-flip --q 0.1 --log-error=-260
    """
    from certaudit.exact import format_rational, parse_rational
    from certaudit.rigorous.radius import kl_radius

    if (p is None) == (log_error is None):
        raise click.UsageError("give either --p or --log-error")
    if log_error is None:
        given = parse_rational(str(p), "--p")
        answer = kl_radius(parse_rational(q, "--q"), p=given, classes=classes)
    else:
        given = parse_rational(log_error, "--log-error")
        answer = kl_radius(parse_rational(q, "--q"), log_error=given, classes=classes)
    if style == "json":
        print_json(
            {
                "noise_model": {
                    "name": "label-flip",
                    "q": format_rational(parse_rational(q)),
                    "classes": classes,
                },
                "p" if log_error is None else "log_error": format_rational(given),
                "radius": {"kl": answer},
            }
        )
        return 0
    result = table("guarantee", ">radius")
    result.add_row("kl", str(answer))
    show(result)
    if log_error is None and given <= Fraction(1, 2):
        show("p <= 1/2: no winner of the vote is proven, the radius says nothing.")
    return 0
