"""The whole stack in containers, with simulated hardware and cloud: how the stories start it, look at it and hurt it.

usage: stack.py        takes away what an interrupted run left: containers that are always restarted come back with the engine
"""
import json
import os
import shlex
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROJECT = os.environ.get("TM_STACK", "tmstack")
FILES = ["docker-compose.yml", "tests/stack/docker-compose.sim.yml"]
SERVICES = ["mqtt", "modem", "gnss", "sensors", "io", "uplink", "api", "agent"]
OURS = [name for name in SERVICES if name != "mqtt"]
TOKEN = "a-token-of-the-test-stack"
PAGE = "http://127.0.0.1"
STARTED = time.monotonic()


def say(text):
    print(f"[{time.monotonic() - STARTED:6.1f} s] {text}", flush=True)


def run(*command, check=True, text=None, timeout=600):
    done = subprocess.run(command, cwd=ROOT, input=text, capture_output=True, text=True, timeout=timeout)
    if check and done.returncode:
        raise AssertionError(f"{shlex.join(command)}: exit code {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-3000:]}")
    return done


def compose(*words, extra=(), check=True):
    files = [word for file in [*FILES, *extra] for word in ("-f", str(file))]
    return run("docker-compose", "-p", PROJECT, *files, *words, check=check)


def remove():
    """Takes the stack away with its volumes, and with the disks that an interrupted story has left mounted on them."""
    mounts = [line.split()[:2] for line in Path("/proc/mounts").read_text().splitlines()]
    left = {device for device, place in mounts if f"/volumes/{PROJECT}_" in place}
    if left:
        compose("stop", "-t", "2")
    for device, place in reversed(mounts):
        if device in left:
            run("umount", place)
    done = compose("down", "-v", "--remove-orphans", "-t", "2", check=False)
    if done.returncode:
        # The engine (20.10) miscounts a network's endpoints when many containers leave at once, and keeps the network
        # until it is started again. It is empty, and the next stack uses it.
        assert "has active endpoints" in done.stderr and not ours("container"), done.stderr[-3000:]
        say("the engine keeps the empty network")
        if volumes := ours("volume"):
            run("docker", "volume", "rm", *volumes)


def ours(kind):
    """What the engine has of the stack: names of volumes, or of containers."""
    words = ["ps", "-aq"] if kind == "container" else ["volume", "ls", "-q"]
    return run("docker", *words, "--filter", f"label=com.docker.compose.project={PROJECT}").stdout.split()


def is_privilege_granted():
    """A sandbox may refuse its engine the capabilities that a privileged container gets on a device."""
    return run("docker", "run", "--rm", "--privileged", "--entrypoint", "true", "eclipse-mosquitto:2.0.22", check=False).returncode == 0


def container(service):
    return f"{PROJECT}_{service}_1"


def inspect(service, form):
    return run("docker", "inspect", "-f", form, container(service)).stdout.strip()


def address(service):
    """Where the host reaches a container; its ports need not be published."""
    return inspect(service, "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}")


def pid(service):
    return int(inspect(service, "{{.State.Pid}}"))


def is_healthy(service):
    command = "/health" if service == "mqtt" else "/tm health"
    return run("docker", "exec", container(service), *command.split(), check=False, timeout=30).returncode == 0


def get(path, timeout=5, token=TOKEN):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with urllib.request.urlopen(urllib.request.Request(PAGE + path, headers=headers), timeout=timeout) as answer:
        return json.load(answer)


def look(path):
    """The answer, or None while there is none."""
    try:
        return get(path)
    except (OSError, ValueError, urllib.error.URLError):
        return None


def wait(what, condition, seconds=60, pause=0.25):
    """Waits for a condition; the time it took. Whatever it raises while the stack is hurt counts as not yet."""
    begun, last = time.monotonic(), None
    while time.monotonic() - begun < seconds:
        try:
            last = condition()
        except (AssertionError, OSError, KeyError, IndexError, TypeError, subprocess.TimeoutExpired) as error:
            last = repr(error)[:300]
        else:
            if last:
                took = time.monotonic() - begun
                say(f"  {what} after {took:.1f} s")
                return took
        time.sleep(pause)
    status = look("/api/v1/status")
    raise AssertionError(f"not within {seconds} s: {what}; last seen {last!r}; status {json.dumps(status)[:1500]}")


def reasons():
    """(service, code, arguments) of everything that is not simply well."""
    found = []
    for reason in get("/api/v1/status")["reasons"]:
        found.append((reason["service"], reason["code"], reason.get("args", {})))
    return found


def all_up(since=None, told_since=OURS):
    """None of our services is down, silent or degraded; some must have said so since a moment of the monotonic clock."""
    told = {service["service"]: service for service in get("/api/v1/status")["services"]}
    age_limit = float("inf") if since is None else (time.monotonic() - since) * 1000
    wrong = {}
    for name in OURS:
        service = told.get(name, {"status": None, "age_ms": None})
        if service["status"] != "up" or (name in told_since and service["age_ms"] > age_limit):
            wrong[name] = (service["status"], service["age_ms"])
    assert not wrong, wrong
    return True


def mosquitto(program, service, *words, check=True, text=None, timeout=60, user=None):
    """A client program on the host, talking to the broker in a container."""
    login = ["-u", user[0], "-P", user[1]] if user else []
    return run(program, "-h", address(service), *login, *words, check=check, text=text, timeout=timeout)


def credentials():
    user, password = run("docker", "exec", container("mqtt"), "cat", "/bus/credentials").stdout.strip().split(":")
    return user, password


class Cloud:
    """What arrives at the cloud: every poll by (source, run, n), decoded by the product's reference decoder."""

    def __init__(self):
        self.polls, self.unnumbered, self.stop = {}, {}, False
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def _listen(self):
        decoder = ROOT / "docs/columns_decode.py"
        # Files with announced dictionaries: a batch without records is one.
        known = tempfile.TemporaryDirectory()
        announced = []
        while not self.stop:
            try:
                listener = subprocess.Popen(
                    ["mosquitto_sub", "-h", address("cloud"), "-q", "1", "-i", "cloud-side", "-c", "-t", "tm/+/data", "-F", "%x"],
                    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            except AssertionError:
                time.sleep(0.5)
                continue
            for line in listener.stdout:
                payload = bytes.fromhex(line.strip())
                decoded = subprocess.run([sys.executable, decoder, *announced], input=payload, capture_output=True, check=True)
                if not decoded.stdout:
                    announced.append(f"{known.name}/{len(announced)}")
                    Path(announced[-1]).write_bytes(payload)
                for poll in map(json.loads, decoded.stdout.splitlines()):
                    if poll.get("run"):
                        self.polls.setdefault((poll["source"], poll["run"]), {})[poll["n"]] = poll["time"]
                    else:
                        self.unnumbered[poll["source"]] = self.unnumbered.get(poll["source"], 0) + 1
            listener.wait()
            time.sleep(0.5)

    def sources(self):
        return {source for source, _ in self.polls}

    def missing(self):
        """(source, run, n, when) of every poll that is missing between the first and the last that came of its run."""
        gaps = set()
        for (source, run_id), times in list(self.polls.items()):
            times = dict(times)
            for n in set(range(min(times), max(times) + 1)) - times.keys():
                before = max(known for known in times if known < n)
                gaps.add((source, run_id, n, f"after {times[before]}"))
        return gaps

    def newest(self, source):
        return sum(len(numbers) for (name, _), numbers in list(self.polls.items()) if name == source)


def cloud_goes_on(cloud, sources=("sensors", "gnss", "modem"), seconds=60):
    """Every one of these sources arrives at the cloud again."""
    before = {source: cloud.newest(source) for source in sources}
    wait("new measurements of every source at the cloud", lambda: all(cloud.newest(s) > before[s] for s in sources), seconds)


if __name__ == "__main__":
    remove()
    # The examples, and what the README starts under the folder's name.
    for project in ("tmexample", ROOT.name.lower()):
        left = run("docker", "ps", "-aq", "--filter", f"label=com.docker.compose.project={project}").stdout.split()
        if left:
            run("docker", "rm", "-f", "-v", *left)
