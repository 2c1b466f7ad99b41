"""Opens pages in headless Chromium as a person would: two widths, two colour schemes, three languages, with and without JavaScript.
Waits for what should be there, takes pictures, and fails on a request that leaves the machine, an error in the console,
a page that scrolls sideways, a page that is too heavy.

usage: browse.py BASE_URL PICTURE_FOLDER
"""
import itertools
import json
import sys
import time
import urllib.parse

from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

BASE, FOLDER = sys.argv[1].rstrip("/"), sys.argv[2]
WIDTHS, SCHEMES, LANGUAGES = (1280, 320), ("light", "dark"), ("en", "uk", "ru")
PATIENCE_S = 20
BYTES_MAX = 100_000  # of a page with all it loads, uncompressed, without the stream
# What must stand in the front page and in a chart page: CSS selector, and how many at least.
FRONT = {"h1": 1, ".tile": 5, ".chart .p .line": 2, ".values tbody tr": 10, ".services li": 5}
CHART = {"h1": 1, ".spans a": 2, ".one .p path": 2, ".sums dd": 3, ".wide tbody tr": 1, "a[download]": 1}
failures = looks = 0


def browser(language):
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--no-default-browser-check",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps", "--disable-extensions",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost", "--hide-scrollbars", "--window-size=1280,1400",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    options.add_experimental_option("prefs", {"intl.accept_languages": language})
    driver = webdriver.Chrome(service=webdriver.ChromeService("/usr/bin/chromedriver"), options=options)
    driver.execute_cdp_cmd("Network.enable", {})
    driver.execute_cdp_cmd("Network.setCacheDisabled", {"cacheDisabled": True})
    return driver


def traffic(driver):
    """Addresses asked for, and bytes of their bodies as they are before compression."""
    urls, kinds, sizes = {}, {}, {}
    for entry in driver.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        method, params = message["method"], message["params"]
        if method == "Network.requestWillBeSent":
            urls[params["requestId"]], kinds[params["requestId"]] = params["request"]["url"], params.get("type")
        elif method == "Network.dataReceived":
            sizes[params["requestId"]] = sizes.get(params["requestId"], 0) + params["dataLength"]
    return set(urls.values()), sum(size for id, size in sizes.items() if id in urls and kinds[id] != "EventSource")


def present(driver, wanted):
    missing = lambda d: {s: n for s, n in wanted.items() if len(d.find_elements(By.CSS_SELECTOR, s)) < n}
    try:
        WebDriverWait(driver, PATIENCE_S).until(lambda d: not missing(d))
    except Exception:
        pass
    return [f"{selector} is missing" for selector in missing(driver)]


def look(driver, name, path, width, scheme, wanted, text="", act=None, light=True, script=True):
    """Loads a page, checks it, takes its picture; what is wrong is printed and counted."""
    global failures, looks
    looks += 1
    driver.get("about:blank")  # ends the stream of the page before
    driver.get_log("performance"), driver.get_log("browser")
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": 1400, "deviceScaleFactor": 1, "mobile": width < 500})
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not script})
    for _ in range(PATIENCE_S):
        driver.get(BASE + path)
        if "ERR_NETWORK_CHANGED" not in driver.page_source:
            break
        time.sleep(1)  # what Chromium takes, now and then, for a change of the machine's network: nothing of ours
        driver.get_log("performance"), driver.get_log("browser")
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})  # the page's own did not run; ours may
    wrong = present(driver, wanted)
    urls, size = traffic(driver)
    if text not in driver.page_source:
        wrong.append(f"{text} is not there")
    wrong += (act(driver) or []) if act else []
    wrong += [f"asks {u}" for u in urls if urllib.parse.urlsplit(u).scheme in ("http", "https", "ws", "wss") and not u.startswith(BASE)]
    wrong += [entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
    if light and driver.execute_script("return document.documentElement.scrollWidth > window.innerWidth"):
        wrong.append("scrolls sideways")
    if light and size > BYTES_MAX:
        wrong.append("is too heavy")
    driver.save_screenshot(f"{FOLDER}/{name}.png")
    failures += bool(wrong)
    print(f"{'FAILED' if wrong else 'ok'}: {name}: {len(urls)} addresses, {size} bytes{''.join('; ' + w for w in wrong)}")


def alive(driver, language):
    spoken = driver.execute_script("return document.documentElement.lang")
    return present(driver, {"#link.ok": 1}) + ([] if spoken == language else [f"speaks {spoken}"])


def pointing(driver):
    """A chart tells its value under the pointer."""
    wrong = present(driver, {".one .plot": 1})
    if not wrong:
        ActionChains(driver).move_to_element(driver.find_element(By.CSS_SELECTOR, ".one .plot")).perform()
        wrong = present(driver, {".readout b": 1, ".one .cross[d]": 1})
    return wrong


for language in LANGUAGES:
    driver = browser(language)
    try:
        driver.get(BASE + "/")
        present(driver, FRONT)
        chart = driver.find_element(By.CSS_SELECTOR, "a.chart").get_attribute("href").removeprefix(BASE)
        for width, scheme in itertools.product(WIDTHS, SCHEMES):
            name = f"{width}-{scheme}-{language}"
            look(driver, f"page-{name}", "/", width, scheme, FRONT, "SIM7600G-H", lambda d: alive(d, language))
            look(driver, f"chart-{name}", chart, width, scheme, CHART, act=lambda d: alive(d, language) + pointing(d))
        look(driver, f"page-without-script-{language}", "/", 320, "light", FRONT, "SIM7600G-H", script=False)
        look(driver, f"chart-without-script-{language}", chart, 320, "light", CHART, script=False)
        if language == "en":
            look(driver, "docs", "/docs/", 1280, "light", {".opblock": 10}, "Authorize", light=False)
            look(driver, "docs-problems", "/docs/problems", 1280, "light", {"dt": 50}, "modem.sim_absent")
    finally:
        driver.quit()
print(f"{looks - failures} passed, {failures} failed")
sys.exit(1 if failures else 0)
