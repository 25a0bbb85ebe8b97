"""The public names with their signatures, one a line.

After a change that is meant, from the top of the repository:

    python -m tests.public.api > tests/public/api.txt
"""

import importlib
import inspect
import re

# Namespaces whose public names are all stable.
NAMESPACES = (
    "tf_rigl",
    "tf_rigl.accounting",
    "tf_rigl.algorithms",
    "tf_rigl.core.criteria",
    "tf_rigl.core.structures",
    "tf_rigl.data.datasets",
    "tf_rigl.data.registry",
    "tf_rigl.models.character_rnn",
    "tf_rigl.models.conv",
    "tf_rigl.models.lenet5",
    "tf_rigl.models.mlp",
    "tf_rigl.models.mobilenet",
    "tf_rigl.models.registry",
    "tf_rigl.models.resnet",
    "tf_rigl.models.vgg",
    "tf_rigl.models.vision_transformer",
    "tf_rigl.masking.layer_rules",
    "tf_rigl.models.wide_resnet",
    "tf_rigl.native",
    "tf_rigl.results",
    "tf_rigl.tfmot",
    "tf_rigl.wann",
)


def public_names(module):
    """Names that a namespace offers: `__all__`, else what it makes or names.

    A package without `__all__` names by `from x import y as y`, or finds a
    name when it is first used, so that `vars` would depend on what has been;
    a module offers what it defines.
    """
    if hasattr(module, "__all__"):
        return sorted(module.__all__)
    home = "tf_rigl" if hasattr(module, "__path__") else module.__name__
    named = {n: getattr(module, n) for n in dir(module) if n[0] != "_"}
    return [
        name
        for name, value in named.items()
        if (inspect.isclass(value) or inspect.isfunction(value))
        and value.__module__.startswith(home)
    ]


def signature(function):
    """Arguments and defaults; types differ between versions of Python."""
    given = inspect.signature(function)
    bare = given.replace(
        parameters=[
            one.replace(annotation=one.empty)
            for one in given.parameters.values()
        ],
        return_annotation=given.empty,
    )
    # What is told by its address only.
    return re.sub(r" at 0x[0-9a-f]+", "", str(bare))


def lines_of(full_name, value):
    """The lines of one name: itself, then what the class itself adds."""
    if inspect.ismodule(value):
        return [full_name]
    lines = [full_name + signature(value)]
    if inspect.isclass(value):
        lines += [
            f"{full_name}.{name}" + member_signature(member)
            for name, member in sorted(vars(value).items())
            if is_member(member) and is_new(value, name)
        ]
    return lines


def is_new(cls, name):
    inherited = any(hasattr(base, name) for base in cls.__mro__[1:])
    of_keras = name.startswith("on_") or name == "set_model"
    return not (name.startswith("_") or inherited or of_keras)


def is_member(value):
    return inspect.isfunction(value) or isinstance(
        value, (property, classmethod, staticmethod)
    )


def member_signature(member):
    if isinstance(member, property):
        return ""
    return signature(getattr(member, "__func__", member))


def describe():
    lines = []
    told = {}
    for namespace in NAMESPACES:
        module = importlib.import_module(namespace)
        for name in public_names(module):
            value = getattr(module, name)
            full_name = f"{namespace}.{name}"
            if value in told:
                lines.append(f"{full_name} = {told[value]}")
            else:
                told[value] = full_name
                lines += lines_of(full_name, value)
    return "".join(f"{line}\n" for line in lines)


if __name__ == "__main__":
    print(describe(), end="")
