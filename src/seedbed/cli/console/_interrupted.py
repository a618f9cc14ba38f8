"""What a command says of a training that a signal ended."""

from seedbed.cli.console._render import errors, print_json
from seedbed.errors import ExitCode
from seedbed.stages import TrainingResult

__all__ = ["tell_interrupted"]


def tell_interrupted(result: TrainingResult, again: str, warned: list[str], *, as_json: bool) -> int:
    """Say what ended it and that `again` continues it; returns the exit code."""
    if as_json:
        print_json(
            {
                "run_id": result.run_id,
                "status": result.status.value,
                "reason": result.reason,
                "resume": again,
                "warnings": warned,
            }
        )
    told = f"interrupted by {result.reason}: run {result.run_id} is checkpointed. Continue with\n  {again}"
    errors().print(told, soft_wrap=True)
    return ExitCode.INTERRUPTED
