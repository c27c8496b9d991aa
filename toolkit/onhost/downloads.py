"""Whether a host can download from where it will have to."""

import re

from toolkit.onhost.lib import in_parallel
from toolkit.onhost.network import LATE, failure, network_wait
from toolkit.onhost.sources import mirrors


def urls(payload):
    """Check every URL of the payload, and apt's mirrors."""
    wanted = payload.get("urls", []) + mirrors(payload.get("mirrors", False))
    context = None
    if any(url["url"].startswith("https:") for url in wanted):
        import ssl

        # Reading the trust store takes longer than a request, so all share it.
        context = ssl.create_default_context()
        for certificate in payload.get("ca_certificates", []):
            context.load_verify_locations(cadata=certificate)
    timeout = payload.get("timeout", 4)
    calls = [(check_url, url, context, timeout) for url in wanted]
    return in_parallel(calls, network_wait(payload), [dict(shown(url), **LATE) for url in wanted])


def check_url(url, context, timeout):
    """Whether a URL can be read; a package list without InRelease has Release, older apt's file."""
    checked = ask_for(url, context, timeout)
    if checked["detail"] == "404" and url["url"].endswith("/InRelease"):
        older = url["url"][: -len("InRelease")] + "Release"
        return dict(checked, **ask_for(dict(url, url=older), context, timeout))
    return checked


def ask_for(url, context, timeout):
    """What came of asking for a URL: once more and for twice the time when late, as whoever installs waits longer.

    A name server that is too busy to answer says that its failure is a temporary one.
    """
    answer = ask_once(url, context, timeout)
    passing = answer["result"] == "timeout" or answer["detail"].startswith("Temporary failure")
    return ask_once(url, context, 2 * timeout) if passing else answer


def ask_once(url, context, timeout):
    """Ask for the first byte of a URL; what came of it."""
    # Imported while other threads wait for their answers: it takes as long as a request.
    import base64
    import http.client
    import urllib.error
    import urllib.request
    from urllib.parse import unquote

    request = urllib.request.Request(
        shown(url)["url"], headers={"Range": "bytes=0-0", "User-Agent": "airflow-toolkit"}
    )
    secret = re.match(r"\w+://([^/@]*)@", url["url"])
    if secret:
        token = base64.b64encode(unquote(secret.group(1)).encode("utf-8")).decode("ascii")
        request.add_header("Authorization", "Basic " + token)
    handlers = [urllib.request.HTTPSHandler(context=context)]
    if url.get("proxy"):
        handlers.append(urllib.request.ProxyHandler({request.type: url["proxy"]}))
    try:
        urllib.request.build_opener(*handlers).open(request, timeout=timeout).close()
        return dict(shown(url), result="ok", detail="")
    except urllib.error.HTTPError as error:
        # The range is only asked for to spare the server; that it has none is an answer too.
        ok = error.code == 416
        return dict(shown(url), result="ok" if ok else "http", detail=str(error.code))
    except urllib.error.URLError as error:
        return dict(shown(url), **failure(error.reason))
    except (OSError, http.client.HTTPException, ValueError) as error:
        return dict(shown(url), **failure(error))


def shown(url):
    """A URL check without what must not be shown: passwords, proxies."""
    without = {name: value for name, value in url.items() if name != "proxy"}
    return dict(without, url=re.sub(r"//[^/@]*@", "//", url["url"]))
