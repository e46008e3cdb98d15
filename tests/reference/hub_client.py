"""Downloads a snapshot with huggingface_hub and prints the SHA-256 of each file as JSON.

Usage: hub_client.py REPOSITORY REVISION FILE... ; HF_ENDPOINT, HF_HUB_CACHE and HF_HUB_OFFLINE as huggingface_hub reads them.
Run by tests/it/hub.rs against its stand-in for the hub; the version is pinned in hub.txt.
"""

import hashlib
import json
import pathlib
import sys

from huggingface_hub import snapshot_download

repository, revision, *files = sys.argv[1:]
folder = pathlib.Path(snapshot_download(repository, revision=revision, allow_patterns=files, max_workers=1))
digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
print(json.dumps(digests, indent=1))
