"""What apt reads its package lists from, sources.list(5)."""

import glob
import re

from toolkit.onhost.lib import output, read


def mirrors(wanted):
    """What apt reads its package lists from, as URLs to check; [] unless wanted."""
    if not wanted:
        return []
    found = {}
    for path in ["/etc/apt/sources.list", *sorted(glob.glob("/etc/apt/sources.list.d/*"))]:
        if path.endswith((".list", ".sources")):
            style = one_line_sources if path.endswith(".list") else deb822_sources
            for uri, suite in style(read(path)):
                url = release_file(uri, suite)
                if url.startswith(("http://", "https://")):
                    found.setdefault(url, {"url": url, "role": "mirror", "where": path})
    proxies = apt_proxies() if found else {}
    for url in found.values():
        url["proxy"] = proxies.get(url["url"].partition(":")[0], "")
    return list(found.values())


def one_line_sources(text):
    """(URI, suite) of `deb [options] URI suite component...` lines, sources.list(5)."""
    for line in text.splitlines():
        words = re.sub(r"\[[^]]*\]", "", line.partition("#")[0]).split()
        if len(words) >= 3 and words[0] == "deb":
            yield words[1], words[2]


def deb822_sources(text):
    """(URI, suite) of the stanzas of a .sources file, sources.list(5)."""
    for stanza in re.split(r"\n\s*\n", re.sub(r"^#.*\n?", "", text, flags=re.M)):
        fields = re.sub(r"\n[ \t]+", " ", stanza)
        values = {
            name.lower(): value.split()
            for name, value in re.findall(r"^([\w-]+):[ \t]*(.*)$", fields, re.M)
        }
        if "deb" in values.get("types", []) and values.get("enabled", ["yes"])[0] != "no":
            for uri in values.get("uris", []):
                for suite in values.get("suites", []):
                    yield uri, suite


def release_file(uri, suite):
    """The file that apt asks for first; a suite with a slash at its end is a path itself."""
    base = uri.rstrip("/") + "/"
    return (
        base + suite.lstrip("/") + "InRelease"
        if suite.endswith("/")
        else (base + "dists/" + suite + "/InRelease")
    )


def apt_proxies():
    """Scheme -> proxy, as apt is configured."""
    text = output("apt-config", "dump", "Acquire::http::Proxy", "Acquire::https::Proxy")
    return {
        scheme.lower(): proxy
        for scheme, proxy in re.findall(r'Acquire::(https?)::Proxy "([^"]+)"', text, re.I)
        if proxy != "DIRECT"
    }
