"""How commands are listed and looked up: former spellings are not shown, and other tools' names lead to ours."""

from typing import Any

from typer.core import TyperCommand, TyperGroup

__all__ = ["RunsGroup", "ShownCommand"]

_MEANT = {"compare": "diff", "ls": "list", "explain": "why"}


class ShownCommand(TyperCommand):
    """A command whose usage line names no argument that is hidden, as its list of arguments does not."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The parts of the usage line."""
        hidden = [param for param in self.get_params(ctx) if getattr(param, "hidden", False)]
        unshown = {piece for param in hidden for piece in param.get_usage_pieces(ctx)}
        return [piece for piece in super().collect_usage_pieces(ctx) if piece not in unshown]


class RunsGroup(TyperGroup):
    """The commands on runs; a name that other tools have for one of them is told from a misspelt one."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that `args` name."""
        if meant := _MEANT.get(args[0] if args else ""):
            ctx.fail(f"No such command {args[0]!r}. Did you mean {meant!r}?")
        return super().resolve_command(ctx, args)
