"""A training in a folder of its own, as a user has one: `train.py STORE RUN [--rate R] [--halve STEP] [--math]`."""

import argparse
import contextlib
import time

import seeding  # type: ignore[import-not-found]
import tinypkg  # type: ignore[import-not-found]
import torch
from model import make_model  # type: ignore[import-not-found]
from torch import nn, optim
from torch.nn.attention import SDPBackend, sdpa_kernel

from seedbed import change, records, runtime
from seedbed.loop.provenance import Collecting

parser = argparse.ArgumentParser()
parser.add_argument("store")
parser.add_argument("run")
parser.add_argument("--rate", type=float, default=3e-3)
parser.add_argument("--halve", type=int, default=0)
parser.add_argument("--math", action="store_true")
parser.add_argument("--api-key", default="")
arguments = parser.parse_args()
seeding.seed(0)
data = torch.randn(64, 8, 16), torch.randint(4, (64,))
model = make_model(tinypkg.WIDTH)
optimizer = optim.SGD(model.parameters(), lr=arguments.rate)
began = time.monotonic()
with records.Store.open(arguments.store, create=True).start("planted", arguments.run) as run:
    collecting = Collecting({"x": data[0], "y": data[1]})
    witness = runtime.declare(runtime.resolve_config(code={"cdc": "off", "mode": "COMPAT"}), device="cpu").witness()
    rate = change.Parameter("optimizer.lr", "1", low=1e-5, high=1.0)
    engine = change.ChangeEngine(run.journal(), {rate.key: change.LearningRate(optimizer)}, [rate])
    for step in range(1, 7):
        kernels = sdpa_kernel(SDPBackend.MATH) if arguments.math else contextlib.nullcontext()
        with witness.step(step), kernels:
            loss = nn.functional.cross_entropy(model(data[0]), data[1])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if step == arguments.halve:
            engine.propose(change.Delta(rate.key, change.Scale(0.5), "half", "the loop"), step)
    engine.close()
    found = collecting.finished()
    for name, payload in found.blobs.items():
        run.save_blob(name, payload)
    run.finish(
        run.draft(
            metrics={"loss": loss.item()},
            fingerprints=found.fingerprints,
            fingerprint_sources=found.fingerprint_sources,
            config={"rate": arguments.rate},
            process=found.process,
            inputs=found.inputs,
            factors=found.factors,
            documents={"audit_run": witness.audit(time.monotonic() - began).model_dump(mode="json")},
        )
    )
