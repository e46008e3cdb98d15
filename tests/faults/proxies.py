"""The portable substitute for a network of namespaces: each worker calls a proxy of its own on loopback, which passes bytes on, holds them
back on a way that is cut, as TCP does when packets are lost, and can end connections. It loses whole stretches of time, not packets."""

import contextlib
import select
import socket
import struct
import threading

HOST = "127.0.0.1"
CHUNK = 1 << 16
WAIT_SECONDS = 0.05


class Way:
    """From a socket to another."""

    def __init__(self, source, sink, name):
        self.source, self.sink, self.name = source, sink, name


class Proxy:
    """A listener, and the connections that came to it."""

    def __init__(self):
        self.listener = socket.create_server((HOST, 0))
        self.target = None
        self.cut, self.held, self.ended = set(), {"up": 0, "down": 0}, 0
        self.generation, self.refusing, self.closed = 0, False, False
        threading.Thread(target=self.accept, daemon=True).start()

    def port(self):
        return self.listener.getsockname()[1]

    def accept(self):
        while not self.closed:
            try:
                worker, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(worker, self.generation), daemon=True).start()

    def serve(self, worker, generation):
        """One connection, to its end. A cut way keeps even a new one from the coordinator."""
        with contextlib.closing(worker):
            while self.cut and self.lives(generation):
                ready, _, _ = select.select([worker], [], [], WAIT_SECONDS)
                for way in self.cut & {"up", "down"} if ready else ():
                    self.held[way] += 1
                    threading.Event().wait(WAIT_SECONDS)
            if not self.lives(generation):
                return self.abort(worker)
            try:
                coordinator = socket.create_connection(self.target(), timeout=5)
            except OSError:
                return self.abort(worker, count=False)
            with contextlib.closing(coordinator):
                coordinator.settimeout(None)
                for side in (worker, coordinator):
                    side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.pass_on([Way(worker, coordinator, "up"), Way(coordinator, worker, "down")], generation)

    def lives(self, generation):
        return not self.closed and not self.refusing and generation == self.generation

    def pass_on(self, ways, generation):
        while self.lives(generation):
            ready, _, _ = select.select([way.source for way in ways], [], [], WAIT_SECONDS)
            moved = False
            for way in ways:
                if way.source not in ready:
                    continue
                if way.name in self.cut:
                    self.held[way.name] += 1
                    continue
                moved = True
                try:
                    content = way.source.recv(CHUNK)
                    if not content:
                        return
                    way.sink.sendall(content)
                except OSError:
                    return
            if ready and not moved:
                threading.Event().wait(WAIT_SECONDS)
        for way in ways:
            self.abort(way.source)

    def abort(self, side, count=True):
        """Ends a connection with a reset."""
        self.ended += count
        with contextlib.suppress(OSError):
            side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Proxies:
    """As `Namespaces`, with bytes for packets."""

    name, host = "proxies", HOST

    def __init__(self, workers):
        self.proxies = {number: Proxy() for number in range(1, workers + 1)}

    def start(self, coordinator):
        for number, proxy in self.proxies.items():
            proxy.target = coordinator
            proxy.generation += 1
            self.heal(number)

    def end(self):
        for number in self.proxies:
            self.heal(number)

    def worker_command(self, _number, command):
        return command

    def address_for(self, number):
        return f"{HOST}:{self.proxies[number].port()}"

    def cut(self, number, ways):
        self.proxies[number].cut = set(ways)

    def reset(self, number):
        self.proxies[number].refusing = True

    def heal(self, number):
        proxy = self.proxies[number]
        proxy.cut, proxy.refusing = set(), False

    def lost(self, number, ways):
        proxy = self.proxies[number]
        return sum(proxy.held[way] for way in ways) + proxy.ended

    def close(self):
        for proxy in self.proxies.values():
            proxy.closed = True
            proxy.listener.close()
