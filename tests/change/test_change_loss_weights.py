"""The weights of a loss's terms: each is a setting, and counts when every sum of a step used it."""

import pytest
import torch
from change_knob import turned
from torch.optim import SGD

from seedbed.change import LossWeight, LossWeights, Use, UseReport
from seedbed.errors import InvalidInput


def a_step(optimizer: SGD, weights: LossWeights | None) -> None:
    weight = optimizer.param_groups[0]["params"][0]
    optimizer.zero_grad()
    if weights is None:
        weight.sum().backward()
    else:
        weights.combine({"link": weight.sum(), "aux": 2 * weight.sum()}).backward()
    optimizer.step()


def an_optimizer() -> SGD:
    return SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)


def test_the_sum_is_weighted_and_a_change_moves_one_term() -> None:
    weights = LossWeights({"link": 1.0, "aux": 0.5})
    assert float(weights.combine({"aux": torch.tensor(4.0), "link": torch.tensor(3.0)})) == 5.0
    LossWeight(weights, "aux", an_optimizer()).write(0.25)
    assert float(weights.combine({"aux": torch.tensor(4.0), "link": torch.tensor(3.0)})) == 4.0
    assert (weights["link"], weights["aux"]) == (1.0, 0.25)


@pytest.mark.parametrize("terms", [("link",), ("link", "aux", "more"), ()])
def test_a_sum_that_lacks_a_term_or_has_another_is_refused(terms: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInput, match="loss terms: expected"):
        LossWeights({"link": 1.0, "aux": 0.5}).combine({term: torch.tensor(1.0) for term in terms})


def test_terms_and_weights_that_cannot_be_are_refused() -> None:
    weights = LossWeights({"link": 1.0})
    with pytest.raises(InvalidInput, match="no loss term 'aux'"):
        LossWeight(weights, "aux", an_optimizer())
    with pytest.raises(InvalidInput, match="no loss term 'aux'"):
        weights.put("aux", 1.0)
    with pytest.raises(InvalidInput, match="one term or more"):
        LossWeights({})
    with pytest.raises(InvalidInput, match="finite"):
        LossWeights({"link": float("inf")})


def test_a_loop_that_does_not_use_the_sum_is_found_after_two_steps() -> None:
    optimizer, weights = an_optimizer(), LossWeights({"link": 1.0, "aux": 0.5})
    seen = turned(LossWeight(weights, "aux", optimizer), 0.25)
    a_step(optimizer, None)
    assert seen == []
    a_step(optimizer, None)
    assert [(each.steps_after, each.why) for each in seen] == [
        (2, "no sum that combine made was backpropagated in two optimizer steps")
    ]


def test_a_sum_that_is_only_logged_is_no_use() -> None:
    optimizer, weights = an_optimizer(), LossWeights({"link": 1.0, "aux": 0.5})
    seen = turned(LossWeight(weights, "aux", optimizer), 0.25)
    weight = optimizer.param_groups[0]["params"][0]
    with torch.no_grad():
        weights.combine({"link": weight.sum(), "aux": 2 * weight.sum()})
    weights.combine({"link": weight.sum(), "aux": 2 * weight.sum()})  # with a graph, and no backward pass
    a_step(optimizer, None)
    assert seen == []
    a_step(optimizer, weights)
    assert seen == [UseReport(2, 0.25, 0.25, Use.USED)]


def test_the_weight_of_a_term_without_a_gradient_stays_open() -> None:
    optimizer, weights = an_optimizer(), LossWeights({"link": 1.0, "aux": 0.5})
    seen = turned(LossWeight(weights, "aux", optimizer), 0.25)
    weight = optimizer.param_groups[0]["params"][0]
    for _ in range(3):
        optimizer.zero_grad()
        weights.combine({"link": weight.sum(), "aux": (2 * weight.sum()).detach()}).backward()
        optimizer.step()
    assert [(each.steps_after, each.use) for each in seen] == [(1, Use.OPEN)]
    assert "no sum in which term 'aux' has a gradient" in seen[0].why
    a_step(optimizer, weights)
    assert seen[1:] == [UseReport(4, 0.25, 0.25, Use.USED)]


def test_two_terms_are_watched_apart() -> None:
    optimizer, weights = an_optimizer(), LossWeights({"link": 1.0, "aux": 0.5})
    seen: list[UseReport] = []
    for term, value in (("link", 2.0), ("aux", 0.25)):
        binding = LossWeight(weights, term, optimizer)
        binding.write(value)
        binding.watch(seen.append)
    a_step(optimizer, weights)
    a_step(optimizer, weights)
    assert seen == [UseReport(1, 2.0, 2.0, Use.USED), UseReport(1, 0.25, 0.25, Use.USED)]


def test_uses_before_the_change_are_no_uses_of_it() -> None:
    optimizer, weights = an_optimizer(), LossWeights({"link": 1.0, "aux": 0.5})
    a_step(optimizer, weights)
    seen = turned(LossWeight(weights, "aux", optimizer), 0.25)
    a_step(optimizer, None)
    assert seen == []
    a_step(optimizer, weights)
    assert seen == [UseReport(2, 0.25, 0.25, Use.USED)]


def test_gradients_zeroed_in_place_cost_one_step_of_proof_and_no_more() -> None:
    optimizer, weights = an_optimizer(), LossWeights({"link": 1.0, "aux": 0.5})
    a_step(optimizer, weights)
    seen = turned(LossWeight(weights, "aux", optimizer), 0.25)
    weight = optimizer.param_groups[0]["params"][0]
    for _ in range(2):
        optimizer.zero_grad(set_to_none=False)
        weights.combine({"link": weight.sum(), "aux": weight.sum()}).backward()
        optimizer.step()
    assert seen == [UseReport(2, 0.25, 0.25, Use.USED)]
