"""Where a value ends that is given to a name within a text, in whichever language the text is written."""

import re

__all__ = ["LONGEST_BRACKET", "QUOTED", "end_of_value", "is_single"]

QUOTED = r"\\+\".*?\\\"|\\+'.*?\\'|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'"
# What a value consists of. A bracket closes what surrounds the value where only other ends follow it.
_TAGS = re.compile(r"(?:[!&][\w!:/.-]*[ \t]+)*")
_BLOCK = re.compile(r"(?:[|>][\d+-]{0,2}[ \t]*(?:#[^\n]*)?|\\)?\r?\n")
_QUOTED_PIECE = re.compile(rf"[rbfu]{{0,2}}(?:\"\"\".*?\"\"\"|'''.*?'''|{QUOTED}|`[^`]*`)", re.IGNORECASE | re.DOTALL)
_QUOTE = re.compile(r"\\*[\"']")
_PLAIN_PIECE = re.compile(r"(?:[^\s,;&\"'()\[\]{}]|[)\]}](?![)\]}]{0,20}(?:[\s,;&\"']|$)))+")
_BRACKET = re.compile(rf"[(\[{{]|[)\]}}]|{QUOTED}")
_OPERATOR = re.compile(r"[ \t]*(?:\b(?:or|and|if|else)\b|\+|\|\||\?\?)[ \t]*(?=[\w.]*[\"'(\[])", re.IGNORECASE)
_INDENTED = re.compile(r"[ \t]*")
_LINE = re.compile(r"[^\r\n]*")
_NAMED = re.compile(r"[\s\"'-]*+[\w.\"'-]*+\s*+(?::|=(?![=\s]|$))")
LONGEST_BRACKET = 2000


def end_of_value(text: str, start: int) -> int:
    """Where the value ends that begins at `start`: a block, a text in quotes, an expression, or else a token."""
    at = _after(_TAGS, text, start)
    if block := _BLOCK.match(text, at):
        return _end_of_block(text, start, block.end())
    end = _end_of_term(text, at)
    while end > at and (operator := _OPERATOR.match(text, end)):
        end = _end_of_term(text, operator.end())
    return end


def is_single(value: str) -> bool:
    """Whether the value is one text in quotes, or one token."""
    return (_QUOTED_PIECE.fullmatch(value) or _PLAIN_PIECE.fullmatch(value)) is not None


def _end_of_block(text: str, start: int, begin: int) -> int:
    """The end of the lines from `begin` on that are indented more than the line of `start`, or are items of a list.

    Without any, of the next line that is not blank, unless that gives a value to a name.
    """
    own = _indentation(text, text.rfind("\n", 0, start) + 1)
    end = at = begin
    while at < len(text):
        indentation, line_end = _indentation(text, at), _after(_LINE, text, at)
        if at + indentation < line_end:
            is_item = indentation == own and text.startswith("- ", at + indentation)
            if indentation <= own and not is_item:
                break
            end = line_end
        at = line_end + 1
    if end > begin:
        return end
    return start if at >= len(text) or _NAMED.match(text, at) else _after(_LINE, text, at)


def _end_of_term(text: str, start: int) -> int:
    """The end of what stands together: texts in quotes, calls, brackets and other characters, up to a blank or so."""
    at = start
    if _QUOTE.match(text, at) and not _QUOTED_PIECE.match(text, at):  # it is never closed
        return _after(_LINE, text, at)
    while True:
        # Behind other characters a quote closes what surrounds them.
        quoted = _QUOTED_PIECE.match(text, at) if at == start or text[at - 1] in "\"'" else None
        if piece := quoted or _PLAIN_PIECE.match(text, at):
            at = piece.end()
        elif text.startswith(("(", "[", "{"), at):
            at = _end_of_bracket(text, at)
        else:
            return at


def _end_of_bracket(text: str, start: int) -> int:
    """After the bracket that closes the one at `start`; the end of the line if none does."""
    depth = 0
    for found in _BRACKET.finditer(text, start, start + LONGEST_BRACKET):
        depth += (found[0] in "([{") - (found[0] in ")]}")
        if not depth:
            return found.end()
    return _after(_LINE, text, start)


def _indentation(text: str, line: int) -> int:
    return _after(_INDENTED, text, line) - line


def _after(pattern: re.Pattern[str], text: str, at: int) -> int:
    """The end of what `pattern`, which matches also nothing, finds at a place."""
    found = pattern.match(text, at)
    return found.end() if found else at
