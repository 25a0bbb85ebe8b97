# Makes the virtual environment of this checkout. To be sourced:
#
#     source "$(dirname "${BASH_SOURCE[0]}")/setup_venv.sh"
#     setup_venv test
#     "$VENV/bin/python" ...
#
# shellcheck shell=bash

# Makes .venv in the root of the checkout if it is missing, and installs the
# package in place with the named extras, which compiles the native library,
# unless that has been done since setup.py or the library's sources last
# changed. Sets VENV.
#
# Arguments: the extras, separated by commas.
# Environment: PYTHON, the interpreter for a new environment; else python3.
setup_venv() {
    local extras=$1
    local root
    root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
    VENV=$root/.venv
    create_venv "${PYTHON:-python3}"
    install_package "$root" "$extras"
}

create_venv() {
    local python=$1
    # An environment without pip is one whose creation was interrupted.
    if "$VENV/bin/python" -m pip --version >/dev/null 2>&1; then
        return
    fi
    if ! "$python" -c 'import sys; sys.exit(
            not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
        echo "A Python from 3.10 to 3.13 is needed. Received:" \
            "$("$python" --version 2>&1). Set PYTHON to another one." >&2
        return 1
    fi
    echo "== Making a virtual environment in $VENV"
    "$python" -m venv "$VENV"
}

install_package() {
    local root=$1 extras=$2
    local stamp=$VENV/.installed-$extras
    local state
    # The root is part of it because an editable install holds the path.
    state=$(echo "$root" | cat - "$root/setup.py" "$root/tf_rigl/version.py" \
        "$root/tf_rigl/native/build.py" "$root"/tf_rigl/native/src/{*,*/*}.{cc,h})
    if [[ -e $stamp && $state == "$(<"$stamp")" ]]; then
        return
    fi
    echo "== Installing tf_rigl[$extras] into $VENV"
    # Of 12,000 modules that would be compiled now, few are ever imported: this
    # saves a third of the time, and the first import takes 5 s longer.
    (cd "$root" && "$VENV/bin/python" -m pip install --no-compile --no-input \
        -e ".[$extras]")
    # The build leaves this folder, whose version would become outdated.
    rm -rf "$root/tf_rigl.egg-info"
    echo "$state" >"$stamp"
}
