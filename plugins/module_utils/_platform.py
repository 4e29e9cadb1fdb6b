# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The platform's one endpoint, C(manageDID), by HTTP. Knows nothing of Ansible and nothing of the registry.

Each request ends in one of three outcomes, returned and never raised: applied, certainly not applied, or unknown. Exceptions of
C(requests) carry the URL, and with it the API token and key: none of them leaves this file.
"""

from __future__ import annotations

import email.utils
import http.client
import io
import json
import os
import re
import socket
import ssl
import time
import typing as t
from urllib.parse import quote, unquote, urlsplit

from ._exchange import Connection, authority, is_loopback, path
from ._fields import SECRETS
from ._outcome import APPLIED, NOT_APPLIED, UNKNOWN, NotPermitted, Outcome, encode
from ._redaction import Redactor

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Callable, Collection, Mapping, Sequence

_ANSWER_LIMIT = 1_000_000
_IDLE_LIMIT = 1.0
_ID_LIMIT = 2**63 - 1

# The vendor's error page.
_STATUS_WORDS = {
    400: "the platform calls the request incomplete",
    403: "the token or the key is wrong, or their level does not allow this",
    404: "the platform has no such option: is api_url the platform's address?",
    413: "the body is too large",
    422: "a required parameter is missing or not valid",
    429: "too many requests at the same time",
}


class Platform:
    """A client of one platform, for one thread. It keeps its connection between requests.

    :param secrets: those of all DIDs of the run; what the platform says of one of them must not hold another's.
    """

    def __init__(self, connection: Connection, secrets: Collection[str] = ()) -> None:
        self._connection = connection
        self._secrets = secrets
        self._wire = _Wire()
        self._session: t.Any = None
        self._route: _Route | None = None
        self._last_used = 0.0

    def create(self, payload: Mapping[str, t.Any], permit: Callable[[float], None]) -> Outcome:
        """Send a PUT. C(permit) as in C(edit)."""
        return self._send("PUT", None, payload, permit)

    def edit(
        self, record_id: int, payload: Mapping[str, t.Any], permit: Callable[[float], None]
    ) -> Outcome:
        """Send a POST.

        :param permit: called once, when the connection stands and before the first byte of the request, with the seconds that
            the exchange may still take; it raises C(NotPermitted) to stop it.
        """
        return self._send("POST", record_id, payload, permit)

    @property
    def began(self) -> bool:
        """Tell whether a byte of the last request was written."""
        return self._wire.began

    def close(self) -> None:
        """Close the connection."""
        if self._session is not None:
            self._session.close()

    def _send(
        self,
        method: str,
        record_id: int | None,
        payload: Mapping[str, t.Any],
        permit: Callable[[float], None],
    ) -> Outcome:
        connection = self._connection
        self._wire.start(connection.timeout, connection.connect_timeout, permit)
        body = encode(payload)
        self._open_session()
        try:
            answer = self._exchange(method, record_id, body)
            outcome = _Judge(
                answer, record_id, self._redactor(payload), connection.api_url
            ).outcome()
        except Exception as error:  # pylint: disable=broad-exception-caught  # it may hold the URL
            outcome = self._failed(error)
        self._last_used = time.monotonic()
        if outcome.state != APPLIED:
            # What still comes on this connection must not be taken for the answer to the next request.
            self._session.close()
        return outcome

    def _open_session(self) -> None:
        # A connection that lay idle may have been closed by the server just now: a request lost to that would be an unknown one.
        if self._session is not None and time.monotonic() - self._last_used > _IDLE_LIMIT:
            self._session.close()
        if self._session is None:
            self._session = _make_session(self._wire)

    def _exchange(self, method: str, record_id: int | None, body: bytes) -> _Answer:
        connection = self._connection
        if self._route is None:
            self._route = _Route(self._session, connection)
        request = self._route.request(method, record_id, body)
        # Past the session: its cookies and redirects are not wanted, and what it looks up for each request does not change.
        response = self._route.adapter.send(
            request,
            stream=True,
            timeout=(min(connection.connect_timeout, connection.timeout), connection.timeout),
            **self._route.settings,
        )
        whole = False
        try:
            content = response.read(_ANSWER_LIMIT + 1, decode_content=True)
            whole = len(content) <= _ANSWER_LIMIT and _is_whole(response, content)
        finally:
            if not whole:
                response.close()
        asked = self._route.path(record_id)
        return _Answer(response.status, response.headers, content, whole, asked)

    def _failed(self, failure: Exception) -> Outcome:
        words, retryable = _explain(failure, self._connection, self._wire.began)
        if not self._wire.began:
            return Outcome(NOT_APPLIED, words, kind="unreachable", retryable=retryable)
        return Outcome(
            UNKNOWN,
            f"the request was written, then {words}",
            kind="unknown_outcome",
            retryable=True,
        )

    def _redactor(self, payload: Mapping[str, t.Any]) -> Redactor:
        login = self._connection.api_token, self._connection.api_key
        own = (payload[name] for name in SECRETS if name in payload)
        return Redactor([*login, *own], self._secrets)


class _Route:
    """The way to the platform: what is the same for all requests of a session."""

    def __init__(self, session: t.Any, connection: Connection) -> None:
        import requests

        token, key = quote(connection.api_token, safe=""), quote(connection.api_key, safe="")
        parts = urlsplit(connection.api_url)
        self._path = path(connection, token, key, None)
        url = f"{parts.scheme}://{parts.netloc}{self._path}"
        verify = (connection.ca_path or True) if connection.validate_certs else False
        found = session.merge_environment_settings(url, {}, None, verify, None)
        if parts.scheme == "http" and not connection.allow_http:
            _refuse_foreign_proxy(url, found["proxies"])
        self.settings = {name: found[name] for name in ("verify", "cert", "proxies")}
        self.adapter = session.get_adapter(url)
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
        }
        self._request = session.prepare_request(requests.Request("PUT", url, headers, data=b"{}"))
        self._url = self._request.url
        self._target = self.adapter.request_url(self._request, self.settings["proxies"])

    def path(self, record_id: int | None) -> str:
        """Return the path of a request."""
        return self._path if record_id is None else f"{self._path}/{record_id}"

    def request(self, method: str, record_id: int | None, body: bytes) -> t.Any:
        """Return a request that is ready to be sent. It is the same object for all requests, as one is made after the other."""
        request = self._request
        request.method = method
        request.body = body
        request.headers["Content-Length"] = str(len(body))
        end = "" if record_id is None else f"/{record_id}"
        request.url = self._url + end
        self.adapter.target = self._target + end
        return request


class _Answer(t.NamedTuple):
    """What the platform answered. C(headers): by name, in any case. C(path): of the request."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    whole: bool
    path: str

    def header(self, name: str) -> str | None:
        return self.headers.get(name)


class _Judge:
    """Turns an answer into an outcome, by the vendor's page and its error page."""

    def __init__(
        self, answer: _Answer, record_id: int | None, redactor: Redactor, api_url: str
    ) -> None:
        self._answer = answer
        self._api_url = api_url
        self._record_id = record_id
        self._redactor = redactor
        self._document = _parse(answer.content) if answer.whole else None

    def outcome(self) -> Outcome:
        status = self._answer.status
        if not self._answer.whole:
            return self._unknown(f"the answer (HTTP {status}) broke off before its end")
        if 200 <= status < 300:
            return self._success()
        if 300 <= status < 400:
            return self._redirect()
        if status == 429 and self._told_id() is None:
            pause = _retry_after(self._answer.header("retry-after"))
            return self._refused("throttled", _STATUS_WORDS[429], retry_after=pause, retryable=True)
        if 400 <= status < 500 and status != 408 and self._told_id() is None:
            return self._refused(
                "refused", _STATUS_WORDS.get(status, "the platform refused the request")
            )
        return self._unknown(
            f"the platform answered HTTP {status}, which does not tell whether it had applied the request"
        )

    def _told_id(self) -> int | None:
        return None if self._document is None else _usable_id(self._document.get("new_record"))

    def _success(self) -> Outcome:
        document = self._document
        if document is None:
            return self._unknown("the answer is not the documented JSON")
        error = document.get("error")
        answered = document.get("new_record")
        if _is_failure(error) and _is_empty(answered):
            return self._refused("refused", "the platform refused the request")
        if not _is_zero(error):
            return self._unknown(
                "the answer's 'error' does not say whether the request was applied"
            )
        number = _usable_id(answered)
        if self._record_id is None:
            if number is None:
                return self._unknown(
                    "the answer says that it was created, without a usable new_record"
                )
            return Outcome(APPLIED, record_id=number, http_status=self._answer.status)
        if _is_empty(answered) or number == self._record_id:
            return Outcome(APPLIED, record_id=self._record_id, http_status=self._answer.status)
        # Sent again, it might make a third one of them.
        named = "another record" if number is None else f"record {number}"
        words = f"the edit of record {self._record_id} was answered with {named}"
        return self._unknown(words, record_id=number, retryable=False)

    def _redirect(self) -> Outcome:
        target = _same_path_elsewhere(self._answer, self._api_url)
        if target is not None:
            return self._refused(
                "refused",
                f"the platform redirects to {self._redactor.clean(target)}: correct api_url",
            )
        return self._unknown(
            f"the platform answered with a redirect (HTTP {self._answer.status}), which is never followed"
        )

    def _refused(
        self, kind: str, words: str, *, retry_after: float | None = None, retryable: bool = False
    ) -> Outcome:
        return Outcome(
            NOT_APPLIED,
            words,
            kind=kind,
            http_status=self._answer.status,
            reason=self._reason(),
            retry_after=retry_after,
            retryable=retryable,
        )

    def _unknown(
        self, words: str, *, record_id: int | None = None, retryable: bool = True
    ) -> Outcome:
        return Outcome(
            UNKNOWN,
            words,
            kind="unknown_outcome",
            record_id=self._told_id() if record_id is None else record_id,
            http_status=self._answer.status,
            reason=self._reason(),
            retry_after=_retry_after(self._answer.header("retry-after")),
            retryable=retryable,
        )

    def _reason(self) -> str | None:
        """Return the platform's own words: its C(reason), or else the beginning of whatever it answered."""
        reason = self._document.get("reason") if self._document is not None else None
        if reason is None:
            reason = _decoded(self._answer.content)
        text = reason if isinstance(reason, str) else json.dumps(reason, ensure_ascii=False)
        return self._redactor.clean(text) or None


# Strings, which are to stay as they are, and commas before the end of an object or array.
_TOKENS = re.compile(r'"(?:[^"\\]|\\.?)*(?:"|\Z)|,(?=\s*[}\]])', re.DOTALL)


def _parse(content: bytes) -> dict[str, t.Any] | None:
    """Read the documented JSON object; trailing commas, as in the vendor's samples, and a byte-order mark are allowed."""
    text = _decoded(content)
    try:
        document = _READER.decode(text)
    except (ValueError, RecursionError):
        try:
            document = _READER.decode(_without_trailing_commas(text))
        except (ValueError, RecursionError):
            return None
    return document if isinstance(document, dict) else None


def _without_trailing_commas(text: str) -> str:
    return _TOKENS.sub(lambda match: "" if match[0] == "," else match[0], text)


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _unambiguous(pairs: list[tuple[str, t.Any]]) -> dict[str, t.Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a key stands twice")
    return document


def _no_number(name: str) -> t.Any:
    raise ValueError(name)


_READER = json.JSONDecoder(object_pairs_hook=_unambiguous, parse_constant=_no_number)


def _is_zero(value: t.Any) -> bool:
    return not isinstance(value, bool) and (
        value == 0 if isinstance(value, int) else _stripped(value) == "0"
    )


def _is_failure(value: t.Any) -> bool:
    """Tell whether C(error) certainly says that it failed: true, or a whole number other than 0."""
    if isinstance(value, str):
        return re.fullmatch(r"[+-]?0*[1-9][0-9]*", value.strip()) is not None
    return value is True or (isinstance(value, int) and value != 0)


def _is_empty(value: t.Any) -> bool:
    return value is None or value is False or _is_zero(value) or _stripped(value) == ""


def _stripped(value: t.Any) -> str | None:
    return value.strip() if isinstance(value, str) else None


def _usable_id(value: t.Any) -> int | None:
    """Return a record id: a whole number of at least 1, or its digits as a string, as sibling endpoints answer."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,19}", value.strip()):
        value = int(value)
    usable = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _ID_LIMIT
    return value if usable else None


def _retry_after(header: str | None) -> float | None:
    """Return the pause that the platform asks for in seconds (RFC 9110, 10.2.3: seconds or a date)."""
    if header is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", header.strip()):
        return float(header)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(header).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return None


def _same_path_elsewhere(answer: _Answer, api_url: str) -> str | None:
    """Return scheme and host of a redirect that changes these and nothing else, or None.

    Not for 303: by RFC 9110, 15.4.4, that is how a server answers after it has done what was asked.
    """
    location = answer.header("location")
    if answer.status not in (301, 302, 307, 308) or location is None:
        return None
    try:
        parts = urlsplit(location)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
        return None
    if unquote(parts.path) != unquote(answer.path):
        return None
    asked = urlsplit(api_url)
    if (parts.scheme, authority(parts)) == (asked.scheme, authority(asked)):
        return None  # to itself: that may also be how a server answers after it has done what was asked
    return f"{parts.scheme}://{host}" + (f":{port}" if port else "")


def _is_whole(response: t.Any, content: bytes) -> bool:
    """Tell whether the answer came to its end. Older versions of urllib3 do not compare with the length announced.

    A connection that closes inside the headers looks like an answer without a body: one that announces no length and has none
    is not taken for whole.
    """
    if "chunked" in response.headers.get("Transfer-Encoding", "").lower():
        return True
    announced = response.headers.get("Content-Length", "")
    if announced.isdigit():
        return bool(response.tell() >= int(announced))
    return content != b""


class _ForeignProxy(Exception):
    """Plain HTTP for this machine would leave it through a proxy."""


def _refuse_foreign_proxy(url: str, proxies: t.Any) -> None:
    from requests.utils import select_proxy

    proxy = select_proxy(url, proxies)
    if proxy and not is_loopback(urlsplit(proxy if "//" in proxy else f"//{proxy}").hostname or ""):
        raise _ForeignProxy


def _explain(failure: BaseException, connection: Connection, began: bool) -> tuple[str, bool]:
    """Return what went wrong in words of our own, and whether it may go better a little later."""
    chain = list(_chain(failure))
    words, retryable = _cause(chain, connection, began)
    if any(type(link).__name__ == "ProxyError" for link in chain):
        words = f"no connection through the proxy: {words}"
    return words, retryable


def _cause(chain: Sequence[BaseException], connection: Connection, began: bool) -> tuple[str, bool]:

    def find(*kinds: type[BaseException]) -> t.Any:
        return next((link for link in chain if isinstance(link, kinds)), None)

    if find(NotPermitted):
        return "the claim on this DID had ended", True
    if find(_ForeignProxy):
        return (
            "a proxy on another machine is set for http://, so token and key would leave this machine readable",
            False,
        )
    untrusted = find(ssl.SSLCertVerificationError)
    if untrusted is not None:
        return (
            f"the platform's certificate is not trusted: {untrusted.verify_message}. If it comes from an authority of your own, name"
            " that authority's certificate with ca_path",
            False,
        )
    failed_tls = find(ssl.SSLError)
    if failed_tls is not None:
        return f"TLS failed ({failed_tls.reason or 'no reason given'})", True
    if find(socket.gaierror):
        return "the host name could not be resolved", True
    if find(socket.timeout, TimeoutError) or any(
        "Timeout" in type(link).__name__ for link in chain
    ):
        limit = (
            f"timeout: {connection.timeout:g} s"
            if began
            else f"connect_timeout: {connection.connect_timeout:g} s"
        )
        return f"the time ran out ({limit})", True
    if find(http.client.RemoteDisconnected):
        return "the connection was closed without an answer", True
    numbers = [
        link.errno for link in chain if isinstance(link, OSError) and isinstance(link.errno, int)
    ]
    if numbers:
        return f"the connection failed ({os.strerror(numbers[-1])})", True
    return f"the connection failed ({type(chain[-1]).__name__})", True


def _chain(failure: BaseException) -> t.Iterator[BaseException]:
    """Walk to the cause: through __cause__ and __context__, and the exceptions that requests and urllib3 keep inside theirs."""
    seen: set[int] = set()
    queue: list[t.Any] = [failure]
    while queue:
        link = queue.pop(0)
        if not isinstance(link, BaseException) or id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        queue.extend([link.__cause__, link.__context__, getattr(link, "reason", None), *link.args])


class _Wire:
    """Watches one exchange at a time: when it must be over, and whether a byte of the request has been written."""

    def __init__(self) -> None:
        self.began = False
        self._deadline = 0.0
        self._permit: Callable[[float], None] | None = None
        self._head: bytes | None = None

    def start(
        self, timeout: float, connect_timeout: float, permit: Callable[[float], None]
    ) -> None:
        self.began = False
        self._deadline = time.monotonic() + timeout
        self._permit = permit
        self._head = None

    def remaining(self) -> float:
        """Return the seconds until the deadline, or raise C(TimeoutError)."""
        seconds = self._deadline - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("the exchange's deadline has passed")
        return seconds

    def write(self, sock: t.Any, data: bytes) -> None:
        """Write to the platform, after the permit and within the deadline.

        A request comes in two pieces, its head and then its body, as none is without a body. They leave together: that is
        one packet in place of two, and no server waits between them.
        """
        if self._head is None:
            self._head = bytes(data)
            return
        data, self._head = self._head + data, b""
        if self._permit is not None:
            permit, self._permit = self._permit, None
            permit(self.remaining())
        rest = memoryview(data)
        while rest:
            sock.settimeout(self.remaining())
            first, self.began = not self.began, True
            try:
                sent = sock.send(rest)
            except OSError:
                # Nothing was taken, if this was the first write; but a part of a TLS record may be out.
                self.began = not first or not _is_plain(sock)
                raise
            rest = rest[sent:]


def _is_plain(sock: t.Any) -> bool:
    return isinstance(sock, socket.socket) and not isinstance(sock, ssl.SSLSocket)


class _DeadlineReader(io.RawIOBase):
    """Reads from a socket's file within the exchange's deadline, however slowly the bytes drip in."""

    def __init__(self, raw: t.Any, sock: t.Any, wire: _Wire) -> None:
        self._raw = raw
        self._sock = sock
        self._wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: t.Any) -> int | None:
        self._sock.settimeout(self._wire.remaining())
        return t.cast("int | None", self._raw.readinto(buffer))

    def close(self) -> None:
        self._raw.close()
        super().close()


class _WatchedSocket:
    """A socket whose reading obeys the exchange's deadline; all else is the socket's own."""

    def __init__(self, sock: t.Any, wire: _Wire) -> None:
        self._sock = sock
        self._wire = wire

    def __getattr__(self, name: str) -> t.Any:
        return getattr(self._sock, name)

    def makefile(self, mode: str, *_args: t.Any, **_options: t.Any) -> io.BufferedReader:
        return io.BufferedReader(
            _DeadlineReader(self._sock.makefile("rb", buffering=0), self._sock, self._wire)
        )


def _make_session(wire: _Wire) -> t.Any:
    """Return a C(requests.Session) whose connections are watched, and which takes no passwords from .netrc."""
    import requests
    import requests.adapters
    import urllib3
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

    urllib3.disable_warnings(
        urllib3.exceptions.InsecureRequestWarning
    )  # the module warns in words of its own

    def watched(plain: t.Any) -> t.Any:
        class Watched(plain):  # type: ignore[misc]  # which class it is, is known at run time only
            sock: t.Any
            _connecting = False

            def connect(self) -> None:
                self._connecting = True
                try:
                    super().connect()
                finally:
                    self._connecting = False
                self.sock = _WatchedSocket(self.sock, wire)

            def _tunnel(self) -> None:
                # What a proxy answers must come within the deadline too; TLS is then made on the socket itself.
                plain = self.sock
                self.sock = _WatchedSocket(plain, wire)
                super()._tunnel()
                self.sock = plain

            def send(self, data: t.Any) -> None:
                if self.sock is None:
                    self.connect()
                if self._connecting:
                    super().send(data)  # to the proxy: not yet the request
                else:
                    wire.write(self.sock._sock, data)

        return Watched

    class WatchedHTTPPool(HTTPConnectionPool):
        ConnectionCls = watched(HTTPConnection)

    class WatchedHTTPSPool(HTTPSConnectionPool):
        ConnectionCls = watched(HTTPSConnection)

    pools = {"http": WatchedHTTPPool, "https": WatchedHTTPSPool}

    class Adapter(requests.adapters.HTTPAdapter):
        """Sends requests to one platform, and returns the answers of C(urllib3) as they are: C(requests) would add cookies."""

        target = ""  # what the next request's first line names
        _pool: t.Any = None

        def get_connection_with_tls_context(self, *args: t.Any, **options: t.Any) -> t.Any:
            # All requests of a session go one way, so it is looked for once.
            if self._pool is None:
                self._pool = super().get_connection_with_tls_context(*args, **options)
            return self._pool

        def request_url(self, request: t.Any, proxies: t.Any) -> t.Any:
            return self.target or super().request_url(request, proxies)

        def build_response(self, req: t.Any, resp: t.Any) -> t.Any:
            return resp

        def close(self) -> None:
            self._pool = None
            super().close()

        def init_poolmanager(self, *args: t.Any, **options: t.Any) -> None:
            super().init_poolmanager(*args, **options)
            self.poolmanager.pool_classes_by_scheme = pools

        def proxy_manager_for(self, *args: t.Any, **options: t.Any) -> t.Any:
            manager = super().proxy_manager_for(*args, **options)
            manager.pool_classes_by_scheme = pools
            return manager

    session = requests.Session()
    session.headers = requests.structures.CaseInsensitiveDict({"User-Agent": "nextbilling.did"})
    session.auth = (
        lambda request: request
    )  # requests looks into .netrc only where no authentication is set
    session.mount("http://", Adapter(max_retries=0))
    session.mount("https://", Adapter(max_retries=0))
    return session
