"""Retention rules: when the blobs and step logs of old commits expire, by project and stage. Pure functions.

Commits themselves are never deleted. Whatever the rules say, baselines never expire, nor does the newest commit of a
cohort and stage: the one that was made last, and the one with the highest number, which LATEST.json names.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Self

import yaml
from pydantic import Field, ValidationError, model_validator

from seedbed.contracts import Message, Stage
from seedbed.contracts._documents import parse_yaml
from seedbed.contracts._faults import faults_of
from seedbed.errors import InvalidInput, NotFound
from seedbed.records.log._made_order import made_order

__all__ = ["Dated", "RetentionPolicy", "RetentionRule", "expired_commits", "load_retention"]


class RetentionRule(Message):
    """How long commits keep their blobs and step logs: those of matching projects, and of `stage` (null: every stage).

    The newest `keep_last` of each project and stage keep them, and so do all that are younger than `keep_days` days.
    """

    project: str = Field(default="*", pattern=r"^[A-Za-z0-9._*?\[\]!-]{1,100}$")
    stage: Stage | None = None
    keep_last: int | None = Field(default=None, ge=0)
    keep_days: float | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _keeps_something(self) -> Self:
        if self.keep_last is None and self.keep_days is None:
            raise ValueError("it has neither keep_last nor keep_days; say how much to keep")
        return self

    def covers(self, project: str, stage: Stage) -> bool:
        """Whether the rule applies to this project and stage."""
        return fnmatchcase(project, self.project) and self.stage in (None, stage)

    def __str__(self) -> str:
        limits = {"keep_last": self.keep_last, "keep_days": self.keep_days}
        words = (f"{name} {value:g}" for name, value in limits.items() if value is not None)
        return f"{self.project}/{self.stage or '*'} {' '.join(words)}"


class RetentionPolicy(Message):
    """The rules of one file. The first rule that covers a commit decides; a commit that none covers never expires."""

    schema_version: int = Field(default=1, ge=1, le=1)
    rules: tuple[RetentionRule, ...] = Field(min_length=1)

    def rule_of(self, project: str, stage: Stage) -> RetentionRule | None:
        """The rule for commits of this project and stage; None when there is none."""
        return next((rule for rule in self.rules if rule.covers(project, stage)), None)


@dataclass(frozen=True)
class Dated:
    """The parts of a commit that retention needs; `when` is the time of the commit, by the clock of its machine.

    A copy, which came from another number or store, has its place by that time among the others.
    """

    seq: int
    stage: Stage
    cohort_id: str
    when: datetime
    is_copy: bool = False


def load_retention(path: Path) -> RetentionPolicy:
    """The policy that the YAML file at `path` declares. Raises NotFound, and InvalidInput with every problem."""
    try:
        found = parse_yaml(path.read_text("utf-8"))
    except FileNotFoundError:
        raise NotFound(f"there is no retention file at {path}; `seedbed docs maintenance` shows one") from None
    except OSError as problem:
        raise InvalidInput(f"the retention file {path} cannot be read: {problem.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as problem:
        raise InvalidInput(f"the retention file {path} is not YAML: {problem}") from None
    try:
        return RetentionPolicy.model_validate(found)
    except ValidationError as problem:
        problems = (fault.told("the file") for fault in faults_of(problem, RetentionPolicy))
        listed = "\n  - ".join(problems)
        raise InvalidInput(f"the retention file {path} is refused:\n  - {listed}") from None


def expired_commits(
    policy: RetentionPolicy, project: str, commits: Sequence[Dated], kept: Collection[int], now: datetime
) -> dict[int, RetentionRule]:
    """The numbers of a project's commits that expire, each with its rule; commits in `kept` never expire."""
    numbered = sorted(commits, key=lambda item: item.seq)
    places = {seq: place for place, seq in enumerate(made_order((c.seq, c.when, c.is_copy) for c in commits))}
    made = sorted(commits, key=lambda item: places[item.seq])
    safe = {*kept, *_newest(numbered), *_newest(made)}
    return {
        commit.seq: rule
        for stage in Stage
        if (rule := policy.rule_of(project, stage))
        for commit in _beyond(rule, [commit for commit in made if commit.stage is stage])
        if commit.seq not in safe and not _is_young(rule, commit, now)
    }


def _beyond(rule: RetentionRule, commits: Sequence[Dated]) -> Sequence[Dated]:
    """The `commits` of one stage, in order, without the newest ones that the rule keeps."""
    return commits[: max(0, len(commits) - (rule.keep_last or 0))]


def _is_young(rule: RetentionRule, commit: Dated, now: datetime) -> bool:
    return rule.keep_days is not None and now - commit.when < timedelta(days=rule.keep_days)


def _newest(commits: Iterable[Dated]) -> Collection[int]:
    """The number of the last of the `commits` of each cohort and stage."""
    return {(commit.cohort_id, commit.stage): commit.seq for commit in commits}.values()
