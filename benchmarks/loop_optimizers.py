"""Optimizers that are not torch's, written as people and libraries write them."""

from collections.abc import Callable
from typing import Any

import torch
from torch.optim import SGD, AdamW, Optimizer

__all__ = [
    "SAM",
    "AdamWThatCentralises",
    "AdamWThatCounts",
    "Lion",
    "Lookahead",
    "ReadsDefaults",
    "ScheduleFreeSGD",
    "SignSGD",
]


class SignSGD(Optimizer):
    """A user's own: the sign of a momentum."""

    def __init__(self, params: Any, lr: float = 1e-3, momentum: float = 0.9) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, _closure: Any = None) -> Any:
        """Move each weight by the rate against the sign."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    kept = self.state[weight].setdefault("momentum", torch.zeros_like(weight))
                    kept.mul_(group["momentum"]).add_(weight.grad)
                    weight.add_(kept.sign(), alpha=-group["lr"])


class Lion(Optimizer):
    """Lion (Chen et al., arXiv 2302.06675), with the usual constructor, and a closure."""

    def __init__(
        self, params: Any, lr: float = 1e-4, betas: tuple[float, float] = (0.9, 0.99), decay: float = 0
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One update of the weights; returns the closure's loss."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            (one, two), lr = group["betas"], group["lr"]
            for weight in (each for each in group["params"] if each.grad is not None):
                average = self.state[weight].setdefault("exp_avg", torch.zeros_like(weight))
                weight.mul_(1 - lr * group["weight_decay"])
                weight.add_(torch.sign(average * one + weight.grad * (1 - one)), alpha=-lr)
                average.mul_(two).add_(weight.grad, alpha=1 - two)
        return loss


class ReadsDefaults(SGD):
    """A careless one: its rate is the one that it was built with."""

    @torch.no_grad()
    def step(self, _closure: Any = None) -> Any:
        """Move by the default rate, whatever stands in the groups."""
        for group in self.param_groups:
            for weight in group["params"]:
                weight.add_(weight.grad, alpha=-self.defaults["lr"])


class AdamWThatCounts(AdamW):
    """A subclass that leaves the update alone."""

    num_built = 0

    def __init__(self, params: Any, **options: Any) -> None:
        super().__init__(params, **options)
        type(self).num_built += 1

    def num_weights(self) -> int:
        """How many numbers it moves."""
        return sum(weight.numel() for group in self.param_groups for weight in group["params"])


class AdamWThatCentralises(AdamW):
    """A subclass that centralises gradients (Yong et al., arXiv 2004.01461) before AdamW's own update."""

    def step(self, closure: Any = None) -> Any:
        """AdamW's step with centralised gradients."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None and weight.dim() > 1:
                    weight.grad.sub_(weight.grad.mean(dim=1, keepdim=True))
        return super().step(closure)


class SAM(Optimizer):
    """Sharpness-aware minimisation (Foret et al., arXiv 2010.01412), as a wrapper that takes two steps."""

    def __init__(self, params: Any, base: Callable[[Any], Optimizer], rho: float = 0.05) -> None:
        super().__init__(params, {"rho": rho})
        self.base_optimizer = base(self.param_groups)
        self.param_groups = self.base_optimizer.param_groups
        self.defaults.update(self.base_optimizer.defaults)

    @torch.no_grad()
    def first_step(self) -> None:
        """Climb to the worst neighbour."""
        norm = torch.stack([weight.grad.norm() for weight in self._weights()]).norm()
        for weight in self._weights():
            self.state[weight]["old"] = weight.detach().clone()
            weight.add_(weight.grad, alpha=float(self.param_groups[0]["rho"] / (norm + 1e-12)))
        self.zero_grad()

    @torch.no_grad()
    def second_step(self) -> None:
        """Back, and the base optimizer's step with the neighbour's gradients."""
        for weight in self._weights():
            weight.copy_(self.state[weight]["old"])
        self.base_optimizer.step()
        self.zero_grad()

    def _weights(self) -> list[Any]:
        return [each for group in self.param_groups for each in group["params"] if each.grad is not None]


class Lookahead(Optimizer):
    """Lookahead (Zhang et al., arXiv 1907.08610): every k steps the weights go half the way back to slow ones."""

    def __init__(self, optimizer: Optimizer, k: int = 5, alpha: float = 0.5) -> None:
        self._base_optimizer, self.k, self.alpha, self.taken = optimizer, k, alpha, 0
        self.param_groups, self.state, self.defaults = optimizer.param_groups, optimizer.state, optimizer.defaults
        self.slow = [[each.detach().clone() for each in group["params"]] for group in self.param_groups]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """The inner optimizer's."""
        self._base_optimizer.zero_grad(set_to_none)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """The inner step, and every k steps the slow one."""
        loss = self._base_optimizer.step(closure)
        self.taken += 1
        if self.taken % self.k == 0:
            for group, kept in zip(self.param_groups, self.slow, strict=True):
                for weight, slow in zip(group["params"], kept, strict=True):
                    weight.copy_(slow.lerp_(weight, self.alpha))
        return loss


class ScheduleFreeSGD(Optimizer):
    """Schedule-free SGD (Defazio et al., arXiv 2405.15682): weights y in training, averaged x in evaluation."""

    def __init__(self, params: Any, lr: float = 1e-2, beta: float = 0.9, warmup_steps: int = 4) -> None:
        defaults = {"lr": lr, "beta": beta, "warmup_steps": warmup_steps, "k": 0, "weight_sum": 0.0, "lr_max": 0.0}
        super().__init__(params, {**defaults, "train_mode": True})

    def train(self) -> None:
        """From the averaged weights to those of training."""
        self._swap(is_training=True)

    def eval(self) -> None:
        """From the weights of training to the averaged ones."""
        self._swap(is_training=False)

    @torch.no_grad()
    def step(self, _closure: Any = None) -> Any:
        """One step of z by the rate, of the average x, and of y between them."""
        for group in self.param_groups:
            lr = group["lr"] * min(1.0, (group["k"] + 1) / group["warmup_steps"])
            group["lr_max"] = max(lr, group["lr_max"])
            group["weight_sum"] += group["lr_max"] ** 2
            share = group["lr_max"] ** 2 / group["weight_sum"]
            for y in (each for each in group["params"] if each.grad is not None):
                z = self.state[y].setdefault("z", y.detach().clone())
                y.lerp_(z, share)
                y.add_(y.grad, alpha=lr * (group["beta"] * (1 - share) - 1))
                z.sub_(y.grad, alpha=lr)
            group["k"] += 1

    @torch.no_grad()
    def _swap(self, *, is_training: bool) -> None:
        for group in self.param_groups:
            if group["train_mode"] is not is_training:
                weight = 1 - group["beta"] if is_training else 1 - 1 / group["beta"]
                for y in (each for each in group["params"] if "z" in self.state[each]):
                    y.lerp_(self.state[y]["z"], weight)
                group["train_mode"] = is_training
