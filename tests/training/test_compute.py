import pytest
import torch
from accelerate.state import AcceleratorState
from torch import nn

from severstal_xai.errors import InputError
from training.compute import bf16_features, choose_compute, judge_cpu, seconds_of_a_step
from training.settings import Precision

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("features", "float32", "bf16", "chosen"),
    [
        ([], 1.0, 0.1, torch.float32),  # a trial that others' work disturbed does not count
        (["amx_bf16"], 1.0, 0.9, torch.float32),
        (["amx_bf16"], 1.0, 0.5, torch.bfloat16),
    ],
)
def test_bf16_is_taken_where_the_cpu_has_it_and_is_clearly_faster_in_it(
    features: list[str], float32: float, bf16: float, chosen: torch.dtype
) -> None:
    seconds = {torch.float32: float32, torch.bfloat16: bf16}
    assert judge_cpu(features, seconds.__getitem__)[0] == chosen


def test_the_choice_on_this_cpu_says_why() -> None:
    compute = choose_compute("cpu", "auto")
    assert compute.reason.startswith("this CPU has")
    assert bf16_features() or compute.precision == "float32"


def test_a_trial_takes_time() -> None:
    assert 0 < seconds_of_a_step(torch.float32) < 1


@pytest.mark.parametrize("precision", ["bf16", "float32"])
def test_a_precision_that_is_set_is_taken(precision: Precision) -> None:
    compute = choose_compute("cpu", precision)
    assert (compute.device, compute.precision, compute.reason) == (CPU, precision, "as set")
    assert (compute.index, compute.processes, compute.leads) == (0, 1, True)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused_and_auto_goes_without() -> None:
    with pytest.raises(InputError, match="device cuda, expected cpu or auto"):
        choose_compute("cuda", "float32")
    assert choose_compute("auto", "float32").device == CPU


def test_bf16_computes_in_bf16_and_gives_float32() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 5))
    images = torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    exact = choose_compute("cpu", "float32").logits(model, images)
    AcceleratorState._reset_state(reset_partial_state=True)
    rough = choose_compute("cpu", "bf16").logits(model, images)
    assert rough.dtype == exact.dtype == torch.float32
    assert torch.equal(rough, rough.bfloat16().float())  # nothing that bf16 cannot hold
    torch.testing.assert_close(rough, exact, rtol=0.03, atol=0.03)  # bf16 has 8 bits: 1 in 256
    assert not torch.equal(rough, exact)


def test_a_placed_model_has_the_same_weights_in_channels_last_order() -> None:
    convolution = nn.Conv2d(3, 4, 3)
    weights = convolution.weight.detach().clone()
    choose_compute("cpu", "float32").place(convolution)
    assert convolution.weight.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(convolution.weight, weights)
