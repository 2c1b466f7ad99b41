"""Follows the README literally: runs every shell block as it stands, in order.

Each block says in a comment above it what it is: `run`, `run: in the background until URL` or `… until URL says TEXT` (ended at the end),
`run: stage …` (another stage of .ci/run has done it) or `needs …` (a device, an account: not run, and named).

usage: readme.py
"""
import contextlib
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request

BLOCK = re.compile(r"(?:<!-- (?P<mark>.*?) -->\n)?```sh\n(?P<commands>.*?)```", re.DOTALL)


def until(wish, process, seconds=1200):
    url, _, text = wish.partition(" says ")
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                if text in answer.read().decode():
                    return
        except OSError:
            pass
        if process.poll() is not None:
            sys.exit(f"it ended with {process.returncode} before {url} answered")
        time.sleep(0.5)
    sys.exit(f"{url} did not answer within {seconds} s")


def end(processes):
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
    for process in processes:
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def main():
    background, n_run, n_named = [], 0, 0
    with open("README.md") as file:
        blocks = list(BLOCK.finditer(file.read()))
    try:
        for block in blocks:
            mark, commands = block["mark"], block["commands"]
            if not mark:
                sys.exit(f"not marked how it is tried:\n{commands}")
            print(f"--- {mark}\n{commands}", end="", flush=True)
            if mark.startswith("needs ") or mark.startswith("run: stage"):
                n_named += 1
            elif mark == "run":
                subprocess.run(["bash", "-euo", "pipefail", "-c", commands], check=True, timeout=600)
                n_run += 1
            elif mark.startswith("run: in the background until "):
                process = subprocess.Popen(["bash", "-euc", commands], start_new_session=True, stdout=subprocess.DEVNULL)
                background.append(process)
                until(mark.partition(" until ")[2], process)
                n_run += 1
            else:
                sys.exit(f"unknown mark: {mark}")
    finally:
        end(background)
    print(f"\n{n_run} blocks of the README run, {n_named} named as not run here")


if __name__ == "__main__":
    main()
