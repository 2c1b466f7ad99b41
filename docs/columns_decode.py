"""Decodes one `columns` v1 payload (columns.md) on stdin, one JSON line per poll on stdout; arguments: files with announced dictionaries."""
import datetime, gzip, heapq, itertools, json, sys, zlib
HEADS, DIGITS, KINDS = "zyxwvutsrqponmlkjihgfedcba0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789ABCDEF", {"g": "gauge", "c": "counter", "s": "state"}
def unpack(text, n):
    return [(HEADS.index(text[i]) - 26) * 10**(w - 1) + int("0" + text[i + 1:i + w]) for w in [len(text) // n] for i in range(0, n * w, w)]
def column(c, n):
    if isinstance(c, dict): return c["list"] if "list" in c else [v for v, k in zip(c["runs"][::2], c["runs"][1::2]) for _ in range(k)]
    if not isinstance(c, list): return [c] * n
    a, b, *last = c
    if isinstance(a, str): return [b + i * sum(last) + r for i, r in enumerate(unpack(a, n))]
    steps = [sum(last) + r for r in unpack(b, n - 1)] if isinstance(b, str) else itertools.accumulate([b] + (unpack(last[0], n - 2) if last else [0] * (n - 2)))
    return list(itertools.accumulate([a, *steps]))
def points(n, c, name, unit, kind, scale, places, quality):
    marks = [(mark or "good").split() for mark in column(quality, n)]
    values = iter(column(c, n - sum(mark[0] == "missing" for mark in marks)))
    for mark, *why in marks:
        value = None if mark == "missing" else next(values) / 10**DIGITS.index(places) if isinstance(c, list) and places > "0" else next(values)
        point = {"name": name, "kind": KINDS[kind], "unit": unit, "value": value, "quality": mark.replace("missing", "bad")}
        yield point | {"reason": (why or [None])[0]} | ({"scale": DIGITS.index(scale)} if scale != "-" else {})
def polls(s):
    shapes, shape = s.get("shapes", [range(len(s["values"]))]), column(s.get("shape", 0), s["polls"])
    each = zip(s["values"], s["names"].split(" "), s["units"].split(" "), s["kinds"], s["scales"], s.get("places", s["scales"]), s.get("quality", itertools.repeat(None)))
    series = [points(sum(list(shapes[x]).count(i) for x in shape), *one) for i, one in enumerate(each)]
    for x, run, n, ms, zero, boot, clock, err_ms in zip(shape, *(column(s.get(key), s["polls"]) for key in ("run", "n", "time", "mono_zero", "boot", "clock", "err_ms"))):
        time = (datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=ms)).isoformat(timespec="milliseconds") + "Z"
        poll = {"source": s["source"]} | ({"run": run, "n": int(n)} if run else {}) | {"time": time, "mono_ms": ms - int(zero)}
        yield ms, poll | {"boot": boot, "clock": clock, "err_ms": err_ms, "points": [next(series[i]) for i in shapes[x]]}
announced = (gzip.decompress(open(name, "rb").read()) for name in sys.argv[1:])
dictionaries, payload = {zlib.adler32(text).to_bytes(4, "big"): text for text in announced}, sys.stdin.buffer.read()
text = gzip.decompress(payload) if payload[:1] == b"\x1f" else zlib.decompressobj(zdict=dictionaries[payload[2:6]]).decompress(payload)
batch = json.loads(text); sources = [polls(s) for s in batch["sources"]]
order = (next(sources[i]) for i in column(batch["order"], batch["n"])) if "order" in batch else heapq.merge(*sources, key=lambda poll: poll[0])
for seq, (_, poll) in enumerate(order, int(batch["seq"])): print(json.dumps({k: batch[k] for k in ("device", "class", "stream") if k in batch} | {"seq": seq} | poll))
