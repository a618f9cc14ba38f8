"""When a change reaches the weights, and when it is said to: every class of torch.optim and setting, in 8 situations.

    python benchmarks/effects.py [--json]

Each cell is two loops from one seed, one without a change and one with it, and the first step after which their weights
differ in any bit. The engine is not asked for that; beside it stands what the engine said. Steps are optimizer steps:
those that mixed precision skips have no number. The answer is right when the change is EFFECTIVE at that very step, and
where the weights never differ UNKNOWN, or FAILED when the loop runs on with the former value. Exit code 1 otherwise.
"""

import argparse
import inspect
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, cast, final

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.optim import Optimizer

from seedbed.change import ChangeEngine, Delta, GroupSetting, LearningRate, OptimizerSetting, Parameter, Set
from seedbed.contracts import Outcome
from seedbed.records import MemoryJournal

STEPS, AT, ADDED_AT = 10, 3, 8
SITUATIONS = ("gradients", "none", "zero", "frozen", "skipped", "closure", "group added", "rebuilt")
_NEW = {"lr": 0.5, "weight_decay": 3.0, "momentum": 0.5, "beta1": 0.9, "beta2": 0.9}  # times the former value
_START: dict[str, dict[str, Any]] = {
    "LBFGS": {"lr": 0.5, "max_iter": 4},
    "RMSprop": {"momentum": 0.9},
    "SGD": {"lr": 0.05, "momentum": 0.9},
    "Adafactor": {"lr": 0.05},
}


@final
@dataclass(frozen=True)
class Cell:
    """What happened to one change: the first step whose weights differ (None: never), and what was said of it."""

    optimizer: str
    setting: str
    situation: str
    differs: int | None
    effective: int | None
    outcome: str
    reason: str

    @property
    def is_right(self) -> bool:
        """Whether what was said is what the weights say."""
        # The group added runs on with the former value, also where the change was seen in use before. LBFGS takes none.
        left = self.situation == "rebuilt" or (self.situation == "group added" and self.optimizer != "LBFGS")
        otherwise = Outcome.UNKNOWN if self.differs is None else Outcome.EFFECTIVE
        return self.effective == self.differs and self.outcome == (Outcome.FAILED if left else otherwise)


def classes() -> dict[str, type[Optimizer]]:
    """Every optimizer of torch.optim."""
    found = {name: each for name, each in vars(torch.optim).items() if inspect.isclass(each)}
    return {name: each for name, each in sorted(found.items()) if issubclass(each, Optimizer) and each is not Optimizer}


def settings_of(cls: type[Optimizer]) -> list[str]:
    """The settings of a class that a binding can change."""
    defaults = _built(cls, [nn.Parameter(torch.ones(2, 2))]).defaults
    found = [key for key in ("lr", "weight_decay", "momentum") if key in defaults]
    return found + (["beta1", "beta2"] if "betas" in defaults else [])


def cells(only: str | None = None, **options: Any) -> Iterator[Cell]:
    """The whole table, or the rows of one class, built with these options."""
    for name, cls in classes().items():
        if only in {None, name}:
            for setting in settings_of(cls):
                for situation in SITUATIONS:
                    yield measured(name, setting, situation, **options)


def measured(name: str, setting: str, situation: str, **options: Any) -> Cell:
    """One cell."""
    cls = classes()[name]
    without, changed = (_Loop(cls, setting, situation, options) for _ in range(2))
    traces: list[list[Tensor]] = [[], []]
    for step in range(1, STEPS + 1):
        for loop, trace in zip((without, changed), traces, strict=True):
            if loop.step(step):
                trace.append(loop.weights())
        if step == AT:
            changed.change(step)
    changed.engine.close()
    differs = [n for n, pair in enumerate(zip(*traces, strict=True), 1) if not torch.equal(*pair)]
    record = changed.engine.history.records[0]
    effective = [int(facts["step"]) for kind, facts in record.story if kind.value == "effective"]
    return Cell(
        name,
        setting,
        situation,
        differs[0] if differs else None,
        effective[0] if effective else None,
        record.outcome.value,
        record.reason,
    )


@final
class _Loop:
    """A training loop of one class in one situation, which begins when the change has been made."""

    def __init__(self, cls: type[Optimizer], setting: str, situation: str, options: dict[str, Any]) -> None:
        torch.manual_seed(0)
        self._cls, self._setting, self._situation, self._options = cls, setting, situation, options
        self._data = torch.Generator().manual_seed(1)
        self._sparse = cls is torch.optim.SparseAdam
        layers = [nn.Embedding(8, 4, sparse=True)] if self._sparse else [nn.Linear(4, 3, bias=False), nn.Tanh()]
        self._model = nn.Sequential(*layers) if self._sparse else nn.Sequential(*layers, nn.Linear(3, 2, bias=False))
        self._extra = nn.Parameter(torch.ones(2, 2))
        self._optimizer = self._build()
        self._scaler = torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=1000)
        binding = (
            LearningRate(self._optimizer)
            if setting == "lr"
            else GroupSetting(self._optimizer, OptimizerSetting(setting))
        )
        self.engine = ChangeEngine(MemoryJournal(), {setting: binding}, [Parameter(setting, "1", low=0.0, high=10.0)])
        self._former = binding.read()

    def change(self, step: int) -> None:
        """Make the change, after that step."""
        self.engine.propose(Delta(self._setting, Set(self._former * _NEW[self._setting]), "a test", "me"), step)

    def weights(self) -> Tensor:
        """All weights in one vector."""
        return torch.cat([each.detach().flatten() for each in (*self._model.parameters(), self._extra)])

    def step(self, step: int) -> bool:
        """One optimizer step, in the situation if the change has been made; whether it was taken."""
        after = step > AT
        if after and self._situation == "rebuilt" and step == AT + 1:
            self._optimizer = self._build()
        if self._situation == "group added" and step == ADDED_AT and not self._takes_one_group:
            self._optimizer.add_param_group({"params": [self._extra]})
        if after and self._situation == "frozen":
            self._model.requires_grad_(False)
        x = torch.randint(0, 8, (6,), generator=self._data) if self._sparse else self._rows()
        skips = after and self._situation == "skipped" and step <= AT + 2
        if skips and self._cls is torch.optim.LBFGS:  # mixed precision does not know it: the loop skips by itself
            return False
        backward = self._backward(x, step)
        if self._situation == "skipped" and self._cls is not torch.optim.LBFGS:
            self._optimizer.zero_grad()
            loss = self._loss(x) * (float("inf") if skips else 1.0)
            self._scaler.scale(loss).backward()
            self._scaler.step(self._optimizer)
            self._scaler.update()
        elif self._situation == "closure" or self._cls is torch.optim.LBFGS:
            # A loss as a tensor, as torch's examples return it, though its types ask for a float.
            self._optimizer.step(cast("Callable[[], float]", backward))
        else:
            backward()
            self._optimizer.step()
        return not skips

    @property
    def _takes_one_group(self) -> bool:
        return self._cls is torch.optim.LBFGS

    def _backward(self, x: Tensor, step: int) -> Callable[[], Tensor]:
        def backward() -> Tensor:
            self._optimizer.zero_grad()
            loss = self._loss(x)
            if step <= AT or self._situation not in {"none", "frozen"}:
                loss.backward()
            if step > AT and self._situation == "zero":
                for weight in self._model.parameters():
                    weight.grad = None if weight.grad is None else weight.grad * 0
            return loss

        return backward

    def _loss(self, x: Tensor) -> Tensor:
        loss: Tensor = self._model(x).square().mean()
        return loss + (self._extra.square().mean() if self._situation == "group added" and not self._sparse else 0.0)

    def _rows(self) -> Tensor:
        return torch.randn(6, 4, generator=self._data)

    def _build(self) -> Optimizer:
        return _built(self._cls, [*self._model.parameters()], **self._options)


def _built(cls: type[Optimizer], weights: list[nn.Parameter], **options: Any) -> Optimizer:
    given = dict(_START.get(cls.__name__, {})) | options
    if "weight_decay" in inspect.signature(cls).parameters:
        given = {"weight_decay": 0.1} | given
    return cls(weights, **given)


def main() -> int:
    """Print the table; 1 when an answer is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found = list(cells())
    if arguments.json:
        print(json.dumps([asdict(each) | {"is_right": each.is_right} for each in found]))
    else:
        _print(found)
    return 0 if all(each.is_right for each in found) else 1


def _print(found: list[Cell]) -> None:
    table = Table(title="first step whose weights differ / what was said", title_justify="left")
    for column in ("optimizer", "setting", *SITUATIONS):
        table.add_column(column)
    rows = dict.fromkeys((each.optimizer, each.setting) for each in found)
    for row in rows:
        own = [each for each in found if (each.optimizer, each.setting) == row]
        table.add_row(*row, *(_text(each) for each in own))
    console = Console(width=200)
    console.print(table)
    wrong = [each for each in found if not each.is_right]
    console.print(f"{len(found)} cells, {len(wrong)} wrong")
    for each in wrong:
        console.print(f"{each.optimizer} {each.setting} {each.situation}: {_text(each)}: {each.reason}")


def _text(cell: Cell) -> str:
    said = cell.outcome if cell.effective is None else f"{cell.outcome} {cell.effective}"
    if cell.effective is not None and cell.outcome == Outcome.FAILED:
        said = f"{cell.effective}, then FAILED"
    return f"{cell.differs or 'never'} / {said}"


if __name__ == "__main__":
    sys.exit(main())
