"""`tf_rigl.native.Plan`, and what is written as a plan."""

import concurrent.futures
import dataclasses
import shutil
import subprocess

import numpy as np
import pytest

import tf_rigl
from tests.native import cases
from tests.native import plan_cases
from tests.native import plan_reference
from tests.support import run_python
from tf_rigl.native import Plan
from tf_rigl.native import build
from tf_rigl.native import library
from tf_rigl.native import plan_file
from tf_rigl.native.plan_graph import Graph
from tf_rigl.native.plan_graph import Operation


def small_network():
    """Two inputs and two outputs, with names."""
    network = plan_cases.Network(np.random.default_rng(0), (4, 5, 3), (4, 5, 3))
    both = network.add("add", (0, 1), (4, 5, 3), {"activation": "relu"})
    flat = network.add("reshape", (both,), (60,))
    kernel = network.kernel(60, 7, fan=60)
    last = network.add("dense", (flat,), (7,), {}, {"kernel": kernel})
    graph = network.graph(both, last)
    return dataclasses.replace(
        graph, input_names=("left", "right"), output_names=("sum", "scores")
    )


def inputs_for(batch):
    random = np.random.default_rng(1)
    return [
        random.normal(size=(batch, 4, 5, 3)).astype(np.float32)
        for _ in range(2)
    ]


@cases.needs_library
def test_a_file_has_names_and_shapes(tmp_path):
    path = tmp_path / "model.plan"
    plan_file.write(small_network(), path)
    assert [one.name for one in tmp_path.iterdir()] == ["model.plan"]
    plan = tf_rigl.native.Plan(path)
    assert plan.inputs == (("left", (4, 5, 3), 0), ("right", (4, 5, 3), 0))
    assert plan.outputs == (("sum", (4, 5, 3), 0), ("scores", (7,), 0))
    assert repr(plan) == (
        f"<Plan {path}: left [batch, 4, 5, 3], right [batch, 4, 5, 3] "
        "to sum [batch, 4, 5, 3], scores [batch, 7]>"
    )
    assert 4 * 7 < plan.buffer_bytes < 10_000


@cases.needs_library
@pytest.mark.parametrize("batch", [0, 1, 40])
def test_what_numpy_converts_safely_may_be_given(batch):
    graph = small_network()
    plan = Plan(plan_file.encode(graph))
    left, right = (np.round(one * 3) for one in inputs_for(batch))
    expected = plan_reference.run(graph, left, right)
    found = plan(left.astype(np.float64), right.astype(np.int8))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
    # Not contiguous.
    again = plan(np.asfortranarray(left), right[:, ::-1][:, ::-1])
    assert np.array_equal(again[1], found[1])


@cases.needs_library
def test_wrong_inputs_are_errors_that_say_so():
    plan = Plan(plan_file.encode(small_network()))
    left, right = inputs_for(2)
    with pytest.raises(ValueError, match=r"2 arrays, for left, right\. .* 1 a"):
        plan(left)
    with pytest.raises(ValueError, match=r"left must be .* \(batch, 4, 5, 3\)"):
        plan(left[:, :3], right)
    with pytest.raises(ValueError, match=r"right must .*shape=\(4, 5, 3\)"):
        plan(left, right[0])
    with pytest.raises(ValueError, match=r"same batch.*2, 1 examples"):
        plan(left, right[:1])
    with pytest.raises(TypeError, match=r"right must be of floats.*complex64"):
        plan(left, right.astype(np.complex64))


@cases.needs_library
def test_what_the_first_call_measures_can_be_stored():
    random = np.random.default_rng(0)
    network = plan_cases.Network(random, (512,))
    kernel = random.normal(size=(512, 512)) * (random.random((512, 512)) < 0.1)
    kernel = kernel.astype(np.float32)
    content = plan_file.encode(
        network.graph(
            network.add("dense", (0,), (512,), {}, {"kernel": kernel})
        )
    )
    x = random.normal(size=(1, 512)).astype(np.float32)
    plan = Plan(content)
    assert plan.tuning == "-"
    expected = plan(x)
    # Without AVX-512 there is nothing to choose.
    chosen = "gp" if library.cap_level(2) == "avx512" else "-"
    assert plan.tuning in chosen

    for tuning in "gp":
        tuned = Plan(content, tuning=tuning)
        assert np.array_equal(tuned(x), expected)
        assert tuned.tuning == tuning
    assert Plan(content, tuning="-").tuning == "-"
    for wrong in ("", "gg", "x"):
        with pytest.raises(
            ValueError, match=r"tuning is not of this plan.*same"
        ):
            Plan(content, tuning=wrong)


@cases.needs_library
def test_two_threads_may_run_one_plan():
    graph = plan_cases.random_network(
        4, ["convolution", "convolution", "pool", "reshape", "dense", "dense"]
    )
    plan = Plan(plan_file.encode(graph), threads=2)
    random = np.random.default_rng(0)
    batches = [
        random.normal(size=(1 + i % 37, *graph.shapes[0])).astype(np.float32)
        for i in range(60)
    ]
    expected = [plan(batch) for batch in batches]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            for one, same in zip(
                pool.map(plan, batches), expected, strict=True
            ):
                assert np.array_equal(one, same)


@cases.needs_library
def test_a_process_without_tensorflow_is_small(tmp_path):
    """NumPy alone is needed: 60 MB, and what the file and its buffers take."""
    path = tmp_path / "model.plan"
    plan_file.write(small_network(), path)
    code = f"""
import re, sys
import numpy as np
import tf_rigl.native
plan = tf_rigl.native.Plan({str(path)!r})
plan(*(np.ones((1, 4, 5, 3)) for _ in range(2)))
heavy = {{"tensorflow", "keras", "tf_keras", "absl"}} & set(sys.modules)
status = open("/proc/self/status").read()
print(len(heavy), re.search(r"VmHWM:\\s+(\\d+)", status)[1])
"""
    heavy, kilobytes = map(int, run_python("-c", code).split())
    assert heavy == 0
    assert kilobytes < 60_000


def _dense(**changes):
    kernel = np.ones((3, 2), np.float32)
    given = {
        "kind": "dense",
        "name": "head",
        "inputs": (0,),
        "output": 1,
        "arrays": {"kernel": kernel},
    }
    return Graph(((3,), (2,)), (0,), (1,), (Operation(**(given | changes)),))


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (_dense(kind="sparse"), "sparse 'head': The kind must be one of dense"),
        (_dense(arrays={}), "dense 'head': no 'kernel'"),
        (
            _dense(arrays={"kernel": np.ones((2, 3), np.float32)}),
            r"kernel must be \[3, outputs\]. Received: \(2, 3\)",
        ),
        (
            _dense(arrays={"kernel": np.ones((3, 5), np.float32)}),
            r"output must be of shape \(5,\). Received: \(2,\)",
        ),
        (
            _dense(arrays={"kernel": np.ones((3, 2), np.int8)}),
            "of floats. Received: kernel of int8",
        ),
        (_dense(attributes={"activation": "selu"}), "activation='selu'"),
        (_dense(inputs=(1,)), "made before it is used.*value 1 of 'head'"),
        (_dense(output=0), "one input or made by one operation"),
        (_dense(inputs=(0, 0)), "Received: 2 inputs"),
        (Graph(((3,),), (0,), (), ()), "at least one output"),
        (Graph(((3, 0),), (0,), (0,), ()), "all known and positive"),
        (Graph(((1, 1, 1, 1),), (0,), (0,), ()), "one to three dimensions"),
        (Graph(((2**30,),), (0,), (0,), ()), "at most 536870911 elements"),
    ],
)
def test_a_network_that_is_no_plan_is_an_error(graph, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        plan_file.write(graph, tmp_path / "model.plan")
    assert not list(tmp_path.iterdir())


def test_windows_that_do_not_fit_are_errors():
    image = (8, 8, 4)

    def operation(kind, attributes, output, **arrays):
        step = Operation(kind, "one", (0,), 1, attributes, arrays)
        return Graph((image, output), (0,), (1,), (step,))

    same = ((1, 1), (1, 1))
    kernel = np.ones((3, 3, 4, 6), np.float32)
    wrong = {
        "one for each": operation(
            "convolution",
            {"padding": same, "strides": (1, 1), "dilation": (0, 1)},
            image,
            kernel=kernel,
        ),
        "pair of numbers": operation(
            "convolution", {"padding": ((1, 1),)}, image, kernel=kernel
        ),
        "larger than the padded": operation(
            "convolution",
            {"padding": ((0, 0), (0, 0))},
            image,
            kernel=np.ones((9, 3, 4, 6), np.float32),
        ),
        "Groups must divide": operation(
            "convolution", {"padding": same, "groups": 4}, image, kernel=kernel
        ),
        "smaller than the size": operation(
            "pool",
            {
                "mode": "max",
                "size": (1, 1),
                "strides": (1, 1),
                "padding": same,
            },
            image,
        ),
        "mode='min'": operation("global_pool", {"mode": "min"}, (4,)),
        "elements must stay": operation("reshape", {}, (255,)),
    }
    for message, graph in wrong.items():
        with pytest.raises(ValueError, match=message):
            plan_file.encode(graph)


def test_a_precision_must_be_known():
    with pytest.raises(ValueError, match="precision='float64'"):
        plan_file.encode(small_network(), precision="float64")
    with pytest.raises(ValueError, match=r"dense 'head': .*65504.* 100000"):
        plan_file.encode(
            _dense(arrays={"kernel": np.full((3, 2), 1e5, np.float32)}),
            precision="float16",
        )


def _as_stored(kernel, precision):
    if precision == "float16":
        return kernel.astype(np.float16).astype(np.float32)
    flat = kernel.reshape(-1, kernel.shape[-1])
    scale = np.abs(flat).max(0) / np.float32(127)
    scale[scale == 0] = 1
    return (np.rint(flat / scale) * scale).reshape(kernel.shape)


@cases.needs_library
@pytest.mark.parametrize("precision", ["float16", "int8"])
@pytest.mark.parametrize("seed", range(6))
def test_other_precisions_are_those_of_the_file_alone(precision, seed):
    graph = plan_cases.random_network(seed, ["convolution", "dense", "dense"])
    stored = dataclasses.replace(
        graph,
        operations=tuple(
            dataclasses.replace(
                one,
                arrays={
                    **one.arrays,
                    "kernel": _as_stored(one.arrays["kernel"], precision),
                },
            )
            for one in graph.operations
        ),
    )
    random = np.random.default_rng(seed)
    x = random.normal(size=(3, *graph.shapes[0])).astype(np.float32)
    data = plan_file.encode(graph, precision=precision)
    assert len(data) <= len(plan_file.encode(graph))
    expected = plan_reference.run(stored, x)
    found = Plan(data)(x)
    for one, right in zip(
        found if isinstance(found, tuple) else (found,), expected, strict=True
    ):
        largest = np.abs(right).max(initial=0.03)
        assert np.abs(one - right).max(initial=0) < 3e-5 * largest


@pytest.mark.skipif(not shutil.which("gcc"), reason="needs gcc")
def test_the_header_is_plain_c(tmp_path):
    source = tmp_path / "main.c"
    source.write_text(
        '#include "rigl_plan.h"\n'
        "int main(void) { rigl_plan_close(NULL); return 0; }\n"
    )
    command = ["gcc", "-std=c99", "-pedantic-errors", "-Wall", "-Werror"]
    subprocess.run(
        [*command, "-fsyntax-only", f"-I{build.SOURCES}", source], check=True
    )
