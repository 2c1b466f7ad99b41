#!/usr/bin/env python3
"""Every block alone, as the example in its folder starts it: one container of ours beside a plain Mosquitto.

usage: examples.py        needs the built images of the stack
"""
import json
import subprocess
import tempfile
from contextlib import suppress

from stack import PROJECT, ROOT, SERVICES, is_privilege_granted, run, say, wait

VERSION = (ROOT / "VERSION").read_text().strip()
PLAIN = "eclipse-mosquitto:2.0.22"


def plain_broker():
    """The examples name a file of the official image; a stand-in made from Debian's package may lack it."""
    if run("docker", "run", "--rm", "--entrypoint", "test", PLAIN, "-e", "/mosquitto-no-auth.conf", check=False).returncode:
        text = f"FROM {PLAIN}\nRUN printf 'listener 1883\\nallow_anonymous true\\n' > /mosquitto-no-auth.conf\n"
        run("docker", "build", "-q", "-t", PLAIN, "-", text=text)


def alone(service, may_be_privileged):
    file = ROOT / "blocks" / service / "example/docker-compose.yml"
    files = ["-f", str(file)]
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as overlay:
        if "privileged: true" in file.read_text() and not may_be_privileged:
            json.dump({"version": "2.4", "services": {service: {"privileged": False}}}, overlay)
            overlay.flush()
            files += ["-f", overlay.name]
            say("  this engine grants no privileges: without them")

        def compose(*words):
            return run("docker-compose", "-p", "tmexample", *files, *words)

        compose("up", "-d")
        try:
            name = f"tmexample_{service}_1"
            command = ["/health"] if service == "mqtt" else ["/tm", "health"]
            wait("healthy", lambda: run("docker", "exec", name, *command, check=False).returncode == 0, 30)
            if service != "mqtt":
                said = subprocess.Popen(
                    ["docker", "exec", "tmexample_mqtt_1", "mosquitto_sub", "-t", f"tm/v1/health/{service}", "-C", "1", "-W", "30"],
                    stdout=subprocess.PIPE, text=True)
                health = json.loads(said.communicate(timeout=40)[0])
                assert health["status"] in ("up", "degraded") and health["version"] == VERSION, health
                say(f"  {service} says {health['status']}: {[reason['code'] for reason in health['reasons']]}")
        finally:
            with suppress(AssertionError):
                compose("down", "-v", "-t", "2")


def main():
    plain_broker()
    for service in SERVICES:
        run("docker", "tag", f"{PROJECT}_{service}", f"ghcr.io/tm-server/{service}:{VERSION}")
    may = is_privilege_granted()
    for service in SERVICES:
        say(f"{service} alone")
        alone(service, may)
    print(f"{len(SERVICES)} passed, 0 failed")


if __name__ == "__main__":
    main()
