#!/usr/bin/env python3
"""A cabinet whose SIM has a public address: a host on the LAN side reads, and writes with the token; a host on the mobile
side gets not one byte, whether it speaks HTTP or MQTT, over IPv4 or IPv6. The hosts are network namespaces of this machine.

usage: public_sim.py        needs root, iproute2, iptables, curl, mosquitto-clients, and what faults.py needs
"""
import json
import socket
import subprocess
import threading
from contextlib import suppress

import stack
from stack import ROOT, TOKEN, all_up, compose, get, mosquitto, run, say, wait

# Documentation addresses (RFC 5737, RFC 3849): they are nobody's.
SIDES = {
    "tmlan": ("192.168.77.1", "192.168.77.2", "fd77::1", "fd77::2"),
    "wwan9": ("203.0.113.1", "203.0.113.2", "2001:db8:9::1", "2001:db8:9::2"),
}


def sides_up():
    for name, (host4, peer4, host6, peer6) in SIDES.items():
        run("ip", "netns", "add", name)
        run("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
        run("ip", "addr", "add", f"{host4}/24", "dev", name)
        run("ip", "-6", "addr", "add", f"{host6}/64", "dev", name, "nodad")
        run("ip", "link", "set", name, "up")
        run("ip", "-n", name, "addr", "add", f"{peer4}/24", "dev", "eth0")
        run("ip", "-n", name, "-6", "addr", "add", f"{peer6}/64", "dev", "eth0", "nodad")
        run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "-n", name, "link", "set", "eth0", "up")
        run("ip", "-n", name, "route", "add", "default", "via", host4)
        run("ip", "-n", name, "-6", "route", "add", "default", "via", host6)


def sides_down():
    for name in SIDES:
        run("ip", "netns", "del", name, check=False)
        run("ip", "link", "del", name, check=False)


def inside(side, *command, check=False, text=None):
    return run("ip", "netns", "exec", side, *command, check=check, text=text, timeout=60)


# Connects, says something, and tells whether that worked and how many bytes came back.
PROBE = """
import socket, sys
host, port, words = sys.argv[1], int(sys.argv[2]), bytes.fromhex(sys.argv[3])
taken = 0
try:
    with socket.create_connection((host, port), 3) as peer:
        opened = True
        peer.settimeout(3)
        try:
            peer.sendall(words)
            while chunk := peer.recv(4096):
                taken += len(chunk)
        except OSError:
            pass
except OSError:
    opened = False
print(opened, taken)
"""
HTTP = b"GET /api/v1/status HTTP/1.1\r\nHost: cabinet\r\nConnection: close\r\n\r\n"
MQTT = bytes([0x10, 13, 0, 4]) + b"MQTT" + bytes([4, 2, 0, 60, 0, 1]) + b"x"


def probe(side, host, port, words):
    opened, taken = inside(side, "python3", "-c", PROBE, host, str(port), words.hex(), check=True).stdout.split()
    return opened == "True", int(taken)


def status_of(side, host, path, *words):
    answer = inside(side, "curl", "-s", "-g", "-o", "/dev/null", "-m", "5", "-w", "%{http_code}", *words, f"http://{host}{path}")
    return int(answer.stdout)


def ways_are_open():
    """What follows is refused by the product, and not by a network that is not there."""
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
        port = listener.getsockname()[1]

        def answer():
            with suppress(OSError):
                while True:
                    peer, _ = listener.accept()
                    with peer:
                        peer.sendall(b"open")

        threading.Thread(target=answer, daemon=True).start()
        for side, (host4, _, host6, _) in SIDES.items():
            for host in (host4, host6):
                wait(f"{side} reaches {host}", lambda: probe(side, host, port, b"") == (True, 4), 30)


def lan_side():
    host = SIDES["tmlan"][0]
    for path in ("/", "/api/v1/status", "/api/v1/gnss/fix", "/docs/", "/healthz", "/metrics"):
        status = status_of("tmlan", host, path)
        assert status == 200, (path, status)
    order = ["-X", "POST", "-H", "Content-Type: application/json", "-d", '{"service":"agent","op":"reboot","args":{},"ttl_ms":2000}']
    # Not on balenaOS the agent accepts the order and refuses it with a reason.
    assert status_of("tmlan", host, "/api/v1/operations", *order) == 401, "a write without a token"
    assert status_of("tmlan", host, "/api/v1/operations", *order, "-H", "Authorization: Bearer wrong") == 401, "a wrong token"
    assert status_of("tmlan", host, "/api/v1/operations", *order, "-H", f"Authorization: Bearer {TOKEN}") == 202, "with the token"
    say("  LAN: pages and reads answer, a write needs the token")
    for port in (1883, 8080, 9001):
        assert probe("tmlan", host, port, MQTT) == (False, 0), f"port {port} is open to the LAN"
    say("  LAN: the bus is not published")


def mobile_side():
    host4, _, host6, _ = SIDES["wwan9"]
    lan4 = SIDES["tmlan"][0]
    for host in (host4, lan4):
        opened, taken = probe("wwan9", host, 80, HTTP)
        assert taken == 0, f"{taken} bytes answered to the mobile side by {host}"
        assert probe("wwan9", host, 80, MQTT)[1] == 0
        say(f"  mobile, {host}: the connection {'was closed' if opened else 'could not be made'}, 0 bytes came")
        for port in (1883, 8080, 9001, 2375, 48484):
            assert probe("wwan9", host, port, MQTT) == (False, 0), f"port {port} is open to the mobile side"
    # Through the engine's proxy the peer would have the bridge's own address, which is on every allow-list.
    assert probe("wwan9", host6, 80, HTTP) == (False, 0), "the API answers over IPv6"
    say(f"  mobile, {host6}: nothing listens over IPv6")


def host_rule():
    """The dispatcher script that the documentation gives closes the port before the engine sees the packet."""
    script = ROOT / "docs/host/dispatcher.d/10-tm-close-wwan"
    host4 = SIDES["wwan9"][0]
    for _ in range(2):  # the second run must not add a second rule
        run("sh", str(script), "wwan9", "up")
    try:
        for tool in ("iptables", "ip6tables"):
            rules = [line for line in run(tool, "-t", "raw", "-S", "PREROUTING").stdout.splitlines() if "wwan9" in line]
            assert len(rules) == len(set(rules)) > 0, rules
        assert probe("wwan9", host4, 80, HTTP) == (False, 0), "the host's rule does not hold"
        assert status_of("tmlan", SIDES["tmlan"][0], "/api/v1/status") == 200, "the host's rule closes the LAN side too"
        say("  with the host's rule the mobile side cannot even connect, the LAN side can")
    finally:
        for tool in ("iptables", "ip6tables"):
            for line in run(tool, "-t", "raw", "-S", "PREROUTING").stdout.splitlines():
                if "wwan9" in line:
                    run(tool, "-t", "raw", *line.replace("-A ", "-D ", 1).split())


# Topic, whether an anonymous client may publish there.
RIGHTS = [
    ("tm/v1/data/tank", True),
    ("sensors/htu21", True),
    ("tm/v1/state/modem", False),
    ("tm/v1/health/modem", False),
    ("tm/v1/event/modem", False),
    ("tm/v1/alarm/door", False),
    ("tm/v1/cmd/agent/reboot", False),
    ("tm/v1/res/0123", False),
    ("tm/v1/cfg/modem", False),
    ("tm/v1/clock/gnss", False),
    ("tm/v1/nmea/modem", False),
    ("tm/v1/private/modem", False),
    ("tm/v2/data/x", False),
    ("anything", False),
]


def anonymous_client():
    ours = stack.credentials()
    host = stack.address("mqtt")
    witness = subprocess.Popen(["mosquitto_sub", "-h", host, "-u", ours[0], "-P", ours[1], "-t", "#", "-F", "%t %p"], stdout=subprocess.PIPE, text=True)
    try:
        mark = "rights-of-nobody"
        for topic, _ in RIGHTS:
            mosquitto("mosquitto_pub", "mqtt", "-q", "1", "-t", topic, "-m", mark)
        # Ours may publish everywhere: when this one has come, everything before has come or never will.
        mosquitto("mosquitto_pub", "mqtt", "-q", "1", "-t", "tm/v1/event/end", "-m", mark, user=ours)
        arrived = set()
        for line in witness.stdout:
            topic, _, text = line.strip().partition(" ")
            if text == mark:
                arrived.add(topic)
            if topic == "tm/v1/event/end":
                break
    finally:
        witness.kill()
    for topic, may in RIGHTS:
        assert (topic in arrived) == may, f"anonymous on {topic}: {'arrived' if topic in arrived else 'did not arrive'}"
    # Who takes the client id of a service gets what waits for it, and has its will published.
    for name in ("tm-modem", "tm-uplink", "tm-uplink-in"):
        mosquitto("mosquitto_sub", "mqtt", "-i", name, "-t", "nothing", "-W", "1", check=False)
    for name in ("modem", "uplink"):
        health = mosquitto("mosquitto_sub", "mqtt", "-t", f"tm/v1/health/{name}", "-C", "1", "-W", "10")
        assert json.loads(health.stdout)["status"] == "up", f"an anonymous client has thrown {name} out: {health.stdout}"
    # What is private is there, for ours alone, whichever filter others ask with.
    private = mosquitto("mosquitto_sub", "mqtt", "-t", "tm/v1/private/+", "-C", "1", "-W", "10", user=ours)
    assert "modems" in json.loads(private.stdout), private.stdout
    for topic in ("tm/v1/private/modem", "tm/v1/private/#", "tm/+/+/+", "#"):
        seen = mosquitto("mosquitto_sub", "mqtt", "-t", topic, "-F", "%t", "-W", "2", check=False).stdout.split()
        assert not [name for name in seen if name.startswith("tm/v1/private/")], f"anonymous reads {seen} by {topic}"
    read = mosquitto("mosquitto_sub", "mqtt", "-t", "tm/v1/health/uplink", "-C", "1", "-W", "10")
    assert json.loads(read.stdout)["status"] == "up"
    wrong = mosquitto("mosquitto_sub", "mqtt", "-t", "#", "-C", "1", "-W", "3", check=False, user=("tm", "guess"))
    assert wrong.returncode != 0 and not wrong.stdout, "a wrong password is let in"
    say(f"  the bus: anonymous clients read, and publish on {sum(may for _, may in RIGHTS)} of {len(RIGHTS)} classes")


def main():
    sides_down()
    stack.remove()
    compose("up", "-d")
    passed = 0
    try:
        wait("everything up", lambda: all_up() and get("/api/v1/gnss/fix")["latitude_deg"], 60)
        sides_up()
        for story in (ways_are_open, lan_side, mobile_side, host_rule, anonymous_client):
            say(story.__name__.replace("_", " "))
            story()
            passed += 1
    finally:
        sides_down()
    stack.remove()
    print(f"{passed} passed, 0 failed")


if __name__ == "__main__":
    main()
