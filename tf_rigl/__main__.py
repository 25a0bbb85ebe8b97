"""`python -m tf_rigl`: what this package is and where to find what."""

import argparse

from tf_rigl.version import __version__

DESCRIPTION = """\
Sparse training for Keras and TensorFlow: RigL and its family.

    import tf_rigl
    model = tf_rigl.sparsify(model, sparsity=0.9)
    model.fit(data, callbacks=[tf_rigl.UpdateMasks(tf_rigl.RigL())])

`help(tf_rigl)` lists what there is; README.md and docs/ of the source tell
how to use it, and so do these programs in its bin/:

    quickstart          trains on an embedded part of MNIST, dense and sparse
    train_mlp.py, train_cifar.py, train_resnet50.py, train_mobilenet.py,
    train_rnn.py        train one network
    sweep.py            trains by several methods, at sparsities, over seeds
    evaluate.py, report.py, inspect_model.py, profile_model.py
                        tell about a run, a model or a network
    export.py           writes a SavedModel or a LiteRT file
"""


def main(arguments: list[str] | None = None) -> None:
    """Prints the description or the version.

    Args:
        arguments: of the command line; None: those of this process.
    """
    parser = argparse.ArgumentParser(
        "python -m tf_rigl",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version", action="version", version=f"tf_rigl {__version__}"
    )
    parser.parse_args(arguments)
    parser.print_help()


if __name__ == "__main__":
    main()
