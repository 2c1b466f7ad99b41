"""The level of a tank, on the bus of tm-server: one reading, one message, every ten seconds."""
import collections, datetime, json, os, secrets, signal, threading, time
import paho.mqtt.client as mqtt

def read_level():  # in metres: your sensor goes here
    return round(1.25 + 0.25 * (time.monotonic() % 60) / 60, 3)

PERIOD_S = float(os.environ.get("TANK_PERIOD_S", "10"))
RUN = secrets.token_hex(4)
BOOT = open("/proc/sys/kernel/random/boot_id").read()[:8]
host, _, port = os.environ.get("MQTT_ADDRESS", "mqtt").removeprefix("mqtt://").partition(":")
client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="tank")
client.reconnect_delay_set(min_delay=1, max_delay=30)
client.connect_async(host, int(port or 1883))
client.loop_start()
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
acknowledged, waiting, n = threading.Event(), collections.deque(maxlen=8640), 0
acknowledged.set()
client.on_publish = lambda *_: acknowledged.set()
while True:
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")
    stamp = {"time": now.replace("+00:00", "Z"), "boot": BOOT, "mono_ms": time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 10**6}
    waiting.append({"run": RUN, "n": n, **stamp, "points": [{"name": "level", "value": read_level(), "unit": "m", "scale": 3}]})
    n += 1
    while waiting and client.is_connected():
        if acknowledged.is_set():
            acknowledged.clear()
            client.publish("tm/v1/data/tank", json.dumps(waiting.popleft()), qos=1)
        if not acknowledged.wait(timeout=PERIOD_S / 2):
            break
    time.sleep(PERIOD_S)
