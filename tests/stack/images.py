#!/usr/bin/env python3
"""Sizes and start of every service's binary, as shipped: a table arch x service, held against the budget.

The x86_64 binaries are taken out of the built images, those for aarch64 from dist/aarch64 (`blocks/dist aarch64`), where
they run under qemu-user with the instruction set of the Raspberry Pi 4. Each is started with nothing around it, no broker,
no network, no hardware, and asked for its health as a container's health check does.

usage: images.py        needs the built images, dist/aarch64 and, on another machine, qemu-user-static
"""
import gzip
import os
import platform
import subprocess
import tempfile
import time
from pathlib import Path

from stack import PROJECT, ROOT, run

SERVICES = ["modem", "gnss", "sensors", "uplink", "api", "agent"]
LIMIT_MIB = {"aarch64": 12, "x86_64": 14}
DEADLINE_S = 20


def from_image(service, folder):
    name = f"tm-take-{service}"
    run("docker", "rm", "-f", name, check=False)
    run("docker", "create", "--name", name, f"{PROJECT}_{service}")
    run("docker", "cp", f"{name}:/tm", f"{folder}/tm-{service}")
    run("docker", "rm", name)
    return Path(folder, f"tm-{service}")


def healthy_after(runner, binary, folder):
    """Milliseconds from the start until its own health check succeeds."""
    data = Path(folder, f"{binary.name}-data")
    data.mkdir()
    environment = {
        "TM_DATA_DIR": str(data), "TM_BUS_URL": "mqtt://127.0.0.1:9", "TM_LOG_LEVEL": "warn",
        # An instance of its own name has variables of its own.
        "TM_INSTANCE": f"{binary.name.removeprefix('tm-')}-try", "TM_API_TRY_LISTEN": "127.0.0.1:0",
        "QEMU_CPU": "cortex-a72", "PATH": os.environ["PATH"],
    }
    begun = time.monotonic()
    with open(data / "log", "w") as log:
        process = subprocess.Popen([*runner, str(binary)], env=environment, stdout=log, stderr=log)
    try:
        while subprocess.run([*runner, str(binary), "health"], env=environment, capture_output=True).returncode:
            assert process.poll() is None, f"{binary.name} ended:\n{(data / 'log').read_text()[-1500:]}"
            assert time.monotonic() - begun < DEADLINE_S, f"{binary.name} is not healthy after {DEADLINE_S} s"
            time.sleep(0.005)
        took = time.monotonic() - begun
        process.terminate()
        assert process.wait(10) == 0, f"{binary.name} ended with {process.returncode}:\n{(data / 'log').read_text()[-1500:]}"
        return took * 1000
    finally:
        process.kill()
        process.wait()


def main():
    here = platform.machine()
    failures, n_passed = [], 0
    with tempfile.TemporaryDirectory() as folder:
        print(f"{'':9}{'arch':9}{'binary MiB':>12}{'gzip MiB':>10}{'healthy after':>15}")
        for arch in ("x86_64", "aarch64"):
            runner = [] if arch == here else [f"qemu-{arch}-static"]
            total = 0
            for service in SERVICES:
                binary = from_image(service, folder) if arch == here else ROOT / "dist" / arch / f"tm-{service}"
                size, packed = binary.stat().st_size, len(gzip.compress(binary.read_bytes(), 9))
                total += packed
                where = tempfile.mkdtemp(dir=folder)
                took = healthy_after(runner, binary, where)
                note = " under qemu-user" if runner else ""
                print(f"{service:9}{arch:9}{size / 2**20:12.2f}{packed / 2**20:10.2f}{took:12.0f} ms{note}")
                n_passed += 1
            limit = LIMIT_MIB[arch]
            print(f"{'together':9}{arch:9}{'':12}{total / 2**20:10.2f}   limit {limit}")
            if total > limit * 2**20:
                failures.append(f"{arch}: {total / 2**20:.2f} MiB")
    for failure in failures:
        print("over the limit:", failure)
    print(f"{n_passed} passed, {len(failures)} failed")
    raise SystemExit(bool(failures))


if __name__ == "__main__":
    main()
