"""The faults that a validation found, in words for whoever wrote the file, without what only follows from others."""

from dataclasses import dataclass

from pydantic import ValidationError

__all__ = ["FieldFault", "faults_of", "plain_words"]

_LIBRARY_WORDS = ("Value error, ", "Assertion failed, ")


@dataclass(frozen=True, slots=True)
class FieldFault:
    """One fault: the dotted place of the field, empty for the whole, what is wrong there, and the value found."""

    place: str
    what: str
    found: object

    def told(self, whole: str) -> str:
        """The fault in a line; `whole` is what to call the whole where no field is at fault."""
        return f"{self.place or whole}: {self.what}"


def faults_of(problem: ValidationError) -> list[FieldFault]:
    """The faults of `problem`, in order. A field is not blamed again for one of its parts."""
    errors = problem.errors(include_url=False)
    places = [each["loc"] for each in errors]
    return [
        FieldFault(".".join(map(str, each["loc"])), plain_words(each["msg"]), each["input"])
        for each in errors
        if not any(place != each["loc"] and place[: len(each["loc"])] == each["loc"] for place in places)
    ]


def plain_words(message: str) -> str:
    """A message of the library, without the class of the exception that it came from."""
    for words in _LIBRARY_WORDS:
        message = message.removeprefix(words)
    return message
