"""The table of rules: when a rule holds, what it moves, and which tables are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedbed.change import Set
from seedbed.errors import InvalidInput, NotFound
from seedbed.soak import market_registry
from seedbed.soak.market import MARKET_INITIAL, MARKET_KPIS
from seedbed.soak.market._rules import market_rules
from seedbed.soak.tuners._rules import Adjustment, KpiCondition, Rule, RuleTuner, read_rules
from seedbed.soak.tuners._tuner import Observation

REGISTRY = market_registry()
GOOD = """
rules:
  - when: [{kpi: fill_rate_mean, above: 0.06}, {kpi: net_bps_mean, below: 2}]
    then: [{key: base_spread_bps, scale: 1.1, cap: 23}]
    reason: filled too often for little
"""


def tuner(*rules):
    return RuleTuner(rules, REGISTRY, MARKET_KPIS)


def rule(key="base_spread_bps", kpi="net_bps_mean", reason="because", **moves):
    return Rule(when=(KpiCondition(kpi=kpi, above=1.0),), then=(Adjustment(key=key, **moves),), reason=reason)


def seen(values=MARKET_INITIAL, **kpis):
    return [Observation(1, values, kpis)]


def test_a_rule_that_holds_proposes_the_value_it_means_with_its_reason():
    (delta,) = tuner(rule(scale=1.1)).propose(seen(net_bps_mean=2.0))
    assert (delta.parameter, delta.op, delta.reason, delta.proposer) == (
        "base_spread_bps",
        Set(24.2),
        "because",
        "rules",
    )


def test_nothing_is_proposed_where_a_condition_fails_or_was_not_measured():
    asked = Rule(
        when=(KpiCondition(kpi="net_bps_mean", above=1.0, below=3.0), KpiCondition(kpi="fill_rate_mean", below=0.1)),
        then=(Adjustment(key="base_spread_bps", scale=1.1),),
        reason="because",
    )
    assert len(tuner(asked).propose(seen(net_bps_mean=2.0, fill_rate_mean=0.05))) == 1
    assert tuner(asked).propose(seen(net_bps_mean=3.0, fill_rate_mean=0.05)) == ()
    assert tuner(asked).propose(seen(net_bps_mean=2.0, fill_rate_mean=0.1)) == ()
    assert tuner(asked).propose(seen(net_bps_mean=2.0)) == ()
    assert tuner(asked).propose([]) == ()


def test_the_first_rule_to_move_a_key_has_it_and_the_others_go_on():
    first, second = rule(scale=1.1, reason="first"), rule(scale=0.9, reason="second")
    other = rule(key="tick_size", add=0.1, reason="other")
    found = tuner(first, second, other).propose(seen(net_bps_mean=2.0))
    assert [(delta.parameter, delta.reason) for delta in found] == [
        ("base_spread_bps", "first"),
        ("tick_size", "other"),
    ]


@given(
    live=st.floats(2, 40),
    amount=st.floats(-5, 5),
    floor=st.floats(2, 40),
    cap=st.floats(2, 40),
)
def test_an_adjustment_stops_at_its_bound_and_never_turns_back_from_beyond_it(live, amount, floor, cap):
    after = Adjustment(key="x", add=amount, floor=floor, cap=cap).resolve(live)
    assert (after - live) * amount >= 0
    assert abs(after - live) <= abs(amount) + 1e-9
    assert after <= max(cap, live)
    assert after >= min(floor, live)


def test_a_step_smaller_than_the_grid_becomes_one_step_of_it():
    (delta,) = tuner(rule(key="concurrency_limit", scale=1.05)).propose(seen(net_bps_mean=2.0))
    assert delta.op == Set(4.0)


def test_a_value_at_its_cap_is_left_alone():
    assert tuner(rule(scale=1.1, cap=22.0)).propose(seen(net_bps_mean=2.0)) == ()


def test_rules_come_from_yaml(tmp_path):
    path = tmp_path / "rules.yaml"
    path.write_text(GOOD)
    (delta,) = tuner(*read_rules(path)).propose(seen(fill_rate_mean=0.07, net_bps_mean=1.0))
    assert delta.op == Set(23.0)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("above: 0.06", "over: 0.06"),
        (", above: 0.06", ""),
        ("scale: 1.1, ", ""),
        ("scale: 1.1", "scale: 1.1, add: 1"),
        ("scale: 1.1", "scale: -1.1"),
        ("above: 0.06", "above: .nan"),
        ("    reason: filled too often for little", ""),
        ("rules:", "rules: ["),
        ("rules:", "others:"),
    ],
)
def test_a_table_that_says_what_it_may_not_is_refused_with_the_file(tmp_path, wrong, right):
    path = tmp_path / "rules.yaml"
    assert wrong in GOOD
    path.write_text(GOOD.replace(wrong, right))
    with pytest.raises(InvalidInput, match=r"rules\.yaml"):
        read_rules(path)


def test_a_table_that_is_not_there_or_speaks_of_unknown_keys_or_kpis_is_refused(tmp_path):
    with pytest.raises(NotFound, match=r"rules\.yaml"):
        read_rules(tmp_path / "rules.yaml")
    with pytest.raises(NotFound, match="base_spread_bpss"):
        tuner(rule(key="base_spread_bpss", scale=1.1))
    with pytest.raises(InvalidInput, match="net_mean"):
        tuner(rule(kpi="net_mean", scale=1.1))
    with pytest.raises(InvalidInput, match="'net_bps'"):
        tuner(rule(kpi="net_bps", scale=1.1))


def test_the_markets_table_is_valid_and_can_move_every_setting_of_the_plant_both_ways():
    RuleTuner(market_rules(), REGISTRY, MARKET_KPIS)
    moves: dict[str, set[bool]] = {}
    for each in market_rules():
        for adjustment in each.then:
            up = (adjustment.scale or 1) > 1 or (adjustment.add or 0) > 0
            moves.setdefault(adjustment.key, set()).add(up)
    assert moves.keys() == {p.key for p in REGISTRY if p.subsystem != "tuner"}
    one_way = {key for key, ways in moves.items() if len(ways) == 1}
    assert one_way == set()
