"""Names that columns of event files often have, for a guess of what a column means."""

from collections.abc import Sequence

__all__ = ["ACTORS", "ONE_KIND", "THINGS", "TIMES", "plain_name", "tells_an_outcome"]

# All in small letters and without an ending "id", in the order in which they are looked for.
TIMES = (  # noqa: SIM905  a list of one word a line would hide the order
    "t ts time timestamp datetime date when unixtime unix_timestamp epoch event_time created_at created started_at "
    "start start_time occurred_at zeit zeitpunkt zeitstempel datum uhrzeit heure fecha"
).split()
"""Names of a time."""

ONE_KIND = [
    pair.split("/")
    for pair in (  # noqa: SIM905
        "src/dst source/target source/destination source/dest from/to i/j sender/receiver sender/recipient u/v a/b "
        "caller/callee von/nach von/an origin/destination rater/ratee follower/followee head/tail"
    ).split()
]
"""Names of a source and a destination that are nodes of one kind."""

ACTORS = (  # noqa: SIM905
    "user customer client kunde nutzer benutzer author member player account person student patient buyer employee "
    "session device visitor tailnum"
).split()
"""Names of who acts, where what they act on is of another kind."""

THINGS = (  # noqa: SIM905
    "item product shop store merchant article artikel produkt geschäft geschaeft laden movie film track song artist "
    "page file path repo repository business subreddit channel course game app url station venue location place book "
    "dest"
).split()
"""Names of what is acted on."""

_LATER = (  # noqa: SIM905
    "duration dauer delay verspätung verspaetung air_time elapsed outcome result ergebnis returned refunded cancelled "
    "canceled churned end ende end_time finished_at ended_at closed_at latency latenz complaint complained reklamiert "
    "reklamation storniert retoure chargeback fraud defaulted resolved delivered geliefert"
).split()
"""Words in names of what is known only after an event."""

_UNTIL = (  # noqa: SIM905
    "known until till finished closed complete completed completion done return returns shipped paid settled confirmed "
    "expired due bekannt bis bezahlt gemahnt erledigt abgeschlossen beendet bestätigt bestaetigt zurück zurueck retour"
).split()
"""Further words in names of a time at which something has come to its end, or is known."""

_ALIKE = 5  # first letters that two names share


def plain_name(name: str) -> str:
    """The name in small letters, with low lines between words, and without an ending "id"."""
    plain = name.strip().lower().replace(" ", "_").replace("-", "_")
    return plain.removesuffix("id").rstrip("_") or plain


def tells_an_outcome(name: str, times: Sequence[str]) -> bool:
    """Whether a plain name says that its values are known only after the event, as far as a name tells.

    It has a word for that, or is one word that begins as the name of a time of an end does: returned, return_known.
    """
    if _has_word(name, _LATER):
        return True
    ends = [time for time in times if _has_word(time, (*_LATER, *_UNTIL))]
    return "_" not in name and len(name) >= _ALIKE and any(time.startswith(name[:_ALIKE]) for time in ends)


def _has_word(name: str, words: Sequence[str]) -> bool:
    return any(f"_{word}_" in f"_{name}_" for word in words)
