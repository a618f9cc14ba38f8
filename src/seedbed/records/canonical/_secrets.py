"""Secrets, told by the shape of a token, by the name that leads to a value, and by how random a text looks.

Pure functions of one text or one name; `_redaction` walks through values and knows this machine and its user. The
shapes are those that the vendors publish. What none of this tells is said in docs/design/canonical-json.md.
"""

import base64
import binascii
import functools
import re
from collections.abc import Callable, Collection
from enum import IntEnum

from seedbed.records.canonical._canonical import Json
from seedbed.records.canonical._given import LONGEST_BRACKET, QUOTED, end_of_value, is_single

__all__ = [
    "SECRET",
    "Telling",
    "hides",
    "is_plain",
    "names_secret",
    "telling",
    "telling_of_flag",
    "without_certain",
    "without_random",
    "without_secrets",
]

SECRET = "<secret>"  # noqa: S105  replaces a secret

# Tokens that begin as no other text does; [\w-] after them unless said otherwise.
_TOKENS = {
    "Age": r"AGE-SECRET-KEY-1[A-Z0-9]{20,}",
    "Airtable": r"pat[A-Za-z0-9]{14}\.[0-9a-f]{32,}",
    "Anthropic, OpenAI and others": r"sk-(?:(?:proj|ant|svcacct|admin|or|lf)-[\w-]{16,}|[A-Za-z0-9]{16,})",
    "Atlassian": r"ATATT3[\w=-]{16,}",
    "AWS key": r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,}",
    "AWS session": r"(?:FwoGZXIvYXdz|IQoJb3JpZ2lu)[A-Za-z0-9+/=_-]{16,}",
    "Buildkite, CircleCI, Doppler": r"bkua_\w{16,}|CCIPAT_\w{16,}|dp\.[a-z]{2,5}\.[\w.]{16,}",
    "Databricks": r"dapi[0-9a-f]{32}(?:-\d+)?",
    "DigitalOcean": r"do[opr]_v1_[0-9a-f]{16,}",
    "Discord bot": r"[MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,}",
    "Docker": r"dckr_[po]at_[\w-]{16,}",
    "Figma, Fly, Netlify": r"figd_[\w-]{16,}|fo1_[\w-]{16,}|nfp_[\w-]{16,}",
    "GitHub": r"(?:gh[pousr]_|github_pat_)\w{8,}",
    "GitLab": r"gl(?:pat|oas|dt|rt|rtr|cbt|ptt|ft|imt|agent|soat|ffct|wt)-[\w-]{16,}(?:\.[\w-]+)*",
    "Google": r"AIza[\w-]{30,}|ya29\.[\w-]{16,}|GOCSPX-[\w-]{16,}|1//0[\w-]{24,}",
    "Grafana": r"gl(?:sa|c)_[\w=+/]{16,}",
    "Groq, Perplexity, Replicate, xAI": r"gsk_\w{20,}|pplx-\w{20,}|r8_[A-Za-z0-9]{20,}|xai-\w{20,}",
    "HashiCorp": r"hv[sbr]\.[\w-]{16,}|[\w-]{14}\.atlasv1\.[\w-]{16,}",
    "Heroku, New Relic, Postman": r"HRKU-[\w-]{16,}|NRAK-[A-Z0-9]{16,}|PMAK-[\w-]{16,}",
    "Hugging Face": r"(?:hf|api_org)_(?=[a-z]*[A-Z0-9])[A-Za-z0-9]{16,}",
    "JSON in base64: a JWT, Neptune, 1Password": r"eyJ[A-Za-z0-9_-]{12,}[+/=\w-]*(?:\.[\w-]+){0,4}",
    "Kaggle, W&B": r"KGAT_\w{16,}|wandb_v1_[\w-]{16,}",
    "LangSmith, Linear, Notion": r"lsv2_[a-z]{2}_\w{16,}|lin_(?:api|oauth)_\w{16,}|(?:ntn|secret)_[A-Za-z0-9]{40,}",
    "Mailchimp": r"[0-9a-f]{32}-us\d{1,2}",
    "npm": r"npm_[A-Za-z0-9]{20,}",
    "NVIDIA, Pinecone": r"nvapi-[\w-]{16,}|pcsk_\w{16,}",
    "PlanetScale, Supabase, Pulumi": r"pscale_[a-z]+_[\w.-]{16,}|sbp_[0-9a-f]{16,}|pul-[0-9a-f]{16,}",
    "PyPI": r"pypi-Ag[\w-]{16,}",
    "RubyGems, Sentry": r"rubygems_[0-9a-f]{16,}|sntry[su]_[\w=+/-]{16,}",
    "SendGrid": r"SG\.[\w-]{16,}\.[\w-]{16,}",
    "Shopify, Square": r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{16,}|sq0[a-z]{3}-[\w-]{16,}",
    "Slack": r"xox[a-z](?:\.xox[a-z])?-[\w-]{8,}|xapp-[\w-]{8,}",
    "Stripe": r"(?:[srp]k_(?:live|test)|whsec)_[A-Za-z0-9+/=]{8,}",
    "Tailscale": r"tskey-[\w-]{16,}",
    "Telegram bot": r"\d{8,10}:AA[\w-]{30,}",
    "Twilio": r"SK[0-9a-f]{32}",
}
_ANY_TOKEN = re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(_TOKENS.values())})")
_PEM_BEGIN, _PEM_END = r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----", r"-----END [A-Z0-9 ]*-----"
_PEM = re.compile(rf"{_PEM_BEGIN}(?:[^-]|-(?!----))*+{_PEM_END}")
_WEBHOOK = re.compile(r"((?:hooks\.slack\.com|/api/webhooks|webhook\.office\.com)/)[\w/@.-]+", re.IGNORECASE)

# Names that lead to a secret wherever they stand in a key.
_SURE = (
    r"passw(?:or)?d|passwort|kennwort|passphrase|passcode|pwd|secret(?!ar[iy])|credential"
    r"|(?:api|access|auth|private|signing)[_-]?key|(?:api|access|auth|bearer|refresh|session)[_-]?token"
)
# After those words they make the name of a column.
_OF_A_COLUMN = {"column", "columns", "col", "cols", "field", "fields"}
# Names that lead to one as the last word of a key. `key` or `tokens` alone is as often a column, a count or a word.
_LAST_WORDS = {
    *("authorization", "cookie", "cookies", "dsn", "dsns", "jwt", "jwts", "pass", "pat", "pats", "webhook", "webhooks"),
}
_LAST_TWO_WORDS = (
    *("connectionstring", "connectionstr", "connstr", "connstring", "webhookurl", "webhookurls", "webhookuri"),
)
# The same for names that lead as often to a way of working, a part of a text or a column; so does a last word `token`.
_AMBIGUOUS_LAST_WORD = "auth"
_AMBIGUOUS_LAST_TWO_WORDS = (
    *(f"{what}key" for what in ("account", "encryption", "ssh", "license", "master", "storage", "subscription")),
    *(f"{what}key" for what in ("deploy", "anthropic", "comet", "gemini", "neptune", "openai", "wandb")),
)
# Before those words, and before a sure name, they make a count.
_COUNTS = {"n", "num", "number", "count", "max", "min", "total", "mean", "avg"}
# Before those words they make a count, a part of a text, a stage of work or a switch.
_NO_SECRET_AFTER = {
    *(*_COUNTS, "per", "each", "by", "of"),
    *("pad", "padding", "bos", "eos", "eot", "eom", "unk", "unknown", "mask", "cls", "sep", "special", "class"),
    *("start", "end", "stop", "begin", "image", "audio", "video", "placeholder", "prompt", "trigger", "register"),
    *("separator", "delimiter", "newline", "blank", "prefix", "suffix", "middle", "fim", "distill", "distillation"),
    *("word", "sub", "next", "previous", "prev", "first", "second", "last", "target", "label", "query", "latent"),
    *("forward", "backward", "single", "multi", "one", "two", "low", "high", "band", "all"),
    *("use", "no", "with", "without", "enable", "disable", "require", "has", "is", "skip"),
}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
# In camel case this letter is part of a name, and no count: nPassword, userN_password.
_CAMEL_N = re.compile(r"(?<![A-Za-z0-9])n(?=[A-Z])|(?<=[a-z0-9])N(?![a-z])")
_KEY = re.compile(r"[\w./-]+")
_SURE_KEY = re.compile(rf"[\w./-]*(?:{_SURE})[\w./-]*", re.IGNORECASE)
_SURE_LAST = re.compile(rf"(?:{_SURE})s?", re.IGNORECASE)
# Under a likely name, a value that is no secret: a number, a type, a switch, a scheme, a special token or a reference.
_HARMLESS = re.compile(
    r"|<[^>]*>|\[[^\]\"']*\]|\$\{[^}]*\}?|\$[A-Z_]+|[\[{(]+"
    r"|[+-]?\d{1,5}|[+-]?\d{1,2}_\d{3}|[+-]?\d*\.\d*(?:e[+-]?\d+)?|[+-]?\d+e[+-]?\d+"
    r"|none|null|nil|nan|str|int|float|bool|bytes|true|false|yes|no|on|off|auto|default|not_applicable"
    r"|bearer|basic|token|digest|negotiate|apikey|oauth2?|oidc|ldap|kerberos|iam|sso|anonymous",
    re.IGNORECASE,
)
# A reference, and what stands for it where nothing is given.
_REFERENCE_OR_ELSE = re.compile(r"\$\{(?:[\w.]+(?::[-=+]|:[\w.]+,)|[A-Z_][A-Z\d_]*[-=+])(?P<value>.*)", re.DOTALL)
# Under an ambiguous name, what is plainly a word or two: cls, cls_pool, user_id, vit-b-16. Tokens are longer and mixed.
_WORDS = re.compile(r"(?=.{1,40}\Z)(?=\D*(?:\d\D*){0,3}\Z)[a-z][a-z0-9]{0,14}(?:[_-][a-z0-9]{1,15})*")
_SMALLEST_NUMBER = 1000
# A number within a text, also behind its type.
_NUMBER = re.compile(
    r"(?:(?:int|float)(?:[ \t]*\|[ \t]*None)?[ \t]*=[ \t]*)?[+-]?(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?",
    re.IGNORECASE,
)
_NO_NAME = re.compile(r"[^\w-]")

# Nothing here looks twice at an unbounded stretch from each of many places: a long text must not take quadratic time.
_LONGEST_NAME = 100
_QUOTES = r"[\\\"']*"
# The value after a flag, without the brackets that close what surrounds it.
_ENCLOSED = rf"(?:{QUOTED}|{_QUOTES}[^\s,;&\"']+?(?=[)\]}}]{{0,20}}(?:[\s,;&\"']|$)))"
_LIKELY = (
    r"token|auth|authorization|cookies?|dsns?|jwts?|pass|pats?|webhooks?|webhook[_-]?ur[li]s?"
    r"|conn(?:ection)?[_-]?str(?:ing)?|[a-z]{3}[_-]?key"
)
_ONE_WORD = re.compile(rf"{_QUOTES}[A-Za-z]+(?:[^\w=+/.-]|$)")
_SWITCH = re.compile(r"(?:true|false|yes|no|on|off|none|null)\b", re.IGNORECASE)
_PARAMETER = r"[\w-]+\s*=\s*[\w\"]"
# A word as a sentence has it, also with hyphens, up to its end.
_OF_LETTERS = r"[A-Za-z]+(?:-[A-Za-z]+)*[.-]*(?![\w.~+/=-])"

# A name of a secret and what gives it a value: a sign, a call with a text, a text after it (as in SQL), its `value` in
# the next attribute, or the next item of a pair.
_ASSIGNED = re.compile(
    rf"(?P<pair>[(\[]\s*[\"'][\w.-]{{0,{_LONGEST_NAME}}})?(?:{_SURE})(?P<more>[\w-]{{0,{_LONGEST_NAME}}})"
    rf"(?P<by>{_QUOTES}\s*+(?:\]\s*+)?(?:[-+?~|!]{{0,2}}[=:\uff1d\uff1a][=:>~]{{0,2}}|[-~]>|<-|\u2192)[^\S\r\n]*"
    r"|(?=\([^()\n]{0,200}[\"'])"
    rf"|{_QUOTES}\s+(?=[\"'])"
    rf"|[\"']\s*+(?:,\s*+)?[\"']?value{_QUOTES}\s*[=:][^\S\r\n]*"
    r"|(?(pair)[\"']\s*,\s*(?=[rbfu]{0,2}[\"'])|(?!)))",
    re.IGNORECASE,
)

# As a shell has it, a sign directly behind its name and then a blank give nothing; where an option or another
# assignment follows, that is plain.
_GIVES_NOTHING = re.compile(r"\w=[^\S\r\n]+\Z")
_OPTION_OR_ASSIGNMENT = re.compile(
    r"--[A-Za-z][\w.-]*+(?=[=\s\"',;)\]}]|\Z)|-[A-Za-z](?=[\s\"',;)\]}]|\Z)|[A-Za-z_]\w*+=(?=[^\s=\"',;&)\]}])"
)
# Something more is given in what follows a token: `a/lr=1`; the base64 of a key may end in signs.
_GIVES_MORE = re.compile(r"=[^=\"']")
_PART_OF_PATH = re.compile(r"/[\w.-]*\Z")

# What is a secret beyond doubt.
_CERTAIN: tuple[tuple[re.Pattern[str], str], ...] = (
    (_PEM, SECRET),
    (_ANY_TOKEN, SECRET),
    (_WEBHOOK, rf"\1{SECRET}"),
    # A password may hold an @, and one that follows a user also a slash; a port and a path are none.
    (re.compile(r"(\w://)(?:[^\s/'\"]+|[^\s/:@'\"]*:(?!\d+(?:[/?#]|$))[^\s'\",;]{0,200})@"), rf"\1{SECRET}@"),
    (
        re.compile(
            rf"(\b(?:set-)?cookie:\s*+)(?![\"'<])(?=[^\r\n=,\s]{{0,{_LONGEST_NAME}}}=)"
            r"(?:[^\s,]|(?<=;)[ \t]){1,2000}+(?=[\r\n]|\Z)",
            re.IGNORECASE,
        ),
        rf"\1{SECRET}",
    ),
    (
        re.compile(
            rf"(\bauthorization{_QUOTES}\s*[=:]\s*{_QUOTES}(?:bearer|basic|token|digest|negotiate|apikey)\s+)"
            rf"(?!{SECRET}|{_PARAMETER})[^\s,;\"']+",
            re.IGNORECASE,
        ),
        rf"\1{SECRET}",
    ),
    (re.compile(rf"\b(Bearer)\s+(?!{_OF_LETTERS})[\w.~+/=-]{{8,}}", re.IGNORECASE), rf"\1 {SECRET}"),
    (re.compile(r"(?<!\S)((?:-u|--user|--proxy-user)[\s=]++[^\s:]++:)\S+"), rf"\1{SECRET}"),
)
# What may be more than the secret, before anything else is replaced in it: all behind a key that is never closed, a
# line of cookies and, of Digest, OAuth and the signatures of AWS, every parameter up to the end of the header.
_UP_TO_AN_END: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(rf"{_PEM_BEGIN}.*?(?:{_PEM_END}|\Z)", re.DOTALL), SECRET),
    (
        re.compile(rf"(\b(?:set-)?cookie:\s*+)(?![\"'<])(?=[^\r\n=]{{0,{_LONGEST_NAME}}}=)[^\r\n]+", re.IGNORECASE),
        rf"\1{SECRET}",
    ),
    (
        re.compile(rf"(\bauthorization{_QUOTES}\s*[=:]\s*{_QUOTES}[\w-]+\s+)(?={_PARAMETER})[^\r\n']+", re.IGNORECASE),
        rf"\1{SECRET}",
    ),
)
_NAME_IN_QUOTES = rf"[\"'][\w.-]{{0,{_LONGEST_NAME}}}(?:{_SURE})[\w.-]{{0,{_LONGEST_NAME}}}[\"']"
# What is a secret unless it is a word of a sentence.
_UNCERTAIN: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(\b(?:set-)?cookie:\s*+)(?![\"'<])[^\r\n]+", re.IGNORECASE), rf"\1{SECRET}"),
    (re.compile(r"\b(Bearer)\s+[\w.~+/=-]{8,}", re.IGNORECASE), rf"\1 {SECRET}"),
    (
        re.compile(
            rf"([?&;#](?:[\w-]{{0,{_LONGEST_NAME}}}(?:token|key|secret|passw|sig|auth|credential)"
            rf"[\w-]{{0,{_LONGEST_NAME}}}|pass|pat|jwt)=)[^\s&;#'\"]+",
            re.IGNORECASE,
        ),
        rf"\1{SECRET}",
    ),
    (
        re.compile(
            rf"(<(?P<name>[\w:.-]{{0,{_LONGEST_NAME}}}(?:{_SURE})[\w.-]{{0,{_LONGEST_NAME}}})(?:\s[^<>]{{0,200}})?>)"
            rf"(?!{SECRET}).{{1,2000}}?(?=</(?P=name)>)",
            re.IGNORECASE | re.DOTALL,
        ),
        rf"\1{SECRET}",
    ),
    (
        re.compile(
            rf"(<(?P<element>[\w:.-]{{1,{_LONGEST_NAME}}})\s[^<>]{{0,200}}?(?:key|name|id)\s*=\s*{_NAME_IN_QUOTES}[^<>]{{0,200}}"
            rf"(?<!/)>)(?!{SECRET})[^<]{{1,2000}}(?=</(?P=element)>)",
            re.IGNORECASE,
        ),
        rf"\1{SECRET}",
    ),
    (
        re.compile(
            rf"(\bvalue[\"']?\s*[=:]\s*)(?P<quote>[\"'])[^\"'<>\r\n]{{1,2000}}(?P=quote)"
            rf"(?=\s*+(?:,\s*+)?[\"']?(?:key|name|id)[\"']?\s*[=:]\s*{_NAME_IN_QUOTES})",
            re.IGNORECASE,
        ),
        rf"\1{SECRET}",
    ),
    (re.compile(r"(\blogin\s+\S+\s+password\s+)\S+", re.IGNORECASE), rf"\1{SECRET}"),  # of a netrc file
)
_BASIC = re.compile(r"\b(Basic\s+)([A-Za-z0-9+/]{8,}={0,2})", re.IGNORECASE)
_LIKELY_ASSIGNED = re.compile(
    rf"(?<![\w.-])(?P<key>[\w.-]*(?:{_LIKELY}))(?P<is>{_QUOTES}\s*(?:[:?]?=>?(?!=)|:(?![:/=]))[^\S\r\n]*)",
    re.IGNORECASE,
)
# As in a Dockerfile and in csh.
_SET_VARIABLE = re.compile(r"^([ \t]*(?:ENV|ARG|setenv)[ \t]+(?P<name>\w+)[ \t]+)[^\r\n]+", re.MULTILINE)
_FLAG_VALUE = re.compile(
    rf"(?<![\w-])--?(?P<key>[A-Za-z][\w.-]{{0,{_LONGEST_NAME}}})(?P<is>\s+|[\"']\s*+(?:,\s*+)?(?=[\"']))"
    rf"(?!-|[\"']-)(?P<value>{_ENCLOSED})"
)

# A run of letters and digits that may be random: cut at each change of case or kind, words give long pieces and random
# characters short ones (1.9 on average). Of random texts of 40 characters 4 in 100 are missed; of 260,000 runs in the
# sources, names and paths of installed packages 29 are taken for random, all but one of them base64 or identifiers.
_RUN = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{24,}={0,2}")
_SHORTEST_RUN, _SHORTEST_WITH_SLASHES = 24, 32
_LONGEST_MEAN_PIECE = 2.5
_MOST_SEGMENTS = 1 / 6  # for each character; names have more underscores and hyphens than base64
_FEWEST_OF_A_CASE = 3
_SEGMENT = re.compile(r"[A-Za-z0-9]+")
_NO_RANDOM_SEGMENT = re.compile(r"\d+|[0-9a-f]{6,}|[0-9A-F]{6,}")
_PIECE = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d+")

# Every text that anything here matches contains one of these, or a blank and a hyphen, or a run of 16 characters of
# which one is no small letter.
_HINTS = (
    *("/", "\\", "=", ":", "'", '"', "bearer", "basic", "->", "<-", "~>", "login", "env ", "arg "),
    *("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "xox", "xapp-"),
)
_SHORTEST_TOKEN = 16
_MIXED_RUN = re.compile(r"(?<![\w.+-])(?=[\w.+-]{16})[a-z_.+-]*[A-Z0-9]")
_KEY_HINTS = (
    *("pass", "kennwort", "pwd", "secret", "credential", "key", "token"),
    *("auth", "cookie", "dsn", "jwt", "pat", "webhook", "conn"),
)


class Telling(IntEnum):
    """What a key says of the values below it; of several keys that lead to a value the highest counts."""

    NOTHING = 0
    """They are no more secret than others."""
    AMBIGUOUS = 1
    """Texts are secrets, unless they are plainly something else or a word."""
    LIKELY = 2
    """Texts are secrets, unless they are plainly something else; a word is one."""
    TEXTS = 3
    """Every text is a secret."""
    ALL = 4
    """Every text and every longer whole number is a secret, and nothing else ever stands there."""


@functools.lru_cache(maxsize=8192)
def telling(key: str) -> Telling:
    """What `key` says of the values below it."""
    lower = key.lower()
    if not any(hint in lower for hint in _KEY_HINTS) or not _KEY.fullmatch(key):
        return Telling.NOTHING
    earlier, before, last = ["", "", "", *(word.lower() for word in _WORD.findall(_CAMEL_N.sub("", key)))][-3:]
    is_counted = before in _NO_SECRET_AFTER
    if _SURE_KEY.fullmatch(key):
        if last in _OF_A_COLUMN:
            return Telling.AMBIGUOUS
        is_one = _SURE_LAST.fullmatch(last)
        if not is_one and not _SURE_LAST.fullmatch(before + last):
            return Telling.TEXTS
        counted_by = before if is_one else earlier
        if counted_by in _COUNTS:
            return Telling.LIKELY
        return Telling.TEXTS if counted_by in _NO_SECRET_AFTER else Telling.ALL
    if (before + last).endswith(_LAST_TWO_WORDS) or (last in _LAST_WORDS and not is_counted):
        return Telling.LIKELY
    is_token = last.endswith("token") and last.removesuffix("token") not in _NO_SECRET_AFTER
    is_ambiguous = (last == _AMBIGUOUS_LAST_WORD or is_token) and not is_counted
    return Telling(is_ambiguous or (before + last).endswith(_AMBIGUOUS_LAST_TWO_WORDS))


def telling_of_flag(flag: str) -> Telling:
    """What a flag, or a name within a text, says of the value after it: there a plain word is a secret too."""
    what = telling(flag.lstrip("-"))
    return Telling.LIKELY if what is Telling.AMBIGUOUS else what


def hides(what: Telling, value: Json) -> bool:
    """Whether `value`, no list and no mapping, is a secret below keys that say `what`."""
    if isinstance(value, str):
        if what > Telling.LIKELY:
            return bool(value)
        reference = _REFERENCE_OR_ELSE.fullmatch(value)
        is_word = what is Telling.AMBIGUOUS and not reference and _WORDS.fullmatch(value)
        given = reference["value"].rstrip("}").strip("\\\"' \t\r\n") if reference else value
        return what > Telling.NOTHING and not (_HARMLESS.fullmatch(given) or is_word)
    if what is not Telling.ALL or isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) >= _SMALLEST_NUMBER and value == value // 1


_ENVIRONMENT = re.compile(
    r"SECRET|PASSW|KENNWORT|CREDENTIAL|AUTHORIZATION|CONNECTION_?STR|(?:KEY|TOKEN|AUTH|COOKIE|WEBHOOK)S?(?![A-Z])"
    r"|WEBHOOK_?UR[LI]|(?<![A-Z])(?:PASS|PAT|JWT|DSN)S?(?![A-Z])|[A-Z0-9]_PWD$",
    re.IGNORECASE,
)


@functools.lru_cache(maxsize=8192)
def names_secret(variable: str) -> bool:
    """Whether an environment variable of this name holds a secret."""
    return _ENVIRONMENT.search(variable) is not None


def is_plain(text: str, others: Collection[str] = ()) -> bool:
    """Whether a quick look shows that `text` has no secret, no path and none of `others` (in small letters) in it."""
    lower = text.lower()
    if not text.isascii() or any(hint in lower for hint in _HINTS) or any(other in lower for other in others):
        return False
    if "-" in text and len(text.split(None, 1)) > 1:
        return False
    return len(text) < _SHORTEST_TOKEN or not _MIXED_RUN.search(text)


def without_certain(text: str) -> str:
    """`text` with what is a secret beyond doubt replaced by <secret>; the names that lead to it mean nothing else."""
    for shape, replacement in _CERTAIN:
        text = shape.sub(replacement, text)
    text = _BASIC.sub(_without_user, _without_given(text, _ASSIGNED, _is_certain))
    return _FLAG_VALUE.sub(_without_certain_value, text)


def without_secrets(text: str) -> str:
    """`text` with what its shape or the name before it tells to be a secret replaced by <secret>."""
    text = _without_given(text, _ASSIGNED, lambda found, value: not _is_count(found, value))
    for shape, replacement in _UP_TO_AN_END:
        text = shape.sub(replacement, text)
    text = _FLAG_VALUE.sub(functools.partial(_without_value, least=Telling.ALL), without_certain(text))
    for shape, replacement in _UNCERTAIN:
        text = shape.sub(replacement, text)
    text = _SET_VARIABLE.sub(_without_variable, text)
    text = _without_given(text, _LIKELY_ASSIGNED, _is_likely)
    return _FLAG_VALUE.sub(_without_value, text)


def _without_given(text: str, names: re.Pattern[str], is_secret: Callable[[re.Match[str], str], bool]) -> str:
    """`text` without every value, the whole of it, that is given to one of `names` and is a secret.

    In one that is none, the names within are looked at too, unless it is long: they may all lead to its end.
    """
    kept, done, at = [], 0, 0
    while found := names.search(text, at):
        at = found.end()
        if _GIVES_NOTHING.search(found.group()) and _OPTION_OR_ASSIGNMENT.match(text, at):
            continue
        end = end_of_value(text, at)
        if end > at and is_secret(found, text[at:end]):
            kept += [text[done:at], SECRET]
            done = at = end
        elif end - at > LONGEST_BRACKET:
            at = end
    return "".join([*kept, text[done:]])


def _is_certain(found: re.Match[str], value: str) -> bool:
    """Whether the value is one text or token, and no word as a sentence has it after a name and a colon.

    What follows `password=` and a blank may also be the next word of a shell.
    """
    by = found["by"]
    if _is_count(found, value) or found["more"].lower() not in ("", "s") or by.strip("\\\"' \t\n") not in ("=", ":"):
        return False
    if _GIVES_NOTHING.search(found.group()):
        return False
    if value[0] in "\\\"'":
        return is_single(value)
    is_word = by[-1].isspace() and _ONE_WORD.match(value)
    is_switch = by[-1] in "=:" and _SWITCH.match(value)
    is_part = _GIVES_MORE.search(value) or ("/" in value and _PART_OF_PATH.search(_name(found)))
    return is_single(value) and not is_word and not is_switch and not is_part


def _is_count(found: re.Match[str], value: str) -> bool:
    """Whether the value is a number and the word before its name makes it a count, as in `num_api_keys=5`."""
    if not _NUMBER.fullmatch(value):
        return False
    return telling(_NO_NAME.split(_name(found))[-1]) is Telling.LIKELY


def _name(found: re.Match[str]) -> str:
    """The name up to its sign, and what stands before it."""
    return found.string[max(found.start() - _LONGEST_NAME, 0) : found.start("by")]


def without_random(text: str) -> str:
    """`text` with every run of characters that looks random replaced by <secret>."""
    return _RUN.sub(lambda found: SECRET if _is_random(found.group()) else found.group(), text)


def _without_user(found: re.Match[str]) -> str:
    """Basic credentials are `user:password` in base64; any other word after "basic" is a word."""
    start, encoded = found.groups()
    try:
        return f"{start}{SECRET}" if b":" in base64.b64decode(encoded, validate=True) else found.group()
    except binascii.Error:
        return found.group()


def _without_variable(found: re.Match[str]) -> str:
    return f"{found[1]}{SECRET}" if names_secret(found["name"]) else found.group()


def _without_value(found: re.Match[str], least: Telling = Telling.LIKELY) -> str:
    what, value = telling_of_flag(found["key"]), found["value"]
    hidden = what >= least and hides(what, value.strip("\\\"'"))
    return f"{found.group()[: -len(value)]}{SECRET}" if hidden else found.group()


def _without_certain_value(found: re.Match[str]) -> str:
    is_part = found["value"][0] not in "\\\"'" and _GIVES_MORE.search(found["value"])
    return found.group() if is_part else _without_value(found, Telling.ALL)


def _is_likely(found: re.Match[str], value: str) -> bool:
    if len(value) > LONGEST_BRACKET:
        return True  # no word and no reference, and what is left would be looked at again
    key = found["key"]
    kind, given_by, given = value.partition(" = ")
    if given_by and not hides(Telling.LIKELY, given.strip("\\\"' \t")):
        value = kind  # the type of the name, or another name: `token: str = None`
    if found["is"].lstrip().startswith(":") and _WORD.fullmatch(key) and _is_prose(found, value):
        return False
    return hides(telling_of_flag(key), value.strip("\\\"' \t\r\n"))


def _is_prose(found: re.Match[str], value: str) -> bool:
    """Whether a word and a colon are part of a sentence: "the first pass: loss", "PASS: all of 3", "token: a word"."""
    before = found.string[max(found.start() - 2, 0) : found.start()]
    is_in_sentence = before[-1:] == " " and before[:1].isalnum()
    is_word = value[0] not in "\\\"'" and len(value) < _SHORTEST_TOKEN and not any(map(str.isdigit, value))
    return is_in_sentence or is_word or found["key"].lower() == "pass"


def _is_random(run: str) -> bool:
    # Digests, revisions, UUIDs, times and run ids consist of digits or hexadecimal segments; C++ mangles names as _Z...
    segments = [each for each in _SEGMENT.findall(run) if not _NO_RANDOM_SEGMENT.fullmatch(each)]
    core = "".join(segments)
    shortest = _SHORTEST_WITH_SLASHES if "/" in run else _SHORTEST_RUN
    if len(core) + len(segments) - 1 < shortest or run.startswith("_Z"):
        return False
    of_case: tuple[Callable[[str], bool], ...] = (str.isupper, str.islower)
    if any(sum(map(of, core)) < _FEWEST_OF_A_CASE for of in of_case) or not any(map(str.isdigit, core)):
        return False
    num_pieces = sum(len(_PIECE.findall(each)) for each in segments)
    return len(core) < _LONGEST_MEAN_PIECE * num_pieces and len(segments) < _MOST_SEGMENTS * len(core)
