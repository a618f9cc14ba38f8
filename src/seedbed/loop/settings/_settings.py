"""All settings of a loop in one object: found, named, listed, and proposed to an engine that takes later ones too."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from math import isfinite, isinf
from types import MappingProxyType
from typing import Any, TypeVar, final

from torch import Tensor

from seedbed.change._checkpoint import ChangeState
from seedbed.change._engine import ChangeEngine, Invariant
from seedbed.change._history import ChangeHistory
from seedbed.change._record import ChangeRecord
from seedbed.change.bindings._binding import Binding
from seedbed.change.bindings._delivered_batches import num_rows, track_batches
from seedbed.change.bindings._mixture import MixtureSampler
from seedbed.change.guards._guards import GUARDS
from seedbed.change.guards._proposal import Guard
from seedbed.change.parameters._delta import Delta
from seedbed.change.phases._ledger import ChangeJournal
from seedbed.contracts import SettingView
from seedbed.errors import Conflict, InvalidInput, NotFound
from seedbed.loop.settings._deltas import joint_deltas, require_apart
from seedbed.loop.settings._find import FINDERS, Findings, find_settings, found
from seedbed.loop.settings._found import (
    BoundSetting,
    Found,
    Joint,
    RequestedFinder,
    SettingFinder,
    Unbound,
    key_of_path,
)
from seedbed.loop.settings._limits import Pace
from seedbed.loop.settings._live_objects import LiveObjects
from seedbed.loop.settings._loop_numbers import LoopNumbers
from seedbed.loop.settings._names import SettingNames
from seedbed.loop.settings._nearest import FREEZE
from seedbed.loop.settings._overrides import NO_OVERRIDES, Overrides, checked_overrides
from seedbed.loop.settings._replaceable import LoaderSetting
from seedbed.loop.settings._slip import SlipGuard
from seedbed.loop.settings._trainable import TrainableGuard, TrainedWeights
from seedbed.loop.settings._view import SettingsView

__all__ = ["Settings"]

Batch = TypeVar("Batch")


@final
class Settings:
    """What can be changed of the live objects of a loop.

    Make the engine by `engine(journal)`: settings that are found later, such as those of a loader, are added to it.
    Raises InvalidInput, with the nearest name, for `overrides` of a setting or limit that there is none of.
    """

    def __init__(
        self, objects: LiveObjects, overrides: Overrides = NO_OVERRIDES, finders: Sequence[SettingFinder] = FINDERS
    ) -> None:
        self._objects, self._finders = objects, tuple(finders)
        self._found: dict[str, Found] = {}
        self._joints: dict[str, Joint] = {}
        self._unbound: dict[str, Unbound] = {}
        self._paces: dict[str, Pace] = {}
        self._engine: ChangeEngine | None = None
        self._trained = TrainedWeights()
        self._loop_numbers = LoopNumbers(objects, self._bind, self._is_changed)
        self._overrides = NO_OVERRIDES
        plain = find_settings(objects, NO_OVERRIDES, self._finders)
        names = [each for one in (plain.settings, plain.joints, plain.unbound) for each in one]
        shorts = {each.key: each.short for each in names}
        owners = [*objects.models, *objects.optimizers, *objects.loaders]
        self._overrides = checked_overrides(overrides, {*shorts, *shorts.values()}, filter(None, owners))
        self._take(find_settings(objects, self._overrides, self._finders) if overrides else plain)

    @property
    def found(self) -> tuple[Found, ...]:
        """Every setting that can be changed by itself."""
        return tuple(self._found.values())

    @property
    def guards(self) -> tuple[Guard, ...]:
        """The guards for an engine of one's own: against slips and against freezing all, then the usual ones."""
        return (SlipGuard(self._paces), TrainableGuard(self._binding_of, self._training), *GUARDS)

    def engine(
        self,
        journal: ChangeJournal,
        invariants: Sequence[Invariant] = (),
        proposers: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    ) -> ChangeEngine:
        """The engine over everything that was found; what is found from now on is added to it.

        A change after which no weight would train is undone.
        """
        self._trained.watch(self._objects)
        must_hold = (lambda: self._trained.require(self._objects), *invariants)
        engine = ChangeEngine(journal, {}, (), self.guards, must_hold, proposers)
        engine.extend({each.key: each.binding for each in self.found}, [each.parameter for each in self.found])
        engine.ask(self._requested)
        engine.at_end(self._trained.end)
        self._engine = engine
        return engine

    def add(self, objects: LiveObjects) -> tuple[Found, ...]:
        """Look at further objects, and bind what was not bound before; returns that.

        A loader may take the place of one, and a model may be wrapped since. Raises Conflict where another model or
        optimizer has a name that is taken, and for a scheduler that comes after its optimizer; then nothing is bound.
        """
        together = self._objects.joined(objects)
        further = find_settings(together, self._overrides, self._finders)
        self._objects = together
        self._loop_numbers.look_at(together)
        if self._engine is not None:
            self._trained.watch(together)
        return self._take(further)

    def names(self) -> SettingNames:
        """What settings are called, those that cannot be changed too."""
        every: dict[str, Found | Joint | Unbound] = {**self._joints, **self._found, **self._unbound}
        return SettingNames({each.key: each.short for each in every.values()})

    def resolve(self, name: str) -> str:
        """The key of a setting, or of several together; one that is bound on request is bound now.

        Raises NotFound, with the nearest, for a name that is unknown or ambiguous, InvalidInput for a setting that
        cannot be changed, with the reason.
        """
        try:
            key = self.names().resolve(name)
        except NotFound:
            if not (requested := self._requested(name)):
                raise
            return requested
        if key in self._unbound:
            raise InvalidInput(f"{key} cannot be changed: {self._unbound[key].why_not}")
        return key

    def propose(self, delta: Delta, step: int, *, against: str | None = None) -> tuple[ChangeRecord, ...]:
        """Propose a delta whose parameter is any name of a setting; several together are changed all or none.

        Raises as `resolve` and as `ChangeEngine.propose_all`, and InvalidInput where a module was frozen or unfrozen
        with another that holds it, or is inside it.
        """
        engine = self._require_engine()
        key = self.resolve(delta.parameter)
        deltas = self._deltas(replace(delta, parameter=key))
        self._require_apart(key, engine.history)
        rules = replace(engine.rules, all_or_nothing=len(deltas) > 1)
        return engine.propose_all(deltas, step, against=against, rules=rules)

    def take(self, candidate: BoundSetting) -> None:
        """Bind a setting that is kept elsewhere, such as by the library that runs the loop; nothing if it is bound."""
        if key_of_path(candidate.path) not in self._found:
            self._bind(candidate)

    def prepare(self, state: ChangeState) -> tuple[str, ...]:
        """Bind what a checkpoint holds and was bound on request or by the loop; then call `engine.resume(state)`.

        Returns the settings of a loader that has not come yet: leave them out of the state, and restore them later.

        Call it before `engine` where the objects have been loaded already: their groups are settings as they were then,
        although what they hold may have become equal, or no longer is. Raises NotFound or InvalidInput where the model
        has no longer what was bound.
        """
        if self._engine is None:
            self._name_as(state.values.keys())
        self._loop_numbers.prepare({key: each for key, each in state.values.items() if key not in self._found})
        missing = [key for key in state.values if key not in self._found]
        later = () if self._objects.loaders else tuple(key for key in missing if key.startswith("loader."))
        for key in missing:
            if key not in later:
                self.resolve(key)
        return later

    def clip(self, parameters: Iterable[Tensor] | Tensor, max_norm: float) -> Tensor:
        """Clip gradients in place of `torch.nn.utils.clip_grad_norm_`; the setting `clip.norm` from the first call on.

        Returns their norm before, a tensor of shape []. A loop that passes another `max_norm` later overwrites the
        setting. A norm that is not finite clips nothing, and is no setting.
        """
        return self._loop_numbers.clip(parameters, max_norm)

    def accumulation(self, start: int = 1) -> int:
        """How many backward passes to make for the next optimizer step; the setting `accumulation` from then on."""
        return self._loop_numbers.accumulation(start)

    def tracked(self, loader: Iterable[Batch], batches: Iterator[Batch] | None = None) -> Iterator[Batch]:
        """The loader's batches, counted as they reach the loop, so that changes of its settings can be proven.

        `batches` are those of the loader that are left of a pass that began before.

        A batch whose rows cannot be counted proves nothing; with a mixture of datasets it raises InvalidInput, since
        the number of draws would be lost.
        """
        owners = {name or "loader" for name, each in self._objects.loaders.items() if each is loader}
        bound = [each.binding for each in self.found if each.parameter.path[0] in owners and not self._is_gone(each)]
        listeners = {id(each.listener): each.listener for each in bound if isinstance(each, LoaderSetting)}
        if not listeners:
            return iter(loader) if batches is None else batches
        counts = any(isinstance(each, MixtureSampler) for each in listeners.values())
        return track_batches(
            loader if batches is None else batches, *listeners.values(), rows=num_rows if counts else _rows_or_none
        )

    def view(self, step: int) -> SettingsView:
        """The list of all settings after `step` optimizer steps."""
        names, history = self.names(), None if self._engine is None else self._engine.history
        views = [self._view(key, names.short(key), step, history) for key in self._listed()]
        refused = [
            SettingView(key=each.key, short=names.short(each.key), why_not=each.why_not)
            for each in self._unbound.values()
        ]
        return SettingsView(step=step, state=self._state(), settings=(*views, *refused))

    def _listed(self) -> list[str]:
        """The keys of the settings, of several together before the first of them."""
        first = {each.members[0]: each.key for each in self._joints.values()}
        listed = [key for each in self._found for key in (first.get(each), each) if key is not None]
        return [each for each in listed if each not in self._unbound]

    def _state(self) -> str:
        """The hash of all values; empty where there is none, as of a value that is not finite."""
        if self._engine is None or not all(isfinite(each) for each in self._engine.values().values()):
            return ""
        return self._engine.state_hash()

    def _view(self, key: str, short: str, step: int, history: ChangeHistory | None) -> SettingView:
        joint = self._joints.get(key)
        members = [self._found[each] for each in ((key,) if joint is None else joint.members)]
        first, value = members[0], members[0].binding.read()
        last = {each.key: history.moves(each.key)[-1:] if history is not None else () for each in members}
        why_not = "" if history is None else self._why_not(key, history)
        due = [move.step + each.parameter.cooldown_steps for each in members for move in last[each.key]]
        return SettingView(
            key=key,
            short=short,
            value=value if isfinite(value) else None,
            unit=first.parameter.unit,
            low=first.parameter.low,
            high=first.parameter.high,
            most_up=None if isinf(first.pace.most_up) else first.pace.most_up,
            most_down=None if isinf(first.pace.most_down) else first.pace.most_down,
            movable_at=None if why_not else max([step, *due]),
            why_not=why_not,
            members=() if joint is None else joint.members,
        )

    def _take(self, findings: Findings) -> tuple[Found, ...]:
        for each in findings.settings:
            earlier = self._found.get(each.key)
            if earlier and isinstance(earlier.binding, LoaderSetting) and isinstance(each.binding, LoaderSetting):
                earlier.binding.take(each.binding)
        gone = self._gone({each.key for each in findings.settings}, {each.key: each for each in findings.unbound})
        # Of a kind that is bound nothing is added: its groups may be equal by now, or differ, and were not then.
        known = {each.parameter.path[:2] for each in self.found}
        new = tuple(each for each in findings.settings if each.parameter.path[:2] not in known)
        self._add_all(new)
        keys = {each.key for each in new}
        self._joints.update({each.key: each for each in findings.joints if keys.issuperset(each.members)})
        taken = {**self._found, **self._joints}
        self._unbound = {**gone, **{each.key: each for each in findings.unbound if each.key not in taken}}
        return new

    def _gone(self, now: AbstractSet[str], unbound: Mapping[str, Unbound]) -> dict[str, Unbound]:
        """The settings of loaders that were replaced by one without them, which nothing reads any more."""
        gone: dict[str, Unbound] = {}
        for each in self.found:
            if isinstance(each.binding, LoaderSetting) and each.key not in now:
                each.binding.leave()
                why = "its loader was replaced by one without it"
                gone[each.key] = unbound.get(each.key, Unbound(each.key, why, each.short))
        return gone

    def _is_gone(self, one: Found) -> bool:
        """Whether it was of a loader that was replaced by one without it."""
        return one.key in self._unbound

    def _name_as(self, keys: Iterable[str]) -> None:
        """Find again those kinds of settings that are others by these keys."""
        self._objects = replace(self._objects, named=frozenset(keys))
        again = find_settings(self._objects, self._overrides, self._finders)
        others = {each.parameter.path[:2] for each in again.settings if each.key not in self._found}
        self._found = {key: each for key, each in self._found.items() if each.parameter.path[:2] not in others}
        self._joints = {key: each for key, each in self._joints.items() if self._found.keys() >= {*each.members}}
        self._take(again)

    def _bind(self, candidate: BoundSetting) -> None:
        self._add_all([found(candidate, self._overrides)])

    def _is_changed(self, key: str) -> bool:
        return self._engine is not None and self._engine.history.first_touched(key) is not None

    def _add_all(self, new: Sequence[Found]) -> None:
        if self._engine is not None:
            self._engine.extend({each.key: each.binding for each in new}, [each.parameter for each in new])
        self._found.update({each.key: each for each in new})
        self._paces.update({each.key: each.pace for each in new})

    def _requested(self, name: str) -> str | None:
        for finder in self._finders:
            candidate = finder.on_request(self._objects, name) if isinstance(finder, RequestedFinder) else None
            if candidate is not None:
                self._bind(candidate)
                return key_of_path(candidate.path)
        return None

    def _binding_of(self, key: str) -> Binding | None:
        found = self._found.get(key)
        return None if found is None else found.binding

    def _training(self) -> dict[str, set[int]]:
        return self._trained.among(self._objects)

    def _deltas(self, delta: Delta) -> list[Delta]:
        joint = self._joints.get(delta.parameter)
        if joint is None:
            return [delta]
        return joint_deltas(delta, joint, {each: self._found[each].binding.read() for each in joint.members})

    def _require_apart(self, key: str, history: ChangeHistory) -> None:
        paths = [each.parameter.path for each in self.found if each.parameter.path[1:2] == (FREEZE,)]
        if key in self._found and self._found[key].parameter.path in paths:
            require_apart(self._found[key].parameter.path, paths, history)

    def _why_not(self, key: str, history: ChangeHistory) -> str:
        """Why it cannot be changed any more; empty where it can."""
        try:
            self._require_apart(key, history)
        except InvalidInput as problem:
            return str(problem)
        return ""

    def _require_engine(self) -> ChangeEngine:
        if self._engine is None:
            raise Conflict("no engine is there to propose to: call settings.engine(journal) first")
        return self._engine


def _rows_or_none(batch: object) -> int:
    try:
        return num_rows(batch)
    except InvalidInput:
        return 0  # no size that a batch can have
