# SPDX-License-Identifier: BSD-3-Clause
"""A daemon with one virtual device, for benchmarks of its tap."""
import json
import subprocess
import time


class Daemon:
    """Runs as long as the `with` lasts; its socket is FOLDER/s."""

    def __init__(self, build, folder, device):
        self.build, self.folder = build, folder
        self.log = open(f"{folder}/daemon.log", "w+")
        self.p = subprocess.Popen([build / "tools/npf-dpdk", "--vdev", device, "--socket", f"{folder}/s"],
                                  stderr=self.log)

    def __enter__(self):
        for _ in range(400):
            if "npf-dpdk: ready" in open(self.log.name).read():
                return self
            time.sleep(0.05)
        raise RuntimeError(open(self.log.name).read())

    def __exit__(self, *_):
        self.p.terminate()
        self.p.wait(20)

    def tap_packets(self):
        """Packets that the tap has handled so far."""
        r = subprocess.run([self.build / "tools/npfctl", "--socket", f"{self.folder}/s", "--json", "status"],
                           capture_output=True, check=True)
        return json.loads(r.stdout)["lcores"][0]["packets"]
