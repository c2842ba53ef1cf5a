# SPDX-License-Identifier: BSD-2-Clause
"""Real servers, faulty servers, mailboxes and mounts for end-to-end tests.

    import mailtest
    with mailtest.Dovecot() as server, mailtest.Mount(mailtest.account(server)) as mount: ...

Python's standard library only.  `README` beside this package has the tour.
"""

from . import certificates, folders, kinds_mime, kinds_text, maildir, messages, observer, process, utf7  # noqa: F401
from . import scripted_imap, scripted_smtp, submission_faults  # noqa: F401
from .cutting_proxy import CuttingProxy  # noqa: F401
from .dovecot import Dovecot  # noqa: F401
from .hiding_proxy import HidingProxy  # noqa: F401
from .holding_proxy import HoldingProxy  # noqa: F401
from .mount import Mount, account, configuration, is_mounted, no_fuse  # noqa: F401
from .other_client import OtherClient  # noqa: F401
from .postfix import Postfix  # noqa: F401
from .process import at_exit, free_port, temporary_directory, wait_for  # noqa: F401
from .proxy import Proxy  # noqa: F401
from .scripted_imap import ScriptedImap  # noqa: F401
from .scripted_smtp import ScriptedSmtp  # noqa: F401
from .small_disk import SmallDisk  # noqa: F401
from .tap import MountTestCase, main  # noqa: F401
