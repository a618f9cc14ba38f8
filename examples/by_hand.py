"""An ordinary PyTorch loop through the four verbs: declare, change, record, judge. Exits with the gate's code."""

import time

import torch
from sklearn.datasets import load_digits
from torch import nn, optim

from seedbed import change, errors, gate, records, runtime

ABOUT = {"split": records.digest([1400, 397]), "target": records.digest("digit"), "feature": records.digest("pixels")}
GATE = ["audit.degraded == false", "changes.effective == 1", "metrics.test.accuracy >= 0.85 @ 95%"]
torch.manual_seed(0)
began, digits = time.monotonic(), load_digits()
images, labels = torch.tensor(digits.images / 16, dtype=torch.float32), torch.tensor(digits.target)
attention = nn.TransformerEncoderLayer(32, nhead=4, dim_feedforward=64, dropout=0.0, batch_first=True)
model = nn.Sequential(nn.Linear(8, 32), attention, nn.Flatten(), nn.Linear(8 * 32, 10))  # a row of pixels is a token
optimizer = optim.Adam(model.parameters(), lr=3e-3)
scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=300)
rate, limits = change.LearningRate(optimizer, scheduler), change.Parameter("optimizer.lr", "1", low=1e-5, high=1e-2)
with errors.exit_codes(), records.Store.open(".seedbed", create=True).start("digits") as run:
    witness = runtime.declare(runtime.resolve_config(code={"cdc": "off"}), device="cpu").witness()
    engine = change.ChangeEngine(run.journal(), {limits.key: rate}, [limits])
    for step in range(1, 301):
        batch = torch.randint(1400, (64,))
        with witness.step(step):
            loss = nn.functional.cross_entropy(model(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        run.log(step, {"loss": loss.item(), "learning_rate": rate.read()})  # before the scheduler sets the next step's
        scheduler.step()
        if step == 150:
            engine.propose(change.Delta(limits.key, change.Scale(0.5), "half of the steps are done", "the loop"), step)
    engine.close()
    audit = witness.audit(time.monotonic() - began)
    correct = model(images[1400:]).argmax(1) == labels[1400:]
    draft = run.draft(
        metadata={"target": "digit", "model_family": "encoder"},
        metrics={"test": {"accuracy": gate.bounded_mean(correct.double().numpy()).model_dump()}},
        fingerprints={"data": records.digest(digits.data.tolist()), **ABOUT},
        config={"gate": GATE},
        process={"environment": records.environment_facts()},  # so that another PyTorch or NumPy is another input
        documents={"audit_run": audit.model_dump(mode="json")},  # `finish` adds the changes
    )
    report = gate.judge(gate.parse_gate({"checks": GATE}), gate.gate_record(run.finish(draft).snapshot))
    print("observed", audit.flash.kernels, *change.summary(engine.history).changes[0].story, sep="\n  ")
    print(f"gate: {report.verdict}", *(f"{check.metric}: {check.reason}" for check in report.checks), sep="\n  ")
    raise SystemExit(report.exit_code)
