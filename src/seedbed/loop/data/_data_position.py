"""Where in its data a loop is, so that a resumed one goes on with the batch after its last step, or says why not."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any, TypeVar, final

from torch import Generator

from seedbed.loop.data._batch_digest import batch_digest
from seedbed.loop.data._generators import generator_of, generator_states, restore_generators
from seedbed.loop.data._likeness import BATCHERS, content_digest, why_unlike, why_unlike_drawn
from seedbed.loop.data._loaders import called, is_warm, own_states, set_own_states, set_states, state_of, states, warm

__all__ = ["DataPosition"]

Batch = TypeVar("Batch")

_ELSEWHERE = "the loop takes its batches from elsewhere than run.steps"
_RESIZED = "the batch size was changed within the pass, so that a number of batches is no place in the data"
_ANOTHER = "the last batch before the resume is another one when it is drawn again"
_NOT_COMPARED = "its batches hold nothing that could be compared"
_ALTERED = "the data that the loop gives to run.steps are others than those of the pass before the resume"
_OTHER_RANKS = "the checkpoint keeps the order of data of other processes"
_IN_TURN = "the loop takes batches of several passes in turn, of which a resume can go on with none"
_SEVERAL = "the loop goes over several loaders with generators of their own, of which a checkpoint keeps the last one"


@final
class DataPosition:
    """The place of a loop in its data.

    `delivered` batches of the pass were handed out, `used` of them by the last optimizer step. A resumed loop goes on
    from the state that the loader keeps; else it draws the used batches again, from the generators as they were when
    the pass began, and looks whether the last of them is the same. Before the first batch of a pass it looks whether
    the loader draws from what a new process has not. `unknown` is why the data since a resume may be other than
    without one, empty where it is the same; `tell` is called with it.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.delivered = self.used = 0
        self.unknown = ""
        self.is_elsewhere = False
        self.is_in_turn = False  # whether it began while another pass had not ended
        self._tell = tell
        self._loader: object = None
        self._last: object = None
        self._last_used: object = None
        self._begun: dict[str, Any] | None = None
        self._was_warm = False
        self._kept: tuple[Any, int] | None = None  # a state that the loader was given, after so many batches
        self._generators: list[Generator] = []  # that were given to the loader
        self._has_several = False
        self._checked: set[str] | None = None  # the loaders of a resumed loop that were looked at
        self._sampler: Any = None  # of a kind whose batch size may change
        self._size, self._is_resized = 0, False
        self._pending: Mapping[str, Any] | None = None

    @property
    def is_pending(self) -> bool:
        """Whether a pass that was restored has not begun yet."""
        return self._pending is not None

    def begin(self, loader: Iterable[Batch], *, in_turn: bool = False) -> Iterator[Batch]:
        """Begin a pass over `loader`, or go on with the one that was restored."""
        pending, self._pending = self._pending, None
        if pending is not None and pending["of"] != called(loader):
            self.note(f"the checkpoint is of a pass over {pending['of']}, and the loop goes on with {called(loader)}")
            pending = None
        self._take(loader)
        self.is_in_turn = in_turn
        self._check(loader, pending)
        if pending is not None:
            return self._resumed(loader, pending)
        self._begin_anew(loader)
        return iter(loader)

    def handed_out(self, batch: object) -> None:
        """One more batch was handed out."""
        self.delivered += 1
        self._last = batch
        if self._sampler is not None and self._sampler.batch_size != self._size:
            self._is_resized = True

    def stepped(self) -> None:
        """The optimizer stepped, with all batches that were handed out."""
        self.used = self.delivered
        self._last_used = self._last

    def end(self) -> None:
        """The pass has ended."""
        self.delivered = self.used = 0
        self._begun = self._kept = self._last = self._last_used = None

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        if self._pending is not None:  # the pass that was restored has not begun
            return {**self._pending, "unknown": self.unknown}
        if self.is_in_turn:
            return {"of": "", "unknown": self.unknown or _IN_TURN}
        kept = None
        if self.used == self.delivered and (own := state_of(self._loader)) is not None:
            kept = (own, self.used)
        elif self._kept is not None:
            kept = self._kept
        return {
            "of": called(self._loader),
            "used": self.used,
            "begun": self._begun,
            "own": own_states(self._loader) if self.used == self.delivered else [],
            "loader": kept,
            "is_warm": is_warm(self._loader) if self._begun is None else self._was_warm,
            "last": batch_digest(self._last_used) if self.used else "",
            "content": content_digest(self._loader),
            "unknown": self.unknown or ("" if kept is not None else self._why_lost()),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state` at the next `begin`."""
        self._pending = state if state["of"] else None
        self.unknown, self._checked = "", set()
        self.note(state["unknown"])

    def restore_others(self, state: Mapping[str, Any], *, has_place: bool) -> None:
        """Begin in the order of this process, where `state` is of another one.

        With `has_place` after as many batches as the other had used, else at the beginning of the pass.
        """
        apart = {**state, "begun": None, "own": [], "loader": None, "last": "", "content": ""}
        self.restore(apart if has_place else {"of": "", "unknown": ""})
        self.note(_OTHER_RANKS)

    def note(self, why: str) -> None:
        """The data since a resume may be others, for that reason; nothing where it is empty, or one is known."""
        if why and not self.unknown:
            self.unknown = why
            self._tell(why)

    def release(self) -> None:
        """Let the loader go, and the workers that it keeps."""
        self._loader = self._last = self._last_used = self._sampler = self._kept = None
        self._generators = []

    def _take(self, loader: object) -> None:
        generators = generator_of(loader)
        if self._loader is not None and loader is not self._loader:
            self._has_several |= {*map(id, generators)} != {*map(id, self._generators)}
        self._loader, self._last, self._last_used, self._generators = loader, None, None, generators
        sampler: object = getattr(loader, "batch_sampler", None)
        self._sampler = sampler if isinstance(sampler, BATCHERS) else None
        self._size, self._is_resized = 0 if self._sampler is None else self._sampler.batch_size, False

    def _why_lost(self) -> str:
        """Why a loop that is resumed from here may see other data."""
        if self.is_elsewhere:
            return _ELSEWHERE
        if self._loader is None:
            return ""
        if isinstance(self._loader, Iterator):
            return f"a {type(self._loader).__qualname__} is an iterator, which no resume can begin again"
        if self._has_several:
            return _SEVERAL
        if not self.used:
            return why_unlike(self._loader)
        resized = self._sampler is not None and self._sampler.batch_size != self._size
        return _RESIZED if self._is_resized or resized else ""

    def _check(self, loader: object, pending: Mapping[str, Any] | None) -> None:
        """Of a resumed loop, each loader before its first pass: whether a new process draws the same."""
        if self._checked is None or called(loader) in self._checked:
            return
        self._checked.add(called(loader))
        if pending is not None and pending["is_warm"]:
            warm(loader)  # what is opened to draw rows here must not be inherited by its workers
        is_seen = pending is not None and (pending["used"] or pending["loader"] is not None)
        if not self.unknown and not is_seen:
            self.note(why_unlike_drawn(loader))

    def _begin_anew(self, loader: Iterable[Batch]) -> None:
        self.delivered = self.used = 0
        self._begun, self._was_warm, self._kept = states(loader), is_warm(loader), None

    def _resumed(self, loader: Iterable[Batch], pending: Mapping[str, Any]) -> Iterator[Batch]:
        """The rest of the pass, after the batches that were used; the generators go on from where they are."""
        if pending["content"] and pending["content"] != content_digest(loader):
            self.note(_ALTERED)
        if pending["begun"] is None:
            set_own_states(loader, pending["own"])
        self._begin_anew(loader)
        self.delivered = self.used = pending["used"]
        at = self._load(loader, pending["loader"])
        if at == self.used and (self._kept is not None or pending["begun"] is None):
            return iter(loader)
        return self._drawn_again(loader, pending, at)

    def _load(self, loader: object, kept: tuple[Any, int] | None) -> int:
        """Give the loader the state that it kept; after how many batches of the pass that was."""
        load = getattr(loader, "load_state_dict", None)  # loaders share no class
        if kept is None or not callable(load):
            return 0
        self._kept = kept
        load(kept[0])
        return kept[1]

    def _drawn_again(self, loader: Iterable[Batch], pending: Mapping[str, Any], at: int) -> Iterator[Batch]:
        begun, now = pending["begun"], generator_states()
        if begun is not None:
            self._begun, self._was_warm = begun, pending["is_warm"]
            set_states(loader, begun)
        batches = iter(loader)
        drawn = list(islice(batches, 1)) if self.used == at else []  # which draws the order of the pass
        last: object = None
        for _ in range(self.used - at):
            last = next(batches, None)
        if begun is not None:
            restore_generators(now)
            set_own_states(loader, pending["own"])  # the loop may draw from a generator that it shares with the loader
        if self.used > at and begun is not None and batch_digest(last) != pending["last"]:
            self.note(_ANOTHER)
        elif self.used > at and not pending["last"] and not pending["content"]:
            self.note(_NOT_COMPARED)
        return chain(drawn, batches)
