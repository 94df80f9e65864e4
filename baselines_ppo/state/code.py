"""Which code this is: what tells versions and edits apart."""

from __future__ import annotations

import hashlib
from pathlib import Path

WITHOUT_EFFECT = {".pyc", ".jpg", ".gif"}  # on what is computed
AGENTS = "zoo/agents/"


def code_digest() -> str:
    """Return a short digest of this package's own files, code and robots, which tells versions and edits apart."""
    digest, root = hashlib.sha256(), Path(__file__).parent.parent
    linked = [path for path in root.iterdir() if path.is_symlink() and path.is_dir()]  # in a checkout
    files = {path.relative_to(root).as_posix(): path for folder in (root, *linked) for path in folder.rglob("*")}
    for name, path in sorted(files.items()):
        if path.is_file() and path.suffix not in WITHOUT_EFFECT and not name.startswith(AGENTS):
            digest.update(name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]
