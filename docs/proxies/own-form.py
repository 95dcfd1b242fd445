"""A login form of one's own, on the public host: `[login] url = "https://app1.example.com/mine/login"`.

It proves people by its own means (here: one name and password), begins a session by Cloakroom's API, hands the cookie on
and sends the person back. Run it behind the proxy like any application; the rule that lets people without a session
reach it is `[[access]]` with `path = "/mine"` and `allow = "public"`.
"""
import hmac, html, http.server, json, os, sys, urllib.parse, urllib.request

CLOAKROOM = os.environ.get("CLOAKROOM", "http://127.0.0.1:7878")
PUBLIC = os.environ.get("PUBLIC", "https://app1.example.com")
KEY_FILE = os.environ.get("KEY_FILE", "first.key")  # scope sessions:write
PEOPLE = {"grace": "a password of this form"}

PAGE = """<!doctype html><title>Mine</title><h1>My own form</h1><p>{wrong}</p>
<form method="post"><input name="username"><input name="password" type="password">
<input type="hidden" name="return_to" value="{return_to}"><button type="submit">Log in</button></form>"""


def begin_session(name, agent):
    key = open(KEY_FILE).read().strip()
    body = {"subject": name, "amr": ["pwd"], "device": {"user_agent": agent}}
    headers = {"Authorization": "Bearer " + key, "Content-Type": "application/json"}
    asked = urllib.request.Request(CLOAKROOM + "/v1/sessions", json.dumps(body).encode(), headers)
    return json.load(urllib.request.urlopen(asked))["set_cookie"]


class Form(http.server.BaseHTTPRequestHandler):
    def page(self, return_to, wrong=""):
        text = PAGE.format(return_to=html.escape(return_to), wrong=wrong).encode()
        self.send_response(422 if wrong else 200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        self.page(query.get("return_to", [PUBLIC + "/"])[0])

    def do_POST(self):
        # Forms of other sites are none of ours (login CSRF).
        if self.headers.get("Origin") != PUBLIC:
            return self.send_error(403)
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        typed = {name: values[0] for name, values in urllib.parse.parse_qs(body).items()}
        name, return_to = typed.get("username", ""), typed.get("return_to", "")
        # It always is an address of the public host; another one was not written by Cloakroom.
        if not return_to.startswith(PUBLIC + "/"):
            return_to = PUBLIC + "/"
        if not hmac.compare_digest(PEOPLE.get(name, "\0"), typed.get("password", "")):
            return self.page(return_to, "That name and password do not fit together.")
        self.send_response(303)
        self.send_header("Set-Cookie", begin_session(name, self.headers.get("User-Agent", "")))
        self.send_header("Location", return_to)
        self.send_header("Cache-Control", "no-store")
        self.end_headers()


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Form).serve_forever()
