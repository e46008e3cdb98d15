"""The store's own tests, on a bucket beside memory and a directory: coordinator/src/store."""

import re
import shutil
import subprocess

from bench import BUCKET

ROOT = __file__.rpartition("/tests/deploy/")[0]
# As `cargo test --release --workspace` builds it, so that nothing is built again.
COMMAND = ["cargo", "test", "--release", "--workspace", "--lib", "store::"]


def store_tests(bench):
    if not shutil.which("cargo"):
        return "SKIPPED: the store's tests on the bucket: no cargo here"
    where = {"BABELQUANT_TEST_S3": f"s3://{BUCKET}/tests"}
    done = subprocess.run(COMMAND, cwd=ROOT, env=bench.environment(**where), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-3000:]
    passed = sum(int(count) for count in re.findall(r"test result: ok\. (\d+) passed", done.stdout))
    prefixes = {name.partition("/")[0] for name in bench.objects("tests")}
    assert passed > 0 and len(prefixes) > 5, f"{passed} tests passed, and left {len(prefixes)} outputs in the bucket"
    return f"the store's {passed} tests, with {len(prefixes)} outputs of theirs in the bucket"
