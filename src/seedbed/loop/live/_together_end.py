"""The end of a run in several processes: one ledger, one commit, one verdict."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import final

from seedbed.contracts import AuditRun, Feature, FeatureAudit, GateReport
from seedbed.errors import ContractBroken, SeedbedError
from seedbed.loop.ranks._ranks import Place, Ranks

__all__ = ["TogetherEnd", "joined_audit"]


@final
class TogetherEnd:
    """The end of a run in `ranks`, or of a single process, for which every method does nothing besides."""

    def __init__(self, ranks: Ranks | None) -> None:
        self._ranks = ranks

    def agreed(self, has_result: bool) -> bool:
        """Whether the run has a result: rank 0 says so."""
        if self._ranks is None:
            return has_result
        return bool(self._ranks.exchange(Place.FINISH, first=int(has_result))[0].first)

    def audited(self, audit: Callable[[], AuditRun]) -> AuditRun:
        """The ledger: on rank 0 of all processes, elsewhere of this one.

        Raises ContractBroken where it does so in any process, and names it.
        """
        if self._ranks is None:
            return audit()
        try:
            own, told, is_broken = audit(), "", False
            told = own.model_dump_json()
        except SeedbedError as problem:
            own, told, is_broken = None, f"{type(problem).__name__}: {problem}", True
        said = self._ranks.exchange(Place.AUDIT, first=int(is_broken), text=told)
        broken = [f"rank {rank}: {each.text}" for rank, each in enumerate(said) if each.first]
        if broken or own is None:
            raise ContractBroken("; ".join(broken))
        if not self._ranks.leads:
            return own
        return joined_audit(own, [AuditRun.model_validate_json(each.text) for each in said])

    def unknown(self, own: Mapping[str, str]) -> Mapping[str, str]:
        """What is unknown in any process, by name, why: that of rank 0, else of the first rank, which is named."""
        if self._ranks is None:
            return own
        said = self._ranks.exchange(Place.AUDIT, text=json.dumps(dict(own)))
        theirs = [
            {name: f"rank {rank}: {why}" for name, why in json.loads(each.text).items() if why and rank}
            for rank, each in enumerate(said)
        ]
        return {name: why or next((each[name] for each in theirs if name in each), "") for name, why in own.items()}

    def committed(self, commit: Callable[[], GateReport | None]) -> GateReport | None:
        """What `commit` returns on rank 0, where alone it is called."""
        if self._ranks is None:
            return commit()

        def text() -> str:
            report = commit()
            return "" if report is None else report.model_dump_json()

        told = self._ranks.led(Place.COMMIT, text)
        return GateReport.model_validate_json(told) if told else None


def joined_audit(own: AuditRun, audits: Sequence[AuditRun]) -> AuditRun:
    """The ledger of rank 0, with what the others lost and where they ran other kernels; `audits` are by rank."""
    differing = [
        _differing(feature, rank, each, own)
        for rank, each in enumerate(audits)
        for feature in Feature
        if set(each.of(feature).kernels) != set(own.of(feature).kernels)
    ]
    lost = _of_others(own.reasons, [each.reasons for each in audits])
    told = _of_others(own.incidents, [each.incidents for each in audits])
    return own.model_copy(
        update={
            "degraded": own.degraded or any(each.degraded for each in audits),
            "reasons": (*own.reasons, *lost),
            **{feature.value.lower(): _joined_feature(feature, audits) for feature in Feature},
            "incidents": (*own.incidents, *differing, *told),
        }
    )


def _of_others(own: Sequence[str], by_rank: Sequence[Sequence[str]]) -> list[str]:
    """What other ranks say and rank 0 does not."""
    return [f"rank {rank}: {each}" for rank, said in enumerate(by_rank) if rank for each in said if each not in own]


def _joined_feature(feature: Feature, audits: Sequence[AuditRun]) -> FeatureAudit:
    """The facts of rank 0, except that what any rank did not observe is not observed, with that rank's reason."""
    own = audits[0].of(feature)
    for rank, each in enumerate(audits):
        theirs = each.of(feature)
        if rank and own.observed is not False and theirs.observed is False:
            return own.model_copy(update={"observed": False, "used": False, "reason": f"rank {rank}: {theirs.reason}"})
    return own


def _differing(feature: Feature, rank: int, theirs: AuditRun, own: AuditRun) -> str:
    return f"{feature.value}: rank {rank} ran {_kernels(theirs, feature)}, rank 0 ran {_kernels(own, feature)}"


def _kernels(audit: AuditRun, feature: Feature) -> str:
    return ", ".join(sorted(audit.of(feature).kernels)) or "nothing that was seen"
