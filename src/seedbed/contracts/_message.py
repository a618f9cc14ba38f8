"""The base class of every message that crosses a boundary: a file, the environment, the network."""

from pydantic import BaseModel, ConfigDict

__all__ = ["Message"]


class Message(BaseModel):
    """A frozen value that refuses unknown fields, NaN and silent coercion."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, allow_inf_nan=False, use_enum_values=False)
