# SPDX-License-Identifier: BSD-2-Clause
"""A private certificate authority and the server certificates that tests need.

Made with the openssl command, elliptic-curve keys, once a test program: each kind is made when
first asked for.  Kinds: `good` (localhost, 127.0.0.1 and ::1), `wrong_host`, `expired`,
`not_yet_valid`, `self_signed` and `other_ca` (the right name, signed by a stranger).
"""

import functools
import hashlib
import os
import ssl
import subprocess
from typing import NamedTuple

from . import process

LOOPBACK_NAMES = 'DNS:localhost,IP:127.0.0.1,IP:::1'


class Certificate(NamedTuple):
    """Paths of PEM files; `ca_file` is what a client has to trust."""
    certificate_file: str
    key_file: str
    ca_file: str

    def fingerprint(self):
        """As the configuration key `tls-fingerprint` wants it: sha256:HEX of the certificate."""
        with open(self.certificate_file, encoding='ascii') as file:
            return 'sha256:' + hashlib.sha256(ssl.PEM_cert_to_DER_cert(file.read())).hexdigest()

    def server_context(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate_file, self.key_file)
        return context

    def client_context(self):
        return ssl.create_default_context(cafile=self.ca_file)


@functools.cache
def _directory():
    return process.temporary_directory('mailtest-ca-')


def _openssl(*arguments):
    result = subprocess.run(('openssl',) + arguments, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise RuntimeError(f'openssl {arguments[0]}: {result.stderr}')


def _make_key(name):
    path = os.path.join(_directory(), name + '.key')
    _openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', path)
    os.chmod(path, 0o600)
    return path


def _self_sign(name, subject, extensions):
    key = _make_key(name)
    path = os.path.join(_directory(), name + '.pem')
    _openssl('req', '-new', '-x509', '-key', key, '-subj', subject, '-days', '30', '-out', path,
             *(argument for extension in extensions for argument in ('-addext', extension)))
    return path, key


@functools.cache
def authority(name):
    """(certificate, key) of a certificate authority of this test program."""
    return _self_sign(name, f'/CN=mailfs test {name}', ('keyUsage=critical,keyCertSign,cRLSign',))


_CA_CONFIG = '''
[ca]
default_ca = here
[here]
new_certs_dir = {directory}
database = {directory}/{name}.index
serial = {directory}/{name}.serial
default_md = sha256
policy = anything
unique_subject = no
x509_extensions = leaf
[anything]
commonName = supplied
[leaf]
basicConstraints = CA:FALSE
keyUsage = digitalSignature
extendedKeyUsage = serverAuth,clientAuth
subjectAltName = {names}
'''


def _issue(name, names=LOOPBACK_NAMES, common_name='localhost', ca='ca', valid=()):
    """Sign with `openssl ca`, the one subcommand of OpenSSL 3.0 that takes a start and an end date."""
    ca_certificate, ca_key = authority(ca)
    directory = _directory()
    key = _make_key(name)
    request, certificate, config = (os.path.join(directory, name + ending) for ending in ('.csr', '.pem', '.cnf'))
    with open(config, 'w', encoding='ascii') as file:
        file.write(_CA_CONFIG.format(directory=directory, name=name, names=names))
    with open(os.path.join(directory, name + '.index'), 'w', encoding='ascii'):
        pass
    with open(os.path.join(directory, name + '.serial'), 'w', encoding='ascii') as file:
        file.write(os.urandom(8).hex().upper() + '\n')
    _openssl('req', '-new', '-key', key, '-subj', f'/CN={common_name}', '-out', request)
    _openssl('ca', '-batch', '-notext', '-config', config, '-cert', ca_certificate, '-keyfile', ca_key,
             '-in', request, '-out', certificate, *(valid or ('-days', '30')))
    return Certificate(certificate, key, ca_certificate)


@functools.cache
def good():
    return _issue('good')


@functools.cache
def wrong_host():
    return _issue('wrong_host', names='DNS:mail.example.net', common_name='mail.example.net')


@functools.cache
def expired():
    return _issue('expired', valid=('-startdate', '20200101000000Z', '-enddate', '20200201000000Z'))


@functools.cache
def not_yet_valid():
    return _issue('not_yet_valid', valid=('-startdate', '20400101000000Z', '-enddate', '20410101000000Z'))


@functools.cache
def self_signed():
    """For localhost, signed by itself; `ca_file` is the usual authority, which knows nothing of it."""
    certificate, key = _self_sign('self_signed', '/CN=localhost', ('subjectAltName=' + LOOPBACK_NAMES,))
    return Certificate(certificate, key, authority('ca')[0])


@functools.cache
def other_ca():
    """Good for localhost, but its authority is not the one of `ca_file`."""
    issued = _issue('other_ca', ca='other-authority')
    return issued._replace(ca_file=authority('ca')[0])


@functools.cache
def client(common_name='alice'):
    """A client certificate of the usual authority."""
    return _issue('client-' + common_name, names=f'email:{common_name}@example.com', common_name=common_name)
