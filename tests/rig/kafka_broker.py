"""A Kafka broker of one's own on free ports of 127.0.0.1 that ends with the process that started it.

    kafka_broker.py FOLDER

The broker's jars, pinned by kafka-pom.xml beside this script, are copied into FOLDER by Maven on first use, under a lock;
its data is in a directory that ends with it. Prints one line of JSON once it answers: `plain` and `sasl`, the ports of
a listener without and one with TLS and SASL (SCRAM-SHA-512 and PLAIN, user `ops`), `ca`, the file of the authority, and
`pid`. Ends when its standard input does.

Needs Java 17 or newer, mvn and openssl on the PATH; the standard library alone otherwise.
"""

import ctypes
import fcntl
import json
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

POM = pathlib.Path(__file__).with_name("kafka-pom.xml")
PASSWORD = "hush-hush"
PATIENCE_SECONDS = 300
SETTINGS = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{plain},SASL_SSL://127.0.0.1:{sasl},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{plain},SASL_SSL://127.0.0.1:{sasl}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
user_ops="{password}";
ssl.keystore.type=PEM
ssl.keystore.location={folder}/broker.pem
log.dirs={folder}/data
num.partitions=3
auto.create.topics.enable=true
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
"""
LOGGING = """<Configuration status="error"><Appenders><Console name="out" target="SYSTEM_ERR"/></Appenders>
<Loggers><Root level="error"><AppenderRef ref="out"/></Root></Loggers></Configuration>"""


def main(folder: pathlib.Path) -> None:
    """Runs a broker until standard input ends."""
    place = jars(folder)
    with tempfile.TemporaryDirectory(prefix="ops-kafka-") as own:
        own = pathlib.Path(own)
        kept = kept_ports("plain", "sasl", "controller")
        ports = {name: keeper.getsockname()[1] for name, keeper in kept.items()}
        certificates(own)
        settings = SETTINGS.format(folder=own, password=PASSWORD, **ports)
        (own / "server.properties").write_text(settings, encoding="utf-8")
        (own / "log4j2.xml").write_text(LOGGING, encoding="utf-8")
        java = ["java", "-Xmx384m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", f"-Dlog4j2.configurationFile={own}/log4j2.xml"]
        java += ["-cp", f"{place}/*"]
        scram = f"SCRAM-SHA-512=[name=ops,password={PASSWORD}]"
        run([*java, "kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qk", "-c",
             str(own / "server.properties"), "--add-scram", scram])
        broker = subprocess.Popen(
            [*java, "kafka.Kafka", str(own / "server.properties")], stdin=subprocess.DEVNULL, stdout=sys.stderr,
            preexec_fn=end_with_parent,
        )
        try:
            wait(broker, ports["plain"])
            told = {"plain": ports["plain"], "sasl": ports["sasl"], "ca": str(own / "ca.pem"), "pid": broker.pid}
            print(json.dumps(told), flush=True)
            sys.stdin.buffer.read()
        finally:
            broker.kill()
            broker.wait()


def jars(folder: pathlib.Path) -> pathlib.Path:
    """The folder of the broker's jars, filled once."""
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / "4.1.1"
    with open(folder / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = place / "complete"
        if not stamp.exists():
            shutil.rmtree(place, ignore_errors=True)
            run(["mvn", "-q", "-B", "-f", str(POM), "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies",
                 f"-DoutputDirectory={place.absolute()}", "-DincludeScope=runtime"])
            stamp.touch()
    return place


def certificates(own: pathlib.Path) -> None:
    """An authority, and a certificate of the broker's for 127.0.0.1."""
    days = ["-days", "2", "-nodes", "-newkey", "rsa:2048"]
    run(["openssl", "req", "-x509", *days, "-keyout", f"{own}/ca.key", "-out", f"{own}/ca.pem", "-subj", "/CN=ops-tests"])
    run(["openssl", "req", *days[2:], "-keyout", f"{own}/broker.key", "-out", f"{own}/broker.csr", "-subj", "/CN=127.0.0.1"])
    (own / "names").write_text("subjectAltName=IP:127.0.0.1", encoding="utf-8")
    run(["openssl", "x509", "-req", *days[:2], "-in", f"{own}/broker.csr", "-CA", f"{own}/ca.pem", "-CAkey", f"{own}/ca.key",
         "-CAcreateserial", "-extfile", f"{own}/names", "-out", f"{own}/broker.crt"])
    (own / "broker.pem").write_bytes((own / "broker.key").read_bytes() + (own / "broker.crt").read_bytes())


def kept_ports(*names: str) -> dict:
    """A port for each name, kept by a socket that nobody listens on: the system gives it to nobody else, and the broker,
    which sets SO_REUSEADDR as this does, may listen on it."""
    keepers = {name: socket.socket() for name in names}
    for keeper in keepers.values():
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        keeper.bind(("127.0.0.1", 0))
    return keepers


def wait(broker: subprocess.Popen, port: int) -> None:
    """Waits until the broker listens."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        if broker.poll() is not None:
            sys.exit(f"kafka_broker.py: the broker ended with {broker.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > end:
                sys.exit(f"kafka_broker.py: the broker does not listen after {PATIENCE_SECONDS} s")
            time.sleep(0.1)


def end_with_parent() -> None:
    """Has the kernel end the broker when this script is killed (PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def run(command: list) -> None:
    """Runs a command, its output on stderr only if it fails; ends this process then."""
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if ended.returncode != 0:
        sys.stderr.buffer.write(ended.stdout)
        sys.exit(f"kafka_broker.py: failed: {' '.join(command[:3])} ...")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
