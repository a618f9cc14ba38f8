"""A training of Transformers' as a run: one more line, the callback. A tiny random model, and nothing is downloaded."""

import torch
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainerCallback, TrainingArguments

from seedbed.integrations import TransformersCallback

torch.manual_seed(0)
sizes = LlamaConfig(
    vocab_size=32,
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=32,
)


def counted(start: int) -> dict[str, torch.Tensor]:
    """Numbers that go up by one, which the model learns to go on with."""
    numbers = (start + torch.arange(16)) % sizes.vocab_size
    return {"input_ids": numbers, "labels": numbers}


class Halve(TrainerCallback):
    """Halves the learning rate half-way."""

    def on_step_end(self, _args: object, _state: object, _control: object, **_: object) -> None:
        if callback.run.step == 12:
            callback.run.propose("lr", scale=0.5, why="half of the steps are done")


callback = TransformersCallback(project="counting", config={"seed": 0}, gate=["changes.effective == 1"])
arguments = TrainingArguments(
    output_dir="checkpoints",
    max_steps=24,
    per_device_train_batch_size=8,
    gradient_accumulation_steps=2,
    learning_rate=3e-3,
    logging_steps=5,
    eval_strategy="steps",
    eval_steps=12,
    save_steps=12,
    report_to=[],
    use_cpu=True,
)
data = [counted(start) for start in range(32)]
trainer = Trainer(
    LlamaForCausalLM(sizes), arguments, train_dataset=data, eval_dataset=data[:8], callbacks=[callback, Halve()]
)
trainer.train()
raise SystemExit(callback.run.exit_code)
