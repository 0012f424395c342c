"""Certify whole data sets with both engines, and print where votes or radii differ.

    python scripts/compare_engines.py mnist17.npz imdb.npz [--q 0.1 --q 0.01 ...] [--jobs 2]

The rigorous engine takes 10 to 30 ms a point: imdb a quarter of an hour for each q. Exits 1 where
anything differs, or where a log_error of the fast engine is below that of the rigorous one.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from certaudit.certify.label_flip import Certificate, certify_data
from certaudit.cli.options import load

NOISE = ("0.4", "0.1", "0.01", "1e-4", "1e-8")
SAME = ("index", "prediction", "decided", "constant", "radius")


def told(certificate: Certificate) -> tuple[object, ...]:
    """Return what both engines have to say of a point, all but its bound."""
    line = certificate.as_json()
    signs = (certificate.unsmoothed, certificate.mean_prediction)
    return (*(line[name] for name in SAME), *signs)


def main() -> int:
    """Print a row for each data set and q."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path, nargs="+", metavar="DATA")
    parser.add_argument("--q", action="append", help=f"default: {', '.join(NOISE)}")
    parser.add_argument("--jobs", type=int, default=1)
    arguments = parser.parse_args()
    wrong = 0
    print(f"{'data':<20}{'q':>6}{'points':>8}{'differ':>8}{'to balls':>10}  log_error above (most)")
    for path in arguments.data:
        data, _ = load(path, None, None, None)
        for q in arguments.q or NOISE:
            quick, slow = (
                certify_data(data, q=q, guarantee="tight", engine=engine, jobs=arguments.jobs)
                for engine in ("fast", "rigorous")
            )
            pairs = list(zip(quick.certificates, slow.certificates, strict=True))
            differ = sum(told(a) != told(b) for a, b in pairs)
            above = [(a.log_error or 0.0) - (b.log_error or 0.0) for a, b in pairs]
            wrong += differ + sum(excess < 0 for excess in above)
            balls = sum(quick.escalated.values())
            print(
                f"{path.stem:<20}{q:>6}{len(pairs):>8}{differ:>8}{balls:>10}  {max(above):.1e}",
                flush=True,
            )
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
