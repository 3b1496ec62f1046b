#!/usr/bin/python3
"""Times what a program does to the kernel, in the network namespace that this runs in. Prints milliseconds.

  stopwatch.py nft COMMAND...               from the start of COMMAND to nftables' newest generation
  stopwatch.py reload PID                   from SIGHUP to PID, to the same
  stopwatch.py repaired TABLE CHAIN COMMAND...   from the start of COMMAND, after which no such chain is there, until one is
  stopwatch.py churn RATE                   until a signal: so many nftables transactions a second, in a table of its own
  stopwatch.py steered TABLE COMMAND...     from the start of COMMAND to its nftables table and a default route in TABLE
  stopwatch.py moment TABLE                 until the same: prints "watching", then the microseconds of the clock
  stopwatch.py answer SOCKET COMMAND...     from the start of COMMAND to its first answer to "status" on SOCKET
  stopwatch.py pings DEVICE FILE            until a signal: the times between ICMP requests that come in by DEVICE, to FILE
  stopwatch.py lateness FILE MILLISECONDS   of a capture of probes (tcpdump -i any): how much later than due each left
  stopwatch.py cpu PID                      CPU time of PID until now, ended threads and all
  stopwatch.py scrape ADDRESS PORT FILE     from connecting to the last byte of GET /metrics, whose body goes to FILE
  stopwatch.py spent FILE COMMAND...        to the end of COMMAND; its CPU time, and of all that it has waited for, to FILE
  stopwatch.py installed COUNT COMMAND...   from the start of COMMAND until the kernel has taken COUNT SAs out, and as many in

COMMAND runs on for `steered`, `answer` and `installed`, and its process id follows. All times are CLOCK_MONOTONIC.
"""
import os
import resource
import signal
import socket
import struct
import sys
import time

LIMIT = 30
NETLINK_ROUTE, NETLINK_XFRM, NETLINK_NETFILTER = 0, 6, 12
NEW_GENERATION, GET_GENERATION, NEW_ROUTE = 10 << 8 | 15, 10 << 8 | 16, 24
NEW_SA, UPDATE_SA = 16, 26
GROUP_SAS, GROUP_NFTABLES, GROUP_IPV4_ROUTE = 3, 7, 7
SOL_NETLINK, ADD_MEMBERSHIP = 270, 1
ATTRIBUTE_TABLE, TABLE_FIELD = 15, 4


def milliseconds(begun, ended):
    return f"{(ended - begun) * 1000:.3f}"


def netlink(protocol, group=None):
    channel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
    channel.bind((0, 0))
    channel.settimeout(LIMIT)
    if group:
        channel.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, group)
    return channel


def messages(data):
    """Type and body of each netlink message."""
    while len(data) >= 16:
        length, kind = struct.unpack_from("=IH", data)
        if length < 16:
            return
        yield kind, data[16:length]
        data = data[(length + 3) & ~3:]


def attributes(data):
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        if length < 4:
            return
        yield kind & 0x3fff, data[4:length]
        data = data[(length + 3) & ~3:]


# --- nftables' generation: it rises with every transaction --------------------------------------------------------------

def generation(channel):
    channel.send(struct.pack("=IHHIIBBH", 20, GET_GENERATION, 1, 0, 0, 0, 0, 0))
    for kind, body in messages(channel.recv(8192)):
        if kind == NEW_GENERATION:
            return struct.unpack(">I", dict(attributes(body[4:]))[1])[0]
    raise SystemExit("stopwatch: nftables did not tell its generation")


def until_generation_rests(begun, before, channel, rest=0.4):
    """Asked for 2,000 times a second: listening would make the kernel tell of each element, which costs more."""
    newest, at = before, None
    while time.monotonic() < (at + rest if at else begun + LIMIT):
        time.sleep(0.0005)
        now = generation(channel)
        if now != newest:
            newest, at = now, time.monotonic()
    if at is None:
        raise SystemExit("stopwatch: nothing changed in nftables")
    return at


def time_nft(command):
    channel = netlink(NETLINK_NETFILTER)
    before, begun = generation(channel), time.monotonic()
    process = os.posix_spawnp(command[0], command, os.environ)
    at = until_generation_rests(begun, before, channel)
    if os.waitpid(process, 0)[1] != 0:
        raise SystemExit(f"stopwatch: failed: {' '.join(command)}")
    print(milliseconds(begun, at))


def time_reload(process):
    channel = netlink(NETLINK_NETFILTER)
    before, begun = generation(channel), time.monotonic()
    os.kill(process, signal.SIGHUP)
    print(milliseconds(begun, until_generation_rests(begun, before, channel)))


# --- nftables under another's hands --------------------------------------------------------------------------------------

NEW_TABLE, DELETE_TABLE, GET_CHAIN = 10 << 8 | 0, 10 << 8 | 2, 10 << 8 | 4
BATCH_BEGIN, BATCH_END, CREATE, ACKNOWLEDGE, INET = 16, 17, 0x400, 4, 1


def message(kind, flags, family, resource, strings=()):
    """One netfilter message, with strings as attributes by their numbers."""
    body = struct.pack("=BBH", family, 0, socket.htons(resource))
    for number, text in strings:
        data = text.encode() + b"\0"
        body += struct.pack("=HH", 4 + len(data), number) + data + b"\0" * (-len(data) % 4)
    return struct.pack("=IHHII", 16 + len(body), kind, 1 | flags, 1, 0) + body


def has_chain(channel, table, chain):
    channel.send(message(GET_CHAIN, 0, INET, 0, [(1, table), (3, chain)]))
    return any(kind != 2 for kind, _ in messages(channel.recv(8192)))  # 2: NLMSG_ERROR


def time_repair(table, chain, command):
    channel = netlink(NETLINK_NETFILTER)
    begun = time.monotonic()
    process = os.posix_spawnp(command[0], command, os.environ)
    if os.waitpid(process, 0)[1] != 0:
        raise SystemExit(f"stopwatch: failed: {' '.join(command)}")
    while not has_chain(channel, table, chain):
        if time.monotonic() > begun + LIMIT:
            raise SystemExit("stopwatch: it is not back")
        time.sleep(0.0005)
    print(milliseconds(begun, time.monotonic()))


def churn(rate):
    channel = netlink(NETLINK_NETFILTER)
    begun, count = time.monotonic(), 0
    while True:
        kind, flags = (DELETE_TABLE, 0) if count % 2 else (NEW_TABLE, CREATE)
        channel.send(message(BATCH_BEGIN, 0, 0, 10) + message(kind, flags, INET, 0, [(1, "churn")])
                     + message(BATCH_END, 0, 0, 10))
        count += 1
        time.sleep(max(0, begun + count / rate - time.monotonic()))


# --- from the start of the agent -----------------------------------------------------------------------------------------

def spawn(command):
    """In a session of its own, with its output in a log: it outlives this."""
    log = os.open(os.environ["LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    actions = [(os.POSIX_SPAWN_DUP2, log, 1), (os.POSIX_SPAWN_DUP2, log, 2)]
    return os.posix_spawn(command[0], command, os.environ, file_actions=actions, setsid=True)


def await_message(channel, wanted):
    while True:
        for kind, body in messages(channel.recv(1 << 20)):
            if wanted(kind, body):
                return


def is_default_in(table):
    def wanted(kind, body):
        if kind != NEW_ROUTE or body[1] != 0 or body[7] != 1:  # no default, or not unicast (the floor)
            return False
        found = dict(attributes(body[12:])).get(ATTRIBUTE_TABLE)
        return (struct.unpack("=I", found)[0] if found else body[TABLE_FIELD]) == table
    return wanted


def time_steered(table, command):
    routes, nftables = netlink(NETLINK_ROUTE, GROUP_IPV4_ROUTE), netlink(NETLINK_NETFILTER, GROUP_NFTABLES)
    begun = time.monotonic()
    process = spawn(command)
    await_message(routes, is_default_in(table))
    await_message(nftables, lambda kind, _: kind == NEW_GENERATION)
    print(milliseconds(begun, time.monotonic()), process)


def moment_of_steering(table):
    routes, nftables = netlink(NETLINK_ROUTE, GROUP_IPV4_ROUTE), netlink(NETLINK_NETFILTER, GROUP_NFTABLES)
    print("watching", flush=True)
    await_message(routes, is_default_in(table))
    await_message(nftables, lambda kind, _: kind == NEW_GENERATION)
    print(round(time.monotonic() * 1e6))


def time_installed(count, command):
    """An SA out is new to the kernel; one in has had its number before, and is filled."""
    channel, left = netlink(NETLINK_XFRM, GROUP_SAS), {NEW_SA: count, UPDATE_SA: count}
    begun = time.monotonic()
    process = spawn(command)

    def is_last(kind, _):
        if kind in left:
            left[kind] -= 1
        return all(number <= 0 for number in left.values())
    await_message(channel, is_last)
    print(milliseconds(begun, time.monotonic()), process)


def first_answer(path):
    request = b'{"schema":1,"verb":"status"}'
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
            channel.settimeout(LIMIT)
            try:
                channel.connect(path)
                channel.sendall(struct.pack(">I", len(request)) + request)
                if b'"rules"' in channel.recv(1 << 20):
                    return time.monotonic()
            except OSError:
                pass
        time.sleep(0.0005)
    raise SystemExit("stopwatch: no answer")


def time_answer(path, command):
    begun = time.monotonic()
    process = spawn(command)
    print(milliseconds(begun, first_answer(path)), process)


def time_pings(device, file):
    channel = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
    channel.bind((device, 0x0800))
    before = None
    with open(file, "w", encoding="ascii") as out:
        print("listening", flush=True)
        while True:
            packet, sender = channel.recvfrom(256)
            now = time.monotonic()
            # Sent to us; ICMP without options in the IP header; an echo request.
            if sender[2] != socket.PACKET_HOST or packet[0] != 0x45 or packet[9] != 1 or packet[20] != 8:
                continue
            if before:
                print(milliseconds(before, now), file=out, flush=True)
            before = now


def packets(file):
    """Time and bytes, from the IP header on, of a little-endian pcap file of the link type that `any` has."""
    with open(file, "rb") as capture:
        header = capture.read(24)
        if struct.unpack_from("<I", header)[0] != 0xa1b2c3d4 or header[20:22] not in (b"\x71\x00", b"\x14\x01"):
            raise SystemExit("stopwatch: no capture of the kind that is known")
        link = 20 if header[20:22] == b"\x14\x01" else 16  # LINKTYPE_LINUX_SLL2, else LINKTYPE_LINUX_SLL
        while len(record := capture.read(16)) == 16:
            seconds, part, length, _ = struct.unpack("<IIII", record)
            yield seconds * 1000 + part / 1000, capture.read(length)[link:]


def print_lateness(file, interval):
    """A probe is due one interval after the last one was, or left: whoever sends before its time begins anew."""
    due = {}
    for at, packet in packets(file):
        target = packet[16:20]
        last = due.get(target)
        if last is not None and at >= last + interval:
            print(f"{at - last - interval:.3f}")
            due[target] = last + interval
        else:
            due[target] = at


def cpu(process):
    # The process's clock, by the kernel's numbering of clocks: CPUCLOCK_SCHED.
    print(f"{time.clock_gettime_ns(~process << 3 | 2) / 1e6:.3f}")


def time_scrape(address, port, file):
    begun = time.monotonic()
    channel = socket.create_connection((address, port), LIMIT)
    channel.sendall(b"GET /metrics HTTP/1.1\r\nHost: router\r\n\r\n")
    answer = bytearray()
    while part := channel.recv(1 << 16):
        answer += part
    ended = time.monotonic()
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise SystemExit(head.decode("ascii", "replace"))
    with open(file, "wb") as out:
        out.write(body)
    print(milliseconds(begun, ended))


def time_spent(file, command):
    begun = time.monotonic()
    process = os.posix_spawnp(command[0], command, os.environ)
    status = os.waitpid(process, 0)[1]
    ended, used = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    with open(file, "w", encoding="ascii") as out:
        print(f"{(used.ru_utime + used.ru_stime) * 1000:.3f}", file=out)
    print(milliseconds(begun, ended))
    raise SystemExit(os.waitstatus_to_exitcode(status))


def main(words):
    match words:
        case ["nft", *command] if command: time_nft(command)
        case ["reload", process]: time_reload(int(process))
        case ["repaired", table, chain, *command] if command: time_repair(table, chain, command)
        case ["churn", rate]: churn(float(rate))
        case ["steered", table, *command] if command: time_steered(int(table), command)
        case ["moment", table]: moment_of_steering(int(table))
        case ["answer", path, *command] if command: time_answer(path, command)
        case ["pings", device, file]: time_pings(device, file)
        case ["lateness", file, interval]: print_lateness(file, int(interval))
        case ["cpu", process]: cpu(int(process))
        case ["scrape", address, port, file]: time_scrape(address, int(port), file)
        case ["spent", file, *command] if command: time_spent(file, command)
        case ["installed", count, *command] if command: time_installed(int(count), command)
        case _: raise SystemExit(__doc__)


main(sys.argv[1:])
