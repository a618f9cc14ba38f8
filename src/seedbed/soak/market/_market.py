"""A small simulated market maker, for testing a closed loop. It says nothing about profit in any real market.

In the spirit of Avellaneda and Stoikov (2008, "High-frequency trading in a limit order book") and Gueant, Lehalle and
Fernandez-Tapia (2013, "Dealing with the inventory risk"): a mid price that walks at random, orders that reach a quote
at A exp(-k distance), quotes shifted against inventory, and a charge for the risk of holding one. Added are
informed orders, which know where the mid goes (Glosten and Milgrom 1985), fees, and quotes that lag behind the mid.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seedbed.soak.market._draws import SAMPLE_MINUTES, Draws
from seedbed.soak.market._engine import QuoteTiming, quote_timing

__all__ = ["MARKET_KPIS", "Book", "simulate"]

_CAPITAL_LOTS, _VOLUME_LOTS = 100.0, 40.0
_NORMAL_VOLATILITY_BPS = 4.0
_MAKER_FEE_BPS, _TAKER_FEE_BPS, _TICKET_BPS_LOTS = 0.2, 2.0, 3.0
_JUMP, _MARKOUT, _STALE, _AGE_WEIGHT, _FOOTPRINT, _SLIPPAGE = 1.6, 0.5, 5.0, 0.5, 10.0, 1.5
_RISK_AVERSION = 0.012

FloatArray = NDArray[np.float64]

MARKET_KPIS: Mapping[str, str] = {
    "edge_bps_per_hour": "net edge, less the charge for inventory risk, in bps of capital for an hour; the objective",
    "net_bps": "the same in bps of traded notional; no sample where nothing traded",
    "fill_rate": "share of the arriving orders that traded with us",
    "maker_share": "share of traded notional that rested in the book; no sample where nothing traded",
    "adverse_bps": "how far the mid moved against us after a fill; no sample where none was filled",
    "slippage_bps": "cost of our own footprint and of taking, by traded notional; no sample where nothing traded",
    "latency_ms": "time that one replace took",
    "staleness_ms": "time that a quote was wrong before it was replaced",
    "order_age_ms": "age that orders reached",
    "quote_rejects": "share of messages refused",
    "inventory_ratio": "size of inventory as a share of capital",
    "risk_ratio": "size of inventory as a share of its limit",
}
"""The KPIs, each with its meaning. One sample covers 15 simulated seconds."""


@dataclass(frozen=True, slots=True)
class Book:
    """The trades. By order: filled_NTSM, distance_NTS from the mid in bps; by sample, in lots: size, taken, inventory.

    Inventory is zero when an iteration begins, and is sold or bought back when it ends.
    """

    filled_NTSM: NDArray[np.bool_]  # noqa: N815  array names carry their shape
    distance_NTS: FloatArray  # noqa: N815
    size_NT: FloatArray  # noqa: N815
    taken_NT: FloatArray  # noqa: N815
    inventory_NT: FloatArray  # noqa: N815


def simulate(values: Mapping[str, float], draws: Draws) -> dict[str, FloatArray]:
    """The samples of every KPI, shape (iterations, samples), NaN where it cannot be measured. Pure."""
    timing = quote_timing(values, draws.volatility_NT)
    book = _trade(values, draws, timing)
    return _measure(book, draws, timing, values)


def _trade(values: Mapping[str, float], draws: Draws, timing: QuoteTiming) -> Book:
    size = np.minimum(values["max_order_size"], values["impact_cap_ratio"] * _VOLUME_LOTS * draws.volume_NT)
    size = np.where(size < values["min_order_size"], 0.0, size)
    met = (draws.luck_NTSM < timing.presence[..., None, None]) & (size > 0)[..., None, None]
    reach = np.where(met, draws.reach_NTSM, -1.0)
    half = _half_spread_bps(values, draws)
    tick, limit = values["tick_size"], values["risk_limit_ratio"] * _CAPITAL_LOTS
    offset = np.mod(draws.mid_NT, tick)[..., None] * np.array([-1.0, 1.0])
    num_iterations, num_samples = size.shape
    filled = np.zeros(reach.shape, dtype=np.bool_)
    distance = np.zeros(reach.shape[:3])
    taken, inventory = np.zeros(size.shape), np.zeros(size.shape)
    held = np.zeros(num_iterations)
    side = np.array([1.0, -1.0])  # a filled bid buys
    for at in range(num_samples):
        shift = values["max_delta_ratio"] * half[:, at] * held / limit
        wanted = half[:, at, None] + shift[:, None] * side
        # Rounded outward to the price grid, then measured from the mid again; a quote never crosses the mid.
        away = np.ceil((wanted + offset[:, at]) / tick) * tick - offset[:, at]
        distance[:, at] = np.maximum(away, 0.0)
        filled[:, at] = reach[:, at] > distance[:, at, :, None]
        held = held + size[:, at] * (filled[:, at].sum(axis=2) @ side)
        kept = np.clip(held, -limit, limit)
        taken[:, at] = np.abs(held - kept)
        inventory[:, at] = held = kept
    taken[:, -1] += np.abs(held)
    return Book(filled, distance, size, taken, inventory)


def _half_spread_bps(values: Mapping[str, float], draws: Draws) -> FloatArray:
    """Half the quoted spread: wider after a volatile sample."""
    recent = np.concatenate([draws.volatility_NT[:, :1], draws.volatility_NT[:, :-1]], axis=1)
    widened = values["base_spread_bps"] + values["base_spread_bps_delta"] * (recent - _NORMAL_VOLATILITY_BPS)
    return np.asarray(np.maximum(widened, 0.0) / 2)


def _measure(book: Book, draws: Draws, timing: QuoteTiming, values: Mapping[str, float]) -> dict[str, FloatArray]:
    fills = book.filled_NTSM.sum(axis=(2, 3))
    made = book.size_NT * fills
    traded = made + book.taken_NT
    adverse = book.size_NT * _adverse_bps(book, draws, timing).sum(axis=(2, 3))
    share = book.size_NT / (_VOLUME_LOTS * draws.volume_NT)
    footprint = made * _FOOTPRINT * draws.volatility_NT * share**1.5
    taking = book.taken_NT * _SLIPPAGE * np.sqrt(book.taken_NT / (_VOLUME_LOTS * draws.volume_NT)) * draws.volatility_NT
    captured = book.size_NT * (book.filled_NTSM * book.distance_NTS[..., None]).sum(axis=(2, 3))
    fees = made * _MAKER_FEE_BPS + book.taken_NT * _TAKER_FEE_BPS + _TICKET_BPS_LOTS * fills
    risk = _RISK_AVERSION * book.inventory_NT**2 * draws.volatility_NT**2 * SAMPLE_MINUTES / 10
    net = captured - adverse - footprint - taking - fees - risk
    size = np.abs(book.inventory_NT)
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "edge_bps_per_hour": net / _CAPITAL_LOTS * 60 / SAMPLE_MINUTES,
            "net_bps": _only(traded > 0, net / traded),
            "fill_rate": fills / np.maximum((draws.reach_NTSM >= 0).sum(axis=(2, 3)), 1),
            "maker_share": _only(traded > 0, made / traded),
            "adverse_bps": _only(made > 0, adverse / made),
            "slippage_bps": _only(traded > 0, (footprint + taking) / traded),
            "latency_ms": timing.latency_ms * draws.latency_NT,
            "staleness_ms": timing.staleness_ms,
            "order_age_ms": timing.order_age_ms,
            "quote_rejects": timing.rejects,
            "inventory_ratio": size / _CAPITAL_LOTS,
            "risk_ratio": size / (values["risk_limit_ratio"] * _CAPITAL_LOTS),
        }


def _adverse_bps(book: Book, draws: Draws, timing: QuoteTiming) -> FloatArray:
    """By filled order, how far the mid moved against us: by the order's information, our stale quote, and noise."""
    stale = _STALE * np.sqrt((timing.staleness_ms + _AGE_WEIGHT * timing.order_age_ms) / 60_000)
    moved = _JUMP * draws.jump_NTSM + stale[..., None, None] + _MARKOUT * draws.noise_NTSM
    return np.asarray(book.filled_NTSM * moved * draws.volatility_NT[..., None, None])


def _only(where: NDArray[np.bool_], values: FloatArray) -> FloatArray:
    return np.where(where, values, np.nan)
