"""Names that columns of event files often have, for a guess of what a column means."""

__all__ = ["ACTORS", "LATER", "ONE_KIND", "THINGS", "TIMES", "plain_name"]

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

LATER = (  # noqa: SIM905
    "duration dauer delay verspätung verspaetung air_time elapsed outcome result ergebnis returned refunded cancelled "
    "canceled churned end ende end_time finished_at ended_at closed_at latency latenz complaint complained reklamiert "
    "reklamation storniert retoure chargeback fraud defaulted resolved delivered geliefert"
).split()
"""Words in names of what is known only after an event."""


def plain_name(name: str) -> str:
    """The name in small letters, with low lines between words, and without an ending "id"."""
    plain = name.strip().lower().replace(" ", "_").replace("-", "_")
    return plain.removesuffix("id").rstrip("_") or plain
