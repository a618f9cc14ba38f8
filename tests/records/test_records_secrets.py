import json
import random
import re
import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records_secrets_table import BASE64, MADE, OTHERS, SHAPES, drawn, every_byte, through_every_door

from seedbed.errors import InvalidInput
from seedbed.records import NOT_APPLICABLE, Json, Store, canonical_json, digest, redact_text
from seedbed.records.canonical._redaction import Identity, doubtful, redacted, redacted_object
from seedbed.records.canonical._secrets import _TOKENS, is_plain, telling, without_random, without_secrets
from seedbed.records.journal import EventsLog, Journal

SOMEONE = Identity(user="alice", host="node17", prefixes=("/home", "/tmp"), secrets=())


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("secrets")
    through_every_door(folder / "store")
    return every_byte(folder / "store")


@pytest.mark.parametrize(("shape", "place"), MADE)
def test_no_shape_of_secret_reaches_the_store_by_any_place(stored, shape, place):
    assert MADE[shape, place].core.encode() not in stored


@pytest.mark.parametrize(
    "shape", [each for each in SHAPES | OTHERS if each not in ("AWS secret", "random", "random base64")]
)
def test_each_is_told_by_its_shape_or_name_even_if_it_does_not_look_random(shape):
    made = (SHAPES | OTHERS)[shape](random.Random(shape))
    assert made.core in made.text
    assert made.core not in without_secrets(made.text)
    assert made.core not in redact_text(f"{made.text}, and then it ended", SOMEONE)


def test_every_row_of_the_table_of_tokens_has_an_example():
    texts = [make(random.Random(shape)).text for shape, make in (SHAPES | OTHERS).items()]
    assert [name for name, shape in _TOKENS.items() if not any(re.search(shape, text) for text in texts)] == []


def test_the_search_finds_a_secret_that_nothing_tells(tmp_path):
    store = Store.open(tmp_path / "store", create=True)
    store.start("mine").failed("the word is correcthorse")
    assert b"correcthorse" in every_byte(store.work)


# Configurations as the usual trainers write them, in JSON.
TRAINERS: dict[str, dict[str, Json]] = json.loads(
    r"""{
    "transformers": {
      "output_dir": "trainer_output", "per_device_train_batch_size": 8, "gradient_accumulation_steps": 1,
      "learning_rate": 5e-05, "adam_beta1": 0.9, "adam_epsilon": 1e-08, "max_grad_norm": 1.0, "max_steps": -1,
      "lr_scheduler_type": "cosine_with_restarts", "lr_scheduler_kwargs": {}, "warmup_ratio": 0.0, "seed": 42,
      "logging_dir": "runs/Nov29_08-03-33_box", "logging_strategy": "steps", "logging_nan_inf_filter": true,
      "save_strategy": "steps", "save_safetensors": true, "eval_strategy": "no",
      "metric_for_best_model": "eval_loss", "fp16_backend": "auto", "half_precision_backend": "auto",
      "bf16_full_eval": false, "ddp_backend": null, "optim": "adamw_torch_fused", "optim_args": null,
      "report_to": ["tensorboard", "wandb"], "dataloader_pin_memory": 1, "hub_token": "<HUB_TOKEN>",
      "push_to_hub_token": "<PUSH_TO_HUB_TOKEN>", "hub_strategy": "every_save", "hub_private_repo": null,
      "include_num_input_tokens_seen": false, "include_tokens_per_second": true, "torch_compile_backend": "inductor",
      "neftune_noise_alpha": null, "length_column_name": "length",
      "fsdp_config": {"min_num_params": 0, "xla_fsdp_grad_ckpt": false},
      "accelerator_config": {"split_batches": false}
    },
    "tokenizer": {
      "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 131072, "padding_side": "left",
      "bos_token": "<|begin_of_text|>", "eos_token": "</s>", "pad_token": "[PAD]", "unk_token": "unk",
      "mask_token": "?", "cls_token": "cls", "additional_special_tokens": ["<image>", "im_end"],
      "eos_token_id": [128001, 128008], "decoder_start_token": 2, "image_token": "img",
      "stop_tokens": ["###", "Human"], "max_tokens": 4096, "num_tokens": 512, "token_count": 7, "max_token": 512,
      "n_tokens": 15000000000000.0, "tokens_per_step": 131072
    },
    "lightning": {
      "accelerator": "gpu", "strategy": "ddp_find_unused_parameters_true", "devices": "auto",
      "precision": "bf16-mixed",
      "callbacks": [
        {"class_path": "lightning.pytorch.EarlyStopping", "init_args": {"monitor": "val/loss", "patience": 3}},
        {"class_path": "lightning.pytorch.callbacks.ModelCheckpoint", "filename": "{epoch:02d}-{val_loss:.2f}"}],
      "check_val_every_n_epoch": 1, "enable_checkpointing": true, "profiler": null, "root": "logs/v1"
    },
    "timm": {
      "model": "vit_large_patch14_reg4_dinov2.lvd142m", "aa": "rand-m9-mstd0.5-inc1", "mean": [0.485, 0.456, 0.406],
      "hub": "hf-hub:timm/eva02_large_patch14_448.mim_m38m_ft_in22k_in1k", "interpolation": "bicubic",
      "crop_pct": 0.95, "opt": "lamb", "sched_on_updates": true, "drop_path": 0.1, "bce_target_thresh": 0.2,
      "num_classes": 1000, "train_interpolation": "random", "input_key": "image", "target_key": "label",
      "pass_through": true, "key": "x1"
    },
    "hydra": {
      "overrides": ["model=resnet50", "+trainer.max_epochs=3", "++data.sort_key=time", "optimizer.lr=0.1,0.01"],
      "argv": ["train.py", "--num-tokens", "512", "--tokenizer", "bert-base", "--max-token", "9"],
      "sweep": "multirun/2026-11-29/08-03-33", "target": "my_project.models.EncoderDecoderWithCrossAttention2",
      "author": "a team", "secretary": "a team", "authority": "none", "keyboard": "us", "n_passes": 2, "bypass": "no",
      "path": "data/x.csv", "pattern": "*.parquet", "compat": "v2", "primary_key": "flight_id", "band_pass": "0.5-40",
      "auth": "none", "tests": {"pass": 1800, "fail": 3}, "token": {"dim": 512, "position": 0.5}, "auth_retries": 3,
      "pooling_token": "mean", "sampling_token": "top_p", "attention": {"token": "cls_pool"}, "secret_n": 5000,
      "account_key": "user_id", "private_key_column": "uid", "dataset": {"auth": "open"}
    }
    }"""
)


@pytest.mark.parametrize("name", TRAINERS)
def test_an_ordinary_configuration_keeps_every_byte(name):
    given = TRAINERS[name]
    assert redacted(given, SOMEONE) == given
    assert canonical_json(redacted_object(given, SOMEONE)) == canonical_json(given)


HEX = "3f8a5c0d9e1b7246"
INNOCENT = [
    *(
        HEX * 4,
        HEX * 2,
        HEX * 8,
        (HEX * 3)[:40],
        HEX[:7],
        (HEX * 4).upper(),
        f"sha256:{HEX * 4}",
        f"x@sha256:{HEX * 4}",
    ),
    *("550e8400-e29b-41d4-a716-446655440000", "20261129-080333-801-b434", "f7c2-4a1b", "urn:uuid:550E8400-E29B-41D4"),
    *("2026-11-29T08:03:33.123456+00:00", "20261129T080333Z", "Sun Nov 29 08:03:33 2026", "PT1H30M"),
    *("gradient_accumulation_steps_before_first_evaluation_of_epoch_2", "val/top5_accuracy_at_IoU0.5_size416x416"),
    *("LlamaForConditionalGenerationWithRotaryEmbedding2D", "SwinTransformerV2CrB16Window12", "HTTPServerV2Handler3"),
    *("meta-llama/Llama-3.1-8B-Instruct", "Qwen/Qwen3-30B-A3B-Instruct-2507-FP8", "TheBloke/Mixtral-8x7B-v0.1-GPTQ"),
    *(
        "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B",
        "google/ViT-B16-IN21k-FT-IN1k-384px-AugReg-S32",
        "sk-learn-model-v10",
    ),
    *(
        "swept-sky-1234",
        "3x8k2l9x",
        "run-20261129_080333-3x8k2l9x",
        "offline-run-1",
        "hf_tokenizer_name",
        "glue-mnli-v2",
    ),
    *("torch==2.9.0+cu128", "1.0.0rc1.dev20261129+g3f8a5c0", "CPython 3.11.9", "manylinux_2_17_x86_64.manylinux2014"),
    *("seedbed.records.canonical._redaction", "torch.optim.AdamW", "aten::_scaled_dot_product_flash_attention_for_cpu"),
    "_ZN2at6native29vectorized_elementwise_kernelILi4ENS0_15CUDAFunctor_addIfEESt5arrayIPcLm3EEEEviT0_T1_",
    "sm90_xmma_gemm_bf16bf16_bf16f32_f32_tn_n_tilesize128x128x64_warpgroupsize1x1x1_execute_segment_k_off_kernel__5x",
    "Cijk_Ailk_Bljk_HHS_BH_MT128x128x32_MI32x32x8x1_SE_1LDSB0_APM1_ABV0_ACED0_AF0EM1_AF1EM1_AMAS0_ASE_ASGT",
    "void cutlass::Kernel2<cutlass_80_tensorop_s1688gemm_128x256_16x3_tn_align4>(Params)",
    *(
        "data/ImageNet1k/Train-00012-of-01024.tar",
        "s3://bucket/Runs/2026/B16/step100.pt",
        "checkpoints/Epoch3/Model2B/rank0",
    ),
    *("https://example.com/a/b?page=2&sort=key", "hdfs://nn:8020/@x/y", "git@github.com:org/repo.git", "x@y.example"),
    *("KeyError: 'hidden_size'", "RuntimeError: mat1 and mat2 shapes cannot be multiplied (8x512 and 768x1024)"),
    "expected token: str, found None; a basic Transformer2Layers model; the cookie cutter",
]


@pytest.mark.parametrize("text", INNOCENT)
def test_what_is_no_secret_is_not_taken_for_one(text):
    assert redact_text(text, SOMEONE) == text
    assert redacted({text: [text, {"note": text}]}, SOMEONE) == {text: [text, {"note": text}]}


@pytest.mark.parametrize(
    "path",
    [
        r"C:\Users\Bob\AppData\Local\Temp\Run2B\ModelV3\weights.bin",
        "/home/bob/Projects/ImageNet1k/Runs/ViT-B16/Seed3/ckpt.pt",
        f"/tmp/torchinductor_bob/fxgraph/{HEX * 4}/x.py",
        f"/home/bob/.cache/huggingface/hub/models--meta-llama--Llama-3.1-8B/snapshots/{HEX * 2}/config.json",
    ],
)
def test_a_path_is_shortened_and_no_secret(path):
    assert "<path>" in redact_text(path, SOMEONE)
    assert "<secret>" not in redact_text(path, SOMEONE)


def test_keys_are_decided_by_their_last_word():
    assert not any(
        map(
            telling,
            (
                *("num_tokens", "max_tokens", "token_count", "tokenizer", "key", "pass_through", "path", "patience"),
                *("pattern", "author", "authority", "keyboard", "n_passes", "bypass", "byPass", "compat", "tokens"),
                *(
                    "compass",
                    "sort_key",
                    "public_key",
                    "use_auth",
                    "forward_pass",
                    "eosToken",
                    "max_token",
                    "per_token",
                ),
            ),
        )
    )
    assert all(
        map(
            telling,
            (
                *(
                    "token",
                    "hub_token",
                    "hubToken",
                    "githubtoken",
                    "HF_TOKEN",
                    "x-auth",
                    "db.pass",
                    "dbPass",
                    "GitHubPAT",
                ),
                *("cookie", "SENTRY_DSN", "webhook", "slackWebhookUrl", "connectionString", "connection_string", "jwt"),
                *("passwords", "openai_key", "bot_token", "proxy-authorization", "api_key_2", "password_file"),
            ),
        )
    )


def test_below_a_telling_key_texts_go_and_what_cannot_be_a_secret_stays():
    given: Json = {
        "credentials": {"user": "bob", "port": 5432, "retries": 3, "tls": True, "proxy": None},
        "tokens": ["the", "cat"],
        "api_tokens": ["one", ["two"]],
        "auth": {"method": "oauth2", "who": "bob", "timeout": 30.5, "enabled": False, "password": 12345678},
        "password": 12345678,
        "secret": 7,
        "num_secrets": 5000,
        "token": "123456",
        "argv": ["--password", "x1", "-v", "--max_token", "512", "--api-key", "-n", "--token", "mean"],
    }
    assert redacted(given, SOMEONE) == {
        "credentials": {"user": "<secret>", "port": "<secret>", "retries": 3, "tls": True, "proxy": None},
        "tokens": ["the", "cat"],
        "api_tokens": ["<secret>", ["<secret>"]],
        "auth": {"method": "oauth2", "who": "bob", "timeout": 30.5, "enabled": False, "password": "<secret>"},
        "password": "<secret>",
        "secret": 7,
        "num_secrets": 5000,
        "token": "<secret>",
        "argv": ["--password", "<secret>", "-v", "--max_token", "512", "--api-key", "-n", "--token", "<secret>"],
    }
    assert redacted(redacted(given, SOMEONE), SOMEONE) == redacted(given, SOMEONE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("train.py --x-token V1 --lr 0.1", "train.py --x-token <secret> --lr 0.1"),
        ("postgres://bob:p@ssword@db/x", "postgres://<secret>@db/x"),
        ("f(token='a b', n=3)", "f(token=<secret>, n=3)"),
        ("f(auth_token=None, x_auth=V1)", "f(auth_token=<secret>, x_auth=<secret>)"),
        (r"{\"db_pass\": \"two words\", \"n\": 1}", r"{\"db_pass\": <secret>, \"n\": 1}"),
        ("sent Cookie: a=b; c=d\nand left", "sent Cookie: <secret>\nand left"),
        ("Authorization: Token abc", "Authorization: Token <secret>"),
        ("curl -u bob:V1 https://h", "curl -u bob:<secret> https://h"),
    ],
)
def test_what_surrounds_a_secret_is_kept(text, expected):
    assert redact_text(text, SOMEONE) == expected


@pytest.mark.parametrize("length", [40, 64])
def test_most_random_texts_are_found(length):
    rng = random.Random(length)
    texts = [
        drawn(rng, length, alphabet) for alphabet in (string.ascii_letters + string.digits, BASE64) for _ in range(500)
    ]
    assert sum(without_random(text) == "<secret>" for text in texts) > 0.94 * len(texts)


@given(
    st.lists(st.sampled_from([*INNOCENT, " ", "-", "=", "--token", "x", "Bearer", "\n", ":", *"aB3_/."])).map("".join)
)
def test_the_quick_look_passes_no_text_in_which_the_rules_find_something(text):
    assert not is_plain(text) or without_random(without_secrets(text)) == text


def test_numbers_logged_under_a_telling_name_are_kept(tmp_path):
    with EventsLog.open(tmp_path / "events.log") as log:
        log.append(1, {"secret": 12345678, "loss_per_token": 0.5, "token": float("nan")})
    assert b'"secret":12345678' in (tmp_path / "events.log").read_bytes()
    assert b'"token":{"$float":"NaN"}' in (tmp_path / "events.log").read_bytes()


def test_a_digest_under_a_telling_name_is_kept(tmp_path):
    with Store.open(tmp_path / "store", create=True).start("mine") as run:
        run.save_blob("vocab.token", b"x")
        named = dict.fromkeys(("data", "split", "target", "feature"), NOT_APPLICABLE) | {"auth": digest("auth")}
        commit = run.finish(run.draft(metrics={"loss": 1.0}, fingerprints=named))
    assert commit.snapshot.fingerprints["auth"] == digest("auth")
    assert commit.snapshot.blobs["vocab.token"]


def test_a_variable_whose_name_tells_is_found_in_texts_and_a_harmless_one_is_not(monkeypatch):
    secrets = {
        "SENTRY_DSN": "dsnvalue1",
        "SLACK_WEBHOOK_URL": "hookvalue1",
        "DB_PASS": "passvalue1",
        "AZ_PAT": "patvalue1",
        "MYSQL_PWD": "pwdvalue1",
        "X_COOKIE": "cookievalue1",
    }
    harmless = {
        "TOKENIZER_NAME": "tokenizervalue",
        "GIT_AUTHOR_NAME": "authorvalue",
        "COMPAT": "compatvalue",
        "KEYBOARD": "keyboardvalue",
        "PWD": "workingvalue",
    }
    for name, value in (secrets | harmless).items():
        monkeypatch.setenv(name, value)
    for value in secrets.values():
        assert "value1" not in redact_text(
            f"it said {value.removeprefix('postgres://bob:').removesuffix('@h/x')} twice"
        )
    for value in harmless.values():
        assert redact_text(f"it said {value} twice") == f"it said {value} twice"


def test_a_journal_reads_back_what_was_redacted(tmp_path):
    with Journal.open(tmp_path / "x.log") as journal:
        entry = journal.append("note", {"argv": ["--token", "V"], "password": [1, {"pin": 1234}]})
    assert entry.payload == {"argv": ["--token", "<secret>"], "password": [1, {"pin": "<secret>"}]}


def test_two_secrets_as_keys_are_refused():
    with pytest.raises(InvalidInput, match="give them different names"):
        redacted({"--token V1": 1, "--token V2": 2}, SOMEONE)


@pytest.mark.parametrize(
    "word", ["mean", "cls", "cls_pool", "user_id", "vit-b-16", "resnet50", "a" * 15, "l2", "top_p", "x1-y2-z3"]
)
def test_a_word_below_a_key_that_may_lead_to_one_is_a_setting(word):
    given: Json = {"model": {"pooling_token": word, "attention": {"token": [word]}}, "auth": word, "account_key": word}
    assert redacted(given, SOMEONE) == given
    for certain in ("api_key", "password", "secrets", "cookie", "db_pass", "auth_token_2"):
        assert redacted({certain: word}, SOMEONE) == {certain: "<secret>"}
    assert redacted(["--pooling-token", word], SOMEONE) == ["--pooling-token", "<secret>"]


@pytest.mark.parametrize(
    "value", ["Mean", "two words", "a" * 16, "x1-y2-z3-q4", "a_" * 20 + "a", "1st", "a__b", "é", "q7f3k9z2m5x8", "_a"]
)
def test_what_is_no_word_below_such_a_key_is_replaced(value):
    assert redacted({"pooling_token": value}, SOMEONE) == {"pooling_token": "<secret>"}


def test_of_two_keys_that_lead_to_a_value_the_stronger_one_counts():
    hidden: Json = {"password": "<secret>"}
    for above in ("auth", "cookie", "secrets_config", "model", "password"):
        given: Json = {above: {"password": 12345678}}
        assert redacted(given, SOMEONE) == {above: hidden}
        assert redacted({"password": {above: 12345678}}, SOMEONE) == {"password": {above: "<secret>"}}
    assert redacted({"secrets_config": {"size": 12345678}}, SOMEONE) == {"secrets_config": {"size": 12345678}}


@pytest.mark.parametrize("number", [999, 1000.5, 12345.25, True, None])
def test_a_number_that_is_short_or_not_whole_is_no_password(number):
    assert redacted({"password": number}, SOMEONE) == {"password": number}
    assert redacted({"password": 1000.0}, SOMEONE) == {"password": "<secret>"}


RANDOM = "aB3xK9Lm2QpR7sT1vW5yZ0cD"


@pytest.mark.parametrize(
    ("given", "places"),
    [
        ({"model": {"pooling_token": "Mean"}}, ["/model/pooling_token"]),
        ({"a": [1, {"cookie": ["word"]}]}, ["/a/1/cookie/0"]),
        ({"weights": f"from {RANDOM} on"}, ["/weights"]),
        ({RANDOM: 1}, ["/<secret>"]),
        ({"a/b": {"token": "X9"}}, ["/a~1b/token"]),
        ({"password_strategy": "hash"}, ["/password_strategy"]),
        (
            {"overrides": ["pooling_token=cls", "auth_token_pool=max", "/x?page_key=3"]},
            [f"/overrides/{number}" for number in range(3)],
        ),
        ({"argv": ["--pooling-token", "cls", "--password", "x1"]}, ["/argv/1"]),
        ({"command": "train.py --pooling-token cls"}, ["/command"]),
        ({"prompt": "Your password = your model"}, ["/prompt"]),
        ({"prompt": "Cookie: choc chip", "said": "Bearer accounts are"}, ["/prompt", "/said"]),
        ({"scheme": "secret: shamir"}, ["/scheme"]),
        ({"dsn": "postgres://u:x1@host/train"}, ["/dsn"]),
        ({"token": "x password=hunter2 lr=0.1"}, ["/token"]),
        ({"said": "Cookie: id=1; path=/", "auth": "Authorization: Bearer " + RANDOM}, []),
        ({"api_key": "x1", "password": {"of": "x2", "pin": 12345}}, []),
        ({"hub_token": "hf_" + RANDOM, "cookie": "Bearer " + RANDOM, "url": "postgres://bob:x1@db/x"}, []),
        ({"command": "train.py --password hunter2 --lr 1", "said": "password=hunter2 api_key: x1"}, []),
        ({"path": "/home/bob/x/y.py", "who": "alice", "auth": "<secret>", "secret_file": "<secret>"}, []),
        ({"command": "PASSWORD=hunter train", "env": ["API_KEY=abcdefgh"], "said": "{'password': 'hunter'}"}, []),
        ({"headers": {"Authorization": "Bearer abcdef-GHI123456789", "Cookie": "Bearer abcdefghijkl"}}, []),
        ({"said": "sent Authorization: Bearer abcdefghijkl", "curl": "-H 'X: Bearer abcdef.GHI12345'"}, []),
        ({"said": "use_password=true", "prompt": "Bearer well-known names"}, ["/said", "/prompt"]),
        ({"prompt": "the password: hunter"}, ["/prompt"]),
    ],
)
def test_what_was_replaced_although_it_may_be_no_secret_is_named(given, places):
    assert list(doubtful(given, SOMEONE)) == places
    assert list(doubtful(redacted(given, SOMEONE), SOMEONE)) == []


LONG = [
    *('token=\\"' + "\\" * 200_000, "x://a:" * 20_000, "-u" + "=" * 200_000, '--a"' + " " * 200_000 + "x"),
    *("password=(" * 20_000, "token=[" * 30_000 + "x]", "password'" + " " * 200_000, "\n" * 200_000 + "ENV"),
    *("<password>" * 20_000, "password: |\n" * 4_000, "password=a or b(" * 10_000, "password:\n" + "'" * 200_000),
    *("cookie: " * 25_000, "password='a' 'b' " * 10_000, "password=\u201cab " * 10_000, "password: a | " * 10_000),
    *("token=" + ")" * 200_000 + "x", "password" * 25_000, "?" + "key" * 60_000, ".-a" * 60_000),
    *("password = " * 10_000, "'password' " * 20_000, "password: ${" * 10_000, "max_password = 1 = " * 5_000),
    *("cookie:a=;" * 20_000 + ",", "-----BEGIN PRIVATE KEY-----" * 8_000, "password= A=b " * 10_000),
    *('password=r#"' * 10_000, "password=a +" + "#" * 200_000, "password='a' # " * 10_000, "password = [ # " * 10_000),
    *("password=a'b" * 15_000, "password= a\n" * 20_000, "token=${A:-" * 20_000, "<a name='password'>" * 10_000),
    *("value='a'" * 20_000 + " " * 100_000, "password = lambda: " * 10_000, "password = A-B " * 10_000),
    *("token='a' +\n " * 10_000, "token=a\n ? 'b' " * 10_000, "password=" + "a\n + " * 40_000),
    *('password = "' * 10_000, "password = `" * 10_000, "password:\n# password:\n" * 5_000, "token = " * 20_000),
]


@pytest.mark.parametrize("text", LONG, ids=lambda text: text[:10])
def test_a_long_text_does_not_take_quadratic_time(text):
    # Where each character is looked at from many places, the processor is busy for minutes or hours.
    start = time.process_time()
    redact_text(text, SOMEONE)
    assert time.process_time() - start < 20


@pytest.mark.slow
@pytest.mark.parametrize("text", LONG, ids=lambda text: text[:10])
def test_to_tell_what_is_doubtful_in_a_long_text_does_not_take_quadratic_time(text):
    start = time.process_time()
    doubtful({"said": text}, SOMEONE)
    doubtful({"token": text}, SOMEONE)
    assert time.process_time() - start < 20
