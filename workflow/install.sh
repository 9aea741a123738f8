#!/bin/sh
# Makes .venv from the locks, in the folder that it is called in; `make` calls it each time. It does
# nothing if .venv is whole and made here from these locks, and starts over if not: what was left
# half-made by a kill can look installed to pip. What pip has downloaded is taken from its cache.
#
#   PYTHON=/path/to/python3.11   else python3.11 or python3, else one that uv brings
#   TORCH_INDEX=URL              takes torch from this index, that of its CPU builds say; .venv remembers
set -u
export PIP_DISABLE_PIP_VERSION_CHECK=1
py=.venv/bin/python
log=.venv/install.log
lock="requirements.lock requirements-cuda.lock"
TORCH_INDEX=${TORCH_INDEX-$(sed -n 3p .venv/ready 2>/dev/null)}

made_from() { pwd -P; cat $lock pyproject.toml workflow/install.sh | cksum; echo "$TORCH_INDEX"; }
suits() { "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; }
fail() { echo "install: $*" >&2; exit 1; }

# The line of a failed command's output that says most.
reason() {
    if grep -qE 'connection broken by|confirming the ssl certificate' $log &&
        grep -q 'from versions: none' $log; then
        cause=$(sed -n "s/.*connection broken by .*\] \([^'\"()]*[^'\"() ]\).*/\1/p" $log | head -n 1)
        echo "no connection to the package index${cause:+ ($cause)}"
    else
        { grep -E '^ *(ERROR|error|ModuleNotFoundError):' $log; grep . $log | tail -n 1
        } | head -n 1 | cut -c 1-300
    fi
}

step() {    # WHAT COMMAND...
    what=$1; shift
    echo "install: $what"
    "$@" >$log 2>&1 </dev/null ||
        fail "$what failed: $(reason). All of it is in $log; the same command tries again."
}

[ "$(cat .venv/ready 2>/dev/null)" = "$(made_from)" ] && $py -c '' 2>/dev/null && exit

python=
for candidate in "${PYTHON:-python3.11}" "${PYTHON:-python3}"; do
    suits "$candidate" && python=$candidate && break
done
if [ -z "$python" ] && { [ -n "${PYTHON-}" ] || ! command -v uv >/dev/null; }; then
    fail "${PYTHON:-python3} is not Python 3.11 with its module venv: install that (Debian:" \
        "python3.11-venv), or uv, which brings it, or say PYTHON=/path/to/python3.11"
fi

echo "install: packages into .venv, which takes minutes"
rm -rf .venv && mkdir .venv || fail ".venv cannot be made anew"
if [ -n "$python" ]; then
    step "a virtual environment in .venv" "$python" -m venv .venv
else
    step "a virtual environment in .venv, with a Python 3.11 by uv" \
        uv venv --seed --python 3.11 --allow-existing .venv
fi
if [ -n "$TORCH_INDEX" ]; then
    step "torch from $TORCH_INDEX" $py -m pip install --no-deps --index-url "$TORCH_INDEX" \
        "$(grep '^torch==' requirements.lock)"
fi
step "the packages of requirements.lock" $py -m pip install --no-deps -r requirements.lock
# A CPU build requires nothing more; a CUDA build names its CUDA libraries.
step "what this build of torch needs beside them (for CUDA, 3 GB)" \
    $py -m pip install -c requirements.lock -c requirements-cuda.lock torch
step "this project" $py -m pip install --no-deps --no-build-isolation -e .
step "a test of torch" $py -c 'import torch'
made_from >.venv/ready
