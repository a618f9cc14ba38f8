"""Where a value ends that is given to a name within a text, in whichever language the text is written."""

import re

__all__ = ["LONGEST_BRACKET", "QUOTED", "end_of_value", "is_single"]

QUOTED = r"\\+\".*?\\\"|\\+'.*?\\'|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'"
# What a value consists of. A bracket closes what surrounds the value where only other ends follow it.
_TAGS = re.compile(
    r"(?:[!&]['\w!:/.<>-]*[ \t]++(?!(?:\?|&&|\|\||[!=]==?)[ \t])(?:=[ \t]+)?|(?<=[ \t])[!&][\w!:/.<>-]*(?=\r?\n))*"
)
_COMMENT = re.compile(r"#(?=[ \t\r\n])[^\r\n]*")
_BLOCK = re.compile(r"(?:[|>][\d+-]{0,2}[ \t]*(?:#[^\n]*)?|\\)?\r?\n")
_QUOTED_PIECE = re.compile(
    r"[bc]?r(?P<hashes>#{1,9})\".{0,2000}?\"(?P=hashes)"
    rf"|(?:[rbfut]{{0,2}}|[$@]{{1,2}}|L|u8)(?:\"\"\".*?\"\"\"|'''.*?'''|{QUOTED}|`[^`]*`)"
    r"|\u201c[^\u201d]{0,200}\u201d|\u2018[^\u2019]{0,200}\u2019",
    re.IGNORECASE | re.DOTALL,
)
# A text in quotes that goes on with another one, as in Python and C; a name has a sign behind it.
_ADJACENT = re.compile(
    rf"(?:[ \t]++|[ \t]*+(?:\\|(?:#|//)[^\r\n]{{0,200}})?\r?\n[ \t]++)(?>{_QUOTED_PIECE.pattern})(?!\s*[:=])",
    re.IGNORECASE | re.DOTALL,
)
# Behind an operator, where what the quotes enclose is not followed by a word, as what stands between two texts is.
_OPENED = re.compile(rf"(?>{QUOTED})(?!\w)", re.DOTALL)
# Within a word of a shell, as in a'b c'.
_OPENED_WITHIN = re.compile(r"(?<!\\)([\"'])(?=[\w$])(?:\\.|(?!\1)[^\\\r\n])*+\1(?!\w)")
_QUOTE = re.compile(r"\\*[\"']")
_PLAIN_PIECE = re.compile(r"(?:[^\s,;&\"'()\[\]{}]|[)\]}](?![)\]}]{0,20}(?:[\s,;&\"']|$)))+")
# Also a comment up to the end of its line, in which brackets and quotes open nothing.
_BRACKET = re.compile(rf"(?<=\s)(?:#[ \t]|//)[^\r\n]*\r?\n|[(\[{{]|[)\]}}]|{QUOTED}")
# Between the parts of an expression, also over the end of a line: before or behind an operator, or behind a backslash.
_BLANKS = r"(?:[ \t]|\\\r?\n)"
_NEXT_LINE = rf"(?:(?:#[^\r\n]{{0,200}})?\r?\n{_BLANKS}*+)?"
_JOIN = (
    rf"(?:{_BLANKS}*+(?:\b(?:or|and|if|else)\b|(?:\r?\n[ \t]++)?(?:\+|\|\||&&|\?\?)|[=!]==?){_BLANKS}*+{_NEXT_LINE}"
    rf"|(?:{_BLANKS}|\r?\n(?=[ \t]++[?:]))++(?:[?:%&~*/-]|[<>]=?|\.{{1,2}}|in|is|not)"
    rf"(?:{_BLANKS}++|(?<=[?:])\r?\n[ \t]++))"
)
# The last is a command of PowerShell.
_UNARY = (
    r"(?:\b(?:not|await|new|yield|typeof)[ \t]++|\blambda\b[^:\r\n\"'(]{0,100}:[ \t]*+"
    r"|(?-i:[A-Z][A-Za-z]+-[A-Z]\w*)(?:[ \t]+-\w+)?[ \t]++)"
)
# Operators lead on where a text in quotes, a call or a bracket follows behind names and further ones.
_LEADS_ON = rf"(?={_UNARY}?(?:[\w.]{{1,100}}{_JOIN}{_UNARY}?){{0,6}}[\w.$@]{{0,100}}[\"'(\[{{])"
_OPERATOR = re.compile(rf"{_JOIN}{_LEADS_ON}", re.IGNORECASE)
_OPERAND = re.compile(rf"(?:{_UNARY}{_LEADS_ON})?", re.IGNORECASE)
# Between the type of a name, or another name, and what is given to it.
_GIVES = re.compile(
    r"(?:[ \t]*+\|[ \t]*+[\w.]{1,100}(?:\[[^\]\r\n]{0,200}\])?){0,9}[ \t]*+=(?![=~>])[ \t]*+(?=[^\s,;&)\]}])"
)
_INDENTED = re.compile(r"[ \t]*")
_LINE = re.compile(r"[^\r\n]*")
_NAMED = re.compile(r"[\s\"'-]*+[\w.\"'-]*+\s*+(?::|=(?![=\s]|$))")
LONGEST_BRACKET = 2000


def end_of_value(text: str, start: int) -> int:
    """Where the value ends that begins at `start`: a block, a text in quotes, an expression, or else a token."""
    at = _after(_COMMENT, text, _after(_TAGS, text, start))
    if block := _BLOCK.match(text, at):
        return max(at, _end_of_block(text, start, block.end()))
    end = _end_of_term(text, _after(_OPERAND, text, at))
    while end > at and (more := _GIVES.match(text, end) or _OPERATOR.match(text, end)):
        end = _end_of_term(text, _after(_OPERAND, text, more.end()))
    return end


def is_single(value: str) -> bool:
    """Whether the value is one text in quotes, or one token."""
    # What a whole text in quotes matches may also be two of them, from the first quote to the last.
    quoted = _QUOTED_PIECE.match(value)
    return quoted.end() == len(value) if quoted else _PLAIN_PIECE.fullmatch(value) is not None


def _end_of_block(text: str, start: int, begin: int) -> int:
    """The end of the lines from `begin` on that are indented more than the line of `start`, or are items of a list.

    Without any, of the next line that is not blank and no comment, unless that gives a value to a name; a comment
    before it may be the value.
    """
    own = _indentation(text, text.rfind("\n", 0, start) + 1)
    end = at = begin
    comment = start
    while at < len(text):
        indentation, line_end = _indentation(text, at), _after(_LINE, text, at)
        if at + indentation < line_end:
            is_item = indentation == own and text.startswith("- ", at + indentation)
            if indentation > own or is_item:
                end = line_end
            elif text.startswith("#", at + indentation):
                comment = line_end
            else:
                break
        at = line_end + 1
    if end > begin:
        return end
    return comment if at >= len(text) or _NAMED.match(text, at) else _after(_LINE, text, at)


def _end_of_term(text: str, start: int) -> int:
    """The end of what stands together: texts in quotes, calls, brackets and other characters, up to a blank or so."""
    at = start
    if _QUOTE.match(text, at) and not _QUOTED_PIECE.match(text, at):  # it is never closed
        return _after(_LINE, text, at)
    while True:
        # Behind other characters a quote closes what surrounds them.
        if at == start or text[at - 1] in "\"'":
            quoted = _QUOTED_PIECE.match(text, at)
        else:
            quoted = (_OPENED if text[at - 1] in "=+|?:" else _OPENED_WITHIN).match(text, at)
        if piece := quoted or _PLAIN_PIECE.match(text, at):
            at = piece.end()
            while text[at - 1] in "\"'" and (adjacent := _ADJACENT.match(text, at)):
                at = adjacent.end()
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
