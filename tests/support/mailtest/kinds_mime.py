# SPDX-License-Identifier: BSD-2-Clause
"""Messages with MIME structure: alternatives, attachments, digests, forwards, reports, broken trees.

Each function takes a `messages.Source` and returns the message's bytes.
"""

import urllib.parse

from . import texts
from .messages import assemble, base64_lines, encoded, kind


def _part(content_type, body, encoding='8bit', **headers):
    block = {'Content-Type': content_type, 'Content-Transfer-Encoding': encoding}
    block.update((name.replace('_', '-'), value) for name, value in headers.items())
    return assemble(block, body)


def _multipart(source, subtype, parts, preamble=b'', closed=True, **headers):
    """(content type, body) of a multipart."""
    boundary = source.boundary()
    line = b'--' + boundary.encode()
    body = preamble + b''.join(line + b'\r\n' + part + b'\r\n' for part in parts) + (line + b'--\r\n') * closed
    return f'multipart/{subtype}; boundary="{boundary}"' + ''.join(f'; {name}={value}' for name, value in headers.items()), body


def _message(source, content, subject=None, **headers):
    content_type, body = content
    return assemble(source.headers(subject, Content_Type=content_type, **headers), body)


def _html(source):
    text = source.text('german').replace('\r\n\r\n', '</p>\r\n<p>')
    return f'<!DOCTYPE html><html><head><meta charset="utf-8"><style>p {{ color: #333 }}</style></head><body>\r\n<p>{text}</p>' \
           '<a href="https://www.example.com/?a=1&amp;b=2">link</a><img src="cid:logo@example.com"></body></html>\r\n'


def _text_part(source):
    return _part('text/plain; charset=utf-8', source.text('latin'))


def _attachment_part(source, disposition, size, content_type='application/pdf'):
    return _part(content_type, base64_lines(source.bytes(size)), 'base64', Content_Disposition=disposition)


def _rfc2231(name):
    """A file name as numbered, percent-encoded pieces."""
    text = urllib.parse.quote(name, safe='')
    pieces = [text[at:at + 60] for at in range(0, len(text), 60)]
    return 'attachment' + ''.join(f';\r\n filename*{n}*={"utf-8" + chr(39) * 2 if n == 0 else ""}{piece}' for n, piece in enumerate(pieces))


@kind()
def html_only(source):
    return assemble(source.headers('Newsletter – März', Content_Type='text/html; charset=utf-8'), _html(source))


@kind()
def alternative(source):
    return _message(source, _multipart(source, 'alternative', [_text_part(source), _part('text/html; charset=utf-8', _html(source))]))


@kind()
def related_image(source):
    image = _part('image/png; name=logo.png', base64_lines(source.bytes(3000)), 'base64', Content_ID='<logo@example.com>',
                  Content_Disposition='inline; filename=logo.png')
    related_type, related = _multipart(source, 'related', [_part('text/html; charset=utf-8', _html(source)), image])
    return _message(source, _multipart(source, 'alternative', [_text_part(source), _part(related_type, related)]))


@kind()
def attachment(source, size=None):
    size = source.random.randrange(100, 120000) if size is None else size
    name = source.random.choice(texts.FILE_NAMES)
    return _message(source, _multipart(source, 'mixed', [_text_part(source), _attachment_part(source, _rfc2231(name), size)],
                                       preamble=b'This is a multi-part message in MIME format.\r\n\r\n'))


@kind()
def attachment_names(source):
    """File names as mail programs really write them, right and wrong."""
    names = ['attachment; filename="plain.txt"', 'attachment; filename=unquoted name.txt',
             f'attachment; filename="{encoded("发票.pdf")}"', "attachment; filename*=utf-8'zh'%E5%8F%91%E7%A5%A8.pdf",
             "attachment; filename*=gb18030''%B7%A2%C6%B1.pdf", 'attachment; filename="raw 发票.pdf"', 'attachment', 'inline; filename=""',
             'attachment; filename="a/b\\\\c.txt"', "attachment; filename*0=\"one-\"; filename*1*=utf-8''%C3%BC; filename*3=lost"]
    return _message(source, _multipart(source, 'mixed', [_text_part(source)] + [_attachment_part(source, name, 40) for name in names]))


@kind()
def forward(source):
    original = assemble(source.headers('被转发的邮件', Content_Type='text/plain; charset=utf-8'), source.text('chinese'))
    return _message(source, _multipart(source, 'mixed', [_text_part(source), _part('message/rfc822', original)]), 'Fwd: 被转发的邮件')


@kind()
def message_only(source):
    return assemble(source.headers(Content_Type='message/rfc822'), assemble(source.headers(), source.text()))


@kind()
def digest(source):
    letters = [b'\r\n' + assemble(source.headers(), source.text(most=800)) for _ in range(8)]
    content = _multipart(source, 'digest', letters)
    return _message(source, _multipart(source, 'mixed', [_text_part(source), _part(*content)]), f'users Digest, Vol 7, Issue {source.number}')


@kind()
def signed(source):
    signature = _part('application/pgp-signature; name=signature.asc', '-----BEGIN PGP SIGNATURE-----\r\n\r\nAAAA\r\n-----END PGP SIGNATURE-----\r\n', '7bit')
    return _message(source, _multipart(source, 'signed', [_text_part(source), signature], micalg='pgp-sha256', protocol='"application/pgp-signature"'))


@kind()
def delivery_report(source):
    status = 'Reporting-MTA: dns; mail.example.com\r\n\r\nFinal-Recipient: rfc822; nobody@example.org\r\nAction: failed\r\nStatus: 5.1.1\r\n'
    parts = [_text_part(source), _part('message/delivery-status', status, '7bit'), _part('text/rfc822-headers', assemble(source.headers()))]
    return _message(source, _multipart(source, 'report', parts, report_type='delivery-status'), 'Undelivered Mail Returned to Sender', Return_Path='<>')


@kind()
def invitation(source):
    calendar = 'BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nSUMMARY:会议\r\nDTSTART:20260414T093000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n'
    return _message(source, _multipart(source, 'alternative', [_text_part(source), _part('text/calendar; charset=utf-8; method=REQUEST', calendar)]))


@kind()
def unclosed_multipart(source):
    return _message(source, _multipart(source, 'mixed', [_text_part(source), _text_part(source)], closed=False))


@kind()
def boundary_never_seen(source):
    return assemble(source.headers(Content_Type='multipart/mixed; boundary=nowhere'), source.text())


@kind()
def multipart_without_boundary(source):
    return assemble(source.headers(Content_Type='multipart/mixed'), source.text())


@kind()
def broken_content_headers(source):
    return assemble(source.headers(Content_Type='text', Content_Transfer_Encoding='x-uuencode', Content_Disposition=';;;filename'),
                    b'begin 644 a.txt\r\n#86)C\r\n`\r\nend\r\n')


@kind(rare=80)
def deep_tree(source):
    content = ('text/plain; charset=utf-8', source.text().encode())
    for _ in range(50):
        content = _multipart(source, 'mixed', [_part(*content), _text_part(source)])
    return _message(source, content, 'A tree fifty levels deep')


@kind(rare=200)
def many_parts(source):
    return _message(source, _multipart(source, 'mixed', [_part('text/plain', f'part {n}\r\n') for n in range(1000)]), 'A thousand parts')


@kind(rare=500)
def large_attachment(source):
    return attachment(source, source.random.randrange(1 << 20, 3 << 20))
