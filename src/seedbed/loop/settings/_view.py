"""The list of settings: a document that another program reads, a table of text, and a page of a notebook."""

from pydantic import Field

from seedbed.contracts import Message, SettingView

__all__ = ["SettingsView"]


class SettingsView(Message):
    """Every setting of a run after `step` optimizer steps; printed it is a table, and in a notebook a page.

    `state` is the hash of all values, for a proposal against them; empty where one is not finite.
    """

    step: int = Field(ge=0)
    state: str
    settings: tuple[SettingView, ...]

    def __str__(self) -> str:
        from seedbed.render import settings_lines

        told = [f"after step {self.step}", *([f"state {self.state}"] if self.state else [])]
        return "\n".join([*settings_lines(self.settings, self.step), *told])

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from seedbed.render import settings_html

        return settings_html(self.settings, self.step)
