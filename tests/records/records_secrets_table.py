"""Shapes of secrets, and the places through which each goes into a store.

Every token is made here, from parts, out of seeded random characters: none is or was anybody's, and no scanner of this
repository finds one. `CORE` stands for the part that nobody may see.
"""

import base64
import json
import os
import random
import string
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import zstandard
from records_world import PROJECT, draft

from seedbed.contracts import Stage
from seedbed.records import Journal, PromotionRule, Store

ALNUM = string.ascii_letters + string.digits
HEX = "0123456789abcdef"
CAPITALS = string.ascii_uppercase + "234567"
SMALL = string.ascii_lowercase + string.digits
URLSAFE, BASE64 = ALNUM + "_-", ALNUM + "+/"


@dataclass(frozen=True)
class Made:
    """A secret and how it is written: `text` in prose, or `value` below `key`, or both."""

    core: str
    text: str
    key: str = "note"
    value: str = ""


Shape = Callable[[random.Random], Made]


def drawn(rng: random.Random, length: int, alphabet: str = ALNUM) -> str:
    """Random characters, of every kind that the alphabet has; the first and last are letters or digits."""
    ends = alphabet.strip("_-+/")
    while True:
        found = "".join([rng.choice(ends), *rng.choices(alphabet, k=length - 2), rng.choice(ends)])
        if all(any(map(of, found)) for of in (str.islower, str.isupper, str.isdigit) if any(map(of, alphabet))):
            return found


def token(*parts: str, length: int = 36, alphabet: str = ALNUM, after: str = "") -> Shape:
    """A text that begins with the parts and is a secret wherever it stands."""

    def made(rng: random.Random) -> Made:
        core = drawn(rng, length, alphabet)
        return Made(core, f"refused {''.join(parts)}{core}{after} at step 3", value=f"{''.join(parts)}{core}{after}")

    return made


def below(key: str) -> Shape:
    """An ordinary word, which its key or the flag before it tells to be a secret."""

    def made(rng: random.Random) -> Made:
        core = "".join(rng.choices(string.ascii_lowercase, k=11))
        return Made(core, f"{key}={core}", key=key, value=core)

    return made


def mixed_below(key: str) -> Shape:
    """Small letters and digits, as no word has them, below a key that may lead to a word as well."""

    def made(rng: random.Random) -> Made:
        core = drawn(rng, 20, SMALL)
        return Made(core, f"{key}={core}", key=key, value=core)

    return made


def within(template: str) -> Shape:
    """A word in a text that tells it to be a secret."""

    def made(rng: random.Random) -> Made:
        core = "".join(rng.choices(string.ascii_lowercase, k=11))
        return Made(core, template.replace("CORE", core), value=template.replace("CORE", core))

    return made


def jwt(rng: random.Random) -> Made:
    head, body = (
        base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=")
        for each in ({"alg": "HS256", "typ": "JWT"}, {"sub": "1", "n": rng.random()})
    )
    core = drawn(rng, 43, URLSAFE)
    return Made(core, f"sent {head}.{body}.{core} to it", value=f"{head}.{body}.{core}")


def pem(rng: random.Random) -> Made:
    core = drawn(rng, 64, BASE64)
    kind = "RSA PRIVATE " + "KEY"
    value = f"-----BEGIN {kind}-----\n{core}\n{core[::-1]}\n-----END {kind}-----"
    return Made(core, f"found {value} in it", value=value)


def basic(rng: random.Random) -> Made:
    core = base64.b64encode(f"bob:{drawn(rng, 7, string.ascii_letters + string.digits)}".encode()).decode()
    return Made(core.rstrip("="), f"sent Authorization: Basic {core}", value=f"Basic {core}")


SHAPES: dict[str, Shape] = {
    "GitHub": token("gh", "p_"),
    "GitHub fine-grained": token("github", "_pat_", length=60),
    "GitLab": token("gl", "pat-", length=20, alphabet=URLSAFE),
    "GitLab runner": token("gl", "rt-", length=20, alphabet=URLSAFE),
    "PyPI": token("py", "pi-", "AgEIcHlwaS5vcmc", length=80, alphabet=URLSAFE),
    "npm": token("np", "m_"),
    "Stripe": token("sk", "_live_", length=24),
    "Stripe restricted": token("rk", "_test_", length=24),
    "Stripe webhook": token("wh", "sec_", length=32),
    "Google API": token("AI", "za", length=35, alphabet=URLSAFE),
    "Google OAuth": token("ya", "29.", length=60, alphabet=URLSAFE),
    "Google client": token("GOC", "SPX-", length=28, alphabet=URLSAFE),
    "AWS key": token("AK", "IA", length=16, alphabet=CAPITALS),
    "AWS temporary key": token("AS", "IA", length=16, alphabet=CAPITALS),
    "AWS secret": token(length=40, alphabet=BASE64),
    "AWS session": token("IQo", "Jb3JpZ2lu", length=300, alphabet=BASE64),
    "JWT": jwt,
    "PEM": pem,
    "Databricks": token("da", "pi", length=32, alphabet=HEX),
    "SendGrid": token("S", "G.", length=22, alphabet=URLSAFE, after="." + "aB3" * 14),
    "Docker": token("dckr", "_pat_", length=27, alphabet=URLSAFE),
    "Slack bot": token("xo", "xb-", "123456789012-", length=24),
    "Slack app": token("xa", "pp-", "1-A0B1C2D3E4F-", length=40),
    "Slack webhook": token("https://hooks.", "slack.com/services/T0AAA/B0BBB/", length=24),
    "Hugging Face": token("h", "f_", length=34),
    "OpenAI": token("s", "k-", "proj-", length=48, alphabet=URLSAFE),
    "Anthropic": token("s", "k-", "ant-api03-", length=60, alphabet=URLSAFE),
    "W&B": token("wan", "db_v1_", length=40),
    "DigitalOcean": token("do", "p_v1_", length=64, alphabet=HEX),
    "Twilio": token("S", "K", length=32, alphabet=HEX),
    "Mailchimp": token("", length=32, alphabet=HEX, after="-us12"),
    "Telegram bot": token("123456789", ":AA", length=33, alphabet=URLSAFE),
    "Vault": token("hv", "s.", length=24),
    "random": token(length=48),
    "random base64": token(length=64, alphabet=BASE64, after="=="),
    "flag": within("train.py --x-token CORE --lr 0.1"),
    "flag of a password": within("train.py --password CORE"),
    "flag with =": within("train.py --api-token=CORE"),
    "argv in a message": within("failed: ['train.py', '--db-password', 'CORE']"),
    "token=": within("token=CORE"),
    "password in a dictionary": within("{'password': 'two CORE words'}"),
    "URL": within("postgres://bob:CORE@db.example/x"),
    "URL with @ in the password": within("postgres://bob:p@CORE@db.example/x"),
    "URL with / in the password": within("postgres://bob:p/CORE@db.example/x"),
    "URL query": within("https://api.example/v1?page=2&access_token=CORE"),
    "bearer": within("Authorization: Bearer CORE"),
    "authorization": within("Authorization: Token CORE"),
    "basic": basic,
    "cookie header": within("Cookie: theme=dark; session=CORE"),
    "curl": within("curl -u bob:CORE https://h.example"),
    **{
        f"key {key}": below(key)
        for key in (
            *("api_key", "password", "client_secret", "aws_session_token", "authorization", "cookie", "sentry_dsn"),
            *("db_pass", "azure_pat", "user_jwt", "slack_webhook", "connection_string", "webhook_url", "smtp.pass"),
            "DB_PWD",
        )
    },
    **{
        f"key {key}": mixed_below(key)
        for key in ("hub_token", "token", "githubToken", "auth", "x-auth", "encryption_key", "account_key")
    },
    "flag of an ambiguous key": within("train.py --encryption-key CORE"),
}
# Less known vendors, which go through the rules alone. Small letters do not look random, so only the shape tells.
OTHERS: dict[str, Shape] = {
    "Age": token("AGE-", "SECRET-KEY-1", length=58, alphabet=CAPITALS),
    "Airtable": token("pa", "t", "a1b2c3d4e5f6g7.", length=64, alphabet=HEX),
    "Atlassian": token("ATA", "TT3", length=40, alphabet=SMALL),
    "Buildkite": token("bk", "ua_", length=40, alphabet=HEX),
    "CircleCI": token("CCI", "PAT_", length=40, alphabet=SMALL),
    "Doppler": token("dp", ".pt.", length=43, alphabet=SMALL),
    "Discord bot": token("MT", "a" * 24, ".a1b2c3.", length=38, alphabet=SMALL),
    "Figma": token("fi", "gd_", length=40, alphabet=SMALL),
    "Fly": token("fo", "1_", length=43, alphabet=SMALL),
    "Netlify": token("nf", "p_", length=36, alphabet=SMALL),
    "GitLab routable": token("gl", "pat-", "a" * 27, ".01.", length=9, alphabet=SMALL),
    "Google refresh": token("1//", "0", length=60, alphabet=SMALL),
    "Grafana": token("gl", "sa_", length=41, alphabet=SMALL),
    "Groq": token("gs", "k_", length=52, alphabet=SMALL),
    "Perplexity": token("pp", "lx-", length=48, alphabet=SMALL),
    "Replicate": token("r", "8_", length=37, alphabet=SMALL),
    "xAI": token("xa", "i-", length=80, alphabet=SMALL),
    "Terraform": token("a1b2c3d4e5f6g7", ".atlas", "v1.", length=60, alphabet=SMALL),
    "Heroku": token("HR", "KU-", length=60, alphabet=SMALL),
    "New Relic": token("NR", "AK-", length=27, alphabet=CAPITALS),
    "Postman": token("PM", "AK-", length=59, alphabet=SMALL),
    "Neptune": token("ey", "J", length=100, alphabet=SMALL),
    "Kaggle": token("KG", "AT_", length=32, alphabet=HEX),
    "LangSmith": token("lsv2", "_pt_", length=43, alphabet=SMALL),
    "Linear": token("lin", "_api_", length=40, alphabet=SMALL),
    "Notion": token("nt", "n_", length=46, alphabet=SMALL),
    "NVIDIA": token("nv", "api-", length=64, alphabet=SMALL),
    "Pinecone": token("pc", "sk_", length=60, alphabet=SMALL),
    "PlanetScale": token("psc", "ale_tkn_", length=43, alphabet=SMALL),
    "Supabase": token("sb", "p_", length=40, alphabet=HEX),
    "Pulumi": token("pu", "l-", length=40, alphabet=HEX),
    "RubyGems": token("ruby", "gems_", length=48, alphabet=HEX),
    "Sentry": token("snt", "ryu_", length=64, alphabet=HEX),
    "Shopify": token("shp", "at_", length=32, alphabet=HEX),
    "Square": token("sq0", "atp-", length=22, alphabet=SMALL),
    "Tailscale": token("ts", "key-", "auth-", length=40, alphabet=SMALL),
    "Discord webhook": token("https://discord.com", "/api/web", "hooks/123456/", length=68, alphabet=SMALL),
}
PLACES = (
    *("config value", "config key", "below a key", "list below a key", "mapping below a key", "argv", "metric name"),
    *("final metric name", "environment", "exception", "reason", "data path", "journal", "reason of a change"),
    *("document", "rule"),
)
MADE = {
    (shape, place): make(random.Random(f"{shape} {place}"))
    for shape, make in SHAPES.items()
    for place in PLACES
    # A key tells nothing of itself.
    if not (place == "config key" and shape.startswith("key "))
}


def at(place: str) -> dict[str, Made]:
    return {shape: made for (shape, where), made in MADE.items() if where == place}


@contextmanager
def environment() -> Iterator[None]:
    """The process has each secret in a variable whose name tells it, or any if its shape does."""
    before = dict(os.environ)
    for number, made in enumerate(at("environment").values()):
        os.environ[f"S{number}_{made.key.upper().replace('-', '_').replace('.', '_')}"] = made.value
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def through_every_door(folder: Path) -> None:
    """Hand every secret through its place into the store at `folder`."""
    store = Store.open(folder, create=True)
    for number, made in enumerate(at("exception").values()):
        with suppress(OSError), store.start(PROJECT, f"raised{number}", Stage.TRAINING):
            raise OSError(made.text)
    for number, made in enumerate(at("reason").values()):
        store.start(PROJECT, f"failed{number}", Stage.TRAINING).failed(made.text)
    for made in at("rule").values():
        rule = PromotionRule(metric=f"metrics.{made.text}", better="higher")
        store.log(PROJECT).baselines.set_rule(rule, made.text, store.clock.now())
    run = store.start(PROJECT, "whole", Stage.TRAINING)
    for number, made in enumerate(at("metric name").values()):
        run.log(number, {f"{number} {made.text}": 0.5})
    run.write_document("progress", {shape: made.text for shape, made in at("document").items()})
    with Journal.open(run.folder / "notes.log") as journal:
        for made in at("journal").values():
            journal.append(made.text, {"items": [made.text], made.key: made.value})
        for made in at("reason of a change").values():
            journal.append("proposed", {"id": 1, "parameter": "optimizer.lr", "reason": made.text})
    with environment():
        told = [f"it said {made.value}, twice" for made in at("environment").values()]
        run.finish(draft("whole", config=config() | {"told": told}, metrics={"test": final_metrics()}))


def config() -> dict[str, object]:
    return {
        "values": [{"text": made.text} for made in at("config value").values()],
        "keys": [{made.text: number} for number, made in enumerate(at("config key").values())],
        "below": [{made.key: made.value} for made in at("below a key").values()],
        "lists": [{made.key: [1, [made.value]]} for made in at("list below a key").values()],
        "mappings": [{made.key: {"first": {"value": made.value}}} for made in at("mapping below a key").values()],
        "argv": [["train.py", f"--{made.key}", made.value, "--lr", "0.1"] for made in at("argv").values()],
        "paths": [f"data/{made.text}/part-0.csv" for made in at("data path").values()],
    }


def final_metrics() -> dict[str, float]:
    return {f"{number} {made.text}": 0.5 for number, made in enumerate(at("final metric name").values())}


def every_byte(folder: Path) -> bytes:
    """Names and bytes of all files under `folder`, packed ones unpacked too."""
    found = []
    for path in folder.rglob("*"):
        found.append(str(path.relative_to(folder)).encode())
        if path.is_file():
            data = path.read_bytes()
            packed = data.startswith(zstandard.MAGIC_NUMBER.to_bytes(4, "little"))
            found += [data, zstandard.decompress(data) if packed else b""]
    return b"\n".join(found)
