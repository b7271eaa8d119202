#!/usr/bin/env bash
# Gradescope runs this once, when it builds the image.
#
# Ubuntu 22.04 has Python 3.10, and the homework's libraries need 3.11. uv brings a pinned build
# of Python and pinned wheels, among them PyTorch's for the CPU; no conda, nothing is compiled.
set -euo pipefail

root="${AUTOGRADER_ROOT:-/autograder}"
export DEBIAN_FRONTEND=noninteractive
export UV_PYTHON_INSTALL_DIR="$root/python" # not in root's home: submissions run as another user
export UV_CACHE_DIR="$root/uv-cache"

if ! python3 -m venv "$root/uv" 2>/dev/null; then
  apt-get update
  apt-get install -y --no-install-recommends python3 python3-venv ca-certificates
  python3 -m venv --clear "$root/uv"
fi
"$root/uv/bin/python" -m pip install --quiet --only-binary :all: "uv==@UV@"
uv="$root/uv/bin/uv"

"$uv" venv --python "@PYTHON@" "$root/venv"
"$uv" pip install --python "$root/venv/bin/python" --no-deps --only-binary :all: \
  --torch-backend cpu --requirement "$root/source/requirements.txt"
rm -rf "$UV_CACHE_DIR"

# pyplot looks for fonts once; without this every check of a submission that draws would do so
if "$root/venv/bin/python" -c 'import matplotlib' 2>/dev/null; then
  MPLCONFIGDIR="$root/fonts" "$root/venv/bin/python" -c 'import matplotlib.pyplot'
fi

chmod -R go-rwx "$root/source"
cd "$root/source"
"$root/venv/bin/python" -B -m autograder.gradescope check
