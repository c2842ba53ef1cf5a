# SPDX-License-Identifier: BSD-2-Clause
"""FaultTestCase: ChangeTestCase with a network that fails."""

from .changing import ChangeTestCase, error_of
from .cutting_proxy import CuttingProxy
from .process import wait_for

RECONNECTED_S = 30


class FaultTestCase(ChangeTestCase):
    """Between mailfs and the server of ChangeTestCase stands a CuttingProxy, the network."""

    limit_s = 240
    keys = {'timeout': '10'}       # a busy machine is no server that is away

    def port(self):
        self.network = self.enterContext(CuttingProxy(self.proxy.port))
        return self.network.port

    def arrived(self, *folders):
        """
        fsync(2) of the folders as often as the connection needs, so that nothing is on its way any more.
        Once more at the end: what a move by COPY leaves behind goes by a change of its own.
        """
        def synced():
            return all(error_of(self.sync, folder) == 0 for folder in folders * 2)
        wait_for(synced, RECONNECTED_S, f'the server to have all of {folders}', 0.1)

    def online(self):
        return self.mount.status()['state'] == 'online'
