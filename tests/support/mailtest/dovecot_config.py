# SPDX-License-Identifier: BSD-2-Clause
"""The text of a private Dovecot's configuration file.

Pure text from settings: nothing is started or written here.  Dovecot refuses root as the owner
of mail, so a server that root starts keeps mail as `nobody`; one started by an ordinary user
runs entirely as that user.
"""

import grp
import os
import pwd

SPECIAL_USE = {'Drafts': '\\Drafts', 'Sent': '\\Sent', 'Trash': '\\Trash', 'Junk': '\\Junk', 'Archive': '\\Archive'}

_MAIN = '''
base_dir = {directory}/run
state_dir = {directory}/state
log_path = {directory}/log
log_timestamp = "%Y-%m-%d %H:%M:%S "
listen = 127.0.0.1
protocols = imap pop3 lmtp
ssl = {ssl}
ssl_cert = <{certificate.certificate_file}
ssl_key = <{certificate.key_file}
disable_plaintext_auth = no
auth_mechanisms = {mechanisms}
auth_username_format = %Ln
auth_failure_delay = 0
first_valid_uid = 1
mail_uid = {mail_user}
mail_gid = {mail_group}
default_internal_user = {internal_user}
default_internal_group = {internal_group}
default_login_user = {login_user}
mail_fsync = never
mail_location = maildir:~/Maildir:LAYOUT={layout}
mail_plugins = {mail_plugins}
mail_max_userip_connections = {max_userip_connections}
lda_mailbox_autocreate = yes
postmaster_address = postmaster@example.com
hostname = mail.example.com
passdb {{
  driver = passwd-file
  args = {directory}/users
}}
userdb {{
  driver = static
  args = home={directory}/mail/%n allow_all_users=no
}}
protocol imap {{
  mail_plugins = {imap_plugins}
  {imap_settings}
}}
service imap-login {{
  {chroot}
  inet_listener imap {{
    port = {imap_port}
  }}
  inet_listener imaps {{
    port = {imaps_port}
  }}
}}
service pop3-login {{
  {chroot}
  inet_listener pop3 {{
    port = {pop3_port}
  }}
  inet_listener pop3s {{
    port = {pop3s_port}
  }}
}}
service lmtp {{
  unix_listener {directory}/lmtp {{
    mode = 0666
  }}
}}
service auth {{
  unix_listener {directory}/auth {{
    mode = 0666
  }}
  unix_listener auth-userdb {{
    mode = 0777
  }}
}}
service anvil {{
  {chroot}
  # No growing delays after wrong passwords: all tests come from one address.
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  {chroot}
}}
namespace inbox {{
  inbox = yes
  separator = "{separator}"
  prefix = "{prefix}"
  {mailboxes}
}}
'''

_SHARED = '''
namespace shared {{
  type = shared
  separator = "{separator}"
  prefix = "shared{separator}%%n{separator}"
  location = maildir:{directory}/mail/%%n/Maildir:LAYOUT={layout}:INDEXPVT=~/shared/%%n
  subscriptions = no
  list = yes
}}
plugin {{
  acl = vfile
  acl_shared_dict = file:{directory}/mail/shared-mailboxes
}}
'''

_QUOTA = '''
plugin {{
  quota = count:User quota
  quota_vsizes = yes
  quota_rule = *:{quota}
  quota_grace = 0
}}
'''

_APPEND_LIMIT = '''
plugin {{
  quota_max_mail_size = {append_limit}
}}
'''


def _users(as_root):
    """Who keeps mail, who runs the services, who runs what an unknown client talks to."""
    if not as_root:
        me = pwd.getpwuid(os.geteuid()).pw_name
        group = grp.getgrgid(os.getegid()).gr_name
        return dict(mail_user=me, mail_group=group, internal_user=me, internal_group=group, login_user=me,
                    chroot='chroot =')
    return dict(mail_user='nobody', mail_group='nogroup', internal_user='dovecot', internal_group='dovecot',
                login_user='dovenull', chroot='')


def _mailboxes(special_use):
    return '\n  '.join(f'mailbox "{name}" {{\n    special_use = {flag}\n    auto = subscribe\n  }}'
                       for name, flag in special_use.items())


def text(settings):
    """The whole file.  `settings` are the arguments of `dovecot.Dovecot`, its directory and its ports, by name."""
    counts = bool(settings['quota'] or settings['append_limit'])      # the quota plugin has the limit of a single message too
    plugins = ['quota'] * counts + ['acl'] * settings['acl'] + list(settings['plugins'])
    imap_plugins = plugins + ['imap_quota'] * bool(settings['quota']) + ['imap_acl'] * settings['acl']
    imap_settings = []
    capability = settings['imap_capability'] or '+'
    if settings['append_limit']:
        capability += f' APPENDLIMIT={settings["append_limit"]}'
    if capability != '+':
        imap_settings.append('imap_capability = ' + capability.replace('+ ', '+'))
    if settings['rawlog']:
        imap_settings.append(f'rawlog_dir = {settings["directory"]}/mail/%n/rawlog')
    values = dict(settings, mail_plugins=' '.join(plugins), imap_plugins=' '.join(imap_plugins),
                  imap_settings='\n  '.join(imap_settings), mailboxes=_mailboxes(settings['special_use']),
                  **_users(os.geteuid() == 0))
    parts = [_MAIN]
    if settings['acl']:
        parts.append(_SHARED)
    if settings['quota']:
        parts.append(_QUOTA)
    if settings['append_limit']:
        parts.append(_APPEND_LIMIT)
    return ''.join(part.format(**values) for part in parts) + settings['extra'] + '\n'
