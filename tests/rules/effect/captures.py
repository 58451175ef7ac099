"""Captures of made-up traffic: one HTTP request, or one payload, from a client to a server."""

from __future__ import annotations

import struct

CLIENT, SERVER = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])
_SYN, _ACK, _PUSH, _FIN = 2, 16, 8, 1


def http_request(
    uri: str = "/evil.php", *, agent: str = "badbot/1.0", method: str = "GET", body: str = ""
) -> bytes:
    """Return a request with its body."""
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    head = f"{method} {uri} HTTP/1.1\r\nHost: lab.example\r\nUser-Agent: {agent}\r\n{length}"
    return f"{head}\r\n{body}".encode()


def tcp_capture(*payloads: bytes, port: int = 80) -> bytes:
    """Return a capture of one connection, in which the client sends `payloads`."""
    ours, theirs = 1000, 5000
    packets = [
        _tcp(CLIENT, SERVER, 40000, port, ours, 0, _SYN),
        _tcp(SERVER, CLIENT, port, 40000, theirs, ours + 1, _SYN | _ACK),
        _tcp(CLIENT, SERVER, 40000, port, ours + 1, theirs + 1, _ACK),
    ]
    at = ours + 1
    for payload in payloads:
        packets.append(_tcp(CLIENT, SERVER, 40000, port, at, theirs + 1, _PUSH | _ACK, payload))
        at += len(payload)
        packets.append(_tcp(SERVER, CLIENT, port, 40000, theirs + 1, at, _ACK))
    packets.append(_tcp(CLIENT, SERVER, 40000, port, at, theirs + 1, _FIN | _ACK))
    packets.append(_tcp(SERVER, CLIENT, port, 40000, theirs + 1, at + 1, _FIN | _ACK))
    packets.append(_tcp(CLIENT, SERVER, 40000, port, at + 1, theirs + 2, _ACK))
    return _capture(packets)


def udp_capture(payload: bytes, port: int = 53) -> bytes:
    """Return a capture of one datagram."""
    header = struct.pack(">HHHH", 40000, port, 8 + len(payload), 0)
    return _capture([_ip(CLIENT, SERVER, 17, header + payload)])


def _tcp(
    source: bytes,
    target: bytes,
    source_port: int,
    target_port: int,
    sequence: int,
    acknowledged: int,
    flags: int,
    payload: bytes = b"",
) -> bytes:
    ports = struct.pack(">HHII", source_port, target_port, sequence, acknowledged)
    rest = struct.pack(">BBHHH", 5 << 4, flags, 64240, 0, 0)
    zeros = source + target + struct.pack(">BBH", 0, 6, 20 + len(payload))
    total = _checksum(zeros + ports + rest + payload)
    rest = struct.pack(">BBHHH", 5 << 4, flags, 64240, total, 0)
    return _ip(source, target, 6, ports + rest + payload)


def _ip(source: bytes, target: bytes, protocol: int, data: bytes) -> bytes:
    def header(checksum: int) -> bytes:
        first = struct.pack(">BBHHH", 0x45, 0, 20 + len(data), 1, 0)
        return first + struct.pack(">BBH", 64, protocol, checksum) + source + target

    frame = b"\x02" + bytes(10) + b"\x02" + b"\x08\x00"
    return frame + header(_checksum(header(0))) + data


def _checksum(data: bytes) -> int:
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _capture(packets: list[bytes]) -> bytes:
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    records = [
        struct.pack("<IIII", 1_700_000_000, 1000 * number, len(packet), len(packet)) + packet
        for number, packet in enumerate(packets)
    ]
    return head + b"".join(records)
