"""B.1 and B.2 speak of different votes: when they differ, and when a radius carries over."""

# ruff: noqa: N803  (K classes, as in the papers)

from fractions import Fraction
from functools import cache
from itertools import pairwise, product
from math import comb
from random import Random

import mpmath
import pytest
import sympy
from flint import arb, ctx, fmpz_poly

from certaudit.noise import LabelFlip
from certaudit.reference.multiclass import (
    candidate,
    flip_divergence,
    hard_vote,
    log_pair_chernoff,
    optimal_pair_t,
    pair_share,
    pairwise_log_error,
    pairwise_winner,
    plurality_log_error,
    plurality_share,
    plurality_winner,
    scores,
    soft_votes,
    tight_radius_from_log_error,
)
from certaudit.reference.radius import kl_divergence, kl_radius_from_log_error, number
from certaudit.reference.threshold import certified_radius
from certaudit.rigorous.radius import kl_radius, tight_radius
from certaudit.rigorous.threshold import threshold

HALF = Fraction(1, 2)


def fractions(*numbers):
    return [Fraction(x) for x in numbers]


# The two votes


@pytest.mark.parametrize(
    ("alpha", "labels", "q", "K", "first", "most"),
    [
        # The fewest labels: 3, with four classes. True for 1/2 < q < 0.5216.
        ((-4, 2, 3), (0, 1, 0), Fraction(51, 100), 4, 1, 0),
        # With three classes, 4 labels. True for 0.2644 < q < 0.3388.
        ((-3, 2, 2, 6), (0, 1, 1, 0), Fraction(3, 10), 3, 1, 0),
    ],
)
def test_the_pairwise_winner_is_not_the_winner_of_b1(alpha, labels, q, K, first, most):
    """No labelling has a tie for the first place: how ties count makes no difference."""
    alpha = fractions(*alpha)
    votes = soft_votes(alpha, labels, q, K)
    assert votes == [plurality_share(alpha, labels, i, q, K) for i in range(K)]
    assert pairwise_winner(alpha, labels, q, K) == first
    assert hard_vote(votes) == most
    assert votes.count(max(votes)) == 1
    assert plurality_winner(alpha, labels, q, K) is None
    assert candidate(alpha, labels, K) == first


def test_ties_may_decide():
    """Two labels, three classes, ties to the higher class: the winner of B.1 for q > 2/5 is 2.

    Both labels are 0, and 0 beats every other class with probability 1 - q.
    """
    q = sympy.symbols("q", positive=True)
    kept, one, both = (1 - q) ** 2, q / 2 * (1 - q), (q / 2) ** 2
    # Class 1 wins with noisy labels 01, 10, 11, class 2 with 02, 20, 22, 12, 21.
    shares = [kept, 2 * one + both, 2 * one + 3 * both]
    assert sympy.expand(sum(shares)) == 1
    assert sympy.factor(shares[2] - shares[0]) == sympy.factor(-(5 * q - 2) * (q - 2) / 4)
    alpha, labels, K = fractions(1, 1), (0, 0), 3
    for value, winner in ((Fraction(39, 100), 0), (Fraction(45, 100), 2)):
        votes = soft_votes(alpha, labels, value, K)
        assert votes == [Fraction(str(s.subs(q, sympy.Rational(str(value))))) for s in shares]
        assert hard_vote(votes) == winner
        assert pairwise_winner(alpha, labels, value, K) == 0
        assert pair_share(alpha, labels, 0, 1, value, K) == 1 - value
        # With ties against every class, class 0 has the most votes.
        sole = [plurality_share(alpha, labels, i, value, K) for i in range(K)]
        assert max(sole) == sole[0]


def order_types():
    """Return alphas of three labels, one for each set of signs of all signed subset sums.

    Up to signs and the order of labels, a >= b >= c >= 0, the signs of a - b, b - c, c and
    a - b - c decide: these are the combinations that exist. Fewer labels are zeros.
    """
    with_zero = [(0, 0, 0), (1, 0, 0), (1, 1, 0), (2, 1, 0)]
    two_equal = [(1, 1, 1), (2, 2, 1), (3, 2, 2), (2, 1, 1), (3, 1, 1)]
    different = [(4, 3, 2), (3, 2, 1), (4, 2, 1)]
    return with_zero + two_equal + different


def signs(alpha):
    """Return the signs of all signed subset sums: they decide every comparison of scores."""
    sums = (sum(e * a for e, a in zip(eps, alpha, strict=True)) for eps in
            product((-1, 0, 1), repeat=len(alpha)))  # fmt: skip
    return tuple((s > 0) - (s < 0) for s in sums)


def test_the_order_types_are_all():
    """Every alpha in a large box has the signs of one of them, and no two have the same."""
    known = {signs(alpha) for alpha in order_types()}
    assert len(known) == len(order_types())
    box = range(13)
    found = {signs((a, b, c)) for a in box for b in range(a + 1) for c in range(b + 1)}
    assert found == known


def share_polynomials(alpha, labels, K):
    """Return the shares as polynomials in x = q/(K-1).

    strict[c]: P(s_c > all others), weak[c]: P(s_c >= all others), pair[i, b]: P(s_i > s_b).
    """
    n = len(alpha)
    parts = [fmpz_poly([0, 1]) ** d * fmpz_poly([1, 1 - K]) ** (n - d) for d in range(n + 1)]
    zero = fmpz_poly([])
    strict, weak = [zero] * K, [zero] * K
    pair = dict.fromkeys(((i, b) for i in range(K) for b in range(K) if i != b), zero)
    for noisy in product(range(K), repeat=n):
        mass = parts[sum(a != b for a, b in zip(noisy, labels, strict=True))]
        s = scores(alpha, noisy, K)
        first = [c for c in range(K) if s[c] == max(s)]
        for c in first:
            weak[c] += mass
        if len(first) == 1:
            strict[first[0]] += mass
        for i, b in pair:
            if s[i] > s[b]:
                pair[i, b] += mass
    return strict, weak, pair


def somewhere_positive(polynomials, end):
    """Return whether all polynomials are positive at once somewhere in (0, end).

    The set where they are is open: it has a point between two neighbouring real roots.
    """
    return _somewhere_positive(frozenset(tuple(map(int, p.coeffs())) for p in polynomials), end)


@cache
def _somewhere_positive(coefficients, end):
    polynomials = [fmpz_poly(list(c)) for c in coefficients]
    together = fmpz_poly([1])
    for polynomial in polynomials:
        if polynomial.degree() > 0:
            together *= polynomial
    # Without multiple factors, so that the balls around its roots are disjoint.
    together //= together.gcd(together.derivative())
    cuts = [Fraction(0), end]
    for root, _ in together.complex_roots():
        if root.imag == 0:
            mid, radius = (number_of(x) for x in (root.real.mid(), root.real.rad()))
            cuts += [x for x in (mid - radius, mid + radius) if 0 < x < end]
    cuts.sort()
    points = [(a + b) / 2 for a, b in pairwise(cuts) if a < b]

    def value(polynomial, x):
        total = Fraction(0)
        for coefficient in reversed(polynomial.coeffs()):
            total = total * x + int(coefficient)
        return total

    return any(all(value(polynomial, x) > 0 for polynomial in polynomials) for x in points)


def number_of(x):
    """Return an exact ball as a fraction."""
    mantissa, exponent = x.man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def differing(alpha, labels, K):
    """Return whether for some q a class i beats every other and another class has more votes.

    More under every rule for ties: P(s_c > all others) > P(s_i >= all others).
    """
    strict, weak, pair = share_polynomials(alpha, labels, K)
    for i, c in product(range(K), repeat=2):
        if i != c:
            wins = [2 * pair[i, b] - 1 for b in range(K) if b != i]
            if somewhere_positive([strict[c] - weak[i], *wins], Fraction(1, K)):
                return True
    return False


def patterns(n, K):
    """Return all labellings up to the names of classes."""
    return [y for y in product(range(K), repeat=n)
            if all(y[j] <= max(y[:j], default=-1) + 1 for j in range(n))]  # fmt: skip


@pytest.mark.parametrize(("n", "K"), [(3, 3), *((2, K) for K in range(3, 11))])
def test_no_fewer_labels(n, K):
    """Three labels and three classes, or two labels: whatever alpha and q, the votes agree."""
    seen = 0
    for sizes in order_types():
        if any(sizes[n:]):
            continue
        for flips in product(*[((1, -1) if a else (1,)) for a in sizes[:n]]):
            alpha = [Fraction(f * a) for f, a in zip(flips, sizes, strict=False)]
            for labels in patterns(n, K):
                assert not differing(alpha, labels, K)
                seen += 1
    assert seen == {2: 11 * 2, 3: 75 * 5}[n]


def test_the_search_for_fewer_labels_finds_what_there_is():
    assert differing(fractions(-4, 2, 3), (0, 1, 0), 4)
    assert differing(fractions(-3, 2, 2, 6), (0, 1, 1, 0), 3)


def test_the_candidate_need_not_be_a_winner():
    """Two classes: a heavy voter for 1 against six for 0. Means say 0, the vote is 1."""
    alpha, labels, q = fractions(5, 1, 1, 1, 1, 1, 1), (1, 0, 0, 0, 0, 0, 0), Fraction(2, 5)
    assert candidate(alpha, labels, 2) == 0
    assert pairwise_winner(alpha, labels, q, 2) == plurality_winner(alpha, labels, q, 2) == 1


# What follows from what


def test_a_plurality_certificate_is_a_pairwise_one():
    """P(s_i > all others) <= P(s_i > s_b), at every labelling; and the log errors are ordered."""
    random = Random(1)
    for _ in range(30):
        n, K, q = random.randint(1, 4), random.randint(2, 4), Fraction(random.randint(1, 60), 125)
        alpha = [Fraction(random.randint(-4, 6)) for _ in range(n)]
        labels = [random.randrange(K) for _ in range(n)]
        i = random.randrange(K)
        sole = plurality_share(alpha, labels, i, q, K)
        pairs = [pair_share(alpha, labels, i, b, q, K) for b in range(K) if b != i]
        assert sole <= min(pairs)
        assert 1 - sole <= sum(1 - p for p in pairs)
        if plurality_winner(alpha, labels, q, K) == i:
            assert pairwise_winner(alpha, labels, q, K) == i
            assert hard_vote(soft_votes(alpha, labels, q, K)) == i
    with mpmath.workdps(20):
        errors = [mpmath.mpf(-3), mpmath.mpf(-2), mpmath.mpf(-5)]
        assert plurality_log_error(errors) >= pairwise_log_error(errors) == -2
        assert abs(plurality_log_error(errors) + mpmath.mpf("1.6517")) < 1e-3
        assert plurality_log_error([mpmath.mpf(0)] * 4) == 0


def test_the_sum_of_b3():
    with mpmath.workdps(30):
        for K, k in product((2, 3, 4, 10, 1000), range(1, 10)):
            q = Fraction(k, 10) * Fraction(K - 1, K)
            closed = kl_divergence(1, q, K)
            assert abs(flip_divergence(q, K) - closed) <= closed * mpmath.mpf(10) ** -25


@pytest.mark.parametrize("K", [2, 3, 4, 7])
def test_the_tight_radius_of_the_reference(K):
    """Against the reference for shares, at p = 1 - exp(log_error), and the rigorous engine."""
    with mpmath.workdps(30):
        for q in (Fraction(1, 100), Fraction(1, 5), Fraction(9, 20)):
            for x in (-40, -9, -3, -1, Fraction(-7, 10), Fraction(-1, 2), 0):
                found = tight_radius_from_log_error(number(x), q, K, 12)
                p = Fraction(str(1 - mpmath.exp(number(x))))
                assert found == certified_radius(p, 1 - q, K, 12)
                assert found == tight_radius(LabelFlip(q, K), log_error=Fraction(x), cap=12)


# When the radius of the worst pair is one of the plurality


def ball(x):
    """Return a rational as a ball."""
    return arb(x.numerator) / x.denominator


def symbols(q, K):
    """Return h = A - B, L = ln(A/B), x = (B/A)/(K-1), balls for rational q."""
    A, B = 1 - q, q / (K - 1)
    return ball(A - B), ball(A / B).log(), ball(B / A) / (K - 1)


def margin(q, K):
    """Return (2h - 1) L - ln((K-1)/(2-x)): positive iff the condition holds at one flip."""
    h, L, x = symbols(q, K)
    return (2 * h - 1) * L - (arb(K - 1) / (2 - x)).log()


def pair_error(q, K, r):
    """Return e(r) = (1 - sqrt(1 - exp(-2 r D)))/2, the error at which B.3 gives r."""
    h, L, _ = symbols(q, K)
    u = (-2 * r * h * L).exp()
    return u / (2 * (1 + (1 - u).sqrt()))


def condition(q, K, r):
    """Return whether (K-1) e(r) < 1 - F^-1(r), decided in balls."""
    with ctx.workprec(160):
        left, right = (K - 1) * pair_error(q, K, r), threshold(LabelFlip(q, K), r).ball(128)
        assert left < right or left > right
        return bool(left < right)


FRONTIER = {
    3: "0.319429", 4: "0.293634", 5: "0.279167", 6: "0.269123", 7: "0.261461", 8: "0.255295",
    9: "0.250157", 10: "0.245770", 20: "0.220707", 50: "0.194857", 100: "0.179228",
    1000: "0.142733",
}  # fmt: skip
"""q*(K) rounded down to six places."""


@pytest.mark.parametrize("K", FRONTIER)
def test_the_frontier(K):
    """The condition holds at one flip just below q*(K), and fails just above."""
    low = Fraction(FRONTIER[K])
    high = low + Fraction(1, 10**6)
    with ctx.workprec(160):
        assert margin(low, K) > 0
        assert margin(high, K) < 0
    assert condition(low, K, 1)
    assert not condition(high, K, 1)


def test_the_frontier_up_to_a_thousand_classes():
    """At q = 0.14 the condition holds for every K <= 1000: so it does for every smaller q."""
    assert all(margin(Fraction(14, 100), K) > 0 for K in range(3, 1001))
    assert not margin(Fraction(14, 100), 10**6) > 0


def test_one_flip_is_the_margin():
    """E = B/(2A) and e(1) = (1 - sqrt(1-u))/2: (K-1) e < E iff u < x (2 - x), x = 2E/(K-1).

    And u = exp(-2hL) < x (2 - x), x = e^-L/(K-1), iff (2h - 1) L > ln((K-1)/(2 - x)).
    """
    x, y = sympy.symbols("x y", positive=True)
    # e < x/2 iff 4e(1-e) < 4 (x/2)(1 - x/2), e -> 4e(1-e) rising on (0, 1/2).
    assert sympy.expand(4 * (x / 2) * (1 - x / 2) - x * (2 - x)) == 0
    assert sympy.expand(4 * y * (1 - y)).diff(y) == 4 - 8 * y
    # E(1) = e^-L/2 while A >= 1/2: exactly.
    for K, k in product((3, 4, 10), range(1, 11)):
        q = Fraction(k, 20)
        error = 1 - threshold(LabelFlip(q, K), 1).exact()
        assert error == q / (K - 1) / (2 * (1 - q))
    # Beyond q = 1/2 it is 1/2 - h.
    for K, q in ((3, Fraction(3, 5)), (4, Fraction(7, 10)), (10, Fraction(4, 5))):
        assert 1 - threshold(LabelFlip(q, K), 1).exact() == HALF - (1 - K * q / (K - 1))


def test_the_condition_at_one_flip_is_the_hardest():
    """Where it holds at r = 1 (q < q*(K)) it holds at every r; from q* on it fails at r = 1."""
    seen = 0
    for K, frontier in FRONTIER.items():
        for k in range(1, 40):
            q = Fraction(k, 40) * Fraction(K - 1, K)
            below = q < Fraction(frontier)
            assert condition(q, K, 1) == below
            if below:
                assert all(condition(q, K, r) for r in (2, 3, 4, 5, 8, 13, 40, 200))
                seen += 1
    assert seen > 100


def test_beyond_the_frontier_only_large_radii_carry_over():
    """For fixed q the condition holds from some r on; the least r found, by trying."""
    first = {}
    for K, q in ((3, "2/5"), (3, "1/2"), (3, "3/5"), (10, "2/5"), (10, "3/5"), (10, "4/5")):
        rate = Fraction(q)
        r = 1
        while not condition(rate, K, r):
            r += 1
        assert all(condition(rate, K, s) for s in range(r, r + 30))
        # Proven to hold from here on: L (h r - sqrt r) > ln(K-1).
        h, L, _ = symbols(rate, K)
        s = r
        while not L * (h * s - arb(s).sqrt()) > arb(K - 1).log():
            s += 1
        assert s < 3000
        first[K, q] = r
    assert first == {
        (3, "2/5"): 3, (3, "1/2"): 5, (3, "3/5"): 30,
        (10, "2/5"): 2, (10, "3/5"): 5, (10, "4/5"): 30,
    }  # fmt: skip


def test_the_sum_leaves_nothing_of_the_tight_radius():
    """1 - (K-1)(1 - F^-1(r)) is below F^-1(r) for K >= 3: nothing follows for the plurality."""
    for K, k, r in product((3, 10), (1, 10, 30), (1, 2, 7)):
        error = 1 - threshold(LabelFlip(Fraction(k, 100), K), r).exact()
        assert 1 - (K - 1) * error < 1 - error


@pytest.mark.parametrize("K", [3, 10, 1000])
def test_plurality_costs_at_most_this_many_flips(K):
    """f(1-e) - f(1-(K-1)e) <= ln(K-1)/2, f = 0 where (K-1) e >= 1/2."""
    with mpmath.workdps(40):
        f = lambda e: -mpmath.log(4 * e * (1 - e)) / 2 if e < 0.5 else mpmath.mpf(0)  # noqa: E731
        for k in range(1, 400):
            e = mpmath.mpf(10) ** (-mpmath.mpf(k) / 20) / 2
            assert f(e) - f((K - 1) * e) <= mpmath.log(K - 1) / 2
        q = Fraction(1, 10)
        bits = int(mpmath.ceil(mpmath.log(K - 1) / (2 * kl_divergence(1, q, K))))
        for k in range(1, 60):
            x = -mpmath.mpf(k)
            loss = kl_radius_from_log_error(x, q, K) - kl_radius_from_log_error(
                min(x + mpmath.log(K - 1), mpmath.mpf(0)), q, K)  # fmt: skip
            assert 0 <= loss <= bits


# Where the radius of the papers is false of the vote of B.1


def walk(weights, up, down):
    """Return the law of the sum of weights times +1 (up), -1 (down), 0, as a dict."""
    law = {0: Fraction(1)}
    for w in weights:
        after = {}
        for s, mass in law.items():
            for step, p in ((w, up), (0, 1 - up - down), (-w, down)):
                after[s + step] = after.get(s + step, 0) + mass * p
        law = after
    return law


def heavy_voter(K, q, light, start):
    """Return the error of class 0 against the worst class, exactly.

    Voters `light` have label 0, and one voter outweighs all of them, with label `start`, 0 or 1.
    Class 0 loses to 1 if the heavy voter says 1; does not if it says 0; and if it says another
    class, when the light voters do not prefer 0 to 1.
    """
    A, B = 1 - q, q / (K - 1)
    lost = sum(mass for s, mass in walk(light, A, B).items() if s <= 0)
    if start == 0:
        return B + (K - 2) * B * lost
    return A + (K - 2) * B * lost


HEAVY = [
    # K, q, weights of the light voters, label of the heavy one.
    (10, Fraction(67, 100), [1] * 12, 0),
    (20, Fraction(7, 10), [3, 4, 4, 4, 5, 5, 5, 6, 6, 6], 0),
    (3, Fraction(59, 100), [1] * 35, 0),
    (10, Fraction(83, 100), [1] * 32, 1),
    (4, Fraction(71, 100), [1] * 75, 1),
    (3, Fraction(645, 1000), [1] * 158, 1),
]


@pytest.mark.parametrize(("K", "q", "light", "start"), HEAVY)
def test_a_heavy_voter(K, q, light, start):
    """B.3 gives class 0 a radius of 1 or more from its worst pair; the vote of B.1 is 1.

    It is 1 after the heavy voter's label is changed to 1, or is 1 from the start. The heavy
    voter alone decides who has the largest score: shares are A for its label, B for each other.
    """
    error = heavy_voter(K, q, light, start)
    noise = LabelFlip(q, K)
    assert kl_radius(noise, p=1 - error) >= 1
    A, B = 1 - q, q / (K - 1)
    assert A > B
    # Not an accident of the KL bound: (2) gives no less.
    assert tight_radius(noise, p=1 - error, cap=len(light) + 1) >= 1
    # And the condition fails, as it must.
    assert not condition(q, K, 1)


@pytest.mark.parametrize(
    ("K", "q", "light"), [(3, Fraction(57, 100), [1] * 22), (10, Fraction(3, 5), [1] * 5)]
)
def test_a_heavy_voter_against_the_tight_radius(K, q, light):
    """The tight radius of the worst pair is 1 with fewer voters; one change makes 1 the winner."""
    error = heavy_voter(K, q, light, 0)
    noise = LabelFlip(q, K)
    assert tight_radius(noise, p=1 - error, cap=len(light) + 1) >= 1
    assert kl_radius(noise, p=1 - error) == 0
    assert 1 - q > q / (K - 1)


@pytest.mark.parametrize("start", [0, 1])
def test_the_heavy_voter_by_enumeration(start):
    """The two shares of the construction, on an instance small enough for all labellings."""
    K, q, light = 3, Fraction(3, 5), [1, 1, 1, 2]
    alpha = fractions(*light, 6)
    labels = [0] * 4 + [start]
    error = max(1 - pair_share(alpha, labels, 0, b, q, K) for b in (1, 2))
    assert error == heavy_voter(K, q, light, start)
    votes = soft_votes(alpha, labels, q, K)
    assert votes == [1 - q if c == start else q / 2 for c in range(K)]
    assert votes == [plurality_share(alpha, labels, i, q, K) for i in range(K)]


def test_a_heavy_voter_whom_the_chernoff_bound_does_not_see():
    """The same with the bounds of B.2: ten classes, q = 0.72, weights 83 and 360 times 1.

    All labels are 0. The worst pair bound gives radius 1; one label changed, and 1 is the winner.
    """
    K, q, n, w = 10, Fraction(72, 100), 360, 83
    A, B = 1 - q, q / (K - 1)
    with mpmath.workdps(30):
        alpha, labels = [mpmath.mpf(w)] + [mpmath.mpf(1)] * n, [0] * (n + 1)
        t = optimal_pair_t(alpha, labels, 0, 1, q, K)
        log_error = log_pair_chernoff(t, alpha, labels, 0, 1, q, K)
        assert kl_radius_from_log_error(log_error, q, K) == 1
        assert abs(log_error + mpmath.mpf("1.7407")) < 1e-3
    # In balls: the same t, every pair having the same law.
    with ctx.workprec(100):
        z = arb(float(t))
        bound = arb(0)
        for a, count in ((w, 1), (1, n)):
            e = (-a * z).exp()
            bound += count * (ball(A) * e + ball(1 - A - B) + ball(B) / e).log()
        assert bound < pair_error(q, K, 1).log()
    # The heavy voter's label is 1 now. Class 1 has the largest score if its noisy label is 1 and
    # no class makes up for w; 0 only if its noisy label is 0, or if 0 makes up for w.
    ahead = tail(n, A, B, w)  # P(S_0 - S_c >= w), the sums over the light voters
    level = tail(n, B, B, w)  # P(S_b - S_c >= w), b, c not 0
    one = A * (1 - ahead - (K - 2) * level)
    zero = B + (1 - B) * ahead
    assert one > zero
    assert float(one) > 0.234
    assert float(zero) < 0.231


def tail(n, up, down, least):
    """Return P(U - V >= least), U, V the numbers of +1 and -1 among n steps, exactly."""
    scale = (1 - up - down).denominator * up.denominator * down.denominator
    steps = [int(p * scale) for p in (down, 1 - up - down, up)]
    coefficients = (fmpz_poly(steps) ** n).coeffs()
    return Fraction(int(sum(coefficients[n + least :])), scale**n)


def test_tail_is_the_walk():
    up, down = Fraction(1, 3), Fraction(1, 7)
    law = walk([1] * 6, up, down)
    for least in range(-6, 7):
        assert tail(6, up, down, least) == sum(m for s, m in law.items() if s >= least)
    assert tail(2, up, down, 1) == up**2 + comb(2, 1) * up * (1 - up - down)
