"""An MCP server on this machine, with one tool that answers its arguments."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOOLS = [{"name": "echo", "description": "says it again", "inputSchema": {"type": "object"}}]


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/mcp"
        # Of each call of the tool: what authorised it, and its attempt.
        self.seen = []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        params = request.get("params", {})
        result = None
        if request["method"] == "initialize":
            about = {"name": "walk", "version": "1"}
            result = {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": about}
        elif request["method"] == "tools/list":
            result = {"tools": TOOLS}
        elif request["method"] == "tools/call":
            attempt = params.get("_meta", {}).get("agentruntime/attempt")
            self.server.seen.append((self.headers["authorization"], attempt))
            result = {"content": [], "structuredContent": params["arguments"]}
        answer = b"" if result is None else json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}).encode()
        self.send_response(202 if result is None else 200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def do_DELETE(self):
        self.send_response(204)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@contextmanager
def mcp_server():
    server = Server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
