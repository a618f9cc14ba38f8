"""Retention rules: when the blobs and step logs of old commits expire, by project and stage. Pure functions.

Commits themselves are never deleted. Baselines and the newest commit of every cohort and stage never expire, whatever
the rules say.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Self

import yaml
from pydantic import Field, ValidationError, model_validator

from seedbed.contracts import Message, Stage
from seedbed.contracts._documents import parse_yaml
from seedbed.contracts._faults import faults_of
from seedbed.errors import InvalidInput, NotFound

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
    safe = {*kept, *_newest(commits).values()}
    return {
        commit.seq: rule
        for stage, of_stage in _by_stage(commits).items()
        if (rule := policy.rule_of(project, stage))
        for commit in _beyond(rule, of_stage)
        if commit.seq not in safe and not _is_young(rule, commit, now)
    }


def _beyond(rule: RetentionRule, commits: Sequence[Dated]) -> Sequence[Dated]:
    """The `commits` of one stage, in order, without the newest ones that the rule keeps."""
    return commits[: max(0, len(commits) - (rule.keep_last or 0))]


def _is_young(rule: RetentionRule, commit: Dated, now: datetime) -> bool:
    return rule.keep_days is not None and now - commit.when < timedelta(days=rule.keep_days)


def _by_stage(commits: Iterable[Dated]) -> Mapping[Stage, list[Dated]]:
    """The commits of each stage in the order in which they were made: by number, and copies by their time."""
    found: dict[Stage, list[tuple[datetime, Dated]]] = {}
    latest = datetime.min.replace(tzinfo=UTC)
    for commit in sorted(commits, key=lambda item: item.seq):
        if not commit.is_copy:
            latest = max(latest, commit.when)
        found.setdefault(commit.stage, []).append((commit.when if commit.is_copy else latest, commit))
    return {stage: [commit for _, commit in sorted(of, key=lambda item: item[0])] for stage, of in found.items()}


def _newest(commits: Iterable[Dated]) -> Mapping[tuple[str, Stage], int]:
    newest: dict[tuple[str, Stage], int] = {}
    for commit in commits:
        place = (commit.cohort_id, commit.stage)
        newest[place] = max(commit.seq, newest.get(place, 0))
    return newest
