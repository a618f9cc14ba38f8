"""Exact bounds for a share: how many of so many samples were ones (Clopper and Pearson, 1934)."""

from math import ceil, exp, lgamma, log, log1p

__all__ = ["chance_of_at_least", "fewest_to_refute", "largest_share_refuted", "refutes"]

_TINY, _CLOSE = 1e-300, 1e-15
_MOST_TERMS, _HALVINGS = 100_000, 80


def largest_share_refuted(ones: float, num_samples: float, alpha: float) -> float:
    """The largest share that `ones` of `num_samples` refute from above: the exact lower bound at level 1 - `alpha`.

    With a smaller share, so many ones or more have a chance of at most `alpha`. Both numbers may be fractions, as those
    of dependent samples are (Korn and Graubard, 1998).
    """
    if ones <= 0:
        return 0.0
    if ones >= num_samples:
        return float(alpha ** (1 / num_samples))
    low, high = 0.0, ones / num_samples
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if chance_of_at_least(ones, num_samples, middle) <= alpha else (low, middle)
    return low


def refutes(ones: float, num_samples: float, share: float, alpha: float) -> bool:
    """Whether `ones` of `num_samples` refute at level `alpha` that their share is at most `share`, within (0, 1)."""
    if ones >= num_samples:
        return bool(share**num_samples <= alpha)
    return ones > 0 and chance_of_at_least(ones, num_samples, share) <= alpha


def fewest_to_refute(share: float, alpha: float) -> int:
    """How many independent ones, and nothing else, refute at level `alpha` that their share is at most `share`.

    `share` is above 0 and below 1. Among so many samples of any kind, the largest bounds the quantile with `share`
    below it from above; for a bound from below, give the share above it.
    """
    return ceil(log(alpha) / log(share) - 1e-9)


def chance_of_at_least(ones: float, num_samples: float, share: float) -> float:
    """The chance of `ones` or more among `num_samples` of this share: the regularised incomplete beta function.

    Its continued fraction is evaluated by Lentz's method, as in DLMF 8.17.22. `ones` is above 0 and below the number.
    """
    a, b = ones, num_samples - ones + 1
    if share <= 0 or share >= 1:
        return float(share >= 1)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(share) + b * log1p(-share))
    if share < (a + 1) / (a + b + 2):
        return front * _fraction(a, b, share) / a
    return 1 - front * _fraction(b, a, 1 - share) / b


def _fraction(a: float, b: float, x: float) -> float:
    c, d = 1.0, 1 / _not_zero(1 - (a + b) * x / (a + 1))
    found = d
    for m in range(1, _MOST_TERMS):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _not_zero(1 + term * d)
            c = _not_zero(1 + term / c)
            found *= c * d
        if abs(c * d - 1) < _CLOSE:
            break
    return found


def _not_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
