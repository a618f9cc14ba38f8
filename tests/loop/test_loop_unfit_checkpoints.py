"""A checkpoint that does not fit what is bound is refused with a Conflict, and all is as it was."""

from copy import deepcopy

import pytest
import torch
from loop_world import QUIET_RUNTIME
from torch import nn
from torch.optim import SGD, Adam, AdamW, RMSprop, lr_scheduler

import seedbed
from seedbed.errors import Conflict
from seedbed.loop._state_file import packed, unpacked

X = torch.randn(8, 2, generator=torch.Generator().manual_seed(1))


def square():
    return nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))


def momentum(model):
    return SGD(model.parameters(), lr=0.05, momentum=0.9)


def adam(model):
    return Adam(model.parameters(), lr=0.01)


def build(optimizer=momentum, scheduler=None, model=square):
    torch.manual_seed(0)
    net = model()
    steps = optimizer(net)
    return net, steps, None if scheduler is None else scheduler(steps)


def joined(*kinds):
    def make(steps):
        parts = [kind(steps) for kind in kinds]
        return lr_scheduler.SequentialLR(steps, parts, list(range(2, 2 * len(parts), 2)))

    return make


def chained(*kinds):
    return lambda steps: lr_scheduler.ChainedScheduler([kind(steps) for kind in kinds])


def falling(steps):
    return lr_scheduler.ExponentialLR(steps, 0.9)


def stairs(steps):
    return lr_scheduler.StepLR(steps, 2)


def cosine(steps):
    return lr_scheduler.CosineAnnealingLR(steps, 10)


def written(tmp_path, parts):
    """A checkpoint after three steps."""
    model, optimizer, scheduler = parts
    with seedbed.start(
        model, optimizer, scheduler, project="p", store=tmp_path / "s", runtime=QUIET_RUNTIME, quiet=True
    ) as run:
        for _ in run.steps([0] * 3):
            optimizer.zero_grad()
            model(X.to(next(model.parameters()).dtype)).square().mean().backward()
            optimizer.step()
            if scheduler is not None:
                scheduler.step()
        run.checkpoint(tmp_path / "c")
        run.abandon("it goes on later")
    return tmp_path / "c"


def opened(tmp_path, parts):
    return seedbed.start(*parts, project="p", store=tmp_path / "s", runtime=QUIET_RUNTIME, quiet=True)


def states(parts):
    return [deepcopy(each.state_dict()) for each in parts if each is not None]


def are_equal(one, other):
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(are_equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(are_equal, one, other))
    return one == other


UNFIT = {
    "fewer schedules": ({"scheduler": joined(falling, falling, falling)}, {"scheduler": joined(falling, falling)}),
    "more schedules": ({"scheduler": joined(falling, falling)}, {"scheduler": joined(falling, falling, falling)}),
    "schedules in another order": ({"scheduler": joined(falling, stairs)}, {"scheduler": joined(stairs, falling)}),
    "a chain that is shorter": ({"scheduler": chained(falling, stairs)}, {"scheduler": chained(falling)}),
    "another scheduler": ({"scheduler": stairs}, {"scheduler": cosine}),
    "no chain": ({"scheduler": chained(falling)}, {"scheduler": falling}),
    "Adam, SGD": ({"optimizer": adam}, {}),
    "SGD, Adam": ({}, {"optimizer": adam}),
    "Adam, RMSprop": ({"optimizer": adam}, {"optimizer": lambda net: RMSprop(net.parameters(), lr=0.01)}),
    "Adam, AdamW": ({"optimizer": adam}, {"optimizer": lambda net: AdamW(net.parameters(), lr=0.01)}),
    "weights in another order": (
        {"optimizer": adam},
        {"optimizer": lambda net: Adam([*net[1].parameters(), *net[0].parameters()], lr=0.01)},
    ),
    "weights in other groups": (
        {"optimizer": adam},
        {"optimizer": lambda net: Adam([{"params": each.parameters()} for each in net], lr=0.01)},
    ),
    "other shapes": ({}, {"model": lambda: nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2))}),
    "less precision": ({}, {"model": lambda: square().bfloat16()}),
    "more precision": ({"optimizer": adam}, {"model": lambda: square().double(), "optimizer": adam}),
    "another module": ({}, {"model": lambda: nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))}),
}


@pytest.mark.parametrize("kind", UNFIT)
def test_another_object_is_refused_before_anything_is_loaded(tmp_path, kind):
    first, second = UNFIT[kind]
    path = written(tmp_path, build(**first))
    parts = build(**second)
    before = states(parts)
    run = opened(tmp_path, parts)
    with pytest.raises(Conflict, match="does not fit the one that is bound"):
        run.restore(path)
    assert are_equal(states(parts), before)
    run.abandon("it does not fit")


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("other shapes", r"its model does not fit .* holds (0\.weight|0\.bias|1\.weight) of \[.*\], bound is \["),
        ("another module", r"its model does not fit .* Missing keys: 2\.weight, 2\.bias"),
        ("less precision", r"its model does not fit .* holds 0\.weight in torch\.float32, bound is torch\.bfloat16"),
        ("Adam, SGD", r"its optimizer does not fit .* is of Adam, bound is SGD"),
        (
            "weights in other groups",
            r"its optimizer does not fit .* has groups of 4 weights, bound are groups of 2 and 2",
        ),
        ("another scheduler", r"its scheduler does not fit .* is of StepLR, bound is CosineAnnealingLR"),
    ],
)
def test_the_part_that_does_not_fit_is_named_and_how(tmp_path, kind, told):
    first, second = UNFIT[kind]
    path = written(tmp_path, build(**first))
    run = opened(tmp_path, build(**second))
    with pytest.raises(Conflict, match=told):
        run.restore(path)
    run.abandon("it does not fit")


def test_the_refusal_says_what_the_file_holds_and_what_is_bound(tmp_path):
    path = written(tmp_path, build(scheduler=joined(falling, falling)))
    run = opened(tmp_path, build(scheduler=joined(falling, stairs)))
    with pytest.raises(
        Conflict,
        match=r"of SequentialLR\(ExponentialLR, ExponentialLR\), bound is SequentialLR\(ExponentialLR, StepLR\)",
    ):
        run.restore(path)
    run.bind(*build(lambda net: SGD([*net.parameters()][::-1], lr=0.05, momentum=0.9), falling))
    with pytest.raises(Conflict, match=r"0 of group 0 is 0.weight torch.float32 \[2, 2\] in the file, bound is 1.bias"):
        run.restore(path)
    run.abandon("it does not fit")


class Refusing(nn.Module):
    """A module that refuses its state with what it is told to raise, after its weights were loaded."""

    problem: Exception | None = None

    def __init__(self):
        super().__init__()
        self.line = nn.Linear(2, 2)

    def forward(self, x):
        return self.line(x)

    def get_extra_state(self):
        return {"version": 1}

    def set_extra_state(self, state):
        if self.problem is not None:
            problem, self.problem = self.problem, None
            raise problem


class Own:
    """A scheduler of no library, which refuses its state once, half loaded."""

    def __init__(self, problem=None):
        self.num, self.other, self.problem = 0, 0, problem

    def step(self):
        self.num += 1
        self.other += 1

    def state_dict(self):
        return {"num": self.num, "other": self.other}

    def load_state_dict(self, state):
        self.num = state["num"]
        if self.problem is not None:
            problem, self.problem = self.problem, None
            raise problem
        self.other = state["other"]


@pytest.mark.parametrize("where", ["model", "scheduler"])
@pytest.mark.parametrize(
    "problem", [TypeError("t"), AttributeError("a"), IndexError("i"), AssertionError("x"), OSError("o"), KeyError("k")]
)
def test_whatever_an_object_raises_is_a_conflict_and_all_is_put_back(tmp_path, where, problem):
    path = written(tmp_path, build(adam, lambda _: Own(), Refusing))
    parts = build(adam, lambda _: Own(problem if where == "scheduler" else None), Refusing)
    if where == "model":
        parts[0].problem = problem
    with torch.no_grad():
        parts[0].line.weight.zero_()
    before = states(parts)
    run = opened(tmp_path, parts)
    with pytest.raises(Conflict, match=f"{where} does not fit .* {type(problem).__name__}") as refused:
        run.restore(path)
    assert not hasattr(refused.value, "__notes__")
    assert are_equal(states(parts), before)
    assert run.restore(path)  # now that it takes it
    assert parts[2].num == parts[2].other == 3
    run.abandon("seen")


def test_what_refuses_its_own_former_state_too_is_named(tmp_path):
    class Never(Own):
        def load_state_dict(self, state):
            raise TypeError("no state at all")

    path = written(tmp_path, build(scheduler=lambda _: Own()))
    run = opened(tmp_path, build(scheduler=lambda _: Never()))
    built = unpacked(path.read_bytes())
    built["built"]["schedulers"][""] = "Never"
    path.write_bytes(packed(built))
    with pytest.raises(Conflict) as refused:
        run.restore(path)
    assert "scheduler could not be set back" in refused.value.__notes__[0]
    run.abandon("seen")


@pytest.mark.parametrize("kind", ["plain", "joined", pytest.param("wrapped", marks=pytest.mark.slow)])
def test_what_is_built_the_same_goes_on_with_or_without_what_the_file_says_of_it(tmp_path, kind):
    given = {"optimizer": adam, "scheduler": joined(falling, cosine) if kind == "joined" else cosine}
    first = build(**given)
    path = written(tmp_path, first)
    old = unpacked(path.read_bytes())
    del old["built"]
    (tmp_path / "old").write_bytes(packed(old))
    for place in (path, tmp_path / "old"):
        model, *others = build(**given)
        wrapped = torch.compile(model, backend="eager") if kind == "wrapped" else model
        run = opened(tmp_path, (wrapped, *others))
        assert run.restore(place)
        assert are_equal(states((model, *others)), states(first))
        run.abandon("it goes on later")


def test_weights_without_a_shape_yet_get_that_of_the_file(tmp_path):
    def lazy():
        return nn.Sequential(nn.LazyLinear(2), nn.Linear(2, 2))

    def began():
        model = lazy()
        model(X)
        return model

    first = build(adam, falling, began)
    path = written(tmp_path, first)
    model, *others = build(adam, falling, lazy)
    run = opened(tmp_path, (model, *others))
    assert run.restore(path)
    assert are_equal(states((model, *others)), states(first))
    run.abandon("seen")
