"""Values that change over the steps of a training run."""

import math


def linear_warmup(step: int, steps: int, start: float, end: float) -> float:
    """From `start` at step 0 to `end` at step `steps`, and `end` ever after: DINO's teacher temperature.

    Args:
        step: number of the step, the first is 0.
        steps: length of the rise; 0 is `end` from the first step on.
        start: first value.
        end: last value.
    """
    return end if step >= steps else start + (end - start) * step / steps


def warmup_cosine(step: int, steps: int, *, warmup_steps: int, peak: float, final: float, start: float = 0.0) -> float:
    """A linear rise, then half a cosine: learning rate and, with no warm-up, weight decay and teacher momentum.

    Args:
        step: number of the step, the first is 0.
        steps: steps of the whole run; from there on the value is `final`.
        warmup_steps: steps of the rise, fewer than `steps`.
        peak: value at the end of the rise.
        final: value at the end of the run.
        start: value at step 0 of the rise.

    Source: SGDR (Loshchilov and Hutter, 2016) with the warm-up of Goyal et al., 2017, as in DINO.
    """
    if step < warmup_steps:
        return linear_warmup(step, warmup_steps, start, peak)
    share = min(1.0, (step - warmup_steps) / (steps - warmup_steps))
    return final + (peak - final) * (1 + math.cos(math.pi * share)) / 2
