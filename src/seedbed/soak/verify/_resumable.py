"""Whether a soak may go on: its files are checked before anything is written to them."""

from seedbed.change import Kind
from seedbed.errors import StoreCorrupt
from seedbed.soak._folder import SoakFolder
from seedbed.soak._plan import Assembly
from seedbed.soak.verify._verification import Flaw
from seedbed.soak.verify._verify import examine_soak

__all__ = ["require_resumable"]

_MADE_AGAIN = frozenset({Flaw.SUMMARY, Flaw.REPORT})


def require_resumable(folder: SoakFolder, assembly: Assembly) -> None:
    """Read and check a soak that has begun, without measuring it again. Nothing is written.

    Raises StoreCorrupt, with the file and the place, for logs, a plan or settings that no interrupted soak leaves. What
    is made again from the logs may be missing or wrong, but must not tell of more iterations than they hold.
    """
    if not _has_begun(folder):
        _refuse_artifacts(folder, 0)
        return
    readback, found = examine_soak(folder, lambda _: assembly, repeat=False, resuming=True)
    if readback is not None:
        _refuse_artifacts(folder, len(readback.iterations))
        if readback.history.open() or readback.history.in_phase(Kind.UNKNOWN):
            return  # recovery says what became of the open change, whatever the settings are by now
    for each in found.accusations:
        if each.flaw not in _MADE_AGAIN:
            raise StoreCorrupt(f"{folder.path}: {each.where}: {each.what}; {_what_to_restore(each.flaw)}, then resume")


def _what_to_restore(flaw: Flaw) -> str:
    if flaw in {Flaw.PLAN, Flaw.SETTINGS, Flaw.LOCK}:
        return "restore the file from a copy"
    return "restore changes.log and evidence.log from a copy"


def _has_begun(folder: SoakFolder) -> bool:
    logs = (folder.changes_path, folder.evidence_path)
    return folder.settings_path.exists() or any(path.exists() and path.stat().st_size for path in logs)


def _refuse_artifacts(folder: SoakFolder, num_measured: int) -> None:
    """Refuse artifacts of iterations that the logs do not hold: a log was cut, since it is written first."""
    beyond = num_measured + 1
    while folder.summary_path(beyond).exists():
        beyond += 1
    if beyond > num_measured + 1:
        held = (
            f"{folder.evidence_path} holds {num_measured} iterations, yet {folder.summary_path(beyond - 1).name} exists"
        )
        raise StoreCorrupt(f"{held}: the log was cut or taken away; restore it from a copy, then resume")
