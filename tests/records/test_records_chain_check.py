"""What the commits of a log recorded of each other, judged from the newest back, whatever is added in between."""

from types import SimpleNamespace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.records.maintenance import _chain_check as module
from seedbed.records.maintenance._chain_check import ChainCheck
from seedbed.records.maintenance._findings import FindingKind


def made(seq: int, digest: str, told: dict[int, str], *, is_wrong: bool = False) -> Any:
    """A commit that recorded the digests `told` of earlier numbers: of the one before it, and of two others at most."""
    previous, others = told.get(seq - 1), [item for item in told.items() if item[0] != seq - 1]
    diffs = [SimpleNamespace(prev_snapshot_seq=of, prev_digest=what) for of, what in [*others, (None, None)][:2]]
    snapshot = SimpleNamespace(
        previous=None if previous is None else SimpleNamespace(is_lost=False, digest=previous),
        diff_prev=diffs[0],
        diff_baseline=diffs[-1],
    )
    return SimpleNamespace(
        seq=seq,
        digest=digest,
        snapshot=snapshot,
        told=told,
        is_wrong=is_wrong,
        originals=lambda: iter(()),
        wrong_digests=lambda: ["metrics"] if is_wrong else [],
    )


@st.composite
def histories(draw: Any) -> Any:
    """Commits by number, each of which recorded digests of earlier ones, right or not."""
    found = {}
    for seq in draw(st.lists(st.integers(1, 9), unique=True, max_size=9)):
        earlier = [seq - 1, *draw(st.lists(st.integers(1, 8), max_size=2))]
        told = {at: draw(st.sampled_from("ab")) for at in earlier if 1 <= at < seq and draw(st.integers(0, 4))}
        is_wrong = draw(st.integers(0, 4)) == 4
        found[seq] = made(seq, draw(st.sampled_from("ab")), told, is_wrong=is_wrong)
    return found


def counts(commits: dict[int, Any], seq: int) -> bool:
    """Whether what commit `seq` recorded counts: it is right by itself, and by the latest that counts."""
    told = told_of(commits, seq)
    return not commits[seq].is_wrong and (not told or told[0] == commits[seq].digest)


def told_of(commits: dict[int, Any], seq: int) -> list[str]:
    later = [commits[by] for by in sorted(commits, reverse=True) if by > seq and seq in commits[by].told]
    return [commit.told[seq] for commit in later if counts(commits, commit.seq)]


@settings(deadline=None)
@given(histories(), st.data())
def test_a_commit_is_what_the_latest_ones_that_count_say(commits: dict[int, Any], data: Any) -> None:
    check = ChainCheck(str)
    there: dict[int, Any] = {}
    for seq in data.draw(st.permutations(sorted(commits))):
        for asked in data.draw(st.lists(st.integers(1, 10), max_size=3)):
            assert check.expected(asked) == list(dict.fromkeys(told_of(there, asked)))
        check.add(commits[seq])
        there[seq] = commits[seq]
        if data.draw(st.booleans()):
            wrong = {at for at in there if there[at].is_wrong}
            wrong |= {at for at in there if any(digest != there[at].digest for digest in told_of(there, at))}
            found = check.findings()
            assert {finding.kind for finding in found.values()} <= {FindingKind.DIGEST_WRONG}
            assert found.keys() == {str(at) for at in wrong}


def test_commits_that_come_back_from_the_newest_on_are_each_judged_once(monkeypatch: Any) -> None:
    judged: list[int] = []
    real = module.heappop

    def watched(heap: list[int]) -> int:
        judged.append(-heap[0])
        return real(heap)

    monkeypatch.setattr(module, "heappop", watched)
    check = ChainCheck(str)
    for seq in range(1, 1001):
        check.add(made(seq, str(seq), {seq - 1: str(seq - 1)} if seq > 1 else {}))
    check.findings()
    lost = ChainCheck(str)
    for each in (check, lost):
        judged.clear()
        for seq in range(2000, 0, -1):
            if each is lost or seq > 1000:
                assert each.expected(seq) == ([] if seq == 2000 else [str(seq)])
                each.add(made(seq, str(seq), {seq - 1: str(seq - 1)} if seq > 1 else {}))
        for seq in range(2001, 3001):
            assert each.expected(seq - 1000) == [str(seq - 1000)]
            each.add(made(seq, str(seq), {seq - 1: str(seq - 1), seq - 1000: str(seq - 1000)}))
        assert each.findings() == {}
        assert len(judged) <= 2000


def test_a_commit_that_is_added_twice_is_one() -> None:
    check = ChainCheck(str)
    for digest in ("a", "b"):
        check.add(made(2, digest, {1: "a"}))
    assert (check.expected(1), check.findings()) == (["a"], {})
