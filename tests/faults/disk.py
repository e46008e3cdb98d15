"""A disk for an output: a tmpfs that a ballast file fills to the last byte."""

import contextlib
import os
import subprocess

SIZE = "32m"


class Disk:
    def __init__(self, folder):
        self.folder, self.ballast = folder, folder / "ballast"
        folder.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "babelquant-faults", str(folder)], check=True)

    def fill(self):
        with self.ballast.open("ab", buffering=0) as file:
            for size in (1 << 20, 1 << 12):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(bytes(size))

    def is_full(self):
        return os.statvfs(self.folder).f_bavail == 0

    def empty(self):
        self.ballast.unlink(missing_ok=True)

    def close(self):
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)
