#!/usr/bin/env python3
"""An update that is half done: some services are of the previous commit, the others of this one, then the other way round.

usage: mixed.py        needs the built images of both: .ci/previous makes those of the previous commit
"""
import json
import tempfile

import stack
from stack import SERVICES, Cloud, all_up, cloud_goes_on, compose, get, run, say, wait

HALVES = [SERVICES[::2], SERVICES[1::2]]


def main():
    stack.remove()
    cloud, passed = None, 0
    for old in HALVES:
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as overlay:
            # JSON is YAML.
            json.dump({"version": "2.4", "services": {name: {"image": f"tmprevious_{name}"} for name in old}}, overlay)
            overlay.flush()
            say(f"previous: {' '.join(old)}")
            # The volumes stay: each half finds what the other version has written.
            compose("up", "-d", "--no-build", extra=[overlay.name])
        images = {name: stack.inspect(name, "{{.Config.Image}}") for name in SERVICES}
        assert all(images[name] == f"tmprevious_{name}" for name in old), images
        wait("a position and everything up", lambda: get("/api/v1/gnss/fix")["latitude_deg"] is not None and all_up(), 90)
        cloud = cloud or Cloud()
        cloud_goes_on(cloud, seconds=90)
        passed += 1
    assert not cloud.missing(), cloud.missing()
    run("docker", "exec", stack.container("uplink"), "/tm", "health")
    stack.remove()
    print(f"{passed} passed, 0 failed")


if __name__ == "__main__":
    main()
