"""One comparison from the command line: run, measure, print."""

import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from rich.text import Text

from seedbed.cli.console._progress_bar import labelled_progress_bar
from seedbed.cli.console._render import errors, out, print_json
from seedbed.errors import Conflict
from seedbed.loop.repro._cause import probable_cause
from seedbed.loop.repro._check import ReproAnswer, ReproRequest, Say, check, measure, narrow
from seedbed.loop.repro._compare import ReproDifference
from seedbed.loop.repro._dump import Distance

__all__ = ["run_check"]

_PARTS = {
    "batch": "the data differ: batch",
    "value": "the logged value",
    "gradient": "the gradient of",
    "optimizer": "the optimizer's state",
    "weight": "the weight",
}


def run_check(request: Callable[[Path], ReproRequest], keep: Path | None, *, as_json: bool) -> int:
    """Compare, and print what was found; the exit code. Raises as `check`, and Conflict for a folder that is there."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the script is ended with this process
    with _folder(keep) as folder, _progress() as say:
        asked = request(folder)
        try:
            answer = narrow(asked, check(asked, say), say)
            distance = measure(asked, answer, say)
        except KeyboardInterrupt:
            errors().print("interrupted; the script was ended")
            raise
    if as_json:
        print_json(_json(asked, answer, distance, keep))
    else:
        out().print(_text(asked, answer, distance), soft_wrap=True)
        if keep is not None:
            errors().print(f"kept in {keep}", soft_wrap=True)
    return answer.exit_code


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="seedbed-repro-", ignore_cleanup_errors=True) as folder:
            yield Path(folder)
        return
    if keep.exists():
        raise Conflict(f"--keep {keep}: it is there already; name a folder that is not")
    keep.mkdir(parents=True)
    yield keep


@contextmanager
def _progress() -> Iterator[Say]:
    """A bar on a terminal; elsewhere one line for each run of the script."""
    console, told = errors(), ""
    with labelled_progress_bar() as bar:

        def say(what: str, done: int, num: int) -> None:
            nonlocal told
            if console.is_terminal:
                bar(what, done, num)
            elif what != told:
                told = what
                console.print(what)

        yield say


def _text(request: ReproRequest, answer: ReproAnswer, distance: Distance | None) -> Text:
    lines = [*(("", note) for note in answer.notes)]
    found = answer.difference
    if found is None and answer.why_not:
        lines.insert(0, ("yellow", answer.why_not))
    elif found is None:
        lines.insert(0, ("green", f"{_scope(request, answer)}: equal, bit by bit"))
    else:
        lines[:0] = [("bold red", _headline(request, answer, found)), *(("", each) for each in _more(found, distance))]
        if cause := _cause(answer):
            lines.append(("", f"probable cause: {cause}"))
    return Text("\n").join(Text(words, style) for style, words in lines)


def _scope(request: ReproRequest, answer: ReproAnswer) -> str:
    each = "" if request.every == 1 else f", every {request.every}th"
    resumed = f", resumed with step {answer.resumed_at}" if answer.resumed_at else ""
    return f"{answer.steps} steps{each}{resumed}, {answer.tensors} tensors each"


def _headline(request: ReproRequest, answer: ReproAnswer, found: ReproDifference) -> str:
    since = "" if request.every == 1 or answer.is_narrowed else f" (only every {request.every}th step was compared)"
    if found.what not in _PARTS:
        return f"the runs end differently: {found.first} in the first, {found.second} in the second"
    others = f", and {found.num - 1} more" if found.num > 1 else ""
    return f"step {found.step}{since}: {_PARTS[found.what]} {found.where}{others}"


def _more(found: ReproDifference, distance: Distance | None) -> Iterator[str]:
    if found.what in _PARTS and (found.first or found.second):
        yield f"first {found.first or 'there'}, second {found.second or 'there'}"
    for name, first, second in found.values:
        yield f"logged {name}: first {first}, second {second}"
    if distance is not None and distance.num_different:
        yield (
            f"norms {distance.first_norm:.9g} and {distance.second_norm:.9g}; largest difference {distance.largest:.3g}"
            f"; {distance.num_different} of {distance.num} elements differ (in another pair of runs, up to this step)"
        )
    elif distance is not None:
        yield "another pair of runs was equal there: it does not differ each time"


def _cause(answer: ReproAnswer) -> str:
    if answer.first is None or answer.second is None or answer.difference is None:
        return ""
    return probable_cause(answer.first, answer.second, answer.difference) if answer.difference.what in _PARTS else ""


def _json(
    request: ReproRequest, answer: ReproAnswer, distance: Distance | None, keep: Path | None
) -> dict[str, object]:
    found = answer.difference
    return {
        "kind": request.kind.value,
        "equal": found is None and not answer.why_not,
        "steps": answer.steps,
        "every": request.every,
        "tensors": answer.tensors,
        "narrowed": answer.is_narrowed,
        "resumed_at": answer.resumed_at or None,
        "difference": None if found is None else asdict(found),
        "distance": None if distance is None else {name: _number(each) for name, each in asdict(distance).items()},
        "cause": _cause(answer) or None,
        "why_not": answer.why_not or None,
        "notes": list(answer.notes),
        "kept": None if keep is None else str(keep),
        "exit_code": int(answer.exit_code),
    }


def _number(value: float) -> float | str:
    return value if abs(value) < float("inf") else str(value)
