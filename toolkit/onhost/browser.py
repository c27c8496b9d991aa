"""Signs in to the web UI as a browser does, by the URL that users have; here or on a host."""

import http.client
import http.cookiejar
import urllib.error
import urllib.request
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin, urlsplit

from toolkit.onhost.certificates import trusting

REDIRECTS = 10
FILES = 6  # of each page that are fetched
FIRST = 6  # seconds for the first answer: who does not reach it is to know soon
PORTS = {"http": 80, "https": 443}


class StopError(Exception):
    """What ends the visit, in a sentence."""


class UnreachedError(StopError):
    """Nobody answers at the URL."""


class Page(HTMLParser):
    """The links to files, the base and the forms of a page."""

    def __init__(self, url, text):
        super().__init__()
        self.url, self.text, self.base = url, text, url
        self.files, self.action, self.fields = [], None, {}
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        """Collect what a browser would load or send."""
        found = dict(attributes)
        if tag == "base" and found.get("href"):
            self.base = urljoin(self.url, found["href"])
        elif tag in ("script", "img") and found.get("src"):
            self.files.append(found["src"])
        elif tag == "link" and found.get("href") and found.get("rel") != "canonical":
            self.files.append(found["href"])
        elif tag == "form":
            self.action = self.action or found.get("action") or self.url
        elif tag == "input" and found.get("type") == "hidden" and found.get("name"):
            self.fields[found["name"]] = found.get("value") or ""


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        """Leave each redirect to the visit, which compares it."""


class Visit:
    """One browser: its cookies, the public URL, and what was wrong so far."""

    def __init__(self, url, authorities, texts, own=()):
        self.root, self.own = url, own
        self.seen, self.wrong, self.redirects, self.pages = set(), [], 0, 0
        self.guarded = False  # something before Airflow wants a sign-in of its own
        # Nothing of the cluster is asked through a proxy; where only one leads there, the host itself asks.
        handlers = [
            urllib.request.ProxyHandler({}),
            _Stay(),
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()),
        ]
        if url.startswith("https:"):
            context = trusting(authorities, texts)
            handlers.append(urllib.request.HTTPSHandler(context=context))
        self.opener = urllib.request.build_opener(*handlers)
        self.timeout = FIRST

    def open(self, url, data=None):
        """Status, address and text at the end of all redirects, each of which is compared."""
        for _ in range(REDIRECTS):
            status, location, text = self.once(url, data)
            if location is None:
                return status, url, text
            url, data = urljoin(url, location), None
            self.redirects += 1
            self.compare(url, "a redirect")
        raise StopError(
            "%d redirects one after the other, the last to %s" % (REDIRECTS, plain(url))
        )

    def once(self, url, data=None):
        """Status, Location and text of one request."""
        try:
            # Forms over TLS are refused without the page that they come from.
            request = urllib.request.Request(url, data, {"Referer": self.root + "/"})
            with self.opener.open(request, timeout=self.timeout) as answer:
                found = answer.getcode(), None, answer.read().decode("utf-8", "replace")
        except urllib.error.HTTPError as error:
            location = error.headers.get("Location") if 300 <= error.code < 400 else None
            found = error.code, location, text_of(error)
        except (OSError, http.client.HTTPException, ValueError) as error:
            cause = getattr(error, "reason", None) or error
            raise UnreachedError("%s: %s" % (plain(url), cause)) from None
        self.timeout = 20
        return found

    def compare(self, url, what):
        """Whether a URL is below the public one: scheme, host, port and path."""
        path = urlsplit(self.root).path
        inside = (urlsplit(url).path + "/").startswith(path + "/")
        if place(url) != place(self.root) or not inside:
            text = "%s leads to %s" % (what, plain(url))
            if text not in self.wrong:
                self.wrong.append(text)
            # Another host before any page of ours: a sign-in of its own, as of a company.
            other = urlsplit(url).hostname not in [urlsplit(self.root).hostname, *list(self.own)]
            self.guarded = self.guarded or (other and not self.pages)

    def page(self, url, data=None):
        """A page, whose files are compared and fetched."""
        status, at, text = self.open(url, data)
        if status != 200:
            self.guarded = self.guarded or (status in (401, 403) and not self.pages)
            raise StopError("%s answers HTTP %s" % (plain(at), status))
        self.pages += 1
        found = Page(at, text)
        files = [urljoin(found.base, name) for name in found.files]
        # Those of other hosts, such as a counter of visits, are meant to be there.
        mine = [
            name
            for name, written in zip(files, found.files)
            if name.startswith("http")
            and (urlsplit(name).hostname == urlsplit(self.root).hostname or "//" not in written)
        ]
        for name in mine:
            self.compare(name, "the page %s has a file that" % plain(at))
        for name in [name for name in mine if name not in self.seen][:FILES]:
            self.seen.add(name)
            status = self.once(name)[0]
            if status != 200:
                self.wrong.append("its file %s answers HTTP %s" % (plain(name), status))
        return found


def text_of(answer):
    """The text of an answer with an error; "" where it breaks off."""
    try:
        return answer.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException):
        return ""


def place(url):
    """Scheme, host and port."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or PORTS.get(parts.scheme)


def plain(url):
    """A URL without what follows its path, where tokens may be."""
    return url.partition("?")[0]


def main(payload):
    """Sign in: what was wrong, how much was seen, whether it was reached, and whether signed in."""
    visit = Visit(payload["url"], payload["authorities"], payload["texts"], payload["own"])
    found = {"reached": True, "signed_in": False}
    try:
        found["signed_in"] = sign_in(visit, payload)
    except UnreachedError as error:
        found["reached"] = visit.timeout != FIRST
        visit.wrong.append(str(error))
    except StopError as error:
        visit.wrong.append(str(error))
    except ValueError as error:  # a redirect or a link that is no URL
        visit.wrong.append("a link that cannot be read: %s" % error)
    found["guarded"] = visit.guarded or not payload["form"]
    return dict(found, wrong=visit.wrong, redirects=visit.redirects, files=len(visit.seen))


def sign_in(visit, payload):
    """Go from the front page by the login form to a page that only those who signed in get."""
    visit.page(visit.root + "/")
    login = visit.page(visit.root + payload["entry"])
    if not payload["form"]:
        return False
    if login.action is None or "csrf_token" not in login.fields:
        raise StopError("%s has no login form" % plain(login.url))
    fields = dict(login.fields, username=payload["username"], password=payload["password"])
    target = urljoin(login.url, login.action)
    visit.compare(target, "the login form")
    visit.page(target, urlencode(fields).encode("utf-8"))
    status, location, _ = visit.once(visit.root + payload["signed_in"])
    if status != 200 or location is not None:
        raise StopError(
            "the form was sent as %s, and %s answers HTTP %s afterwards"
            % (payload["username"], payload["signed_in"], status)
        )
    return True
