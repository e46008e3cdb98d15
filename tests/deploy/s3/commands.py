"""The commands with a bucket as output, without faults, and what they say of a bucket that cannot be used."""

import re

from bench import BUCKET, Coordinator, files_below, measurement, worker
from proxy import Fault, Proxy

# What depends on when or where it was written.
OWN = ("study.toml", "run.json")


def one_machine(bench):
    out = f"s3://{BUCKET}/run"
    said = bench.command("run", bench.study / "study.toml", "--out", out)
    assert f"results are in {out}; the page to look at: {out}/analysis/report.html" in said, said
    files = bench.check("run")
    found = bench.objects("run")
    assert found.keys() == bench.expected.keys(), found.keys() ^ bench.expected.keys()
    differ = [name for name, body in found.items() if name not in OWN and body != bench.expected[name]]
    assert not differ, f"{differ} differ from those of a directory"
    assert bench.command("run", bench.study / "study.toml", "--out", f"{out}/"), "a complete run ends at once, with its report"
    return f"run: {files} files of the measurement and {len(found) - files} others are those of a directory"


def later_commands(bench):
    out = f"s3://{BUCKET}/run"
    bench.command("report", out)
    said = bench.command("run", bench.study / "more.toml", "--out", f"s3://{BUCKET}/more", "--reuse", out, RUST_LOG="info")
    taken = re.search(r"results taken over .*?units=(\d+) of=(\d+)", said)
    assert taken and 0 < int(taken[1]) < int(taken[2]), said
    more = bench.place / "more"
    bench.command("run", bench.study / "more.toml", "--out", more, "--reuse", f"s3://{BUCKET}/more")
    assert measurement(files_below(more)) == measurement(bench.objects("more")), "reused by a directory"
    said = bench.command("correlate", f"s3://{BUCKET}/more", "--x", "fertility", "--y", "delta_nll", code=2)
    assert f"s3://{BUCKET}/more/analysis/sensitivity.parquet: a correlation needs 3 rows" in said, said
    recipe = bench.place / "recipe"
    bench.command("recipe", f"s3://{BUCKET}/more", "--budget", "3.5bpw", "--no-verify", "--out", recipe)
    assert (recipe / "recipe.json").exists()
    said = bench.command("run", bench.study / "more.toml", "--out", out, code=78)
    assert "the output holds another study" in said, said
    return f"report, recipe and --reuse: {taken[1]} of {taken[2]} units were taken over from the bucket"


def encrypted(bench):
    """Both sides of TLS in one program: the bucket's, as a client, and the workers', as a server."""
    certificates = bench.place / "certs"
    bench.command("certs", certificates, "--host", "localhost", "--host", "127.0.0.1")
    pair = certificates / "coordinator.pem", certificates / "coordinator-key.pem"
    proxy = Proxy(bench.server_port, certificate=pair)
    secure = {"AWS_ENDPOINT_URL": f"https://localhost:{proxy.port}", "AWS_ALLOW_HTTP": None, "SSL_CERT_FILE": str(certificates / "ca.pem")}
    coordinator = Coordinator(bench, "tls", "tls", "--tls", certificates, **secure)
    worker(bench, "tls-worker", coordinator, "--tls", certificates)
    coordinator.ends_with(0)
    files = bench.check("tls")
    assert proxy.requests > files
    said = bench.command("report", f"s3://{BUCKET}/tls", code=75, **secure | {"SSL_CERT_FILE": None})
    assert "certificate" in said, said
    return f"the bucket and the workers over TLS: {files} files are those of the run without faults"


def refusals(bench):
    study, out = bench.study / "study.toml", f"s3://{BUCKET}/refused"
    run = ("run", study, "--out", out)

    def says(*words, code, command=run, **more):
        said = bench.command(*command, code=code, **more)
        assert all(word in said for word in words), said

    says("there is no such bucket; make it first", code=2, command=("run", study, "--out", "s3://absent/x"))
    says("there is no such bucket", code=2, command=("report", "s3://absent/x"))
    says("holds no run", code=2, command=("report", f"s3://{BUCKET}/empty"))
    says("is not encrypted; AWS_ALLOW_HTTP=true allows it", code=2, AWS_ALLOW_HTTP=None)
    bench.proxy.set(Fault("keys refused", "refuse", lambda request: True, times=9, status=403))
    says("refuses the keys", "AWS_ACCESS_KEY_ID", "InvalidAccessKeyId", code=77)
    bench.proxy.set()
    nowhere = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None, "AWS_METADATA_ENDPOINT": "http://127.0.0.1:9"}
    says("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set", code=75, **nowhere)
    says("AWS_SECRET_ACCESS_KEY is not", code=2, AWS_SECRET_ACCESS_KEY=None)
    says("cannot list", "127.0.0.1:9", code=75, port=9)
    # A server that does not know conditional writes.
    bench.proxy.set()
    bench.proxy.strip = ("if-none-match",)
    says("its server ignores If-None-Match", code=2)
    bench.proxy.strip = ()
    says("no directory, and no URL such as s3://", code=2, command=("run", study, "--out", "gs://bucket/x"))
    return "refusals: each says what is wrong and ends with its code"


def silent_from_the_start(bench):
    bench.proxy.set(Fault("first answer held", "hold", lambda request: True, times=9))
    said = bench.command("report", f"s3://{BUCKET}/run", code=75)
    assert "has not answered for 20 s" in said, said
    return "a server that says nothing from the start: the command ends with 75 and says so"


# one_machine comes first.
SCENARIOS = [later_commands, encrypted, refusals, silent_from_the_start]
