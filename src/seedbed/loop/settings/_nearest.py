"""What somebody may have meant by a name that is no setting."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from types import MappingProxyType

__all__ = ["FREEZE", "is_of_freezing", "nearest", "nearest_words"]

FREEZE = "freeze"
_MOST = 3
_LIKE, _MISSPELT = 0.6, 0.8  # of the characters: of a setting, and of another word for one
_MEANT = MappingProxyType(
    {
        **dict.fromkeys(("learning_rate", "learningrate", "rate", "step_size", "eta", "max_lr", "base_lr"), ("lr",)),
        **dict.fromkeys(("wd", "decay", "l2", "weightdecay", "regularization"), ("weight_decay",)),
        **dict.fromkeys(("p", "drop", "dropout_p", "dropout_rate", "drop_rate", "dropout_prob"), ("dropout",)),
        **dict.fromkeys(("momentum", "mom", "beta1", "b1", "beta_1", "beta"), ("momentum", "beta1")),
        **dict.fromkeys(("beta2", "b2", "beta_2"), ("beta2",)),
        "betas": ("beta1", "beta2"),
        "epsilon": ("eps",),
        **dict.fromkeys(("clip", "grad_clip", "max_norm", "max_grad_norm", "clipping"), ("clip", "clip_norm")),
        **dict.fromkeys(("accum", "accumulate", "grad_accum", "accumulation_steps"), ("accumulation",)),
        **dict.fromkeys(("gradient_accumulation", "gradient_accumulation_steps"), ("accumulation",)),
        **dict.fromkeys(("batch", "bs", "batchsize", "bsz"), ("batch_size",)),
        **dict.fromkeys(("mix", "mixture_weights", "weights"), ("mixture",)),
        **dict.fromkeys(("unfreeze", "frozen", "trainable", "requires_grad"), ("freeze",)),
    }
)
"""Other words for a setting: those of PyTorch, of libraries and of papers."""

_LATER = (
    ("clip.norm", "run.clip"),
    ("clip_norm", "run.clip"),
    ("accumulation", "run.accumulation"),
    ("batch_size", "run.steps(loader)"),
)
"""Settings that are found when the loop uses them for the first time, and by which call."""


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """The names in `known` that come nearest to `name`, the nearest first; none where it is like none of them.

    Another word for a setting counts more than a like spelling: `learning_rate` for `lr`, `wd` for `weight_decay`. It
    may be misspelt itself: `learning_rat`.
    """
    names = list(dict.fromkeys(known))
    *owner, last = _parts(name)
    if is_of_freezing(name):
        names = [each for each in names if is_of_freezing(each)]
    elif owner and last.isdecimal():  # of which group or layer it is says nothing of which setting
        return get_close_matches(name, names, n=_MOST, cutoff=_LIKE) or nearest(".".join(owner), names)
    found = [each for word in _meant(last) for each in _named(word, names)]
    if last not in _MEANT:
        found += _like_a_part(last, names) or get_close_matches(name, names, n=_MOST, cutoff=_LIKE)
    own = [each for each in found if owner and set(owner) <= set(_parts(each))]
    return list(dict.fromkeys([*own, *found]))[:_MOST]


def is_of_freezing(name: str) -> bool:
    """Whether it names a module to freeze, `freeze.PATH` or `MODEL.freeze.PATH`, which is bound on request."""
    first, _, rest = name.partition(f"{FREEZE}.")
    return bool(rest) and (not first or (first.endswith(".") and first.count(".") == 1))


def nearest_words(name: str, known: Sequence[str]) -> str:
    """The same as words for a message; where nothing is near, the first of all."""
    near = nearest(name, known)
    if not near and (later := _later(name)):
        return later
    if near:
        return f"the nearest {'is' if len(near) == 1 else 'are'} {', '.join(near)}"
    first = ", ".join(known[:_MOST])
    return f"there are {len(known)}, such as {first}" if len(known) > _MOST else f"there are {first or 'none'}"


def _later(name: str) -> str:
    """From when on it is a setting, where that is when the loop uses it; empty for other names."""
    last = _parts(name)[-1]
    words = {".".join(_parts(name)), last, *_meant(last)}
    return next((f"{key} is a setting from the first {call} on" for key, call in _LATER if key in words), "")


def _meant(last: str) -> list[str]:
    """The settings that this is another word for, or nearly one."""
    words = [last] if last in _MEANT else get_close_matches(last, _MEANT, n=1, cutoff=_MISSPELT)
    return [each for word in words for each in _MEANT[word]]


def _named(word: str, names: Sequence[str]) -> list[str]:
    """The names that have this word as a part, the shortest first."""
    return sorted((each for each in names if word in _parts(each)), key=lambda each: each.count("."))


def _like_a_part(last: str, names: Sequence[str]) -> list[str]:
    """The names of which one part is spelled like the last of what was asked for."""
    parts = list(dict.fromkeys(part for each in names for part in _parts(each)))
    near = get_close_matches(last, parts, n=_MOST, cutoff=_LIKE)
    return [each for part in near for each in _named(part, names)]


def _parts(name: str) -> list[str]:
    return name.lower().replace("-", "_").replace(" ", "_").split(".")
